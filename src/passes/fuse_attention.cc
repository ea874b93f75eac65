// ai.octavo.Attention and RotaryEmbedding in the operators of onnxruntime:
//
//   Attention            where query, key and value are products of one token value with constant
//                        matrices, apart or in one; the products become part of it
//   MultiHeadAttention   everywhere else (rotary positions)
//   RotaryEmbedding      with tables computed for the sequence at hand, so that no length is too
//   long
//
// The mask is the raw one, [batch, sequence] of int32, which is right for padding on either side. A
// local window and a bias by distance become attention_bias.
#include <limits>

#include "passes/attention_bias.h"
#include "passes/pass.h"
#include "passes/token_values.h"

namespace octavo::passes {
namespace {

/// Weights of query, key and value side by side.
struct Projection {
  ir::ValueId x = ir::kNoValue;
  Tensor weight;  // [in, 3 * hidden]
  Tensor bias;    // [3 * hidden]
};

Tensor side_by_side(const std::vector<Linear>& parts) {
  const std::int64_t rows = parts[0].weight->dim(0);
  std::int64_t columns = 0;
  for (const Linear& part : parts) columns += part.weight->dim(1);
  Tensor out(DType::kFloat32, {rows, columns});
  float* to = out.mutable_data<float>().data();
  for (std::int64_t r = 0; r < rows; ++r) {
    for (const Linear& part : parts) {
      const std::int64_t width = part.weight->dim(1);
      const float* from = part.weight->data<float>().data() + r * width;
      to = std::copy(from, from + width, to);
    }
  }
  return out;
}

/// Zeros where there is none: onnxruntime's kernel needs the input that its schema calls optional.
Tensor joined_bias(const std::vector<Linear>& parts) {
  std::vector<float> out;
  for (const Linear& part : parts) {
    const auto width = static_cast<std::size_t>(part.weight->dim(1));
    if (part.bias == nullptr) {
      out.resize(out.size() + width, 0.0f);
    } else {
      const auto values = part.bias->data<float>();
      out.insert(out.end(), values.begin(), values.end());
    }
  }
  return Tensor::vector<float>(out);
}

bool equal_thirds(const ir::Graph& graph, const ir::Node& split, std::int64_t width) {
  if (!split.is("Split") || split.outputs.size() != 3 || width % 3 != 0) return false;
  const std::int64_t axis = split.attributes.int_or("axis", 0);
  if (axis != -1 && axis != 2) return false;
  const auto sizes = integers_of(graph, split, 1, "split");
  return !sizes || *sizes == std::vector<std::int64_t>(3, width / 3);
}

class Fuser {
 public:
  Fuser(ir::Graph& graph, PassContext& context)
      : graph_(graph), context_(context), readers_(graph) {}

  void run(ir::NodeId id, ir::ValueId ids) {
    const ir::Node node = graph_.node(id);
    std::string reason;
    const ir::ValueId bias = attention_bias(node, ids);
    std::optional<Projection> projection = project(node, &reason);
    if (!projection) context_.near_miss("node '" + node.name + "'", "no Attention: " + reason);
    const ir::ValueId mask =
        node.input(3) == ir::kNoValue ? ir::kNoValue : as_int32(graph_, node.input(3));
    ir::Attributes attributes;
    attributes.set("num_heads", node.attributes.require_int("num_heads"));
    attributes.set("scale", node.attributes.float_or("scale", 1));
    if (mask != ir::kNoValue) {
      attributes.set("mask_filter_value", std::numeric_limits<float>::lowest());
    }
    const char* op = projection ? "Attention" : "MultiHeadAttention";
    std::vector<ir::ValueId> inputs;
    if (projection) {
      const ir::ValueId weight =
          graph_.add_constant(node.name + ".qkv_weight", std::move(projection->weight));
      const ir::ValueId qkv_bias =
          graph_.add_constant(node.name + ".qkv_bias", std::move(projection->bias));
      inputs = {projection->x, weight, qkv_bias, mask, ir::kNoValue, bias};
    } else {
      inputs = {node.input(0), node.input(1), node.input(2), ir::kNoValue, mask, bias};
    }
    while (inputs.back() == ir::kNoValue) inputs.pop_back();
    const ir::ValueId out =
        graph_.emit(op, std::move(inputs), std::move(attributes), "com.microsoft", node.name);
    graph_.replace_uses(node.outputs[0], out);
    context_.fire();
  }

 private:
  std::optional<Projection> project(const ir::Node& node, std::string* reason) const {
    const ir::ValueId q = node.input(0), k = node.input(1), v = node.input(2);
    const ir::Node* from = graph_.producer(q);
    if (from != nullptr && from->is("RotaryEmbedding", "ai.octavo")) {
      *reason = "rotary positions come between the product and the attention";
      return std::nullopt;
    }
    if (from != nullptr && from == graph_.producer(k) && from == graph_.producer(v) &&
        from->outputs == std::vector{q, k, v}) {
      const auto all = match_linear(graph_, from->input(0));
      if (all && equal_thirds(graph_, *from, all->weight->dim(1)) && unshared(q, k, v)) {
        return Projection{all->x, *all->weight, joined_bias({*all})};
      }
      *reason = "query, key and value are no equal parts of one product";
      return std::nullopt;
    }
    std::vector<Linear> parts;
    for (const ir::ValueId value : {q, k, v}) {
      const auto part = match_linear(graph_, value);
      if (!part) {
        *reason = "query, key or value is no product with a constant matrix";
        return std::nullopt;
      }
      parts.push_back(*part);
    }
    if (parts[0].x != parts[1].x || parts[0].x != parts[2].x) {
      *reason = "query, key and value are made from different values";
      return std::nullopt;
    }
    if (!unshared(q, k, v)) {
      *reason = "query, key or value is read elsewhere too";
      return std::nullopt;
    }
    Projection out{parts[0].x, context_.keep(side_by_side(parts)), joined_bias(parts)};
    for (const Linear& part : parts) part.weight->release();
    return out;
  }

  bool unshared(ir::ValueId q, ir::ValueId k, ir::ValueId v) const {
    for (const ir::ValueId value : {q, k, v}) {
      if (readers_.only(value) == ir::kNoNode) return false;
    }
    return true;
  }

  ir::ValueId attention_bias(const ir::Node& node, ir::ValueId ids) {
    const std::int64_t window = node.attributes.int_or("local_window", 0);
    ir::ValueId out = ir::kNoValue;
    if (window > 0) out = emit_window_bias(graph_, ids, window, node.name + ".window");
    if (node.input(4) != ir::kNoValue) {
      const Tensor bias = *graph_.constant(node.input(4));
      const ir::ValueId relative =
          emit_relative_bias(graph_, ids, bias, node.name + ".relative_bias");
      out = out == ir::kNoValue
                ? relative
                : graph_.emit("Add", {out, relative}, {}, "", node.name + ".attention_bias");
    }
    return out;
  }

  ir::Graph& graph_;
  PassContext& context_;
  const Readers readers_;
};

}  // namespace

void fuse_attention(ir::Graph& graph, PassContext& context) {
  const ir::ValueId ids = graph.find_input("input_ids");
  Fuser fuser(graph, context);
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node& node = graph.node(id);
    if (!node.is("Attention", "ai.octavo")) continue;
    const std::string where = "node '" + node.name + "'";
    const bool sized =
        node.attributes.int_or("local_window", 0) > 0 || node.input(4) != ir::kNoValue;
    if (sized && ids == ir::kNoValue) {
      context.near_miss(where, "there is no input 'input_ids' to take the sequence length from");
      continue;
    }
    if (node.input(4) != ir::kNoValue && graph.constant(node.input(4)) == nullptr) {
      context.near_miss(where, "the relative bias varies");
      continue;
    }
    fuser.run(id, ids);
  }
}

void fuse_rotary_embedding(ir::Graph& graph, PassContext& context) {
  const ir::ValueId ids = graph.find_input("input_ids");
  const Readers readers(graph);
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node node = graph.node(id);
    if (!node.is("RotaryEmbedding", "ai.octavo")) continue;
    const std::string where = "node '" + node.name + "'";
    // Attention sees differences of positions alone: it does not matter where a row begins.
    bool attended = !readers.is_output(node.outputs[0]);
    for (const ir::NodeId reader : readers.of(node.outputs[0])) {
      const ir::Node& by = graph.node(reader);
      attended &= (by.op == "Attention" || by.op == "MultiHeadAttention") && !by.domain.empty() &&
                  by.input(2) != node.outputs[0];
    }
    if (!attended || ids == ir::kNoValue || graph.constant(node.input(1)) == nullptr) {
      context.near_miss(where, "it is read by more than attention, or its frequencies vary");
      continue;
    }
    const RotaryTables tables =
        emit_rotary_tables(graph, ids, node.input(1), node.name + ".tables");
    const std::vector<std::int64_t> first{0};
    const ir::ValueId start =
        graph.add_constant(node.name + ".start", Tensor::vector<std::int64_t>(first));
    ir::Attributes attributes;
    attributes.set("num_heads", node.attributes.require_int("num_heads"));
    attributes.set("interleaved", std::int64_t{0});
    graph.replace_uses(node.outputs[0],
                       graph.emit("RotaryEmbedding", {node.input(0), start, tables.cos, tables.sin},
                                  std::move(attributes), "com.microsoft", node.name));
    context.fire();
  }
}

}  // namespace octavo::passes
