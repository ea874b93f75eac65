#include "exporters/onnx.h"

#include <set>
#include <unordered_map>

#include "octavo/error.h"

namespace octavo::exporters {
namespace {

using formats::OnnxAttribute;
using formats::OnnxAttributeType;
using formats::OnnxNode;
using formats::OnnxValueInfo;

constexpr std::int64_t kIrVersion = 8;  // of opset 17; onnxruntime since 1.12 reads it

OnnxAttribute convert(const std::string& name, const ir::Attribute& value, const ir::Node& node) {
  OnnxAttribute out;
  out.name = name;
  if (const auto* i = std::get_if<std::int64_t>(&value)) {
    out.type = OnnxAttributeType::kInt, out.i = *i;
  } else if (const auto* f = std::get_if<float>(&value)) {
    out.type = OnnxAttributeType::kFloat, out.f = *f;
  } else if (const auto* s = std::get_if<std::string>(&value)) {
    out.type = OnnxAttributeType::kString, out.s = *s;
  } else if (const auto* ints = std::get_if<std::vector<std::int64_t>>(&value)) {
    out.type = OnnxAttributeType::kInts, out.ints = *ints;
  } else if (const auto* floats = std::get_if<std::vector<float>>(&value)) {
    out.type = OnnxAttributeType::kFloats, out.floats = *floats;
  } else if (const auto* strings = std::get_if<std::vector<std::string>>(&value)) {
    out.type = OnnxAttributeType::kStrings, out.strings = *strings;
  } else if (const auto* tensor = std::get_if<Tensor>(&value)) {
    out.type = OnnxAttributeType::kTensor, out.tensors = {{"", *tensor}};
  } else {
    throw Error(ErrorCode::kUnsupported,
                {.message = "an attribute is a graph, which is not written",
                 .place = "node '" + node.name + "' (" + node.op + "), attribute '" + name + "'"});
  }
  return out;
}

OnnxValueInfo describe(const ir::Value& value, const std::string& name) {
  OnnxValueInfo info;
  info.name = name;
  if (!value.dtype) return info;
  info.is_tensor = true;
  info.elem_type = static_cast<std::int32_t>(*value.dtype);
  if (!value.shape) return info;
  info.shape.emplace();
  for (const ir::Dim& dim : *value.shape) {
    formats::OnnxDimension out;
    if (dim.known()) out.value = dim.value;
    out.param = dim.symbol;
    info.shape->push_back(std::move(out));
  }
  return info;
}

class Exporter {
 public:
  Exporter(const ir::Graph& graph, const OnnxExportOptions& options)
      : graph_(graph), options_(options) {}

  formats::OnnxModel run() {
    model_.ir_version = kIrVersion;
    model_.producer_name = "octavo";
    model_.producer_version = OCTAVO_VERSION;
    model_.metadata_props = options_.metadata;
    model_.graph.name = graph_.name.empty() ? "octavo" : graph_.name;
    std::set<std::string> domains{""};
    for (const ir::ValueId input : graph_.inputs()) {
      claim(input, graph_.value(input).name);
      model_.graph.inputs.push_back(describe(graph_.value(input), names_.at(input)));
    }
    name_outputs();
    for (const ir::NodeId id : graph_.topological_order()) {
      domains.insert(graph_.node(id).domain);
      add_node(graph_.node(id));
    }
    for (OnnxNode& node : aliases_) model_.graph.nodes.push_back(std::move(node));
    for (const std::string& domain : domains) {
      model_.opset_imports.push_back({domain, domain.empty() ? options_.opset : 1});
    }
    return std::move(model_);
  }

 private:
  /// Gives a value the wanted name, or one like it that is free.
  const std::string& claim(ir::ValueId id, const std::string& wanted) {
    std::string name = wanted.empty() ? "value" : wanted;
    for (std::size_t i = 1; !taken_.insert(name).second; ++i) {
      name = (wanted.empty() ? "value" : wanted) + "_" + std::to_string(i);
    }
    return names_[id] = name;
  }

  /// A value that is no input, no constant and no other output takes the output's name; the rest
  /// becomes an Identity.
  void name_outputs() {
    for (const ir::Graph::Output& output : graph_.outputs()) {
      ir::Value described = graph_.value(output.value);
      if (graph_.producer(output.value) != nullptr && !names_.contains(output.value)) {
        claim(output.value, output.name);
      } else {
        taken_.insert(output.name);
        OnnxNode node;
        node.name = output.name + "/identity";
        node.op_type = "Identity";
        node.inputs = {names_.contains(output.value) ? names_.at(output.value) : std::string()};
        if (node.inputs[0].empty()) node.inputs[0] = input_name(output.value);
        node.outputs = {output.name};
        aliases_.push_back(std::move(node));
      }
      model_.graph.outputs.push_back(describe(described, output.name));
    }
  }

  std::string input_name(ir::ValueId id) {
    if (id == ir::kNoValue) return {};
    if (const auto at = names_.find(id); at != names_.end()) return at->second;
    const ir::Value& value = graph_.value(id);
    const std::string& name = claim(id, value.name);
    if (value.constant) model_.graph.initializers.push_back({name, *value.constant});
    return name;
  }

  void add_node(const ir::Node& node) {
    if (node.domain == "ai.octavo") {
      throw Error(ErrorCode::kUnsupported,
                  {.message = "the graph still has an operator that ONNX does not have",
                   .place = "node '" + node.name + "' (ai.octavo." + node.op + ")"});
    }
    OnnxNode out;
    out.name = node.name;
    out.op_type = node.op;
    out.domain = node.domain;
    for (const ir::ValueId id : node.inputs) out.inputs.push_back(input_name(id));
    for (const ir::ValueId id : node.outputs) out.outputs.push_back(input_name(id));
    while (!out.outputs.empty() && out.outputs.back().empty()) out.outputs.pop_back();
    while (!out.inputs.empty() && out.inputs.back().empty()) out.inputs.pop_back();
    for (const auto& [name, value] : node.attributes) {
      out.attributes.push_back(convert(name, value, node));
    }
    model_.graph.nodes.push_back(std::move(out));
  }

  const ir::Graph& graph_;
  const OnnxExportOptions& options_;
  formats::OnnxModel model_;
  std::unordered_map<ir::ValueId, std::string> names_;
  std::set<std::string> taken_;
  std::vector<OnnxNode> aliases_;
};

}  // namespace

formats::OnnxModel export_onnx(const ir::Graph& graph, const OnnxExportOptions& options) {
  if (options.opset < kOldestExportOpset || options.opset > kNewestExportOpset) {
    throw Error(ErrorCode::kInvalidArgument,
                {.message = "the opset is out of range",
                 .expected = std::to_string(kOldestExportOpset) + " to " +
                             std::to_string(kNewestExportOpset),
                 .found = std::to_string(options.opset)});
  }
  return with_frame([] { return std::string("exporting the graph as ONNX"); },
                    [&] { return Exporter(graph, options).run(); });
}

}  // namespace octavo::exporters
