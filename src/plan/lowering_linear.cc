// Products with constant matrices: bias, activation and residual join them, products of the same
// rows become one.
#include <algorithm>

#include "plan/lowering.h"
#include "plan/steps/packed_linear.h"

namespace octavo::plan {

using ir::Node;
using ir::NodeId;
using ir::ValueId;
using kernels::Activation;

namespace {

/// "layer.0.self.query", "layer.0.self.key" -> "layer.0.self.{query, key}".
std::string joined_name(const std::vector<std::string>& names) {
  if (names.size() == 1) return names.front();
  std::size_t shared = names.front().rfind('.') + 1;  // 0 without a dot
  for (const std::string& name : names) {
    while (shared > 0 && name.compare(0, shared, names.front(), 0, shared) != 0) {
      shared = shared == 1 ? 0 : names.front().rfind('.', shared - 2) + 1;
    }
  }
  std::string out = names.front().substr(0, shared) + "{";
  for (const std::string& name : names) {
    out += (&name == &names.front() ? "" : ", ") + name.substr(shared);
  }
  return out + "}";
}

kernels::GemmType type_of(Precision precision) {
  if (precision == Precision::kInt8) return kernels::GemmType::kInt8;
  return precision == Precision::kBf16 ? kernels::GemmType::kBf16 : kernels::GemmType::kFp16;
}

}  // namespace

std::optional<Lowering::LinearMatch> Lowering::match_linear(NodeId id) {
  const Node& node = graph_.node(id);
  LinearMatch match{
      .part = {}, .x = node.input(0), .result = node.outputs[0], .nodes = {id}, .name = node.name};
  const bool gemm = node.is("Gemm");
  if (!gemm && !node.is("MatMul")) return std::nullopt;
  if (constant(node.input(0)) != nullptr) return std::nullopt;
  ValueId w = node.input(1);
  bool transposed = false;
  if (gemm) {
    if (node.attributes.int_or("transA", 0) != 0 ||
        node.attributes.float_or("alpha", 1.0f) != 1.0f ||
        node.attributes.float_or("beta", 1.0f) != 1.0f) {
      return std::nullopt;
    }
    transposed = node.attributes.int_or("transB", 0) != 0;
  }
  // Weights that are stored transposed are packed from where they lie.
  if (const Node* t = graph_.producer(w);
      t != nullptr && t->is("Transpose") && graph_.constant(t->input(0)) != nullptr) {
    const auto perm = t->attributes.ints("perm");
    if (graph_.constant(t->input(0))->rank() == 2 &&
        (!perm || *perm == std::vector<std::int64_t>{1, 0})) {
      match.last_use = use_count(w) == 1;
      if (match.last_use) match.nodes.push_back(graph_.value(w).producer);
      w = t->input(0);
      transposed = !transposed;
    }
  }
  const Tensor* weight = constant(w);
  match.weight = w;
  if (weight == nullptr || weight->rank() != 2 || weight->elements() == 0) return std::nullopt;
  match.part.weight = weight->to_float32();
  match.part.transposed = transposed;
  const std::size_t n = match.part.n();
  if (gemm && node.input(2) != ir::kNoValue) {
    const Tensor* bias = constant(node.input(2));
    if (bias == nullptr) return std::nullopt;
    match.part.bias = as_row(*bias, n);
    if (!match.part.bias) return std::nullopt;
    return match;
  }
  NodeId add_id = ir::kNoNode;
  const Node* add = only_reader(match.result, &add_id);
  if (!match.part.bias && add != nullptr && add->is("Add")) {
    const ValueId other = add->input(0) == match.result ? add->input(1) : add->input(0);
    if (const Tensor* bias = constant(other)) {
      if (auto row = as_row(*bias, n)) {
        match.part.bias = std::move(row);
        match.result = add->outputs[0];
        match.nodes.push_back(add_id);
        match.name = add->name;
      }
    }
  }
  return match;
}

void Lowering::lower_linear(NodeId id) {
  const Node& node = graph_.node(id);
  auto first = match_linear(id);
  if (!first) refuse(node, "its second operand is not a constant matrix");
  const View x = view(first->x, node);
  const bool kept = kept_float_.contains(first->weight);
  std::vector<LinearMatch> matches;
  matches.push_back(std::move(*first));
  // Layers that read the same rows become one product (query, key and value).
  for (const NodeId other : readers_[static_cast<std::size_t>(matches.front().x)]) {
    if (other == id || done_[static_cast<std::size_t>(other)]) continue;
    auto match = match_linear(other);
    if (match && match->x == matches.front().x && match->part.k() == matches.front().part.k() &&
        kept_float_.contains(match->weight) == kept) {
      matches.push_back(std::move(*match));
    }
  }
  LinearSpec spec{.name = "", .x = x, .y = {}, .parts = {}};
  ValueId result = matches.front().result;
  if (matches.size() == 1) {
    NodeId next_id = ir::kNoNode;
    if (const Node* next = only_reader(result, &next_id)) {
      if (const auto activation = match_activation(*next)) {
        spec.activation = *activation;
        result = next->outputs[0];
        matches.front().nodes.push_back(next_id);
        next = only_reader(result, &next_id);
      }
      if (next != nullptr && next->is("Add") && next->input(0) != next->input(1)) {
        const ValueId other = next->input(0) == result ? next->input(1) : next->input(0);
        const View* residual = other == ir::kNoValue ? nullptr : std::get_if<View>(&get(other));
        if (residual != nullptr && residual->width == matches.front().part.n() &&
            residual->layout == x.layout) {
          spec.residual = *residual;
          result = next->outputs[0];
          matches.front().nodes.push_back(next_id);
        }
      }
    }
  }
  std::size_t width = 0;
  std::vector<std::string> names;
  for (LinearMatch& match : matches) {
    if (match.part.k() != x.width) {
      refuse(node, "its weights take " + std::to_string(match.part.k()) +
                       " values and the input has " + std::to_string(x.width));
    }
    width += match.part.n();
    names.push_back(match.name);
    for (const NodeId taken : match.nodes) done_[static_cast<std::size_t>(taken)] = true;
  }
  spec.name = joined_name(names);
  spec.y = new_view(width, x.layout);
  View part = spec.y;
  for (LinearMatch& match : matches) {
    part.width = match.part.n();
    set(matches.size() == 1 ? result : match.result, part);
    part.offset += part.width;
    spec.parts.push_back(std::move(match.part));
  }
  // Rows a sequence (poolers, classifiers) cost little and decide much: they stay in float32.
  const bool packed = precision_ != Precision::kFp32 && !kept && x.layout == Layout::kToken &&
                      x.width <= kernels::kMaxInt8K;
  if (packed) {
    const kernels::GemmType type = type_of(precision_);
    const TileView rows = tiles(matches.front().x, x, type);
    plan_->steps_.push_back(make_packed_linear(std::move(spec), rows, type, isa_, pool_));
  } else {
    plan_->steps_.push_back(make_linear(std::move(spec), isa_, pool_));
  }
  for (const LinearMatch& match : matches) {  // the packed copy replaces the constant
    if (match.last_use && use_count(match.weight) == 1) graph_.value(match.weight).constant.reset();
  }
}

}  // namespace octavo::plan
