#include "passes/token_subgraphs.h"

#include <bit>
#include <limits>

namespace octavo::passes {

using ir::kNoValue;
using ir::ValueId;

namespace {

constexpr float kLowest = std::numeric_limits<float>::lowest();

ir::Attributes attribute(std::string name, ir::Attribute value) {
  ir::Attributes out;
  out.set(std::move(name), std::move(value));
  return out;
}

}  // namespace

template <typename Make>
ValueId TokenSubgraphs::once(const Key& key, Make&& make) {
  const auto at = made_.find(key);
  if (at != made_.end()) return at->second;
  const ValueId out = make();
  made_.emplace(key, out);
  return out;
}

std::string TokenSubgraphs::fresh(const std::string& name) {
  const int count = names_[name]++;
  return count == 0 ? name : name + "_" + std::to_string(count);
}

ValueId TokenSubgraphs::op(std::string name, std::vector<ValueId> inputs, std::string node,
                           ir::Attributes attributes) {
  return graph_.emit(std::move(name), std::move(inputs), std::move(attributes), "",
                     node.empty() ? std::move(node) : fresh(node));
}

ValueId TokenSubgraphs::integers(std::vector<std::int64_t> values) {
  const auto at = integers_.find(values);
  if (at != integers_.end()) return at->second;
  std::string name = "ints";
  for (const std::int64_t value : values) name += "_" + std::to_string(value);
  const ValueId out = graph_.add_constant(name, Tensor::vector<std::int64_t>(values));
  integers_.emplace(std::move(values), out);
  return out;
}

ValueId TokenSubgraphs::integer(std::int64_t value) {
  return once({"integer", kNoValue, kNoValue, value}, [&] {
    return graph_.add_constant("int_" + std::to_string(value), Tensor::scalar<std::int64_t>(value));
  });
}

ValueId TokenSubgraphs::number(float value) {
  return once({"number", kNoValue, kNoValue, std::bit_cast<std::int32_t>(value)},
              [&] { return graph_.add_constant("float", Tensor::scalar<float>(value)); });
}

ValueId TokenSubgraphs::unsqueeze(ValueId x, std::vector<std::int64_t> axes, std::string name) {
  return op("Unsqueeze", {x, integers(std::move(axes))}, std::move(name));
}

ValueId TokenSubgraphs::reshape(ValueId x, std::vector<std::int64_t> shape, std::string name) {
  return op("Reshape", {x, integers(std::move(shape))}, std::move(name));
}

ValueId TokenSubgraphs::transpose(ValueId x, std::vector<std::int64_t> perm, std::string name) {
  return op("Transpose", {x}, std::move(name), attribute("perm", std::move(perm)));
}

ValueId TokenSubgraphs::cast(ValueId x, DType to, std::string name) {
  return op("Cast", {x}, std::move(name), attribute("to", static_cast<std::int64_t>(to)));
}

ValueId TokenSubgraphs::divide(ValueId x, ValueId by, float least, const std::string& name) {
  return op("Div", {x, op("Max", {by, number(least)}, name + "/divisor")}, name);
}

ValueId TokenSubgraphs::l2_normalize(ValueId x, float least, const std::string& name) {
  const ValueId norm = op("ReduceL2", {x, integers({-1})}, name + "/norm");
  return divide(x, norm, least, name + "/unit");
}

ValueId TokenSubgraphs::mask_bias(ValueId mask) {
  return once({"mask_bias", mask, kNoValue, 0}, [&] {
    const ValueId wide =
        unsqueeze(unsqueeze(mask, {1}, "attention_mask/rows"), {2}, "attention_mask/heads");
    const ValueId kept = cast(wide, DType::kFloat32, "attention_mask/float");
    const ValueId masked = op("Sub", {number(1), kept}, "attention_mask/inverse");
    return op("Mul", {masked, number(kLowest)}, "attention_mask/bias");
  });
}

ValueId TokenSubgraphs::size(ValueId tokens, std::int64_t axis) {
  return once({"size", tokens, kNoValue, axis}, [&] {
    const ValueId shape =
        once({"shape", tokens, kNoValue, 0}, [&] { return op("Shape", {tokens}, "tokens/shape"); });
    return op("Gather", {shape, integer(axis)}, axis == 0 ? "tokens/batch" : "tokens/sequence",
              attribute("axis", std::int64_t{0}));
  });
}

ValueId TokenSubgraphs::range(ValueId tokens) {
  return once({"range", tokens, kNoValue, 0}, [&] {
    return op("Range", {integer(0), size(tokens, 1), integer(1)}, "tokens/range");
  });
}

ValueId TokenSubgraphs::distances(ValueId tokens) {
  return once({"distances", tokens, kNoValue, 0}, [&] {
    const ValueId keys = unsqueeze(range(tokens), {0}, "tokens/keys");
    const ValueId queries = unsqueeze(range(tokens), {1}, "tokens/queries");
    return op("Sub", {keys, queries}, "tokens/distances");
  });
}

ValueId TokenSubgraphs::outside_window(ValueId tokens, std::int64_t window) {
  return once({"outside_window", tokens, kNoValue, window}, [&] {
    const ValueId apart = op("Abs", {distances(tokens)}, "window/distances");
    return op("Greater", {apart, integer(window)}, "window/outside");
  });
}

ValueId TokenSubgraphs::relative_bias(ValueId tokens, ValueId table) {
  return once({"relative_bias", tokens, table, 0}, [&] {
    const std::int64_t entries = last_dimension(graph_, table);
    ValueId radius;
    if (entries >= 0) {
      radius = number(static_cast<float>(entries / 2));
    } else {
      const ValueId halves = op("Div", {size(table, 1), integer(2)}, "relative_bias/radius");
      radius = cast(halves, DType::kFloat32);
    }
    // Clip has integers from opset 12 on; floats hold every distance exactly.
    const ValueId apart = cast(distances(tokens), DType::kFloat32, "relative_bias/distances");
    const ValueId clipped = op("Clip", {apart, op("Neg", {radius}, "relative_bias/lowest"), radius},
                               "relative_bias/clipped");
    const ValueId at = cast(op("Add", {clipped, radius}, "relative_bias/entries"), DType::kInt64,
                            "relative_bias/indices");
    const ValueId bias =
        op("Gather", {table, at}, "relative_bias/gathered", attribute("axis", std::int64_t{1}));
    return unsqueeze(bias, {0}, "relative_bias/bias");
  });
}

ValueId TokenSubgraphs::attention_bias(ValueId tokens, ValueId mask, ValueId table,
                                       std::int64_t window) {
  ValueId bias = kNoValue;
  if (mask != kNoValue) bias = mask_bias(mask);
  if (window > 0) {
    const ValueId inside = bias == kNoValue ? number(0) : bias;
    bias = once({"window_bias", tokens, mask, window}, [&] {
      return op("Where", {outside_window(tokens, window), number(kLowest), inside}, "window/bias");
    });
  }
  if (table == kNoValue) return bias;
  const ValueId relative = relative_bias(tokens, table);
  if (bias == kNoValue) return relative;
  return once({"summed_bias", relative, bias, 0}, [&] {
    return op("Add", {relative, bias}, "attention_bias");
  });
}

/// cumsum(kept) * kept along the sequence: 1, 2, ... for kept tokens, 0 for the others.
ValueId TokenSubgraphs::counted(ValueId kept) {
  return once({"counted", kept, kNoValue, 0}, [&] {
    const ValueId sums = op("CumSum", {kept, integer(1)}, "positions/sums");
    return op("Mul", {sums, kept}, "positions/counts");
  });
}

ValueId TokenSubgraphs::kept_positions(ValueId tokens, ValueId mask) {
  return once({"kept_positions", mask == kNoValue ? tokens : kNoValue, mask, 0}, [&] {
    if (mask == kNoValue) return unsqueeze(range(tokens), {0}, "positions/kept");
    const ValueId kept = once({"kept", mask, kNoValue, 0},
                              [&] { return cast(mask, DType::kInt64, "positions/mask"); });
    return op("Sub", {counted(kept), kept}, "positions/kept");
  });
}

ValueId TokenSubgraphs::position_ids(ValueId input_ids, ValueId mask, std::int64_t padding_idx,
                                     std::int64_t offset) {
  const std::string kind = "position_ids " + std::to_string(offset);
  return once({kind, input_ids, mask, padding_idx}, [&] {
    if (padding_idx < 0) {
      ValueId out = kept_positions(input_ids, mask);
      if (mask == kNoValue) {
        const ValueId shape = once({"shape", input_ids, kNoValue, 0},
                                   [&] { return op("Shape", {input_ids}, "tokens/shape"); });
        out = op("Expand", {out, shape}, "positions/rows");
      }
      return offset == 0 ? out : op("Add", {out, integer(offset)}, "positions/offset");
    }
    const ValueId ids = cast(input_ids, DType::kInt64, "positions/ids");
    const ValueId padding = op("Equal", {ids, integer(padding_idx)}, "positions/padding");
    ValueId kept =
        cast(op("Not", {padding}, "positions/words"), DType::kInt64, "positions/counted");
    if (mask != kNoValue) {
      const ValueId wide = once({"kept", mask, kNoValue, 0},
                                [&] { return cast(mask, DType::kInt64, "positions/mask"); });
      kept = op("Mul", {kept, wide}, "positions/kept_words");
    }
    return op("Add", {counted(kept), integer(padding_idx)}, "positions/ids_from_padding");
  });
}

TokenSubgraphs::Rotary TokenSubgraphs::rotary(ValueId tokens, ValueId mask, ValueId inv_freq) {
  const ValueId all = mask == kNoValue ? tokens : kNoValue;
  const auto angles = [&] {
    return once({"angles", inv_freq, mask, all}, [&] {
      const ValueId at = cast(kept_positions(tokens, mask), DType::kFloat32, "rotary/positions");
      const ValueId column = unsqueeze(at, {2, 3}, "rotary/columns");
      return op("Mul", {column, inv_freq}, "rotary/angles");
    });
  };
  return {once({"cos", inv_freq, mask, all}, [&] { return op("Cos", {angles()}, "rotary/cos"); }),
          once({"sin", inv_freq, mask, all}, [&] { return op("Sin", {angles()}, "rotary/sin"); })};
}

std::int64_t last_dimension(const ir::Graph& graph, ValueId id) {
  // Follows one operand a node, so the walk ends where the graph does; a bound costs nothing.
  for (int steps = 0; id != kNoValue && steps < 64; ++steps) {
    const ir::Value& value = graph.value(id);
    if (value.constant) {
      return value.constant->rank() == 0 ? -1 : value.constant->shape().back();
    }
    if (value.shape && !value.shape->empty() && value.shape->back().known()) {
      return value.shape->back().value;
    }
    const ir::Node* node = graph.producer(id);
    if (node == nullptr) return -1;
    const auto constant = [&](std::size_t i) { return graph.constant(node->input(i)); };
    if (node->is("MatMul")) {
      id = node->input(1);
    } else if (node->is("Reshape")) {
      const bool known = constant(1) != nullptr && constant(1)->elements() > 0;
      const std::int64_t last = known ? constant(1)->to_int64s().back() : -1;
      return last > 0 ? last : -1;
    } else if (node->is("Transpose") && constant(0) != nullptr) {
      const auto perm = node->attributes.ints("perm");
      const Shape& shape = constant(0)->shape();
      if (shape.empty()) return -1;
      if (!perm) return shape.front();
      const auto last = static_cast<std::size_t>(perm->back());
      return last < shape.size() ? shape[last] : -1;
    } else if (node->is("Add") || node->is("Sub") || node->is("Mul") || node->is("Div")) {
      const bool vector = constant(1) != nullptr && constant(1)->elements() != 1;
      id = node->input(vector ? 1 : 0);
      if (constant(0) != nullptr && constant(0)->elements() == 1) id = node->input(1);
    } else if (node->is("LayerNormalization")) {
      id = node->input(1);
    } else if (node->is("Gather") && node->attributes.int_or("axis", 0) == 0) {
      id = node->input(0);
    } else if (node->is("RotaryEmbedding", "ai.octavo") || node->is("Attention", "ai.octavo") ||
               node->is("Gelu") || node->is("Tanh") || node->is("Identity")) {
      id = node->input(0);
    } else if (node->is("Slice") && constant(1) != nullptr && constant(2) != nullptr &&
               constant(3) != nullptr && constant(1)->elements() == 1) {
      const std::int64_t axis = constant(3)->to_int64s()[0];
      const std::int64_t begin = constant(1)->to_int64s()[0], end = constant(2)->to_int64s()[0];
      if (axis != -1 || begin < 0 || node->input(4) != kNoValue) return -1;
      const std::int64_t whole = last_dimension(graph, node->input(0));
      if (end >= 0 && (whole < 0 || end <= whole)) return whole < 0 ? -1 : end - begin;
      return whole < 0 ? -1 : (end < 0 ? whole + end : whole) - begin;
    } else {
      return -1;
    }
  }
  return -1;
}

}  // namespace octavo::passes
