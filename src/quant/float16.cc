#include "quant/float16.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/half.h"
#include "octavo/error.h"
#include "ops/value_types.h"
#include "quant/exclusions.h"
#include "quant/scale.h"

namespace octavo::quant {
namespace {

constexpr float kSmallestHalf = 5.96e-8f, kLargestHalf = 65504.0f;
constexpr std::size_t kFewElements = 256;  // constants that are not worth a Cast of their own

float clamp_to_half(float x) {
  if (x == 0 || std::isnan(x) || std::isinf(x)) return x;
  return std::copysign(std::clamp(std::fabs(x), kSmallestHalf, kLargestHalf), x);
}

/// What the other quantisers refuse where it is not finite. Masks come in elsewhere.
bool is_weight(const ir::Node& node, std::size_t slot, const Tensor& tensor) {
  if (tensor.rank() != 2) return false;
  if (node.op == "Gather") return slot == 0;
  if (node.op == "MatMul" || node.op == "Gemm" || node.op == "FusedMatMul") return slot < 2;
  return (node.op == "Attention" && slot == 1) || node.op == "EmbedLayerNormalization";
}

Tensor to_half(const Tensor& floats) {
  Tensor out(DType::kFloat16, floats.shape());
  const auto to = out.mutable_data<std::uint16_t>();
  const auto from = floats.data<float>();
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = float_to_half(clamp_to_half(from[i]));
  floats.release();
  return out;
}

Tensor to_bfloat(const Tensor& floats) {
  Tensor out(DType::kBFloat16, floats.shape());
  const auto to = out.mutable_data<std::uint16_t>();
  const auto from = floats.data<float>();
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = float_to_bf16(from[i]);
  floats.release();
  return out;
}

ir::Attributes cast_to(DType dtype) {
  ir::Attributes out;
  out.set("to", static_cast<std::int64_t>(dtype));
  return out;
}

bool has_weights(const ir::Graph& graph, const ir::Node& node) {
  return std::ranges::any_of(node.inputs, [&](ir::ValueId id) {
    const Tensor* tensor = id == ir::kNoValue ? nullptr : graph.constant(id);
    return tensor != nullptr && tensor->rank() >= 1 && tensor->dtype() == DType::kFloat32 &&
           tensor->elements() > 1;
  });
}

class HalfConverter {
 public:
  HalfConverter(ir::Graph& graph, const QuantizeOptions& options, ClampedWeights& clamped)
      : graph_(graph),
        options_(options),
        clamped_(clamped),
        exclusions_(options),
        types_(ops::value_types(graph)) {
    const auto& blocked =
        options.blocked_ops ? *options.blocked_ops : default_float16_blocked_ops();
    blocked_.insert(blocked.begin(), blocked.end());
    half_.assign(graph.value_count(), false);
  }

  std::vector<QuantizedNode> run() {
    inputs();
    for (const ir::NodeId id : graph_.topological_order()) {
      const ir::Node node = graph_.node(id);
      const bool excluded = !exclusions_.reason(node).empty();
      const bool kept = excluded || blocked_.contains(node.op);
      if (has_weights(graph_, node)) {
        report_.push_back(
            {node.name, node.op, !kept, kept ? "stays float32, as the options say" : "float16"});
      }
      kept ? keep(id, node) : convert(id, node);
    }
    exclusions_.check();
    outputs();
    return std::move(report_);
  }

 private:
  bool is_float(ir::ValueId id) const {
    return id != ir::kNoValue && static_cast<std::size_t>(id) < types_.size() &&
           types_[static_cast<std::size_t>(id)] == DType::kFloat32;
  }
  bool is_half(ir::ValueId id) const { return half_[static_cast<std::size_t>(id)]; }

  ir::ValueId cast(ir::ValueId id, DType dtype) {
    auto& known = (dtype == DType::kFloat32 ? widened_ : narrowed_)[id];
    if (known != 0) return known;
    const std::string name =
        graph_.value(id).name + (dtype == DType::kFloat32 ? "_cast_to_fp32" : "_cast_to_fp16");
    return known = graph_.emit("Cast", {id}, cast_to(dtype), "", name);
  }

  void inputs() {
    for (const ir::ValueId id : graph_.inputs()) {
      if (!is_float(id) || options_.keep_io_types) continue;
      graph_.value(id).dtype = DType::kFloat16;
      half_[static_cast<std::size_t>(id)] = true;
    }
  }

  ir::ValueId narrow_constant(const ir::Node& node, std::size_t slot) {
    const std::string name = graph_.value(node.inputs[slot]).name;
    const Tensor& floats = *graph_.constant(node.inputs[slot]);
    if (is_weight(node, slot, floats)) require_finite(floats, name);
    if (floats.elements() > 1) {
      for (const float x : floats.data<float>()) {
        const float magnitude = std::fabs(x);
        if (!(magnitude > kLargestHalf) || std::isinf(x)) continue;
        ++clamped_.count;
        if (magnitude <= clamped_.largest) continue;
        clamped_.largest = magnitude;
        clamped_.tensor = name;
        clamped_.op = node.op;
      }
    }
    return graph_.add_constant(name, to_half(floats));
  }

  void keep(ir::NodeId id, const ir::Node& node) {
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const ir::ValueId input = node.inputs[i];
      if (is_float(input) && graph_.constant(input) == nullptr && is_half(input)) {
        const ir::ValueId wide = cast(input, DType::kFloat32);
        graph_.node(id).inputs[i] = wide;
      }
    }
  }

  void convert(ir::NodeId id, const ir::Node& node) {
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const ir::ValueId input = node.inputs[i];
      if (!is_float(input) || (node.is("Resize") && i == 2)) continue;
      ir::ValueId narrow = input;
      if (graph_.constant(input) != nullptr) {
        auto& known = constants_[input];
        if (known == 0) known = narrow_constant(node, i);
        narrow = known;
      } else if (!is_half(input)) {
        narrow = cast(input, DType::kFloat16);
      }
      graph_.node(id).inputs[i] = narrow;
    }
    ir::Attributes& attributes = graph_.node(id).attributes;
    for (const char* name : {"to", "dtype", "output_dtype"}) {
      if (attributes.find(name) != nullptr && attributes.int_or(name, 0) == 1)
        attributes.set(name, static_cast<std::int64_t>(DType::kFloat16));
    }
    const bool typed = node.is("EyeLike") || node.is("RandomNormal") || node.is("RandomUniform");
    if (typed && attributes.find("dtype") == nullptr)
      attributes.set("dtype", static_cast<std::int64_t>(DType::kFloat16));
    if (node.is("ConstantOfShape")) {
      const auto value = attributes.tensor("value");
      if (!value || value->dtype() == DType::kFloat32) {
        attributes.set(
            "value", to_half(value ? *value : Tensor::from<float>({1}, std::vector<float>{0.0f})));
      }
    }
    for (const ir::ValueId output : node.outputs) {
      if (!is_float(output)) continue;
      half_[static_cast<std::size_t>(output)] = true;
      graph_.value(output).dtype = DType::kFloat16;
    }
  }

  void outputs() {
    std::vector<ir::Graph::Output> outputs = graph_.outputs();
    for (ir::Graph::Output& output : outputs) {
      if (!is_float(output.value) || !is_half(output.value) || !options_.keep_io_types) continue;
      const std::optional<std::vector<ir::Dim>> shape = graph_.value(output.value).shape;
      output.value = cast(output.value, DType::kFloat32);
      graph_.value(output.value).dtype = DType::kFloat32;
      graph_.value(output.value).shape = shape;
    }
    graph_.set_outputs(std::move(outputs));
  }

  ir::Graph& graph_;
  const QuantizeOptions& options_;
  ClampedWeights& clamped_;
  Exclusions exclusions_;
  std::vector<std::optional<DType>> types_;
  std::set<std::string, std::less<>> blocked_;
  std::vector<bool> half_;  // by value, of those that were float32
  std::map<ir::ValueId, ir::ValueId> widened_, narrowed_, constants_;
  std::vector<QuantizedNode> report_;
};

/// A list of operator types may serve many models; one of which nothing is there is a mistake.
void check_blocked_ops(const ir::Graph& graph, const QuantizeOptions& options) {
  std::string all;
  for (const std::string& op : options.blocked_ops.value_or(std::vector<std::string>{}))
    all += (all.empty() ? "" : ", ") + op;
  if (all.empty()) return;
  const bool weights_alone = options.mode == QuantizeMode::kBFloat16;
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node& node = graph.node(id);
    if (weights_alone && !has_weights(graph, node)) continue;
    if (std::ranges::find(*options.blocked_ops, node.op) != options.blocked_ops->end()) return;
  }
  throw Error(ErrorCode::kInvalidArgument,
              {.message = "--keep-float names no operator type that would be converted",
               .expected = "types such as Softmax or LayerNormalization",
               .found = "'" + all + "'",
               .fix = "octavo inspect --graph MODEL lists the nodes"});
}

std::vector<QuantizedNode> store_as_bfloat(ir::Graph& graph, const QuantizeOptions& options) {
  std::vector<QuantizedNode> report;
  std::map<ir::ValueId, ir::ValueId> narrowed, widened;
  Exclusions exclusions(options);
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node node = graph.node(id);
    if (!has_weights(graph, node)) continue;
    const bool excluded = !exclusions.reason(node).empty();
    const bool kept =
        excluded || (options.blocked_ops && std::ranges::find(*options.blocked_ops, node.op) !=
                                                options.blocked_ops->end());
    QuantizedNode line{node.name, node.op, false,
                       kept ? "stays float32, as the options say" : "its constants are small"};
    for (std::size_t i = 0; i < node.inputs.size() && !kept; ++i) {
      const ir::ValueId input = node.inputs[i];
      const Tensor* tensor = input == ir::kNoValue ? nullptr : graph.constant(input);
      if (tensor == nullptr || tensor->dtype() != DType::kFloat32 || tensor->rank() < 2 ||
          tensor->elements() < kFewElements) {
        continue;
      }
      const bool table = node.is("Gather") && i == 0;
      const std::string name = graph.value(input).name;
      auto& stored = narrowed[input];
      if (stored == 0) {
        if (is_weight(node, i, *tensor)) require_finite(*tensor, name);
        stored = graph.add_constant(name, to_bfloat(*tensor));
      }
      line.quantized = true;
      line.note = "bfloat16 weights";
      if (table) {  // widened after the lookup: the rows that are read, not the table
        graph.node(id).inputs[0] = stored;
        const ir::ValueId rows = node.outputs[0];
        const ir::ValueId wide =
            graph.emit("Cast", {rows}, cast_to(DType::kFloat32), "", node.name + "_widened");
        graph.replace_uses(rows, wide);
        graph.node(graph.value(wide).producer).inputs[0] = rows;
        graph.value(rows).dtype = DType::kBFloat16;
        continue;
      }
      auto& known = widened[input];
      if (known == 0)
        known = graph.emit("Cast", {stored}, cast_to(DType::kFloat32), "", name + "_widened");
      graph.node(id).inputs[i] = known;
    }
    report.push_back(std::move(line));
  }
  exclusions.check();
  return report;
}

}  // namespace

std::vector<QuantizedNode> convert_to_half(ir::Graph& graph, const QuantizeOptions& options,
                                           ClampedWeights& clamped) {
  check_blocked_ops(graph, options);
  std::vector<QuantizedNode> report = options.mode == QuantizeMode::kFloat16
                                          ? HalfConverter(graph, options, clamped).run()
                                          : store_as_bfloat(graph, options);
  check_something_is_left(options, report);
  return report;
}

}  // namespace octavo::quant

namespace octavo {

const std::vector<std::string>& default_float16_blocked_ops() {
  static const std::vector<std::string> kOps = {"ArrayFeatureExtractor",
                                                "Binarizer",
                                                "CastMap",
                                                "CategoryMapper",
                                                "DictVectorizer",
                                                "FeatureVectorizer",
                                                "Imputer",
                                                "LabelEncoder",
                                                "LinearClassifier",
                                                "LinearRegressor",
                                                "Normalizer",
                                                "OneHotEncoder",
                                                "RandomUniformLike",
                                                "SVMClassifier",
                                                "SVMRegressor",
                                                "Scaler",
                                                "TreeEnsembleClassifier",
                                                "TreeEnsembleRegressor",
                                                "TreeEnsemble",
                                                "ZipMap",
                                                "NonMaxSuppression",
                                                "TopK",
                                                "RoiAlign",
                                                "Range",
                                                "CumSum",
                                                "Min",
                                                "Max",
                                                "Upsample"};
  return kOps;
}

}  // namespace octavo
