// com.microsoft.MultiHeadAttention, a RotaryEmbedding before it, and FusedMatMul written out in
// standard operators, for which the number of dimensions must be known. What the attention means,
// its mask above all, is then for lift_attention to prove.
#include <cmath>
#include <map>

#include "passes/match.h"
#include "passes/pass.h"

namespace octavo::passes {
namespace {

constexpr std::string_view kContrib = "com.microsoft";
constexpr std::int64_t kFloat = 1, kInt64 = 7;

class Writer {
 public:
  Writer(ir::Graph& graph, PassContext& context)
      : graph_(graph), context_(context), probe_(context.probe()), readers_(graph) {}

  void run() {
    for (const ir::NodeId id : graph_.topological_order()) {
      node_ = graph_.node(id);  // a copy: emitting moves nodes
      if (node_.domain != kContrib) continue;
      std::string_view reason;
      if (node_.op == "MultiHeadAttention") {
        reason = attention();
      } else if (node_.op == "FusedMatMul") {
        reason = product();
      } else {
        continue;
      }
      if (reason.empty()) {
        context_.fire();
      } else {
        context_.near_miss("node '" + node_.name + "' (" + node_.op + ")", reason);
      }
    }
  }

 private:
  ir::ValueId in(std::size_t i) const { return node_.input(i); }
  bool has(std::size_t i) const { return in(i) != ir::kNoValue; }
  bool used(std::size_t i) const {
    if (i >= node_.outputs.size() || node_.outputs[i] == ir::kNoValue) return false;
    return readers_.is_output(node_.outputs[i]) || !readers_.of(node_.outputs[i]).empty();
  }
  ir::ValueId emit(std::string op, std::vector<ir::ValueId> inputs,
                   std::initializer_list<std::pair<const char*, ir::Attribute>> list = {}) {
    ir::Attributes attributes;
    for (const auto& [name, value] : list) attributes.set(name, value);
    std::string name = node_.name + "/" + op;
    return graph_.emit(std::move(op), std::move(inputs), std::move(attributes), "",
                       std::move(name));
  }
  ir::ValueId constant(const char* what, Tensor tensor) {
    return graph_.add_constant(node_.name + "/" + what, std::move(tensor));
  }
  ir::ValueId integers(const char* what, std::vector<std::int64_t> values) {
    return constant(what, Tensor::vector<std::int64_t>(values));
  }
  ir::ValueId integer(const char* what, std::int64_t value) {
    return constant(what, Tensor::scalar(value));
  }
  std::vector<std::int64_t> perm(std::initializer_list<std::int64_t> values) { return values; }

  /// The probe knows values as they were; what this pass made stands for one of them.
  ir::ValueId before(ir::ValueId value) const {
    const auto found = stands_for_.find(value);
    return found == stands_for_.end() ? value : found->second;
  }
  std::optional<std::size_t> rank(ir::ValueId value) const {
    const ProbeShape* shape = probe_.shape(before(value));
    return shape == nullptr ? std::nullopt : std::optional(shape->size());
  }
  std::string_view give(ir::ValueId value) {
    stands_for_[value] = node_.outputs[0];
    graph_.replace_uses(node_.outputs[0], value);
    return {};
  }

  std::string_view product() {
    const auto a = arranged(in(0), "transA", "transBatchA");
    const auto b = arranged(in(1), "transB", "transBatchB");
    if (!a || !b) return "the number of dimensions is not known";
    const float alpha = node_.attributes.float_or("alpha", 1.0f);
    if (alpha != 1.0f && probe_.dtype(node_.outputs[0]) != DType::kFloat32) {
      return "it is not of float32";
    }
    ir::ValueId y = emit("MatMul", {*a, *b});
    if (alpha != 1.0f) y = emit("Mul", {y, constant("alpha", Tensor::scalar(alpha))});
    return give(y);
  }

  std::optional<ir::ValueId> arranged(ir::ValueId x, const char* transpose, const char* batch) {
    const bool swap = node_.attributes.int_or(transpose, 0) != 0;
    const bool move = node_.attributes.int_or(batch, 0) != 0;
    if (!swap && !move) return x;
    const auto dims = rank(x);
    if (!dims) return std::nullopt;
    if (*dims < 2) return x;
    std::vector<std::int64_t> order;
    for (std::size_t i = move ? 1 : 0; i + 1 < *dims; ++i) {
      order.push_back(static_cast<std::int64_t>(i));
    }
    if (move) order.push_back(0);
    order.push_back(static_cast<std::int64_t>(*dims) - 1);
    if (swap) std::swap(order[order.size() - 1], order[order.size() - 2]);
    return emit("Transpose", {x}, {{"perm", order}});
  }

  std::string_view attention() {
    for (const std::size_t i : {6u, 7u, 8u, 9u}) {
      if (has(i)) return "it reads past keys and values";
    }
    if (used(1) || used(2) || used(3)) return "it writes keys and values";
    if (node_.attributes.int_or("unidirectional", 0) != 0) return "it is causal";
    const std::int64_t heads = node_.attributes.int_or("num_heads", 0);
    std::int64_t width[3];
    for (std::size_t i = 0; i < 3; ++i) {
      const auto channels = has(i) ? probe_.token_channels(before(in(i))) : std::nullopt;
      if (!channels || heads < 1 || *channels % heads != 0) {
        return "query, key and value are no token values of their own";
      }
      if (probe_.dtype(before(in(i))) != DType::kFloat32) return "it is not of float32";
      width[i] = *channels;
    }
    ir::ValueId kept = ir::kNoValue;
    if (has(4)) {
      const auto made = mask(in(4));
      if (!made) return "its mask has no known form";
      kept = *made;
    }
    ir::ValueId parts[3] = {in(0), in(1), in(2)};
    if (has(3) && !add_bias(parts, width)) return "its bias is no constant of the right size";
    const bool rotates = rotary(parts[0]) != nullptr || rotary(parts[1]) != nullptr;
    ir::ValueId q, k;
    if (rotates) {
      if (has(3)) return "its bias comes after rotary positions";
      const auto turned_q = rotated(parts[0], heads, width[0] / heads);
      const auto turned_k = rotated(parts[1], heads, width[1] / heads);
      if (!turned_q || !turned_k) return "its rotary positions have no known form";
      q = *turned_q;
      k = emit("Transpose", {*turned_k}, {{"perm", perm({0, 1, 3, 2})}});
    } else {
      q = split(parts[0], heads, width[0] / heads, perm({0, 2, 1, 3}));
      k = split(parts[1], heads, width[1] / heads, perm({0, 2, 3, 1}));
    }
    const ir::ValueId v = split(parts[2], heads, width[2] / heads, perm({0, 2, 1, 3}));
    float scale = node_.attributes.float_or("scale", 0.0f);
    if (scale == 0)
      scale = static_cast<float>(1 / std::sqrt(static_cast<double>(width[0] / heads)));
    ir::ValueId scores =
        emit("Mul", {emit("MatMul", {q, k}), constant("scale", Tensor::scalar(scale))});
    if (kept != ir::kNoValue) scores = emit("Add", {scores, kept});
    if (has(5)) scores = emit("Add", {scores, in(5)});
    const ir::ValueId weights = emit("Softmax", {scores}, {{"axis", std::int64_t{-1}}});
    const ir::ValueId context =
        emit("Transpose", {emit("MatMul", {weights, v})}, {{"perm", perm({0, 2, 1, 3})}});
    return give(emit("Reshape", {context, integers("joined", {0, 0, width[2]})}));
  }

  bool add_bias(ir::ValueId (&parts)[3], const std::int64_t (&width)[3]) {
    const Tensor* bias = graph_.constant(in(3));
    if (bias == nullptr || bias->dtype() != DType::kFloat32 ||
        bias->shape() != Shape{width[0] + width[1] + width[2]}) {
      return false;
    }
    const Tensor row = *bias;
    std::size_t first = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      const auto count = static_cast<std::size_t>(width[i]);
      const Tensor part = Tensor::vector<float>(row.data<float>().subspan(first, count));
      parts[i] = emit("Add", {parts[i], constant("bias", part)});
      first += count;
    }
    return true;
  }

  ir::ValueId split(ir::ValueId x, std::int64_t heads, std::int64_t size,
                    std::vector<std::int64_t> order) {
    const ir::ValueId shaped = emit("Reshape", {x, integers("heads", {0, 0, heads, size})});
    return emit("Transpose", {shaped}, {{"perm", std::move(order)}});
  }

  const ir::Node* rotary(ir::ValueId value) const {
    const ir::Node* node = graph_.producer(value);
    return node != nullptr && node->is("RotaryEmbedding", kContrib) ? node : nullptr;
  }

  /// [batch, heads, tokens, size] of token values that a RotaryEmbedding of halves turns.
  std::optional<ir::ValueId> rotated(ir::ValueId value, std::int64_t heads, std::int64_t size) {
    if (rotary(value) == nullptr) return std::nullopt;
    const ir::Node node = *rotary(value);
    const ir::Attributes& attributes = node.attributes;
    const ProbeShape* table = probe_.shape(node.input(2));
    const auto dims = rank(node.input(1));
    if (attributes.int_or("interleaved", 0) != 0 || attributes.float_or("scale", 1.0f) != 1.0f ||
        attributes.int_or("is_packed_batching", 0) != 0 || !dims || *dims < 1 || *dims > 2 ||
        table == nullptr || table->size() != 2 || !(*table)[1].constant() ||
        (*table)[1].factor * 2 != size || node.inputs.size() != 4) {
      return std::nullopt;
    }
    ir::ValueId places = node.input(1);
    if (*dims == 1) {
      const ir::ValueId sizes = emit("Shape", {node.input(0)});
      const ir::ValueId length = emit("Squeeze", {emit("Gather", {sizes, integers("axis", {1})})});
      places = emit("Add", {emit("Range", {integer("zero", 0), length, integer("one", 1)}),
                            emit("Cast", {places}, {{"to", kInt64}})});
    }
    ir::ValueId turns[2];
    const auto frequencies = steady_frequencies(node, size / 2);
    for (const std::size_t i : {0u, 1u}) {
      ir::ValueId rows;
      if (frequencies) {
        const ir::ValueId number =
            emit("Unsqueeze", {emit("Cast", {places}, {{"to", kFloat}}), integers("last", {-1})});
        const ir::ValueId angles =
            emit("Mul", {number, constant("frequencies", Tensor::vector<float>(*frequencies))});
        rows = emit(i == 0 ? "Cos" : "Sin", {angles});
      } else {
        rows = emit("Gather", {node.input(2 + i), places});
      }
      if (*dims == 2) rows = emit("Unsqueeze", {rows, integers("heads_axis", {1})});
      turns[i] = emit("Concat", {rows, rows}, {{"axis", std::int64_t{-1}}});
    }
    const ir::ValueId x = split(node.input(0), heads, size, perm({0, 2, 1, 3}));
    const auto half = [&](std::int64_t first) {
      return emit("Slice", {x, integers("starts", {first}), integers("ends", {first + size / 2}),
                            integers("axes", {3})});
    };
    const ir::ValueId turned =
        emit("Concat", {emit("Neg", {half(size / 2)}), half(0)}, {{"axis", std::int64_t{-1}}});
    return emit("Add", {emit("Mul", {x, turns[0]}), emit("Mul", {turned, turns[1]})});
  }

  /// Angles a position of constant tables that hold the multiples of one angle a column; nothing
  /// for other tables, and for ones that the graph computes.
  std::optional<std::vector<float>> steady_frequencies(const ir::Node& node,
                                                       std::int64_t half) const {
    const Tensor *cosine = graph_.constant(node.input(2)), *sine = graph_.constant(node.input(3));
    if (cosine == nullptr || sine == nullptr || cosine->shape() != sine->shape() ||
        cosine->dtype() != DType::kFloat32 || sine->dtype() != DType::kFloat32 ||
        cosine->rank() != 2 || cosine->dim(0) < 2) {
      return std::nullopt;
    }
    constexpr double kTurn = 2 * 3.14159265358979323846, kTolerance = 3e-4;
    const std::int64_t rows = cosine->dim(0);
    std::vector<float> out;
    for (std::int64_t d = 0; d < half; ++d) {
      const auto angle = [&](std::int64_t row) {
        const auto i = static_cast<std::size_t>(row * half + d);
        return std::atan2(double{sine->data<float>()[i]}, double{cosine->data<float>()[i]});
      };
      // The further the row, the finer the angle that it tells, less whole turns.
      double step = angle(1);
      for (std::int64_t row = 2; row < std::min<std::int64_t>(rows, 512); row *= 2) {
        const double found = angle(row), near = step * static_cast<double>(row);
        step = (found + kTurn * std::round((near - found) / kTurn)) / static_cast<double>(row);
      }
      for (std::int64_t row = 0; row < std::min<std::int64_t>(rows, 512); ++row) {
        const auto i = static_cast<std::size_t>(row * half + d);
        const double want = step * static_cast<double>(row);
        if (!(std::fabs(cosine->data<float>()[i] - std::cos(want)) < kTolerance) ||
            !(std::fabs(sine->data<float>()[i] - std::sin(want)) < kTolerance)) {
          return std::nullopt;
        }
      }
      out.push_back(static_cast<float>(step));
    }
    return out;
  }

  /// What is added to the scores, of shape [batch, 1, 1 or queries, keys].
  std::optional<ir::ValueId> mask(ir::ValueId value) {
    const ProbeShape* shape = probe_.shape(before(value));
    if (shape == nullptr || shape->empty() || shape->size() > 3) return std::nullopt;
    const std::size_t dims = shape->size();
    const std::int64_t rows = (*shape)[0].factor;
    const ir::ValueId wide = emit("Cast", {value}, {{"to", kInt64}});
    const ir::ValueId zero = integer("zero", 0), one = integer("one", 1);
    ir::ValueId kept;
    if (dims == 1) {
      if ((*shape)[0].batch_power != 1 || (*shape)[0].sequence_power != 0 || rows > 2) {
        return std::nullopt;
      }
      const auto size = [&](std::size_t input, std::int64_t axis) {
        return emit("Gather", {emit("Shape", {in(input)}), integers("axis", {axis})});
      };
      const ir::ValueId length = emit("Squeeze", {size(1, 1)}), batch = size(0, 0);
      const ir::ValueId places = emit("Range", {zero, length, one});
      const auto column = [&](ir::ValueId from, ir::ValueId to) {
        const ir::ValueId part = emit("Slice", {wide, from, to});
        return emit("Unsqueeze", {part, integers("axes", {1})});
      };
      const ir::ValueId begin = integers("begin", {0});
      kept = emit("Less", {places, column(begin, batch)});
      if (rows == 2) {
        const ir::ValueId twice = emit("Add", {batch, batch});
        kept = emit("And", {kept, emit("GreaterOrEqual", {places, column(batch, twice)})});
      }
    } else {
      kept = emit("Greater", {wide, zero});
    }
    const ir::ValueId number = emit("Cast", {kept}, {{"to", kFloat}});
    const float filter = node_.attributes.float_or("mask_filter_value", -10000.0f);
    const ir::ValueId masked = emit("Sub", {constant("all", Tensor::scalar(1.0f)), number});
    const ir::ValueId added = emit("Mul", {masked, constant("filter", Tensor::scalar(filter))});
    return emit("Unsqueeze", {added, dims == 3 ? integers("axes", {1}) : integers("axes", {1, 2})});
  }

  ir::Graph& graph_;
  PassContext& context_;
  const Probe& probe_;
  const Readers readers_;
  std::map<ir::ValueId, ir::ValueId> stands_for_;
  ir::Node node_;
};

}  // namespace

void open_attention(ir::Graph& graph, PassContext& context) {
  bool any = false;
  for (const ir::NodeId id : graph.topological_order()) any |= graph.node(id).domain == kContrib;
  if (!any) return;
  if (!context.probe().usable()) {
    context.near_miss("the graph", context.probe().reason());
    return;
  }
  Writer(graph, context).run();
}

}  // namespace octavo::passes
