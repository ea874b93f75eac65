// A pass: one rewrite of the graph, listed in pipeline.cc. A pass leaves the outputs of the graph
// as they were (at kept tokens), counts what it rewrote and notes what it nearly rewrote, and why
// not.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"
#include "passes/probe.h"
#include "tensor/tensor_store.h"

namespace octavo::passes {

/// What a pass is given beside the graph, and what it reports.
class PassContext {
 public:
  /// `store`: where large constants that passes make go, which outlives the context; nullptr:
  /// memory.
  explicit PassContext(const ir::Graph& graph, const TensorStore* store = nullptr)
      : graph_(graph), store_(store) {}

  /// The graph as it was when a pass first asked; made anew after begin_pass() when the graph
  /// changed since.
  const Probe& probe();

  void fire(std::size_t times = 1) { fired_ += times; }
  /// Something that nearly matched: where, and what was in the way.
  void near_miss(std::string_view where, std::string_view reason);

  /// A constant that was made, for the graph.
  Tensor keep(Tensor made) const {
    return store_ == nullptr ? std::move(made) : store_->keep(std::move(made));
  }

  void begin_pass();
  std::size_t fired() const { return fired_; }
  std::vector<std::string> take_notes() { return std::move(notes_); }

 private:
  const ir::Graph& graph_;
  const TensorStore* store_;
  std::unique_ptr<Probe> probe_;
  std::size_t fired_ = 0;
  std::vector<std::string> notes_;
};

using PassFunction = void (*)(ir::Graph& graph, PassContext& context);

struct Pass {
  std::string_view name;
  int level;  // runs where the pipeline's level is at least this
  PassFunction run;
};

// One file each.
void widen_halves(ir::Graph& graph, PassContext& context);
void open_contrib(ir::Graph& graph, PassContext& context);
void join_integer_products(ir::Graph& graph, PassContext& context);
void widen_quantized(ir::Graph& graph, PassContext& context);
void widen_rowwise(ir::Graph& graph, PassContext& context);
void fold_constants(ir::Graph& graph, PassContext& context);
void remove_identities(ir::Graph& graph, PassContext& context);
void open_attention(ir::Graph& graph, PassContext& context);
void fuse_layer_norm(ir::Graph& graph, PassContext& context);
void fuse_gelu(ir::Graph& graph, PassContext& context);
void restore_softmax(ir::Graph& graph, PassContext& context);
void lift_positions(ir::Graph& graph, PassContext& context);
void lift_attention(ir::Graph& graph, PassContext& context);
void freeze_sizes(ir::Graph& graph, PassContext& context);
void lift_first_token(ir::Graph& graph, PassContext& context);
void lift_pooling(ir::Graph& graph, PassContext& context);
void merge_duplicates(ir::Graph& graph, PassContext& context);
void simplify_shapes(ir::Graph& graph, PassContext& context);

// Of the table in fusions.cc alone.
void lift_exact_positions(ir::Graph& graph, PassContext& context);
void merge_slices(ir::Graph& graph, PassContext& context);
void fuse_embed_layer_norm(ir::Graph& graph, PassContext& context);
void fuse_rms_norm(ir::Graph& graph, PassContext& context);
void fuse_skip_layer_norm(ir::Graph& graph, PassContext& context);
void fuse_bias_gelu(ir::Graph& graph, PassContext& context);
void fuse_quick_gelu(ir::Graph& graph, PassContext& context);
void fuse_attention(ir::Graph& graph, PassContext& context);
void fuse_gemm(ir::Graph& graph, PassContext& context);
void fuse_rotary_embedding(ir::Graph& graph, PassContext& context);

}  // namespace octavo::passes
