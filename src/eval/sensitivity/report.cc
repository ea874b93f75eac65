// The HTML report of a quantisation.
#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <ostream>

#include "base/cpu.h"
#include "base/file.h"
#include "eval/report/bar_chart.h"
#include "eval/report/html_page.h"
#include "eval/report/machine_facts.h"
#include "eval/sensitivity/section.h"
#include "octavo/quantize_report.h"
#include "octavo/system.h"

namespace octavo {
namespace {

using Rows = std::vector<std::vector<std::string>>;

std::string megabytes(std::size_t bytes) {
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

void add_summary(eval::HtmlPage& page, const QuantizeModelOptions& options,
                 const QuantizeResult& result) {
  page.heading("Summary");
  const QuantizeOptions& s = options.scheme;
  const double share = result.source_bytes == 0 ? 1
                                                : static_cast<double>(result.bytes) /
                                                      static_cast<double>(result.source_bytes);
  std::vector<std::pair<std::string, std::string>> facts = {
      {"File", result.path},
      {"Mode", fmt::format("{}, {}, level {}, opset {}", quantize_mode_name(s.mode),
                           quantize_format_name(s.format), options.level, result.opset)},
      {"Size", fmt::format("{} became {} ({:.0f} %)", megabytes(result.source_bytes),
                           megabytes(result.bytes), 100 * share)},
      {"Quantised",
       fmt::format("{} of {} nodes with weights", result.quantized, result.nodes.size())}};
  if (result.calibration_samples != 0) {
    facts.emplace_back("Ranges from",
                       fmt::format("{} texts, {} tokens ({})", result.calibration_samples,
                                   result.calibration_tokens, options.calibration.method));
  }
  if (result.smooth_alpha)
    facts.emplace_back("SmoothQuant", fmt::format("alpha {:.1f}", *result.smooth_alpha));
  if (options.max_loss) {
    facts.emplace_back("Loss of NDCG@10",
                       fmt::format("{:.2f} % of {:.4f}, {:.2f} % allowed", 100 * result.loss,
                                   result.baseline_score, 100 * *options.max_loss));
  }
  page.facts(facts);
}

void add_gate(eval::HtmlPage& page, const QuantizeModelOptions& options,
              const QuantizeResult& result) {
  if (!options.max_loss) return;
  page.heading("Quality gate");
  page.paragraph(fmt::format(
      "The worst products by {} stay in float until NDCG@10 loses at most {:.2f} %: {} of {}.",
      sensitivity_metric_name(options.sensitivity_metric), 100 * *options.max_loss,
      result.gate_excluded.size(), result.sensitivity.size()));
  eval::BarChart chart{.title = "Loss of NDCG@10 by products in float",
                       .value_label = "loss in % of the float model's",
                       .bars = {}};
  Rows rows = {{"all", fmt::format("{:.4f}", result.baseline_score), "+0.00 %", ""}};
  for (const QualityStep& step : result.gate_steps) {
    const bool holds = step.loss <= *options.max_loss;
    const std::string file = step.of_file ? ", the file itself" : "";
    chart.bars.push_back({.label = fmt::format("{} in float{}", step.excluded, file),
                          .value = 100 * step.loss,
                          .color = holds ? 0 : 1});
    rows.push_back({std::to_string(step.excluded), fmt::format("{:.4f}", step.score),
                    fmt::format("{:+.2f} %", 100 * step.loss),
                    (holds ? "holds" : "loses too much") + file});
  }
  page.figure(eval::render_bars(chart),
              "Every evaluation in its order. In the second colour: the budget is exceeded.");
  page.table({"products in float", "NDCG@10", "loss", "budget"}, rows);
}

void add_nodes(eval::HtmlPage& page, const QuantizeResult& result) {
  std::map<std::pair<std::string, std::string>, std::size_t> kinds;
  for (const QuantizedNode& node : result.nodes)
    ++kinds[{node.op, node.quantized ? node.note : "left as it was: " + node.note}];
  page.heading("Nodes with weights");
  Rows rows;
  for (const auto& [kind, count] : kinds)
    rows.push_back({kind.first, std::to_string(count), kind.second});
  page.table({"operator", "nodes", "became"}, rows);
}

}  // namespace

void write_quantize_report(const std::string& path, const std::string& model,
                           const QuantizeModelOptions& options, const QuantizeResult& result,
                           const std::string& command) {
  std::filesystem::path name = std::filesystem::path(model).lexically_normal();
  if (!name.has_filename()) name = name.parent_path();
  if (name.filename() == "model.onnx" && name.has_parent_path()) name = name.parent_path();
  eval::HtmlPage page("Quantised: " + name.filename().string(),
                      std::string(quantize_mode_name(options.scheme.mode)));
  add_summary(page, options, result);
  if (!result.sensitivity.empty()) {
    page.heading("Sensitivity by layer");
    eval::add_sensitivity(
        page, {.model = {},
               .metric = std::string(sensitivity_metric_name(options.sensitivity_metric)),
               .layers = result.sensitivity,
               .in_float = {result.gate_excluded.begin(), result.gate_excluded.end()}});
  }
  add_gate(page, options, result);
  add_nodes(page, result);
  page.heading("Machine");
  const int threads = options.threads == 0 ? inspect_system().cores : options.threads;
  auto facts = eval::machine_facts(threads, isa_name(parse_isa(options.isa, detect_isa())));
  facts.emplace_back("Source", model);
  facts.emplace_back("Command", command);
  page.facts(facts);
  write_file_atomically(path, [&](std::ostream& out) { out << page.text(); });
}

}  // namespace octavo
