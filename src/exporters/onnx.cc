#include "exporters/onnx.h"

#include <set>
#include <unordered_map>

#include "exporters/onnx_downgrade.h"
#include "octavo/error.h"
#include "ops/four_bits.h"
#include "ops/value_types.h"

namespace octavo::exporters {
namespace {

using formats::OnnxAttribute;
using formats::OnnxAttributeType;
using formats::OnnxNode;
using formats::OnnxValueInfo;

constexpr std::int64_t kFourBitOpset = 21;

/// Of the release of ONNX that brought the opset (docs/Versioning.md): what older readers take.
std::int64_t ir_version(std::int64_t opset) {
  if (opset < 12) return 6;
  if (opset < 15) return 7;
  if (opset < 19) return 8;
  return opset < 21 ? 9 : 10;
}

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

OnnxValueInfo describe(const ir::Value& value, std::optional<DType> dtype,
                       const std::string& name) {
  OnnxValueInfo info;
  info.name = name;
  if (!dtype) return info;
  info.is_tensor = true;
  info.elem_type = static_cast<std::int32_t>(*dtype);
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
      : graph_(graph), options_(options), types_(ops::value_types(graph)) {}

  formats::OnnxModel run() {
    model_.ir_version = ir_version(options_.opset);
    model_.producer_name = "octavo";
    model_.producer_version = OCTAVO_VERSION;
    model_.metadata_props = options_.metadata;
    model_.graph.name = graph_.name.empty() ? "octavo" : graph_.name;
    for (const ir::ValueId input : graph_.inputs()) {
      claim(input, graph_.value(input).name);
      model_.graph.inputs.push_back(describe(graph_.value(input), type(input), names_.at(input)));
    }
    name_outputs();
    for (const ir::NodeId id : graph_.topological_order()) add_node(graph_.node(id));
    for (OnnxNode& node : aliases_) push(std::move(node));
    add_initializers();
    add_value_infos();
    std::set<std::string> domains{""};
    for (const OnnxNode& node : model_.graph.nodes) domains.insert(node.domain);
    for (const std::string& domain : domains) {
      model_.opset_imports.push_back({domain, domain.empty() ? options_.opset : 1});
    }
    return std::move(model_);
  }

 private:
  std::optional<DType> type(ir::ValueId id) const { return types_[static_cast<std::size_t>(id)]; }

  std::string fresh(const std::string& wanted) {
    const std::string base = wanted.empty() ? "value" : wanted;
    std::string name = base;
    std::size_t& count = counts_[base];
    while (!taken_.insert(name).second) name = base + "_" + std::to_string(++count);
    return name;
  }

  /// Gives a value the wanted name, or one like it that is free.
  const std::string& claim(ir::ValueId id, const std::string& wanted) {
    std::string& name = names_[id];
    name = fresh(wanted);
    values_[name] = id;
    return name;
  }

  /// A value that is no input, no constant and no other output takes the output's name; the rest
  /// becomes an Identity.
  void name_outputs() {
    for (const ir::Graph::Output& output : graph_.outputs()) {
      const std::string name = fresh(output.name);
      if (name != output.name) {
        throw Error(ErrorCode::kInvalidArgument,
                    {.message = "an output has the name of another output or of an input",
                     .place = "output '" + output.name + "'"});
      }
      if (graph_.producer(output.value) != nullptr && !names_.contains(output.value)) {
        names_[output.value] = name;
        values_[name] = output.value;
      } else {
        OnnxNode node;
        node.name = name + "/identity";
        node.op_type = "Identity";
        node.inputs = {value_name(output.value)};
        node.outputs = {name};
        aliases_.push_back(std::move(node));
      }
      model_.graph.outputs.push_back(
          describe(graph_.value(output.value), type(output.value), name));
    }
  }

  std::string value_name(ir::ValueId id) {
    if (id == ir::kNoValue) return {};
    if (const auto at = names_.find(id); at != names_.end()) return at->second;
    return claim(id, graph_.value(id).name);
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
    const bool four_bits =
        ops::reads_four_bits(node.op) && node.attributes.find(ops::kFourBits) != nullptr;
    if (four_bits && node.domain.empty() && options_.opset < kFourBitOpset) refuse_four_bits(node);
    for (const ir::ValueId id : node.inputs)
      out.inputs.push_back(four_bits && holds_bytes(id) ? four_bit_name(id) : value_name(id));
    for (const ir::ValueId id : node.outputs) out.outputs.push_back(value_name(id));
    while (!out.outputs.empty() && out.outputs.back().empty()) out.outputs.pop_back();
    while (!out.inputs.empty() && out.inputs.back().empty()) out.inputs.pop_back();
    for (const auto& [name, value] : node.attributes) {
      if (!four_bits || name != ops::kFourBits)
        out.attributes.push_back(convert(name, value, node));
    }
    if (!node.domain.empty()) return push(std::move(out));
    DowngradedNode older = downgrade_node(std::move(out), options_.opset, known_);
    for (OnnxNode& made : older.nodes) push(std::move(made));
    for (formats::OnnxTensor& tensor : older.initializers)
      model_.graph.initializers.push_back(std::move(tensor));
  }

  bool holds_bytes(ir::ValueId id) const {
    const Tensor* constant = id == ir::kNoValue ? nullptr : graph_.constant(id);
    return constant != nullptr &&
           (constant->dtype() == DType::kInt8 || constant->dtype() == DType::kUint8);
  }

  /// The initializer of a constant as 4-bit integers; one of 8 bits may stand beside it.
  const std::string& four_bit_name(ir::ValueId id) {
    std::string& name = four_bit_names_[id];
    if (!name.empty()) return name;
    name = fresh(graph_.value(id).name);
    model_.graph.initializers.push_back({name, *graph_.constant(id), true});
    return name;
  }

  [[noreturn]] void refuse_four_bits(const ir::Node& node) const {
    throw Error(ErrorCode::kUnsupported,
                {.message = "the opset does not have integers of 4 bits",
                 .place = "node '" + node.name + "' (" + node.op + ")",
                 .expected = "opset " + std::to_string(kFourBitOpset) + " or later",
                 .found = "opset " + std::to_string(options_.opset),
                 .fix = "ask for --opset " + std::to_string(kFourBitOpset)});
  }

  /// Nodes need names of their own, too: onnxruntime refuses a model otherwise.
  void push(OnnxNode node) {
    const std::string wanted = node.name.empty() ? node.op_type : node.name;
    node.name = wanted;
    std::size_t& count = node_counts_[wanted];
    while (!node_names_.insert(node.name).second)
      node.name = wanted + "_" + std::to_string(++count);
    model_.graph.nodes.push_back(std::move(node));
  }

  /// Constants that nodes still read: what became an attribute needs none.
  void add_initializers() {
    std::set<std::string> done;
    for (const OnnxNode& node : model_.graph.nodes) {
      for (const std::string& name : node.inputs) {
        const auto at = values_.find(name);
        if (at == values_.end() || !done.insert(name).second) continue;
        const ir::Value& value = graph_.value(at->second);
        if (value.constant) model_.graph.initializers.push_back({name, *value.constant});
      }
    }
  }

  void add_value_infos() {
    std::set<std::string> outputs;
    for (const OnnxValueInfo& info : model_.graph.outputs) outputs.insert(info.name);
    for (const OnnxNode& node : model_.graph.nodes) {
      for (const std::string& name : node.outputs) {
        const auto at = values_.find(name);
        if (at == values_.end() || outputs.contains(name)) continue;
        const ir::Value& value = graph_.value(at->second);
        if (value.shape && type(at->second))
          model_.graph.value_info.push_back(describe(value, type(at->second), name));
      }
    }
  }

  const ir::Graph& graph_;
  const OnnxExportOptions& options_;
  std::vector<std::optional<DType>> types_;  // by ValueId
  formats::OnnxModel model_;
  std::unordered_map<ir::ValueId, std::string> names_;
  std::unordered_map<std::string, ir::ValueId> values_;  // the same, backwards
  std::unordered_map<ir::ValueId, std::string> four_bit_names_;
  std::set<std::string> taken_, node_names_;
  std::unordered_map<std::string, std::size_t> counts_, node_counts_;
  std::vector<OnnxNode> aliases_;
  const OnnxValues known_{.constant = [this](const std::string& name) -> const Tensor* {
                            const auto at = values_.find(name);
                            return at == values_.end() ? nullptr : graph_.constant(at->second);
                          },
                          .dtype = [this](const std::string& name) -> std::optional<DType> {
                            const auto at = values_.find(name);
                            return at == values_.end() ? std::nullopt : type(at->second);
                          },
                          .fresh = [this](const std::string& base) { return fresh(base); }};
};

}  // namespace

formats::OnnxModel export_onnx(const ir::Graph& graph, const OnnxExportOptions& options) {
  if (options.opset == 0) {
    try {
      return export_onnx(graph, {.opset = kUsualExportOpset, .metadata = options.metadata});
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kUnsupported) throw;
      return export_onnx(graph, {.opset = kNewestExportOpset, .metadata = options.metadata});
    }
  }
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

std::int64_t opset_of(const formats::OnnxModel& exported) {
  for (const formats::OnnxOpset& import : exported.opset_imports) {
    if (import.domain.empty()) return import.version;
  }
  return 0;
}

}  // namespace octavo::exporters
