#include "importers/onnx.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "importers/onnx_inline.h"
#include "importers/onnx_upgrade.h"
#include "octavo/error.h"
#include "ops/four_bits.h"
#include "ops/op.h"

namespace octavo::importers {
namespace {

using formats::OnnxAttribute;
using formats::OnnxAttributeType;
using formats::OnnxNode;

[[noreturn]] void fail(std::string message, std::string place, std::string expected = {},
                       std::string found = {}) {
  throw Error(ErrorCode::kInvalidFile,
              {.message = std::move(message),
               .place = std::move(place),
               .expected = std::move(expected),
               .found = std::move(found),
               .fix = "the model breaks the ONNX specification: export it again"});
}

std::string full_name(const OnnxNode& node) {
  return node.domain.empty() ? node.op_type : node.domain + "." + node.op_type;
}

ir::Attribute convert(const OnnxNode& node, const OnnxAttribute& attribute) {
  switch (attribute.type) {
    case OnnxAttributeType::kFloat: return attribute.f;
    case OnnxAttributeType::kInt: return attribute.i;
    case OnnxAttributeType::kString: return attribute.s;
    case OnnxAttributeType::kFloats: return attribute.floats;
    case OnnxAttributeType::kInts: return attribute.ints;
    case OnnxAttributeType::kStrings: return attribute.strings;
    case OnnxAttributeType::kTensor:
      if (!attribute.tensors.empty()) return attribute.tensors[0].tensor;
      break;
    default: break;
  }
  throw Error(ErrorCode::kUnsupported,
              {.message = "octavo does not read graph and tensor list attributes",
               .place = "node '" + node.name + "' (" + full_name(node) + "), attribute '" +
                        attribute.name + "'",
               .fix = "export the model without control flow"});
}

// Every operator that cannot run, at once: a user who replaces one should not meet the next.
void check_operators(const std::vector<OnnxNode>& nodes) {
  std::set<std::string> unknown;
  bool control_flow = false;
  for (const OnnxNode& node : nodes) {
    if (ops::find_op(node.op_type, node.domain) != nullptr) continue;
    unknown.insert(full_name(node));
    control_flow |= node.domain.empty() &&
                    (node.op_type == "If" || node.op_type == "Loop" || node.op_type == "Scan");
  }
  if (unknown.empty()) return;
  std::string list;
  for (const std::string& name : unknown) list += (list.empty() ? "" : ", ") + name;
  throw Error(
      ErrorCode::kUnsupported,
      {.message = "the model has operators that octavo cannot run",
       .expected = "operators of the standard domain that encoders use",
       .found = list,
       .fix = control_flow ? "export the model without control flow (If, Loop, Scan): tracing "
                             "exporters unroll it"
                           : "export the model without fusion or custom operators"});
}

class Importer {
 public:
  explicit Importer(const formats::OnnxModel& model) : source_(model.graph) {
    graph_.name = source_.name;
    OnnxUpgrader upgrader(source_);
    for (FlatNode& flat : inline_functions(model)) {
      if (!flat.node.domain.empty()) {
        nodes_.push_back(std::move(flat.node));
        continue;
      }
      for (OnnxNode& node : upgrader.upgrade(std::move(flat.node), flat.opset)) {
        nodes_.push_back(std::move(node));
      }
    }
  }

  ir::Graph run() {
    check_operators(nodes_);
    add_inputs();
    for (const OnnxNode& node : nodes_) define_outputs(node);
    for (const OnnxNode& node : nodes_) add_node(node);
    for (const auto& output : source_.outputs) {
      const ir::ValueId id = lookup(output.name, "the list of outputs");
      ir::Value& value = graph_.value(id);
      if (!value.dtype) value.dtype = dtype_from_onnx(output.elem_type);
      if (!value.shape && output.shape) {
        value.shape.emplace();
        for (const auto& dim : *output.shape) {
          value.shape->push_back({std::max<std::int64_t>(-1, dim.value.value_or(-1)), dim.param});
        }
      }
      graph_.add_output(id, output.name);
    }
    if (source_.outputs.empty()) fail("the model has no outputs", "graph", "1 output or more");
    graph_.topological_order();
    return std::move(graph_);
  }

 private:
  void define(const std::string& name, ir::ValueId id) {
    if (name.empty()) fail("a value has no name", "graph");
    if (!names_.emplace(name, id).second) {
      fail("two values have the same name", "value '" + name + "'", "different names");
    }
  }

  ir::ValueId lookup(const std::string& name, const std::string& reader) const {
    const auto at = names_.find(name);
    if (at == names_.end()) {
      fail("a name is used that nothing defines", reader,
           "an input, an initializer or the output of a node", "'" + name + "'");
    }
    return at->second;
  }

  void add_inputs() {
    // Before IR version 4, every initializer was listed as an input as well.
    std::set<std::string_view> initial;
    for (const auto& initializer : source_.initializers) {
      define(initializer.name, graph_.add_constant(initializer.name, initializer.tensor));
      if (initializer.four_bits) four_bits_.insert(initializer.name);
      initial.insert(initializer.name);
    }
    for (const auto& input : source_.inputs) {
      if (initial.contains(input.name)) continue;
      const auto dtype = dtype_from_onnx(input.elem_type);
      if (!input.is_tensor || !dtype) {
        throw Error(ErrorCode::kUnsupported,
                    {.message = "a model input is of a kind that octavo does not take",
                     .place = "input '" + input.name + "'",
                     .expected = "a tensor of numbers or bool",
                     .found = input.is_tensor ? "element type " + std::to_string(input.elem_type)
                                              : "no tensor"});
      }
      std::vector<ir::Dim> shape;
      if (input.shape) {
        for (const auto& dim : *input.shape) {
          if (dim.value && *dim.value < 0 && *dim.value != -1) {
            fail("a dimension of an input is negative", "input '" + input.name + "'", "0 or more",
                 std::to_string(*dim.value));
          }
          shape.push_back({dim.value.value_or(-1), dim.param});
        }
      }
      const ir::ValueId id = graph_.add_input(input.name, *dtype, std::move(shape));
      if (!input.shape) graph_.value(id).shape.reset();
      define(input.name, id);
    }
  }

  void define_outputs(const OnnxNode& node) {
    const bool constant = node.op_type == "Constant" && node.domain.empty();
    if (constant && node.outputs.size() != 1) {
      fail("a Constant has one output", "node '" + node.name + "'", "1",
           std::to_string(node.outputs.size()));
    }
    for (const std::string& name : node.outputs) {
      if (name.empty()) continue;
      if (constant && has_four_bits(node)) four_bits_.insert(name);
      define(name,
             constant ? graph_.add_constant(name, constant_value(node)) : graph_.add_value(name));
    }
  }

  static bool has_four_bits(const OnnxNode& node) {
    return std::ranges::any_of(node.attributes, [](const OnnxAttribute& a) {
      return !a.tensors.empty() && a.tensors[0].four_bits;
    });
  }

  // They are held as 8-bit integers: only where they stand for real numbers is that the same.
  void check_four_bits(const OnnxNode& node, const std::string& reader) const {
    if (ops::reads_four_bits(node.op_type)) return;
    for (const std::string& name : node.inputs) {
      if (!four_bits_.contains(name)) continue;
      throw Error(ErrorCode::kUnsupported,
                  {.message = "a tensor of 4-bit integers is read by an operator that cannot",
                   .place = reader,
                   .expected = "DequantizeLinear or GatherBlockQuantized",
                   .found = "'" + name + "'",
                   .fix = "export the model with weights of 8 bits or more"});
    }
  }

  static Tensor constant_value(const OnnxNode& node) {
    for (const OnnxAttribute& a : node.attributes) {
      if (a.name == "value" && a.type == OnnxAttributeType::kTensor && !a.tensors.empty()) {
        return a.tensors[0].tensor;
      }
      if (a.name == "value_int") return Tensor::scalar(a.i);
      if (a.name == "value_float") return Tensor::scalar(a.f);
      if (a.name == "value_ints") return Tensor::vector<std::int64_t>(a.ints);
      if (a.name == "value_floats") return Tensor::vector<float>(a.floats);
    }
    throw Error(ErrorCode::kUnsupported, {.message = "a constant has no value that can be read",
                                          .place = "node '" + node.name + "' (Constant)",
                                          .expected = "value, value_int(s) or value_float(s)"});
  }

  void add_node(const OnnxNode& node) {
    if (node.op_type == "Constant" && node.domain.empty()) return;
    ir::Node out;
    out.op = node.op_type;
    out.domain = node.domain;
    out.name =
        node.name.empty() ? node.op_type + "_" + std::to_string(graph_.node_count()) : node.name;
    const std::string reader = "node '" + out.name + "' (" + full_name(node) + ")";
    check_four_bits(node, reader);
    for (const std::string& name : node.inputs) {
      out.inputs.push_back(name.empty() ? ir::kNoValue : lookup(name, reader));
    }
    for (const std::string& name : node.outputs) {
      out.outputs.push_back(name.empty() ? ir::kNoValue : names_.at(name));
    }
    for (const OnnxAttribute& attribute : node.attributes) {
      if (!attribute.ref_attr_name.empty()) {
        fail("an attribute refers to a function outside of one", reader, {}, attribute.name);
      }
      out.attributes.set(attribute.name, convert(node, attribute));
    }
    if (ops::reads_four_bits(node.op_type) && !node.inputs.empty() &&
        four_bits_.contains(node.inputs[0]))
      out.attributes.set(ops::kFourBits, std::int64_t{1});
    graph_.add_node(std::move(out));
  }

  const formats::OnnxGraph& source_;
  std::vector<OnnxNode> nodes_;
  ir::Graph graph_;
  std::unordered_map<std::string, ir::ValueId> names_;
  std::set<std::string> four_bits_;  // constants
};

}  // namespace

ir::Graph import_onnx(const formats::OnnxModel& model) {
  return with_frame([] { return std::string("importing the ONNX graph"); },
                    [&] { return Importer(model).run(); });
}

}  // namespace octavo::importers
