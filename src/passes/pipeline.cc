#include "passes/pipeline.h"

#include <algorithm>
#include <chrono>

#include "octavo/error.h"

namespace octavo::passes {
namespace {

constexpr Pass kPasses[] = {
    {"widen_halves", 1, widen_halves},
    {"open_contrib", 1, open_contrib},
    {"join_integer_products", 1, join_integer_products},
    {"widen_quantized", 1, widen_quantized},
    {"widen_rowwise", 1, widen_rowwise},
    {"fold_constants", 1, fold_constants},
    {"open_attention", 1, open_attention},
    {"fuse_layer_norm", 1, fuse_layer_norm},
    {"fuse_gelu", 1, fuse_gelu},
    {"restore_softmax", 1, restore_softmax},
    {"lift_positions", 1, lift_positions},
    {"lift_attention", 1, lift_attention},
    {"freeze_sizes", 1, freeze_sizes},
    {"lift_first_token", 1, lift_first_token},
    {"lift_pooling", 1, lift_pooling},
    {"remove_identities", 1, remove_identities},
};

}  // namespace

const Probe& PassContext::probe() {
  if (!probe_) probe_ = std::make_unique<Probe>(graph_);
  return *probe_;
}

void PassContext::near_miss(std::string_view where, std::string_view reason) {
  notes_.push_back(std::string(where) + ": " + std::string(reason));
}

void PassContext::begin_pass() {
  if (fired_ != 0) probe_.reset();
  fired_ = 0;
  notes_.clear();
}

std::span<const Pass> all_passes() { return kPasses; }

std::vector<PassReport> run_pipeline(ir::Graph& graph, const PipelineOptions& options) {
  return run_passes(graph, kPasses, options);
}

std::vector<PassReport> run_passes(ir::Graph& graph, std::span<const Pass> passes,
                                   const PipelineOptions& options) {
  for (const std::string& name : options.disabled) {
    if (std::none_of(passes.begin(), passes.end(),
                     [&](const Pass& pass) { return pass.name == name; })) {
      throw Error(ErrorCode::kInvalidArgument, {.message = "there is no such pass",
                                                .place = "pass '" + name + "'",
                                                .fix = "name a pass of the pipeline"});
    }
  }
  std::vector<PassReport> reports;
  graph.remove_dead();
  PassContext context(graph, options.store);
  for (const Pass& pass : passes) {
    if (pass.level > options.level || options.disabled.contains(pass.name)) continue;
    const auto start = std::chrono::steady_clock::now();
    context.begin_pass();
    with_frame([&] { return "pass " + std::string(pass.name); },
               [&] {
                 pass.run(graph, context);
                 if (context.fired() != 0) {
                   graph.remove_dead();
                   graph.verify();
                 }
               });
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    reports.push_back(
        {std::string(pass.name), context.fired(), seconds.count(), context.take_notes()});
  }
  return reports;
}

}  // namespace octavo::passes
