#include "quantize_output.h"

#include <fmt/format.h>

#include <map>

#include "format.h"

namespace octavo::cli {
namespace {

Json smooth_json(const QuantizeResult& result) {
  if (!result.smooth_alpha) return nullptr;
  return {{"alpha", *result.smooth_alpha},
          {"activations", result.smoothed},
          {"folded", result.smoothed_folded}};
}

Json clamped_json(const ClampedWeights& clamped) {
  if (clamped.count == 0) return nullptr;
  return {{"count", clamped.count},
          {"largest", clamped.largest},
          {"tensor", clamped.tensor},
          {"op", clamped.op}};
}

Json quality_json(const QuantizeFlags& flags, const QuantizeResult& result) {
  if (!flags.options.max_loss) return nullptr;
  Json steps = Json::array();
  for (const QualityStep& step : result.gate_steps) {
    steps.push_back({{"excluded", step.excluded},
                     {"ndcg_at_10", step.score},
                     {"loss", step.loss},
                     {"kept", step.kept},
                     {"of_file", step.of_file}});
  }
  return {{"max_loss", *flags.options.max_loss},
          {"ranked_by", sensitivity_metric_name(flags.options.sensitivity_metric)},
          {"baseline_ndcg_at_10", result.baseline_score},
          {"ndcg_at_10", result.score},
          {"loss", result.loss},
          {"excluded", result.gate_excluded},
          {"steps", std::move(steps)}};
}

std::string note_of(const QuantizedNode& node) {
  return node.quantized ? node.note : "left as it was: " + node.note;
}

void print_sensitivity(Console& console, const QuantizeFlags& flags, const QuantizeResult& result) {
  if (result.sensitivity.empty()) return;
  constexpr std::size_t kRows = 20;
  const std::size_t all = result.sensitivity.size();
  const std::size_t rows = flags.explain ? all : std::min(kRows, all);
  const bool scored = result.sensitivity.front().score_loss.has_value();
  std::ostream& out = console.out();
  out << '\n'
      << console.strong("What each product costs, quantised alone: the worst first, by " +
                        std::string(sensitivity_metric_name(flags.options.sensitivity_metric)))
      << '\n';
  std::vector<std::string> header = {"  product", "SQNR dB", "cosine"};
  if (scored) header.push_back("loss");
  Table table(header);
  for (std::size_t i = 0; i < rows; ++i) {
    const LayerSensitivity& layer = result.sensitivity[i];
    std::vector<std::string> row = {"  " + layer.node, fmt::format("{:.1f}", layer.sqnr_db),
                                    fmt::format("{:.6f}", layer.cosine)};
    if (scored) row.push_back(fmt::format("{:.2f} %", 100 * layer.score_loss.value_or(0)));
    table.add(std::move(row));
  }
  out << table.text();
  if (rows < all)
    out << fmt::format("  ... and {} more (--explain, --json, --report)\n", all - rows);
}

void print_gate(Console& console, const QuantizeFlags& flags, const QuantizeResult& result) {
  if (!flags.options.max_loss) return;
  std::ostream& out = console.out();
  out << '\n' << console.strong("Quality gate") << '\n';
  Table table({"  products in float", "NDCG@10", "loss", "budget"});
  table.add({"  all", fmt::format("{:.4f}", result.baseline_score), "0.00 %", ""});
  for (const QualityStep& step : result.gate_steps) {
    const bool holds = step.loss <= *flags.options.max_loss;
    table.add({"  " + std::to_string(step.excluded), fmt::format("{:.4f}", step.score),
               fmt::format("{:.2f} %", step.loss * 100),
               fmt::format("{}{}{}", holds ? "holds" : "exceeded",
                           step.of_file ? ", the file itself" : "",
                           step.kept ? ", measured earlier" : "")});
  }
  out << table.text()
      << fmt::format("  {} left in float, loss {:.2f} % of {:.4f}\n",
                     plural(result.gate_excluded.size(), "product"), result.loss * 100,
                     result.baseline_score);
  for (const std::string& node : result.gate_excluded) out << "    " << node << '\n';
}

}  // namespace

Json quantize_json(const QuantizeFlags& flags, const QuantizeResult& result) {
  Json nodes = Json::array(), layers = Json::array();
  for (const QuantizedNode& node : result.nodes) {
    nodes.push_back(
        {{"name", node.name}, {"op", node.op}, {"quantized", node.quantized}, {"note", node.note}});
  }
  for (const LayerSensitivity& layer : result.sensitivity) layers.push_back(layer_json(layer));
  const QuantizeModelOptions& options = flags.options;
  Json out = {{"path", result.path},
              {"mode", quantize_mode_name(options.scheme.mode)},
              {"format", quantize_format_name(options.scheme.format)},
              {"level", options.level},
              {"opset", result.opset},
              {"files", result.files},
              {"source_bytes", result.source_bytes},
              {"bytes", result.bytes},
              {"quantized", result.quantized},
              {"remarks", result.remarks},
              {"clamped", clamped_json(result.clamped)},
              {"calibration_samples", result.calibration_samples},
              {"calibration_tokens", result.calibration_tokens},
              {"calibration_resumed", result.calibration_resumed},
              {"smooth_quant", smooth_json(result)},
              {"sensitivity_metric", sensitivity_metric_name(options.sensitivity_metric)},
              {"sensitivity", std::move(layers)},
              {"quality", quality_json(flags, result)},
              {"measured_on", result.measured_on},
              {"nodes", std::move(nodes)}};
  if (!flags.report.empty()) out["report"] = flags.report;
  return out;
}

void print_quantize_text(Console& console, const QuantizeFlags& flags,
                         const QuantizeResult& result) {
  std::ostream& out = console.out();
  const double share = result.source_bytes == 0 ? 1.0
                                                : static_cast<double>(result.bytes) /
                                                      static_cast<double>(result.source_bytes);
  out << console.strong(result.path) << '\n'
      << fmt::format("  {}, level {}, opset {}: {} became {} ({:.0f} %)\n",
                     quantize_mode_name(flags.options.scheme.mode), flags.options.level,
                     result.opset, bytes_text(result.source_bytes), bytes_text(result.bytes),
                     share * 100);
  if (result.calibration_samples != 0) {
    out << fmt::format("  ranges from {}, {}\n", plural(result.calibration_samples, "text"),
                       plural(result.calibration_tokens, "token"));
  }
  out << '\n';
  std::map<std::pair<std::string, std::string>, std::size_t> kinds;
  for (const QuantizedNode& node : result.nodes) ++kinds[{node.op, note_of(node)}];
  Table table({"  op", "nodes", "became"});
  for (const auto& [kind, count] : kinds)
    table.add({"  " + kind.first, std::to_string(count), kind.second});
  out << console.strong("Nodes with weights") << '\n' << table.text();
  if (flags.explain) {
    out << '\n' << console.strong("Each") << '\n';
    for (const QuantizedNode& node : result.nodes)
      out << fmt::format("  {} ({}): {}\n", node.name, node.op, note_of(node));
  }
  if (result.smooth_alpha) {
    out << fmt::format("\nSmoothQuant with alpha {:.1f}: {}, {} of them by the normalisation\n",
                       *result.smooth_alpha, plural(result.smoothed, "activation"),
                       result.smoothed_folded);
  }
  print_sensitivity(console, flags, result);
  print_gate(console, flags, result);
}

}  // namespace octavo::cli
