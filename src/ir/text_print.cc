// The writing half of ir/text.h.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "ir/text.h"

namespace octavo::ir {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string value_name(const Graph& graph, ValueId id) {
  if (id == kNoValue) return "_";
  const std::string& name = graph.value(id).name;
  const bool plain = !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::strchr("_./:-", c) != nullptr;
  });
  return "%" + (plain ? name : quoted(name));
}

// The shortest text that reads back as the same number, always of floating-point look.
template <typename T>
std::string float_text(T value) {
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  std::string out(buffer, end);
  if (out.find_first_of(".en") == std::string::npos) out += ".0";
  return out;
}

std::string element_text(const Tensor& tensor, std::size_t i) {
  switch (tensor.dtype()) {
    case DType::kFloat64: return float_text(tensor.data<double>()[i]);
    case DType::kUint64: return std::to_string(tensor.data<std::uint64_t>()[i]);
    default: break;
  }
  // One element at a time, so that a large tensor is not widened as a whole.
  const std::size_t size = dtype_size(tensor.dtype());
  Tensor one(tensor.dtype(), Shape{});
  std::memcpy(one.mutable_bytes(), tensor.bytes() + i * size, size);
  if (dtype_is_float(tensor.dtype())) return float_text(one.to_float32().data<float>()[0]);
  return std::to_string(one.to_int64s()[0]);
}

bool all_equal(const Tensor& tensor) {
  const std::size_t size = dtype_size(tensor.dtype());
  for (std::size_t i = 1; i < tensor.elements(); ++i) {
    if (std::memcmp(tensor.bytes(), tensor.bytes() + i * size, size) != 0) return false;
  }
  return true;
}

std::string tensor_text(const Tensor& tensor, const PrintOptions& options) {
  std::string out(dtype_name(tensor.dtype()));
  out += shape_to_string(tensor.shape()) + " = ";
  if (tensor.rank() == 0) return out + element_text(tensor, 0);
  if (tensor.elements() > options.max_elements) {
    return out + (all_equal(tensor) ? "fill(" + element_text(tensor, 0) + ")" : "...");
  }
  out += "[";
  for (std::size_t i = 0; i < tensor.elements(); ++i) {
    out += (i == 0 ? "" : ", ") + element_text(tensor, i);
  }
  return out + "]";
}

struct AttributeText {
  const PrintOptions& options;

  std::string operator()(std::int64_t v) const { return std::to_string(v); }
  std::string operator()(float v) const { return float_text(v); }
  std::string operator()(const std::string& v) const { return quoted(v); }
  std::string operator()(const Tensor& v) const { return tensor_text(v, options); }
  std::string operator()(const std::shared_ptr<const Graph>&) const { return "graph"; }
  std::string operator()(const std::vector<std::int64_t>& v) const { return list("ints", v); }
  std::string operator()(const std::vector<float>& v) const { return list("floats", v); }
  std::string operator()(const std::vector<std::string>& v) const { return list("strings", v); }

  template <typename T>
  std::string list(const char* kind, const std::vector<T>& values) const {
    if (values.empty()) return std::string(kind) + "[]";
    std::string out = "[";
    for (const T& value : values) out += (out.size() == 1 ? "" : ", ") + (*this)(value);
    return out + "]";
  }
};

std::string input_text(const Graph& graph, ValueId id) {
  const Value& value = graph.value(id);
  std::string out = "  input " + value_name(graph, id) + ": " +
                    std::string(value.dtype ? dtype_name(*value.dtype) : "?");
  if (!value.shape) return out + "\n";
  out += "[";
  for (std::size_t i = 0; i < value.shape->size(); ++i) {
    const Dim& dim = (*value.shape)[i];
    out += i == 0 ? "" : ", ";
    out += dim.known() ? std::to_string(dim.value) : dim.symbol.empty() ? "?" : dim.symbol;
  }
  return out + "]\n";
}

std::string node_text(const Graph& graph, const Node& node, const PrintOptions& options) {
  std::string out = "  ";
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    out += (i == 0 ? "" : ", ") + value_name(graph, node.outputs[i]);
  }
  out += " = " + (node.domain.empty() ? "" : node.domain + ".") + node.op + "(";
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    out += (i == 0 ? "" : ", ") + value_name(graph, node.inputs[i]);
  }
  out += ")";
  if (!node.attributes.empty()) {
    std::string list;
    for (const auto& [name, value] : node.attributes) {
      list += (list.empty() ? "" : ", ") + name + "=" + std::visit(AttributeText{options}, value);
    }
    out += " {" + list + "}";
  }
  const bool same = !node.outputs.empty() && node.outputs[0] != kNoValue &&
                    graph.value(node.outputs[0]).name == node.name;
  if (!same && !node.name.empty()) out += " @" + quoted(node.name);
  return out + "\n";
}

}  // namespace

std::string print(const Graph& graph, const PrintOptions& options) {
  std::string out = "graph " + quoted(graph.name) + " {\n";
  for (const ValueId id : graph.inputs()) out += input_text(graph, id);
  const auto readers = graph.readers();
  for (std::size_t i = 0; i < graph.value_count(); ++i) {
    const auto id = static_cast<ValueId>(i);
    const bool is_output = std::ranges::any_of(
        graph.outputs(), [&](const Graph::Output& output) { return output.value == id; });
    if (graph.constant(id) == nullptr || (readers[i].empty() && !is_output)) continue;
    out += "  const " + value_name(graph, id) + ": " + tensor_text(*graph.constant(id), options) +
           "\n";
  }
  for (const NodeId id : graph.topological_order()) {
    out += node_text(graph, graph.node(id), options);
  }
  for (const auto& output : graph.outputs()) {
    out += "  output " + value_name(graph, output.value) + " " + quoted(output.name) + "\n";
  }
  return out + "}\n";
}

}  // namespace octavo::ir
