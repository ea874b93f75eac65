#include "plan/lowering.h"

#include <algorithm>
#include <limits>

#include "octavo/error.h"
#include "ops/evaluate.h"
#include "plan/steps/quantize.h"

namespace octavo::plan {

using ir::Node;
using ir::NodeId;
using ir::ValueId;
using kernels::Activation;
using kernels::BinaryOp;

namespace {
constexpr std::string_view kOwn = "ai.octavo";
}  // namespace

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

std::unique_ptr<Plan> Plan::build(ir::Graph graph, IsaMask isa, ThreadPool* pool,
                                  Precision precision, std::set<ir::ValueId> kept_float) {
  graph.remove_dead();
  return Lowering(std::move(graph), isa, pool, precision, std::move(kept_float)).build();
}

Lowering::Lowering(ir::Graph graph, IsaMask isa, ThreadPool* pool, Precision precision,
                   std::set<ir::ValueId> kept_float)
    : graph_(std::move(graph)),
      isa_(isa),
      pool_(pool),
      precision_(precision),
      kept_float_(std::move(kept_float)),
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
  plan_->precision_ = precision_;
  plan_->finish(widths_);
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

BufferId Lowering::new_buffer(std::size_t floats) {
  widths_.push_back(floats);
  return static_cast<BufferId>(widths_.size() - 1);
}

View Lowering::new_view(std::size_t width, Layout layout) {
  return {.buffer = new_buffer(width), .offset = 0, .width = width, .layout = layout};
}

TileView Lowering::tiles(ValueId id, const View& x, kernels::GemmType type) {
  const auto known = tiles_.find(id);
  if (known != tiles_.end()) return known->second;
  const std::size_t row_bytes = kernels::gemm_row_bytes(type, x.width);
  TileView out{.tiles = new_buffer(row_bytes / sizeof(float)),
               .scale = -1,
               .width = x.width,
               .row_bytes = row_bytes};
  if (type == kernels::GemmType::kInt8) out.scale = new_buffer(1);
  plan_->steps_.push_back(
      make_quantize({.name = graph_.value(id).name, .x = x, .y = out, .type = type}, isa_));
  tiles_.emplace(id, out);
  return out;
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
    if (node.op == "FakeQuantize") return lower_fake_quantize(node);
    if (node.op == "MeanTokens") return lower_mean_tokens(node);
    if (node.op == "L2Normalize") return lower_l2_normalize(node);
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

}  // namespace octavo::plan
