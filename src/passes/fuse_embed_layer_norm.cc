// EmbedLayerNormalization: the sum of the rows of a word table, a position table and perhaps a
// segment table, and the norm that reads it. Constant rows of the sum (a segment that is the same
// for every token) are added to the position table.
//
// The operator counts positions 0, 1, 2 .. in every row, padding or not. Where the graph counts so
// too, it has no position_ids; where it counts ids or kept tokens, they are computed. A first
// position other than 0 is cut off the table.
#include "passes/pass.h"
#include "passes/token_values.h"

namespace octavo::passes {
namespace {

struct Embedding {
  ir::ValueId ids = ir::kNoValue, types = ir::kNoValue;
  ir::ValueId words = ir::kNoValue, segments = ir::kNoValue, positions = ir::kNoValue;
  std::vector<const Tensor*> rows;
  ir::ValueId position_ids = ir::kNoValue;  // ai.octavo.PositionIds
  ir::ValueId sum = ir::kNoValue;
};

/// The terms of a sum whose parts nobody else reads.
std::vector<ir::ValueId> terms_of(const ir::Graph& graph, const Readers& readers, ir::ValueId sum) {
  constexpr std::size_t kMostTerms = 8;
  std::vector<ir::ValueId> out, pending{sum};
  while (!pending.empty() && out.size() <= kMostTerms) {
    const ir::ValueId value = pending.back();
    pending.pop_back();
    const ir::Node* node = graph.producer(value);
    const bool inner = value == sum || readers.only(value) != ir::kNoNode;
    if (node != nullptr && node->is("Add") && inner) {
      pending.insert(pending.end(), {node->input(1), node->input(0)});
    } else {
      out.push_back(value);
    }
  }
  return out;
}

bool is_table(const ir::Graph& graph, ir::ValueId value) {
  const Tensor* table = graph.constant(value);
  return table != nullptr && table->rank() == 2 && table->dtype() == DType::kFloat32;
}

class Matcher {
 public:
  Matcher(const ir::Graph& graph, const Readers& readers) : graph_(graph), readers_(readers) {}

  /// The embedding, or why there is none; an empty reason where nothing is looked up.
  std::optional<Embedding> match(ir::ValueId sum, std::string* reason) {
    Embedding out;
    out.sum = sum;
    std::vector<const ir::Node*> lookups;
    for (const ir::ValueId term : terms_of(graph_, readers_, sum)) {
      const ir::Node* node = graph_.producer(term);
      if (node == nullptr && row_constant(graph_, term) != nullptr) {
        out.rows.push_back(graph_.constant(term));
      } else if (node != nullptr && node->is("Gather") && is_table(graph_, node->input(0)) &&
                 node->attributes.int_or("axis", 0) == 0) {
        lookups.push_back(node);
      } else {
        if (!lookups.empty()) *reason = "a term of the sum is no row of a table";
        return std::nullopt;
      }
    }
    if (lookups.empty()) return std::nullopt;
    if (!sort(lookups, &out, reason)) return std::nullopt;
    const std::int64_t width = graph_.constant(out.words)->dim(1);
    bool same = graph_.constant(out.positions)->dim(1) == width;
    if (out.segments != ir::kNoValue) same &= graph_.constant(out.segments)->dim(1) == width;
    for (const Tensor* row : out.rows) same &= row->shape().back() == width;
    if (!same) *reason = "the tables differ in width";
    return same ? std::optional(out) : std::nullopt;
  }

 private:
  bool sort(const std::vector<const ir::Node*>& lookups, Embedding* out, std::string* reason) {
    for (const ir::Node* node : lookups) {
      const ir::Node* index = graph_.producer(node->input(1));
      if (index == nullptr) continue;
      if (!index->is("PositionIds", "ai.octavo") || out->positions != ir::kNoValue) {
        *reason = "the indices of a table are computed";
        return false;
      }
      out->positions = node->input(0);
      out->position_ids = node->input(1);
      out->ids = index->input(0);
    }
    if (out->positions == ir::kNoValue) {
      *reason = "there is no position table";
      return false;
    }
    for (const ir::Node* node : lookups) {
      if (node->input(1) == out->position_ids) continue;
      const bool words = node->input(1) == out->ids;
      ir::ValueId& table = words ? out->words : out->segments;
      if (table != ir::kNoValue) {
        *reason = "there are more tables than the operator has";
        return false;
      }
      table = node->input(0);
      if (!words) out->types = node->input(1);
    }
    if (out->words == ir::kNoValue) *reason = "there is no word table";
    return out->words != ir::kNoValue;
  }

  const ir::Graph& graph_;
  const Readers& readers_;
};

class Rewriter {
 public:
  Rewriter(ir::Graph& graph, ir::Node norm, Embedding embedding)
      : graph_(graph), norm_(std::move(norm)), e_(std::move(embedding)) {}

  void run(bool sum_is_read) {
    const std::int64_t width = graph_.constant(e_.words)->dim(1);
    ir::Node node;
    node.op = "EmbedLayerNormalization";
    node.domain = "com.microsoft";
    node.name = norm_.name;
    node.attributes.set("epsilon", norm_.attributes.float_or("epsilon", 1e-5f));
    const ir::Node positions = *graph_.producer(e_.position_ids);
    const std::int64_t padding = positions.attributes.int_or("padding_idx", -1);
    const std::int64_t first = padding >= 0 ? padding : positions.attributes.int_or("offset", 0);
    const ir::ValueId table = position_table(first);
    const ir::ValueId ids = as_int32(graph_, e_.ids);
    const ir::ValueId types = e_.types == ir::kNoValue ? e_.types : as_int32(graph_, e_.types);
    ir::ValueId beta = norm_.input(2);
    if (beta == ir::kNoValue) {
      const std::vector<float> zeros(static_cast<std::size_t>(width), 0.0f);
      beta = graph_.add_constant(norm_.name + ".beta", Tensor::vector<float>(zeros));
    }
    node.inputs = {ids, types, e_.words, table, e_.segments, norm_.input(1), beta};
    if (const ir::ValueId p = position_ids(ids, positions, padding); p != ir::kNoValue) {
      node.inputs.insert(node.inputs.end(), {ir::kNoValue, p});
    }
    const ir::ValueId out = graph_.add_value(norm_.name + ".out");
    // onnxruntime wants the second output named, though nothing reads it.
    node.outputs = {out, graph_.add_value(norm_.name + ".mask_index")};
    if (sum_is_read) node.outputs.push_back(graph_.add_value(norm_.name + ".sum"));
    const std::vector<ir::ValueId> outputs = node.outputs;
    graph_.add_node(std::move(node));
    graph_.replace_uses(norm_.outputs[0], out);
    if (sum_is_read) graph_.replace_uses(e_.sum, outputs[2]);
  }

 private:
  /// The position table from its row `first`, with the constant rows of the sum added.
  ir::ValueId position_table(std::int64_t first) {
    if (first == 0 && e_.rows.empty()) return e_.positions;
    const Tensor& table = *graph_.constant(e_.positions);
    const std::int64_t width = table.dim(1), rows = table.dim(0) - first;
    const auto from = table.data<float>().subspan(static_cast<std::size_t>(first * width));
    Tensor out = Tensor::from<float>({rows, width}, from);
    for (const Tensor* row : e_.rows) {
      const auto values = row->data<float>();
      auto to = out.mutable_data<float>();
      for (std::size_t i = 0; i < to.size(); ++i) to[i] += values[i % values.size()];
    }
    return graph_.add_constant(graph_.value(e_.positions).name, std::move(out));
  }

  ir::ValueId op(const char* name, std::vector<ir::ValueId> inputs,
                 ir::Attributes attributes = {}) {
    const std::string number = std::to_string(graph_.node_count());
    return graph_.emit(name, std::move(inputs), std::move(attributes), "",
                       norm_.name + ".position_ids/" + name + "_" + number);
  }

  ir::ValueId scalar(const char* what, std::int32_t value) {
    return graph_.add_constant(norm_.name + what, Tensor::scalar<std::int32_t>(value));
  }

  /// int32, from 0; kNoValue where every row counts from its first token.
  ir::ValueId position_ids(ir::ValueId ids, const ir::Node& positions, std::int64_t padding) {
    const bool masked = positions.input(1) != ir::kNoValue;
    if (padding < 0 && !masked) return ir::kNoValue;
    const ir::ValueId axis =
        graph_.add_constant(norm_.name + ".axis", Tensor::scalar<std::int64_t>(1));
    const ir::ValueId mask = masked ? as_int32(graph_, positions.input(1)) : ir::kNoValue;
    if (padding < 0) {
      ir::Attributes attributes;
      attributes.set("exclusive", std::int64_t{1});
      return op("CumSum", {mask, axis}, std::move(attributes));
    }
    const ir::ValueId is_padding =
        op("Equal", {ids, scalar(".padding", static_cast<std::int32_t>(padding))});
    ir::ValueId counts = op("Where", {is_padding, scalar(".zero", 0), scalar(".one", 1)});
    if (masked) counts = op("Mul", {counts, mask});
    return op("Mul", {op("CumSum", {counts, axis}), counts});
  }

  ir::Graph& graph_;
  ir::Node norm_;
  Embedding e_;
};

}  // namespace

void fuse_embed_layer_norm(ir::Graph& graph, PassContext& context) {
  const Readers readers(graph);
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node& node = graph.node(id);
    if (!node.is("LayerNormalization") || !makes_one(node)) continue;
    const ir::Node* sum = graph.producer(node.input(0));
    const std::int64_t axis = node.attributes.int_or("axis", -1);
    if (sum == nullptr || (!sum->is("Add") && !sum->is("Gather"))) continue;
    const std::string where = "node '" + node.name + "'";
    std::string reason;
    const auto found = Matcher(graph, readers).match(node.input(0), &reason);
    if (!found) {
      if (!reason.empty()) context.near_miss(where, reason);
      continue;
    }
    const Tensor *scale = graph.constant(node.input(1)), *shift = graph.constant(node.input(2));
    if ((axis != -1 && axis != 2) || scale == nullptr ||
        (node.input(2) != ir::kNoValue && shift == nullptr)) {
      context.near_miss(where, "its parameters vary, or it is not over the last axis");
      continue;
    }
    const ir::Node* positions = graph.producer(found->position_ids);
    const std::int64_t first = std::max(positions->attributes.int_or("padding_idx", -1),
                                        positions->attributes.int_or("offset", 0));
    if (first < 0 || first >= graph.constant(found->positions)->dim(0)) {
      context.near_miss(where, "the first position is not in the table");
      continue;
    }
    Rewriter(graph, node, *found).run(readers.only(node.input(0)) != id);
    context.fire();
  }
}

}  // namespace octavo::passes
