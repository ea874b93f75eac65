// From a graph to the steps of a plan. Used by Plan::build() alone.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "ir/graph.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/gemm/layout.h"
#include "plan/plan.h"
#include "plan/steps/linear.h"
#include "plan/steps/rowwise.h"

namespace octavo::plan {

/// A float32 row of `width` from a scalar, [1], [width], [1, width] or [1, 1, width] tensor;
/// nothing for other shapes.
std::optional<Tensor> as_row(const Tensor& tensor, std::size_t width);

class Lowering {
 public:
  Lowering(ir::Graph graph, IsaMask isa, ThreadPool* pool, Precision precision,
           std::set<ir::ValueId> kept_float);
  std::unique_ptr<Plan> build();

 private:
  // What a value of the graph has become.
  struct Ids {};      // input_ids
  struct TypeIds {};  // token_type_ids
  struct Mask {};     // attention_mask: packing has dealt with it
  struct Positions {  // position ids
    std::size_t set;
  };
  struct Sum {  // an embedding sum that no step has written yet
    std::vector<EmbeddingTerm> terms;
    std::size_t width;
  };
  using Lowered = std::variant<std::monostate, Ids, TypeIds, Mask, Positions, Sum, View>;
  /// A linear layer and the nodes that its step takes over.
  struct LinearMatch {
    LinearPart part;
    ir::ValueId x, weight = ir::kNoValue, result;
    bool last_use = true;  // nothing else reads the weight's other form
    std::vector<ir::NodeId> nodes;
    std::string name;
  };

  void lower(ir::NodeId id);
  void lower_gather(const ir::Node& node);
  void lower_linear(ir::NodeId id);
  void lower_layer_norm(const ir::Node& node);
  void lower_unary(ir::NodeId id, kernels::Activation activation);
  void lower_binary(const ir::Node& node, kernels::BinaryOp op);
  void lower_slice(const ir::Node& node);
  void lower_split(const ir::Node& node);
  void lower_rotary(const ir::Node& node);
  void lower_attention(const ir::Node& node);
  void lower_positions(const ir::Node& node);
  void lower_fake_quantize(const ir::Node& node);
  void lower_mean_tokens(const ir::Node& node);
  void lower_l2_normalize(const ir::Node& node);
  void lower_identity(const ir::Node& node);

  std::optional<LinearMatch> match_linear(ir::NodeId id);
  std::optional<kernels::Activation> match_activation(const ir::Node& node) const;
  /// The only reader of a value that is no output; nullptr otherwise.
  const ir::Node* only_reader(ir::ValueId id, ir::NodeId* reader_id = nullptr) const;
  bool is_output(ir::ValueId id) const;
  std::size_t use_count(ir::ValueId id) const;

  /// The constant a value is, folded if need be; nothing when it depends on an input.
  const Tensor* constant(ir::ValueId id);
  View view(ir::ValueId id, const ir::Node& reader);  // writes pending embedding sums
  View new_view(std::size_t width, Layout layout);
  BufferId new_buffer(std::size_t floats);
  /// The tiles of a value over tokens, written when they are asked for first.
  TileView tiles(ir::ValueId id, const View& x, kernels::GemmType type);
  void set(ir::ValueId id, Lowered lowered) {
    values_[static_cast<std::size_t>(id)] = std::move(lowered);
  }
  Lowered& get(ir::ValueId id) { return values_[static_cast<std::size_t>(id)]; }
  [[noreturn]] void refuse(const ir::Node& node, const std::string& why) const;

  ir::Graph graph_;
  IsaMask isa_;
  ThreadPool* pool_;
  Precision precision_;
  std::set<ir::ValueId> kept_float_;  // matrices whose products stay in float32
  std::unique_ptr<Plan> plan_;
  std::vector<Lowered> values_;
  std::vector<std::vector<ir::NodeId>> readers_;
  std::vector<bool> done_;
  std::vector<std::size_t> widths_;
  std::map<ir::ValueId, TileView> tiles_;
  std::set<BufferId> shared_;  // buffers that two values name
};

}  // namespace octavo::plan
