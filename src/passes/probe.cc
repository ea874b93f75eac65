#include "passes/probe.h"

#include <algorithm>
#include <random>

#include "octavo/error.h"
#include "ops/reference.h"
#include "passes/result_size.h"

namespace octavo::passes {
namespace {

constexpr std::int64_t kFirstBatch = 2, kFirstSequence = 5;
constexpr std::int64_t kSecondBatch = 3, kSecondSequence = 7;
constexpr std::int64_t kThirdBatch = 4;
constexpr std::int64_t kThirdSequences[] = {131, 61, 29};  // the first that the graph can take

/// No value of a run on a few hundred tokens is larger, unless the graph means harm.
constexpr double kLargestResult = 1 << 28;

void refuse_large(const ops::OpCall& call) {
  if (result_bytes(call.node, call.inputs) <= kLargestResult) return;
  throw Error(ErrorCode::kUnsupported,
              {.message = "a value is too large for a trial run",
               .place = "node '" + call.node.name + "' (" + call.node.op + ")"});
}

std::int64_t power(std::int64_t base, int exponent) {
  std::int64_t out = 1;
  for (int i = 0; i < exponent; ++i) out *= base;
  return out;
}

std::optional<ProbeDim> solve(std::int64_t first, std::int64_t second) {
  if (first == second) return ProbeDim{first, 0, 0};
  for (int sequence = 0; sequence <= 2; ++sequence) {
    for (int batch = 0; batch <= 1; ++batch) {
      const std::int64_t unit = power(kFirstBatch, batch) * power(kFirstSequence, sequence);
      const ProbeDim dim{first / unit, batch, sequence};
      if (first % unit == 0 && dim.at(kSecondBatch, kSecondSequence) == second) return dim;
    }
  }
  return std::nullopt;
}

Tensor token_tensor(DType dtype, const Batch& batch, const std::vector<std::int64_t>& values) {
  const Shape shape{batch.batch, batch.sequence};
  if (dtype == DType::kInt32) {
    const std::vector<std::int32_t> narrow(values.begin(), values.end());
    return Tensor::from<std::int32_t>(shape, narrow);
  }
  if (dtype == DType::kBool) {
    Tensor out(DType::kBool, shape);
    for (std::size_t i = 0; i < values.size(); ++i) {
      out.mutable_bytes()[i] = static_cast<std::byte>(values[i] != 0);
    }
    return out;
  }
  if (dtype == DType::kFloat32) {
    const std::vector<float> floats(values.begin(), values.end());
    return Tensor::from<float>(shape, floats);
  }
  return Tensor::from<std::int64_t>(shape, values);
}

/// Ids that models often give a meaning, of any vocabulary: [CLS], [SEP], padding, ends of texts.
std::vector<std::int64_t> special_ids(std::int64_t vocabulary) {
  constexpr std::int64_t kLast = 128;  // where added tokens are
  std::vector<std::int64_t> out{101, 102, 0, 1, 2, 3, 100, 103};
  for (std::int64_t id = 4; id < 16; ++id) out.push_back(id);
  const std::int64_t first = std::max(vocabulary - kLast, std::int64_t{16});
  for (std::int64_t id = first; id < vocabulary; ++id) out.push_back(id);
  return out;
}

bool is_size(const ir::Node& node) { return node.is("Shape") || node.is("Size"); }

/// The shape of a product with a weight, without the product.
bool product_shape(const ops::OpCall& call, std::vector<Tensor>& outputs) {
  const ir::Node& node = call.node;
  const bool integer = node.is("MatMulInteger"), linear = node.is("QLinearMatMul");
  const bool scaled = node.is("MatMulIntegerToFloat", "com.microsoft") ||
                      node.is("DynamicQuantizeMatMul", "com.microsoft");
  if (!integer && !linear && !scaled && !node.is("MatMul") && !node.is("Gemm")) return false;
  const Tensor &a = call.input(0), &b = call.input(linear ? 3 : 1);
  if (a.rank() < 2 || b.rank() != 2) return false;
  const bool trans_a = node.attributes.int_or("transA", 0) != 0;
  const bool trans_b = node.attributes.int_or("transB", 0) != 0;
  Shape shape = a.shape();
  if (trans_a) std::swap(shape[shape.size() - 1], shape[shape.size() - 2]);
  if (shape.back() != b.dim(trans_b ? 1 : 0)) call.fail("the factors of a product do not fit");
  shape.back() = b.dim(trans_b ? 0 : 1);
  const DType dtype = integer  ? DType::kInt32
                      : scaled ? DType::kFloat32
                      : linear ? call.input(7).dtype()
                               : a.dtype();
  Tensor out(dtype, std::move(shape));
  std::fill_n(out.mutable_bytes(), out.byte_size(), std::byte{0});
  outputs.push_back(std::move(out));
  return true;
}

/// The shape of sums, products and functions of rows, without their values.
bool row_shape(const ops::OpCall& call, std::vector<Tensor>& outputs) {
  static constexpr std::string_view kSame[] = {
      "Gelu", "Erf", "Tanh",    "Sigmoid",           "Relu", "Sqrt", "Exp",
      "Neg",  "Abs", "Softmax", "LayerNormalization"};
  static constexpr std::string_view kBroadcast[] = {"Add", "Sub", "Mul", "Div", "Pow"};
  const ir::Node& node = call.node;
  const auto is_any = [&](const auto& list) {
    return std::find(std::begin(list), std::end(list), node.op) != std::end(list);
  };
  if (!node.domain.empty() || node.outputs.size() != 1) return false;
  Shape shape = call.input(0).shape();
  if (is_any(kBroadcast)) {
    shape = ops::broadcast_shapes(call, shape, call.input(1).shape());
  } else if (node.is("MatMul")) {
    Shape other = call.input(1).shape();
    if (shape.size() < 2 || other.size() < 2) return false;
    if (shape.back() != other[other.size() - 2]) call.fail("the factors of a product do not fit");
    const std::int64_t rows = shape[shape.size() - 2], columns = other.back();
    shape.resize(shape.size() - 2);
    other.resize(other.size() - 2);
    shape = ops::broadcast_shapes(call, shape, other);
    shape.insert(shape.end(), {rows, columns});
  } else if (!is_any(kSame)) {
    return false;
  }
  refuse_large(call);
  Tensor out(call.input(0).dtype(), std::move(shape));
  std::fill_n(out.mutable_bytes(), out.byte_size(), std::byte{0});
  outputs.push_back(std::move(out));
  return true;
}

}  // namespace

std::int64_t ProbeDim::at(std::int64_t batch, std::int64_t sequence) const {
  return factor * power(batch, batch_power) * power(sequence, sequence_power);
}

Batch make_batch(std::int64_t sequence, std::vector<std::int64_t> lengths, std::int64_t pad,
                 std::int64_t low) {
  Batch out;
  out.batch = static_cast<std::int64_t>(lengths.size());
  out.sequence = sequence;
  out.lengths = std::move(lengths);
  std::minstd_rand random(static_cast<unsigned>(sequence * 31 + out.batch));
  for (std::int64_t b = 0; b < out.batch; ++b) {
    for (std::int64_t s = 0; s < sequence; ++s) {
      const bool kept = out.kept(b, s);
      const auto id = low + static_cast<std::int64_t>(random() >> 8) % (16 - low);
      out.ids.push_back(kept ? id : pad);
      out.mask.push_back(kept ? 1 : 0);
      out.types.push_back(kept ? static_cast<std::int64_t>(random() >> 9) % 2 : 0);
    }
  }
  return out;
}

Batch Probe::wide_batch(std::int64_t sequence, std::vector<std::int64_t> lengths,
                        std::int64_t pad) const {
  Batch out = make_batch(sequence, std::move(lengths), pad);
  const std::vector<std::int64_t> special = special_ids(vocabulary_);
  std::minstd_rand random(static_cast<unsigned>(sequence));
  std::size_t next = 0;
  for (std::size_t i = 0; i < out.ids.size(); ++i) {
    if (out.mask[i] == 0) continue;
    const auto other = static_cast<std::int64_t>(random()) % vocabulary_;
    out.ids[i] = next < special.size() ? special[next] : other;
    ++next;
  }
  return out;
}

Probe::Probe(const ir::Graph& graph, Sizes sizes)
    : graph_(graph),
      dependence_(graph.value_count(), 0),
      lookup_(graph.node_count(), false),
      seen_(graph.value_count()),
      shapes_(graph.value_count()) {
  find_inputs();
  if (!usable()) return;
  try {
    find_dependences();
    run(make_batch(kFirstSequence, {kFirstSequence, 3}), &Seen::first);
    run(make_batch(kSecondSequence, {4, kSecondSequence, 2}), &Seen::second);
    if (sizes == Sizes::kThree) run_long();
    solve_shapes();
  } catch (const Error& error) {
    reason_ = std::string("the graph cannot be run: ") + error.what();
  }
}

void Probe::find_inputs() {
  for (const ir::ValueId id : graph_.inputs()) {
    std::string name = graph_.value(id).name;
    if (const auto colon = name.rfind(':'); colon != std::string::npos) name.resize(colon);
    if (name == "input_ids") {
      input_ids_ = id;
    } else if (name == "attention_mask" || name == "input_mask") {
      attention_mask_ = id;
    } else if (name == "token_type_ids" || name == "segment_ids") {
      token_type_ids_ = id;
    } else if (name == "position_ids") {
      position_ids_ = id;
    } else {
      reason_ = "input '" + graph_.value(id).name +
                "' is none of input_ids, attention_mask, token_type_ids, position_ids";
      return;
    }
    const auto& shape = graph_.value(id).shape;
    if (shape && shape->size() != 2) {
      reason_ = "input '" + graph_.value(id).name + "' does not have two dimensions";
      return;
    }
  }
  if (input_ids_ == ir::kNoValue) reason_ = "there is no input 'input_ids'";
}

bool Probe::depends(ir::ValueId value, Dependence what) const {
  if (value == ir::kNoValue) return false;
  return (dependence_[static_cast<std::size_t>(value)] & what) != 0;
}

bool Probe::depends_on_sizes_only(ir::ValueId value) const {
  return value != ir::kNoValue && dependence_[static_cast<std::size_t>(value)] == kSizes;
}

bool Probe::reads_ids(ir::ValueId indices) const {
  const ir::Node* node = graph_.producer(indices);
  while (node != nullptr && (node->is("Cast") || node->is("Identity"))) {
    indices = node->input(0);
    node = graph_.producer(indices);
  }
  return indices == input_ids_;
}

void Probe::find_dependences() {
  for (const ir::ValueId id : graph_.inputs()) {
    const bool mask = id == attention_mask_;
    dependence_[static_cast<std::size_t>(id)] = kSizes | kValues | (mask ? 0 : kIds);
  }
  for (const ir::NodeId id : graph_.topological_order()) {
    const ir::Node& node = graph_.node(id);
    std::uint8_t all = 0;
    bool table = false;
    for (const ir::ValueId in : node.inputs) {
      if (in == ir::kNoValue) continue;
      all = static_cast<std::uint8_t>(all | dependence_[static_cast<std::size_t>(in)]);
      const Tensor* constant = graph_.constant(in);
      table |= constant != nullptr && constant->rank() == 2 && constant->dim(1) > 1;
    }
    const bool reads_table = table && (node.is("Gather") || node.is("MatMul") || node.is("Gemm"));
    if (is_size(node)) {
      if (all != 0) all = kSizes;
    } else if (reads_table && (all & kIds) != 0 && (all & kData) == 0) {
      lookup_[static_cast<std::size_t>(id)] = true;
      const Tensor* rows = node.is("Gather") ? graph_.constant(node.input(0)) : nullptr;
      if (rows != nullptr && reads_ids(node.input(1))) {
        vocabulary_ = std::max<std::int64_t>(1, rows->dim(0));
      }
      all |= kData;
    }
    for (const ir::ValueId out : node.outputs) {
      if (out != ir::kNoValue) dependence_[static_cast<std::size_t>(out)] = all;
    }
  }
}

void Probe::run_long() {
  for (const std::int64_t sequence : kThirdSequences) {
    try {
      run(make_batch(sequence, {sequence, 1, sequence - 1, 9}), &Seen::third);
      third_sequence_ = sequence;
      return;
    } catch (const Error&) {  // beyond the positions that the graph has
    }
  }
}

void Probe::run(const Batch& batch, Shape Seen::*shape) {
  ops::EvaluateOptions options;
  options.accelerate = [&](const ops::OpCall& call, std::vector<Tensor>& outputs) {
    if (!call.node.outputs.empty() && depends_on_data(call.node.outputs[0]) &&
        (product_shape(call, outputs) || (shape == &Seen::third && row_shape(call, outputs)))) {
      return true;
    }
    refuse_large(call);
    return false;
  };
  options.observe = [&](ir::ValueId id, const Tensor& tensor) {
    Seen& seen = seen_[static_cast<std::size_t>(id)];
    seen.*shape = tensor.shape();
    seen.dtype = tensor.dtype();
    seen.made = true;
  };
  const ops::Feeds given = feeds(batch);
  for (const auto& [id, tensor] : given) options.observe(id, tensor);
  std::vector<ir::ValueId> wanted;
  for (const auto& output : graph_.outputs()) wanted.push_back(output.value);
  ops::evaluate(graph_, given, wanted, options);
}

void Probe::solve_shapes() {
  for (std::size_t i = 0; i < seen_.size(); ++i) {
    const Seen& seen = seen_[i];
    if (const Tensor* constant = graph_.constant(static_cast<ir::ValueId>(i))) {
      ProbeShape shape;
      for (const std::int64_t dim : constant->shape()) shape.push_back({dim, 0, 0});
      shapes_[i] = std::move(shape);
      continue;
    }
    if (!seen.made || seen.first.size() != seen.second.size()) continue;
    if (third_sequence_ != 0 && seen.first.size() != seen.third.size()) continue;
    ProbeShape shape;
    for (std::size_t d = 0; d < seen.first.size(); ++d) {
      const auto dim = solve(seen.first[d], seen.second[d]);
      if (!dim) break;
      if (third_sequence_ != 0 && dim->at(kThirdBatch, third_sequence_) != seen.third[d]) break;
      shape.push_back(*dim);
    }
    if (shape.size() == seen.first.size()) shapes_[i] = std::move(shape);
  }
}

const ProbeShape* Probe::shape(ir::ValueId value) const {
  if (value == ir::kNoValue || static_cast<std::size_t>(value) >= shapes_.size()) return nullptr;
  const auto& shape = shapes_[static_cast<std::size_t>(value)];
  return shape ? &*shape : nullptr;
}

std::optional<DType> Probe::dtype(ir::ValueId value) const {
  if (value == ir::kNoValue || static_cast<std::size_t>(value) >= seen_.size()) return std::nullopt;
  if (const Tensor* constant = graph_.constant(value)) return constant->dtype();
  const Seen& seen = seen_[static_cast<std::size_t>(value)];
  return seen.made ? std::optional(seen.dtype) : std::nullopt;
}

std::optional<std::int64_t> Probe::token_channels(ir::ValueId value) const {
  const ProbeShape* s = shape(value);
  if (s == nullptr || s->size() != 3) return std::nullopt;
  if (!(*s)[0].batch() || !(*s)[1].sequence() || !(*s)[2].constant()) return std::nullopt;
  return (*s)[2].factor;
}

ops::Feeds Probe::feeds(const Batch& batch) const {
  ops::Feeds out;
  const auto feed = [&](ir::ValueId id, const std::vector<std::int64_t>& values) {
    if (id == ir::kNoValue) return;
    out[id] = token_tensor(graph_.value(id).dtype.value_or(DType::kInt64), batch, values);
  };
  feed(input_ids_, batch.ids);
  feed(attention_mask_, batch.mask);
  feed(token_type_ids_, batch.types);
  std::vector<std::int64_t> positions;
  for (std::int64_t i = 0; i < batch.batch * batch.sequence; ++i) {
    positions.push_back(i % batch.sequence);
  }
  feed(position_ids_, positions);
  return out;
}

std::vector<Tensor> Probe::evaluate(const Batch& batch, std::span<const ir::ValueId> wanted,
                                    const ops::Feeds& given) const {
  ops::Feeds all = feeds(batch);
  for (const auto& [id, tensor] : given) all[id] = tensor;
  // What is needed, with the sizes of the model's data given and the data itself out of reach.
  std::vector<bool> visited(graph_.value_count(), false);
  std::vector<ir::ValueId> pending(wanted.begin(), wanted.end());
  while (!pending.empty()) {
    const ir::ValueId id = pending.back();
    pending.pop_back();
    if (id == ir::kNoValue || visited[static_cast<std::size_t>(id)] || all.contains(id)) continue;
    visited[static_cast<std::size_t>(id)] = true;
    const ir::NodeId producer = graph_.value(id).producer;
    if (producer == ir::kNoNode) continue;
    const ir::Node& node = graph_.node(producer);
    if (lookup_[static_cast<std::size_t>(producer)]) {
      throw Error(ErrorCode::kUnsupported, {.message = "a value depends on the model's data",
                                            .place = "node '" + node.name + "'"});
    }
    const ProbeShape* in = is_size(node) ? shape(node.input(0)) : nullptr;
    if (in != nullptr && depends_on_data(node.input(0))) {
      std::vector<std::int64_t> dims;
      for (const ProbeDim& dim : *in) dims.push_back(dim.at(batch.batch, batch.sequence));
      if (node.is("Size")) {
        std::int64_t size = 1;
        for (const std::int64_t dim : dims) size *= dim;
        all[id] = Tensor::scalar<std::int64_t>(size);
      } else {
        const auto rank = static_cast<std::int64_t>(dims.size());
        const auto bound = [&](std::int64_t at) {
          return std::clamp(at < 0 ? at + rank : at, std::int64_t{0}, rank);
        };
        const std::int64_t start = bound(node.attributes.int_or("start", 0));
        const std::int64_t end = std::max(start, bound(node.attributes.int_or("end", rank)));
        const std::vector<std::int64_t> part(dims.begin() + start, dims.begin() + end);
        all[id] = Tensor::vector<std::int64_t>(part);
      }
      continue;
    }
    pending.insert(pending.end(), node.inputs.begin(), node.inputs.end());
  }
  ops::EvaluateOptions options;
  options.accelerate = [](const ops::OpCall& call, std::vector<Tensor>&) {
    refuse_large(call);
    return false;
  };
  return ops::evaluate(graph_, all, wanted, options);
}

Tensor Probe::evaluate_one(const Batch& batch, ir::ValueId wanted, const ops::Feeds& given) const {
  return evaluate(batch, std::span(&wanted, 1), given).front();
}

}  // namespace octavo::passes
