#include "octavo/optimize.h"

#include <algorithm>
#include <set>

#include "exporters/onnx.h"
#include "octavo/error.h"
#include "passes/expand_octavo.h"
#include "passes/fusions.h"
#include "tasks/export_steps.h"
#include "tasks/write_model.h"

namespace octavo {
int parse_optimize_level(std::string_view name) {
  if (name == "0") return 0;
  if (name == "1" || name == "O1") return 1;
  if (name == "2" || name == "O2") return 2;
  if (name == "99") return 99;
  std::string fix = "give one of them";
  if (name == "O3")
    fix = "O3 replaces Gelu by an approximation, which changes results: use 2 or 99";
  if (name == "O4") fix = "O4 also stores weights as float16: that is a matter of quantising";
  throw Error(ErrorCode::kInvalidArgument, {.message = "there is no such level",
                                            .place = "--level",
                                            .expected = "0, 1, 2 or 99 (O1 and O2 are 1 and 2)",
                                            .found = std::string(name),
                                            .fix = std::move(fix)});
}

std::vector<std::string> optimize_pass_names() {
  std::vector<std::string> out;
  for (const passes::Pass& pass : passes::optimizer_passes()) {
    const std::string name(pass.name);
    if (std::find(out.begin(), out.end(), name) == out.end()) out.push_back(name);
  }
  return out;
}

OptimizeResult optimize_model(const std::string& model, const std::string& directory,
                              const OptimizeOptions& options) {
  tasks::check_opset(options.opset);
  tasks::ExportJob job(model, tasks::write_options(directory, options));
  ir::Graph& graph = job.imported.graph;
  passes::PipelineOptions pipeline{.level = options.level, .disabled = {}, .store = &job.store};
  pipeline.disabled.insert(options.disabled.begin(), options.disabled.end());
  OptimizeResult out;
  out.source_bytes = job.source_bytes;
  out.ops_before = tasks::count_ops(graph);
  tasks::number_as_checkpoints_do(job.files, graph);
  tasks::stop_if_cancelled(job.write);
  for (passes::PassReport& report : passes::optimize_graph(graph, pipeline)) {
    out.passes.push_back(
        {report.name, report.fired, report.seconds, std::move(report.near_misses)});
  }
  passes::expand_octavo(graph);
  formats::OnnxModel onnx = exporters::export_onnx(graph, {.opset = options.opset, .metadata = {}});
  out.opset = exporters::opset_of(onnx);
  out.ops_after = tasks::count_ops(onnx);
  std::map<std::string, std::string> recipe{{"level", std::to_string(options.level)},
                                            {"opset", std::to_string(out.opset)}};
  if (!options.disabled.empty()) recipe["disable"] = tasks::joined(options.disabled);
  const tasks::ModelRecord record = tasks::make_record(
      job.files, job.imported, {.verb = "optimize", .options = std::move(recipe)});
  tasks::finish(job, std::move(onnx), record, out);
  return out;
}

}  // namespace octavo
