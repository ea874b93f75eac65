#include "plan/lowering.h"

#include <algorithm>
#include <cmath>

#include "octavo/error.h"
#include "ops/evaluate.h"
#include "plan/steps/attention.h"

namespace octavo::plan {

using ir::Node;
using ir::NodeId;
using ir::ValueId;
using kernels::Activation;
using kernels::BinaryOp;

namespace {
constexpr std::string_view kOwn = "ai.octavo";
constexpr std::size_t kMaxSets = 8;

bool commutes(BinaryOp op) { return op == BinaryOp::kAdd || op == BinaryOp::kMul; }

/// A float32 row of `width` from a scalar, [1], [width], [1, width] or [1, 1, width] tensor;
/// nothing for other shapes.
std::optional<Tensor> as_row(const Tensor& tensor, std::size_t width) {
  if (tensor.elements() != 1 && (tensor.elements() != width || tensor.rank() == 0 ||
                                 static_cast<std::size_t>(tensor.shape().back()) != width)) {
    return std::nullopt;
  }
  const Tensor floats = tensor.to_float32();
  Tensor row(DType::kFloat32, {static_cast<std::int64_t>(width)});
  const auto in = floats.data<float>();
  const auto out = row.mutable_data<float>();
  for (std::size_t i = 0; i < width; ++i) out[i] = in[in.size() == 1 ? 0 : i];
  return row;
}
}  // namespace

std::unique_ptr<Plan> Plan::build(ir::Graph graph, IsaMask isa, ThreadPool* pool) {
  graph.remove_dead();
  return Lowering(std::move(graph), isa, pool).build();
}

Lowering::Lowering(ir::Graph graph, IsaMask isa, ThreadPool* pool)
    : graph_(std::move(graph)),
      isa_(isa),
      pool_(pool),
      plan_(new Plan()),
      values_(graph_.value_count()),
      readers_(graph_.readers()),
      done_(graph_.node_count(), false) {
  plan_->max_tokens_ = std::numeric_limits<std::size_t>::max();
}

std::unique_ptr<Plan> Lowering::build() {
  for (const ValueId input : graph_.inputs()) {
    const std::string& name = graph_.value(input).name;
    if (name == "input_ids") set(input, Ids{});
    if (name == "token_type_ids") set(input, TypeIds{});
    if (name == "attention_mask") set(input, Mask{});
  }
  for (const NodeId id : graph_.topological_order()) {
    if (!done_[static_cast<std::size_t>(id)]) lower(id);
  }
  for (const auto& output : graph_.outputs()) {
    const Node reader{
        .op = "output", .domain = "", .name = output.name, .inputs = {}, .outputs = {}};
    plan_->outputs_.push_back({output.name, view(output.value, reader)});
  }
  plan_->place_buffers(widths_);
  return std::move(plan_);
}

void Lowering::refuse(const Node& node, const std::string& why) const {
  throw Error(ErrorCode::kUnsupported, {.message = "the graph has no packed form: " + why,
                                        .place = "node '" + node.name + "' (" + node.op + ")"});
}

bool Lowering::is_output(ValueId id) const {
  return std::any_of(graph_.outputs().begin(), graph_.outputs().end(),
                     [&](const auto& o) { return o.value == id; });
}

std::size_t Lowering::use_count(ValueId id) const {
  return readers_[static_cast<std::size_t>(id)].size() + (is_output(id) ? 1 : 0);
}

const Node* Lowering::only_reader(ValueId id, NodeId* reader_id) const {
  const auto& readers = readers_[static_cast<std::size_t>(id)];
  if (readers.size() != 1 || is_output(id)) return nullptr;
  if (reader_id != nullptr) *reader_id = readers.front();
  return &graph_.node(readers.front());
}

const Tensor* Lowering::constant(ValueId id) {
  if (id == ir::kNoValue) return nullptr;
  if (const Tensor* found = graph_.constant(id)) return found;
  const Node* node = graph_.producer(id);
  if (node == nullptr) return nullptr;
  for (const ValueId in : node->inputs) {
    if (in != ir::kNoValue && constant(in) == nullptr) return nullptr;
  }
  if (node->inputs.empty()) return nullptr;
  const ValueId wanted[] = {id};
  graph_.value(id).constant = ops::evaluate(graph_, {}, wanted).front();
  return graph_.constant(id);
}

View Lowering::new_view(std::size_t width, Layout layout) {
  widths_.push_back(width);
  return {.buffer = static_cast<BufferId>(widths_.size() - 1),
          .offset = 0,
          .width = width,
          .layout = layout};
}

View Lowering::view(ValueId id, const Node& reader) {
  Lowered& lowered = get(id);
  if (Sum* sum = std::get_if<Sum>(&lowered)) {
    const View y = new_view(sum->width, Layout::kToken);
    plan_->steps_.push_back(
        make_embedding({.name = graph_.value(id).name, .y = y, .terms = std::move(sum->terms)}));
    lowered = y;
    return y;
  }
  if (const View* out = std::get_if<View>(&lowered)) return *out;
  refuse(reader,
         "it reads '" + graph_.value(id).name + "', which is not a row a token or a sequence");
}

void Lowering::lower(NodeId id) {
  const Node& node = graph_.node(id);
  if (std::all_of(node.outputs.begin(), node.outputs.end(),
                  [&](ValueId out) { return out == ir::kNoValue || constant(out) != nullptr; })) {
    return;
  }
  if (node.domain.empty()) {
    if (node.op == "Gather") return lower_gather(node);
    if (node.op == "MatMul" || node.op == "Gemm") return lower_linear(id);
    if (node.op == "LayerNormalization") return lower_layer_norm(node);
    if (node.op == "Add") return lower_binary(node, BinaryOp::kAdd);
    if (node.op == "Sub") return lower_binary(node, BinaryOp::kSub);
    if (node.op == "Mul") return lower_binary(node, BinaryOp::kMul);
    if (node.op == "Div") return lower_binary(node, BinaryOp::kDiv);
    if (node.op == "Slice") return lower_slice(node);
    if (node.op == "Split") return lower_split(node);
    if (node.op == "Identity") return lower_identity(node);
    if (const auto activation = match_activation(node)) return lower_unary(id, *activation);
  } else if (node.domain == kOwn) {
    if (node.op == "Attention") return lower_attention(node);
    if (node.op == "RotaryEmbedding") return lower_rotary(node);
    if (node.op == "PositionIds") return lower_positions(node);
  }
  refuse(node, "there is no packed step for this operator");
}

void Lowering::lower_identity(const Node& node) {
  if (const View* x = std::get_if<View>(&get(node.inputs[0]))) shared_.insert(x->buffer);
  if (std::holds_alternative<Sum>(get(node.inputs[0])))
    shared_.insert(view(node.inputs[0], node).buffer);
  set(node.outputs[0], get(node.inputs[0]));
}

std::optional<Activation> Lowering::match_activation(const Node& node) const {
  if (!node.domain.empty()) return std::nullopt;
  if (node.op == "Gelu") {
    return node.attributes.string_or("approximate", "none") == "tanh" ? Activation::kGeluTanh
                                                                      : Activation::kGeluErf;
  }
  if (node.op == "Relu") return Activation::kRelu;
  if (node.op == "Tanh") return Activation::kTanh;
  if (node.op == "Sigmoid") return Activation::kSigmoid;
  return std::nullopt;
}

void Lowering::lower_positions(const Node& node) {
  const PositionSet set_{.padding_idx = node.attributes.int_or("padding_idx", -1),
                         .offset = node.attributes.int_or("offset", 0)};
  for (std::size_t i = 0; i < plan_->positions_.size(); ++i) {
    const PositionSet& known = plan_->positions_[i];
    if (known.padding_idx == set_.padding_idx && known.offset == set_.offset) {
      return set(node.outputs[0], Positions{i});
    }
  }
  if (plan_->positions_.size() == kMaxSets) refuse(node, "too many kinds of positions");
  plan_->positions_.push_back(set_);
  set(node.outputs[0], Positions{plan_->positions_.size() - 1});
}

void Lowering::lower_gather(const Node& node) {
  const std::int64_t axis = node.attributes.int_or("axis", 0);
  const Tensor* table = constant(node.inputs[0]);
  if (table == nullptr) {
    const Tensor* index = constant(node.inputs[1]);
    if (axis != 1 || index == nullptr || index->rank() != 0 || index->to_int64s().front() != 0) {
      refuse(node, "only the first token of a sequence can be taken");
    }
    const View x = view(node.inputs[0], node);
    if (x.layout != Layout::kToken) refuse(node, "its input is no row a token");
    const View y = new_view(x.width, Layout::kSequence);
    plan_->steps_.push_back(make_first_token({.name = node.name, .x = x, .y = y}));
    return set(node.outputs[0], y);
  }
  if (axis != 0 || table->rank() != 2) refuse(node, "its table is not [rows, width]");
  const std::int64_t rows = table->dim(0);
  EmbeddingTerm term{.index = EmbeddingTerm::Index::kIds, .table = table->to_float32()};
  const Lowered& index = get(node.inputs[1]);
  const auto lower_limit = [](std::int64_t& limit, std::int64_t value) {
    limit = limit == 0 ? value : std::min(limit, value);
  };
  if (std::holds_alternative<Ids>(index)) {
    lower_limit(plan_->vocabulary_, rows);
  } else if (std::holds_alternative<TypeIds>(index)) {
    term.index = EmbeddingTerm::Index::kTypeIds;
    lower_limit(plan_->type_rows_, rows);
  } else if (const auto* positions = std::get_if<Positions>(&index)) {
    term.index = EmbeddingTerm::Index::kPositions;
    term.position_set = positions->set;
    const PositionSet& set_ = plan_->positions_[positions->set];
    const std::int64_t first = set_.padding_idx < 0 ? set_.offset : set_.padding_idx + 1;
    if (first >= rows) refuse(node, "its table is too small for its first position");
    plan_->max_tokens_ = std::min(plan_->max_tokens_, static_cast<std::size_t>(rows - first));
  } else {
    refuse(node, "its indices are neither ids, token types nor positions");
  }
  const auto width = static_cast<std::size_t>(table->dim(1));
  Sum sum{.terms = {}, .width = width};
  sum.terms.push_back(std::move(term));
  set(node.outputs[0], std::move(sum));
}

std::optional<Lowering::LinearMatch> Lowering::match_linear(NodeId id) const {
  const Node& node = graph_.node(id);
  auto* self = const_cast<Lowering*>(this);
  LinearMatch match{
      .part = {}, .x = node.input(0), .result = node.outputs[0], .nodes = {id}, .name = node.name};
  const bool gemm = node.is("Gemm");
  if (!gemm && !node.is("MatMul")) return std::nullopt;
  if (self->constant(node.input(0)) != nullptr) return std::nullopt;
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
      w = t->input(0);
      transposed = !transposed;
    }
  }
  const Tensor* weight = self->constant(w);
  match.weight = w;
  if (weight == nullptr || weight->rank() != 2 || weight->elements() == 0) return std::nullopt;
  match.part.weight = weight->to_float32();
  match.part.transposed = transposed;
  const std::size_t n = match.part.n();
  if (gemm && node.input(2) != ir::kNoValue) {
    const Tensor* bias = self->constant(node.input(2));
    if (bias == nullptr) return std::nullopt;
    match.part.bias = as_row(*bias, n);
    if (!match.part.bias) return std::nullopt;
    return match;
  }
  NodeId add_id = ir::kNoNode;
  const Node* add = only_reader(match.result, &add_id);
  if (!match.part.bias && add != nullptr && add->is("Add")) {
    const ValueId other = add->input(0) == match.result ? add->input(1) : add->input(0);
    if (const Tensor* bias = self->constant(other)) {
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
  std::vector<LinearMatch> matches;
  matches.push_back(std::move(*first));
  // Layers that read the same rows become one product (query, key and value).
  for (const NodeId other : readers_[static_cast<std::size_t>(matches.front().x)]) {
    if (other == id || done_[static_cast<std::size_t>(other)]) continue;
    auto match = match_linear(other);
    if (match && match->x == matches.front().x && match->part.k() == matches.front().part.k()) {
      matches.push_back(std::move(*match));
    }
  }
  LinearSpec spec{.name = matches.front().name, .x = x, .y = {}, .parts = {}};
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
  for (LinearMatch& match : matches) {
    if (match.part.k() != x.width) {
      refuse(node, "its weights take " + std::to_string(match.part.k()) +
                       " values and the input has " + std::to_string(x.width));
    }
    width += match.part.n();
    if (&match != &matches.front()) spec.name += " + " + match.name;
    for (const NodeId taken : match.nodes) done_[static_cast<std::size_t>(taken)] = true;
  }
  spec.y = new_view(width, x.layout);
  View part = spec.y;
  for (LinearMatch& match : matches) {
    part.width = match.part.n();
    set(matches.size() == 1 ? result : match.result, part);
    part.offset += part.width;
    spec.parts.push_back(std::move(match.part));
  }
  plan_->steps_.push_back(make_linear(std::move(spec), isa_, pool_));
  for (const LinearMatch& match : matches) {  // the packed copy replaces the constant
    if (use_count(match.weight) == 1) graph_.value(match.weight).constant.reset();
  }
}

void Lowering::lower_layer_norm(const Node& node) {
  const View x = view(node.inputs[0], node);
  const std::int64_t axis = node.attributes.int_or("axis", -1);
  const Tensor* scale = constant(node.input(1));
  const Tensor* bias = constant(node.input(2));
  if ((axis != -1 && axis != (x.layout == Layout::kToken ? 2 : 1)) || scale == nullptr ||
      (node.input(2) != ir::kNoValue && bias == nullptr) || node.outputs.size() > 1) {
    refuse(node, "only normalisation of the last axis with constant scale and bias is packed");
  }
  auto scale_row = as_row(*scale, x.width);
  auto bias_row = bias != nullptr ? as_row(*bias, x.width) : std::nullopt;
  if (!scale_row || (bias != nullptr && !bias_row))
    refuse(node, "its scale or bias has another width");
  const bool in_place = use_count(node.inputs[0]) == 1 && !shared_.contains(x.buffer) &&
                        widths_[static_cast<std::size_t>(x.buffer)] == x.width;
  const View y = in_place ? x : new_view(x.width, x.layout);
  plan_->steps_.push_back(make_layer_norm({.name = node.name,
                                           .x = x,
                                           .y = y,
                                           .scale = std::move(*scale_row),
                                           .bias = std::move(bias_row),
                                           .epsilon = node.attributes.float_or("epsilon", 1e-5f)},
                                          isa_));
  set(node.outputs[0], y);
}

void Lowering::lower_unary(NodeId id, Activation activation) {
  const Node& node = graph_.node(id);
  // act(a) * b is one step: leave the activation to the product.
  NodeId next_id = ir::kNoNode;
  const Node* next = only_reader(node.outputs[0], &next_id);
  const View x = view(node.inputs[0], node);
  if (next != nullptr && next->is("Mul") && next->input(0) != next->input(1)) {
    const ValueId other = next->input(0) == node.outputs[0] ? next->input(1) : next->input(0);
    if (const View* b = other == ir::kNoValue ? nullptr : std::get_if<View>(&get(other));
        b != nullptr && b->width == x.width && b->layout == x.layout) {
      const View y = new_view(x.width, x.layout);
      plan_->steps_.push_back(make_binary({.name = next->name,
                                           .a = x,
                                           .y = y,
                                           .b = *b,
                                           .row = std::nullopt,
                                           .op = BinaryOp::kMul,
                                           .activation = activation},
                                          isa_));
      done_[static_cast<std::size_t>(next_id)] = true;
      return set(next->outputs[0], y);
    }
  }
  const View y = new_view(x.width, x.layout);
  plan_->steps_.push_back(
      make_unary({.name = node.name, .x = x, .y = y, .activation = activation}, isa_));
  set(node.outputs[0], y);
}

void Lowering::lower_binary(const Node& node, BinaryOp op) {
  ValueId a = node.inputs[0], b = node.inputs[1];
  if (constant(a) != nullptr && commutes(op)) std::swap(a, b);
  if (constant(a) != nullptr) refuse(node, "its first operand is a constant");
  Sum* sum_a = std::get_if<Sum>(&get(a));
  if (op == BinaryOp::kAdd && sum_a != nullptr && use_count(a) == 1) {
    Sum* sum_b = constant(b) == nullptr ? std::get_if<Sum>(&get(b)) : nullptr;
    if (sum_b != nullptr && sum_b->width == sum_a->width && use_count(b) == 1 && a != b) {
      Sum both = std::move(*sum_a);
      for (EmbeddingTerm& term : sum_b->terms) both.terms.push_back(std::move(term));
      return set(node.outputs[0], std::move(both));
    }
    if (const Tensor* row = constant(b)) {
      if (auto values = as_row(*row, sum_a->width)) {
        Sum both = std::move(*sum_a);
        both.terms.push_back({.index = EmbeddingTerm::Index::kRow, .table = std::move(*values)});
        return set(node.outputs[0], std::move(both));
      }
    }
  }
  const View x = view(a, node);
  BinarySpec spec{
      .name = node.name, .a = x, .y = {}, .b = std::nullopt, .row = std::nullopt, .op = op};
  if (const Tensor* row = constant(b)) {
    spec.row = as_row(*row, x.width);
    if (!spec.row) refuse(node, "its constant is no row of " + std::to_string(x.width));
  } else {
    spec.b = view(b, node);
    if (spec.b->width != x.width || spec.b->layout != x.layout)
      refuse(node, "its operands have different shapes");
  }
  spec.y = new_view(x.width, x.layout);
  const View y = spec.y;
  plan_->steps_.push_back(make_binary(std::move(spec), isa_));
  set(node.outputs[0], y);
}

void Lowering::lower_slice(const Node& node) {
  View x = view(node.inputs[0], node);
  const auto one = [&](std::size_t i, std::int64_t fallback) {
    const ValueId id = node.input(i);
    if (id == ir::kNoValue) return fallback;
    const Tensor* values = constant(id);
    if (values == nullptr || values->elements() != 1)
      refuse(node, "its bounds are not constants of one axis");
    return values->to_int64s().front();
  };
  const std::int64_t rank = x.layout == Layout::kToken ? 3 : 2,
                     width = static_cast<std::int64_t>(x.width);
  std::int64_t begin = one(1, 0), end = one(2, width);
  const std::int64_t axis = one(3, 0), step = one(4, 1);
  if ((axis != -1 && axis != rank - 1) || step != 1)
    refuse(node, "only the last axis can be sliced");
  if (begin < 0) begin += width;
  if (end < 0) end += width;
  begin = std::clamp<std::int64_t>(begin, 0, width);
  end = std::clamp<std::int64_t>(end, begin, width);
  x.offset += static_cast<std::size_t>(begin);
  x.width = static_cast<std::size_t>(end - begin);
  set(node.outputs[0], x);
}

void Lowering::lower_split(const Node& node) {
  View x = view(node.inputs[0], node);
  const std::int64_t axis = node.attributes.int_or("axis", 0);
  if (axis != -1 && axis != (x.layout == Layout::kToken ? 2 : 1))
    refuse(node, "only the last axis can be split");
  std::vector<std::int64_t> sizes;
  if (node.input(1) != ir::kNoValue) {
    const Tensor* given = constant(node.input(1));
    if (given == nullptr) refuse(node, "its sizes are not constant");
    sizes = given->to_int64s();
  } else {
    const auto parts = static_cast<std::int64_t>(node.outputs.size()),
               width = static_cast<std::int64_t>(x.width);
    const std::int64_t each = (width + parts - 1) / parts;
    for (std::int64_t i = 0; i < parts; ++i) sizes.push_back(std::min(each, width - i * each));
  }
  std::int64_t total = 0;
  for (const std::int64_t size : sizes)
    total += size < 0 ? static_cast<std::int64_t>(x.width) + 1 : size;
  if (sizes.size() != node.outputs.size() || total != static_cast<std::int64_t>(x.width)) {
    refuse(node, "its sizes do not add up to the width");
  }
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    x.width = static_cast<std::size_t>(sizes[i]);
    if (node.outputs[i] != ir::kNoValue) set(node.outputs[i], x);
    x.offset += x.width;
  }
}

void Lowering::lower_rotary(const Node& node) {
  View x = view(node.inputs[0], node);
  const auto heads =
      static_cast<std::size_t>(std::max<std::int64_t>(1, node.attributes.require_int("num_heads")));
  const Tensor* frequencies = constant(node.input(1));
  if (frequencies == nullptr || x.layout != Layout::kToken || x.width % heads != 0 ||
      frequencies->elements() * 2 * heads != x.width) {
    refuse(node, "its frequencies do not fit its heads");
  }
  const Tensor floats = frequencies->to_float32();
  RotaryTable table;
  table.inverse_frequencies.assign(floats.data<float>().begin(), floats.data<float>().end());
  std::size_t index = 0;
  while (index < plan_->rotary_.size() &&
         plan_->rotary_[index].inverse_frequencies != table.inverse_frequencies) {
    ++index;
  }
  if (index == kMaxSets) refuse(node, "too many rotary tables");
  if (index == plan_->rotary_.size()) plan_->rotary_.push_back(std::move(table));
  // In place when nobody else reads these columns: the value itself, or a slice whose siblings are
  // other columns.
  const Node* maker = graph_.producer(node.inputs[0]);
  bool in_place = use_count(node.inputs[0]) == 1 && !shared_.contains(x.buffer);
  if (in_place && maker != nullptr && (maker->is("Slice") || maker->is("Split"))) {
    in_place = !is_output(maker->inputs[0]);
    for (const NodeId sibling : readers_[static_cast<std::size_t>(maker->inputs[0])]) {
      const Node& other = graph_.node(sibling);
      if (&other == maker) continue;
      if (!other.is("Slice") && !other.is("Split")) {
        in_place = false;
      } else if (!done_[static_cast<std::size_t>(sibling)]) {
        lower(sibling);
        done_[static_cast<std::size_t>(sibling)] = true;
      }
      for (const ValueId out : other.outputs) {
        const View* v = out == ir::kNoValue ? nullptr : std::get_if<View>(&get(out));
        if (v != nullptr && v->offset < x.offset + x.width && x.offset < v->offset + v->width)
          in_place = false;
      }
    }
  }
  if (!in_place) {
    const View copy = new_view(x.width, x.layout);
    plan_->steps_.push_back(make_unary(
        {.name = node.name + ".copy", .x = x, .y = copy, .activation = Activation::kNone}, isa_));
    x = copy;
  }
  plan_->steps_.push_back(make_rotary(
      {.name = node.name, .x = x, .heads = heads, .head_size = x.width / heads, .table = index},
      isa_));
  set(node.outputs[0], x);
}

void Lowering::lower_attention(const Node& node) {
  AttentionSpec spec{.name = node.name,
                     .q = view(node.inputs[0], node),
                     .k = view(node.input(1), node),
                     .v = view(node.input(2), node),
                     .y = {},
                     .heads = static_cast<std::size_t>(
                         std::max<std::int64_t>(1, node.attributes.require_int("num_heads"))),
                     .scale = node.attributes.float_or("scale", 0.0f),
                     .local_window = static_cast<std::size_t>(
                         std::max<std::int64_t>(0, node.attributes.int_or("local_window", 0))),
                     .relative_bias = std::nullopt};
  const ValueId mask = node.input(3);
  if (mask != ir::kNoValue && !std::holds_alternative<Mask>(get(mask)))
    refuse(node, "its mask is not attention_mask");
  if (spec.q.width % spec.heads != 0 || spec.k.width != spec.q.width ||
      spec.v.width != spec.q.width || spec.q.layout != Layout::kToken ||
      spec.k.layout != Layout::kToken || spec.v.layout != Layout::kToken) {
    refuse(node, "query, key and value have different shapes");
  }
  if (spec.scale == 0.0f)
    spec.scale = 1.0f / std::sqrt(static_cast<float>(spec.q.width / spec.heads));
  if (node.input(4) != ir::kNoValue) {
    const Tensor* bias = constant(node.input(4));
    if (bias == nullptr || bias->rank() != 2 ||
        static_cast<std::size_t>(bias->dim(0)) != spec.heads || bias->dim(1) % 2 != 1) {
      refuse(node, "its relative bias is not a constant [heads, 2 * radius + 1]");
    }
    spec.relative_bias = bias->to_float32();
  }
  spec.y = new_view(spec.q.width, Layout::kToken);
  const View y = spec.y;
  plan_->steps_.push_back(make_attention(std::move(spec), isa_));
  set(node.outputs[0], y);
}

}  // namespace octavo::plan
