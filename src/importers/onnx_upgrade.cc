#include "importers/onnx_upgrade.h"

#include <algorithm>
#include <optional>
#include <span>
#include <string_view>

#include "octavo/error.h"

namespace octavo::importers {
namespace {

using formats::OnnxAttribute;
using formats::OnnxAttributeType;
using formats::OnnxNode;

// Attributes that are inputs at opset 21, in the order of those inputs, from `input` on.
struct MovedAttributes {
  std::string_view op;
  std::size_t input;
  std::vector<std::string_view> names;
};

const std::vector<MovedAttributes>& moved_attributes() {
  static const std::vector<MovedAttributes> kMoved = [] {
    std::vector<MovedAttributes> out{{"Squeeze", 1, {"axes"}},
                                     {"Unsqueeze", 1, {"axes"}},
                                     {"Split", 1, {"split"}},
                                     {"Clip", 1, {"min", "max"}},
                                     {"Slice", 1, {"starts", "ends", "axes"}},
                                     {"TopK", 1, {"k"}},
                                     {"Tile", 1, {"repeats"}},
                                     {"Pad", 1, {"pads", "value"}}};
    for (const std::string_view op :
         {"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
          "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare"}) {
      out.push_back({op, 1, {"axes"}});
    }
    return out;
  }();
  return kMoved;
}

std::optional<OnnxAttribute> take(OnnxNode& node, std::string_view name) {
  const auto at =
      std::ranges::find_if(node.attributes, [&](const OnnxAttribute& a) { return a.name == name; });
  if (at == node.attributes.end()) return std::nullopt;
  OnnxAttribute out = std::move(*at);
  node.attributes.erase(at);
  return out;
}

Tensor attribute_tensor(const OnnxNode& node, const OnnxAttribute& attribute) {
  switch (attribute.type) {
    // TopK takes its k as a list.
    case OnnxAttributeType::kInt: return Tensor::vector<std::int64_t>(std::span(&attribute.i, 1));
    case OnnxAttributeType::kInts: return Tensor::vector<std::int64_t>(attribute.ints);
    case OnnxAttributeType::kFloat: return Tensor::scalar(attribute.f);
    default:
      throw Error(ErrorCode::kInvalidFile,
                  {.message = "an attribute has the wrong kind",
                   .place = "node '" + node.name + "', attribute '" + attribute.name + "'",
                   .expected = "a number or integers"});
  }
}

OnnxAttribute int_attribute(std::string name, std::int64_t value) {
  OnnxAttribute out;
  out.name = std::move(name);
  out.type = OnnxAttributeType::kInt;
  out.i = value;
  return out;
}

OnnxNode make_node(std::string op, std::vector<std::string> inputs, std::string output) {
  OnnxNode out;
  out.name = output;
  out.op_type = std::move(op);
  out.inputs = std::move(inputs);
  out.outputs = {std::move(output)};
  return out;
}

bool is_any(std::string_view op, std::initializer_list<std::string_view> names) {
  return std::ranges::find(names, op) != names.end();
}

}  // namespace

OnnxUpgrader::OnnxUpgrader(const formats::OnnxGraph& graph) {
  for (const auto& input : graph.inputs) {
    if (input.shape) ranks_[input.name] = input.shape->size();
  }
  for (const auto& initializer : graph.initializers) {
    ranks_[initializer.name] = initializer.tensor.rank();
  }
}

std::vector<OnnxNode> OnnxUpgrader::upgrade(OnnxNode node, std::int64_t opset) {
  std::vector<OnnxNode> out;
  if (opset < 13 && is_any(node.op_type, {"Softmax", "LogSoftmax", "Hardmax"}) &&
      flat_softmax(node, out)) {
    return out;
  }
  attributes_to_inputs(node, out);
  if (node.op_type == "Scatter") node.op_type = "ScatterElements";
  if (node.op_type == "Dropout" && opset < 12) take(node, "ratio");
  if (node.op_type == "Split") {
    if (const auto parts = take(node, "num_outputs");
        parts && parts->i != static_cast<std::int64_t>(node.outputs.size())) {
      throw Error(ErrorCode::kInvalidFile,
                  {.message = "Split has another number of outputs than it says",
                   .place = "node '" + node.name + "', attribute 'num_outputs'",
                   .expected = std::to_string(node.outputs.size()),
                   .found = std::to_string(parts->i)});
    }
  }
  note_rank(node);
  out.push_back(std::move(node));
  return out;
}

std::string OnnxUpgrader::fresh(const std::string& base) {
  // Exporters join names with single slashes; a clash would be found as a duplicate name.
  return base + "//" + std::to_string(made_++);
}

std::string OnnxUpgrader::constant(Tensor tensor, const std::string& base,
                                   std::vector<OnnxNode>& out) {
  std::string name = fresh(base);
  OnnxNode node = make_node("Constant", {}, name);
  OnnxAttribute value;
  value.name = "value";
  value.type = OnnxAttributeType::kTensor;
  ranks_[name] = tensor.rank();
  lengths_[name] = tensor.elements();
  value.tensors.push_back({name, std::move(tensor)});
  node.attributes.push_back(std::move(value));
  out.push_back(std::move(node));
  return name;
}

void OnnxUpgrader::attributes_to_inputs(OnnxNode& node, std::vector<OnnxNode>& out) {
  for (const MovedAttributes& moved : moved_attributes()) {
    if (moved.op != node.op_type) continue;
    for (std::size_t i = 0; i < moved.names.size(); ++i) {
      const auto attribute = take(node, moved.names[i]);
      if (!attribute) continue;
      const std::size_t at = moved.input + i;
      if (node.inputs.size() <= at) node.inputs.resize(at + 1);
      if (!node.inputs[at].empty()) {
        throw Error(ErrorCode::kInvalidFile,
                    {.message = "an operator has a parameter twice, as attribute and as input",
                     .place = "node '" + node.name + "', attribute '" + attribute->name + "'"});
      }
      const std::string base =
          (node.outputs.empty() ? node.name : node.outputs[0]) + "/" + std::string(moved.names[i]);
      node.inputs[at] = constant(attribute_tensor(node, *attribute), base, out);
    }
  }
}

// Before opset 13, Softmax took everything from `axis` on as one axis. It is left as it is when
// that is the last axis alone; returns whether it wrote the flattening form.
bool OnnxUpgrader::flat_softmax(OnnxNode& node, std::vector<OnnxNode>& out) {
  const auto given = take(node, "axis");
  const std::int64_t axis = given ? given->i : 1;
  node.attributes.push_back(int_attribute("axis", -1));
  if (node.inputs.empty() || node.outputs.empty()) return false;
  const std::size_t* known = rank(node.inputs[0]);
  if (axis == -1 || (known != nullptr && axis == static_cast<std::int64_t>(*known) - 1)) {
    return false;
  }
  const std::string x = node.inputs[0], y = node.outputs[0];
  const std::string shape = fresh(y + "/shape"), flat = fresh(y + "/flat");
  const std::string result = fresh(y + "/result");
  out.push_back(make_node("Shape", {x}, shape));
  out.push_back(make_node("Flatten", {x}, flat));
  out.back().attributes.push_back(int_attribute("axis", axis));
  node.inputs[0] = flat;
  node.outputs[0] = result;
  out.push_back(std::move(node));
  out.push_back(make_node("Reshape", {result, shape}, y));
  if (known != nullptr) ranks_[y] = *known;
  return true;
}

const std::size_t* OnnxUpgrader::rank(const std::string& name) const {
  const auto at = ranks_.find(name);
  return at == ranks_.end() ? nullptr : &at->second;
}

void OnnxUpgrader::note_rank(const OnnxNode& node) {
  if (node.outputs.empty() || node.inputs.empty()) return;
  const std::size_t* first = rank(node.inputs[0]);
  std::optional<std::size_t> result;
  if (is_any(node.op_type, {"Cast", "Identity", "Dropout", "Softmax", "Erf", "Sqrt", "Neg", "Tanh",
                            "Relu", "Exp", "Log", "Abs", "Not", "Clip", "Slice", "Reciprocal"})) {
    if (first != nullptr) result = *first;
  } else if (node.op_type == "Transpose") {
    const auto perm = std::ranges::find_if(node.attributes,
                                           [](const OnnxAttribute& a) { return a.name == "perm"; });
    if (perm != node.attributes.end()) {
      result = perm->ints.size();
    } else if (first != nullptr) {
      result = *first;
    }
  } else if (is_any(node.op_type, {"Add", "Sub", "Mul", "Div", "Pow", "MatMul", "Where", "Equal",
                                   "Less", "Greater", "And", "Or"})) {
    result = 0;
    for (const std::string& input : node.inputs) {
      const std::size_t* r = rank(input);
      if (r == nullptr) return;
      // The product of a matrix and a vector has a dimension less.
      if (node.op_type == "MatMul" && *r < 2) return;
      result = std::max(*result, *r);
    }
  } else if (node.op_type == "Unsqueeze" && first != nullptr && node.inputs.size() > 1) {
    const auto axes = lengths_.find(node.inputs[1]);
    if (axes != lengths_.end()) result = *first + axes->second;
  }
  if (result) ranks_[node.outputs[0]] = *result;
}

}  // namespace octavo::importers
