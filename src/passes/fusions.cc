#include "passes/fusions.h"

namespace octavo::passes {
namespace {

constexpr Pass kPasses[] = {
    {"fold_constants", 1, fold_unquantized},
    {"fuse_layer_norm", 1, fuse_layer_norm},
    {"fuse_gelu", 1, fuse_gelu},
    {"restore_softmax", 1, restore_softmax},
    {"lift_positions", 2, lift_exact_positions},
    {"lift_attention", 2, lift_attention},
    {"freeze_sizes", 1, freeze_sizes},
    {"simplify_shapes", 1, simplify_shapes},
    {"lift_first_token", 2, lift_first_token},
    {"remove_identities", 1, remove_identities},
    {"merge_duplicates", 1, merge_duplicates},
    {"merge_slices", 2, merge_slices},
    {"fuse_embed_layer_norm", 2, fuse_embed_layer_norm},
    {"fuse_rms_norm", 2, fuse_rms_norm},
    {"fuse_skip_layer_norm", 2, fuse_skip_layer_norm},
    {"fuse_bias_gelu", 2, fuse_bias_gelu},
    {"fuse_quick_gelu", 2, fuse_quick_gelu},
    {"fuse_attention", 2, fuse_attention},
    {"fuse_rotary_embedding", 2, fuse_rotary_embedding},
    {"fuse_gemm", 2, fuse_gemm},
    {"merge_duplicates", 2, merge_duplicates},
};

}  // namespace

std::span<const Pass> optimizer_passes() { return kPasses; }

std::vector<PassReport> optimize_graph(ir::Graph& graph, const PipelineOptions& options) {
  // Rewrites make new values; what the graph says of its outputs is kept for them.
  std::vector<ir::Value> described;
  for (const auto& output : graph.outputs()) {
    const ir::Value& value = graph.value(output.value);
    described.push_back({.name = value.name, .dtype = value.dtype, .shape = value.shape});
  }
  std::vector<PassReport> reports = run_passes(graph, kPasses, options);
  for (std::size_t i = 0; i < described.size(); ++i) {
    ir::Value& value = graph.value(graph.outputs()[i].value);
    if (!value.dtype) value.dtype = described[i].dtype;
    if (!value.shape) value.shape = std::move(described[i].shape);
  }
  return reports;
}

}  // namespace octavo::passes
