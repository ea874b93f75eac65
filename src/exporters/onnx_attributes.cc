#include "exporters/onnx_attributes.h"

#include <algorithm>

namespace octavo::exporters {

using formats::OnnxAttribute;
using formats::OnnxAttributeType;
using formats::OnnxNode;

bool is_any(std::string_view op, std::initializer_list<std::string_view> names) {
  return std::ranges::find(names, op) != names.end();
}

const OnnxAttribute* find(const OnnxNode& node, std::string_view name) {
  const auto at =
      std::ranges::find_if(node.attributes, [&](const OnnxAttribute& a) { return a.name == name; });
  return at == node.attributes.end() ? nullptr : &*at;
}

void drop(OnnxNode& node, std::string_view name) {
  std::erase_if(node.attributes, [&](const OnnxAttribute& a) { return a.name == name; });
}

std::int64_t int_or(const OnnxNode& node, std::string_view name, std::int64_t fallback) {
  const OnnxAttribute* found = find(node, name);
  return found == nullptr ? fallback : found->i;
}

float float_or(const OnnxNode& node, std::string_view name, float fallback) {
  const OnnxAttribute* found = find(node, name);
  return found == nullptr ? fallback : found->f;
}

void set_int(OnnxNode& node, std::string name, std::int64_t value) {
  drop(node, name);
  OnnxAttribute out;
  out.name = std::move(name);
  out.type = OnnxAttributeType::kInt;
  out.i = value;
  node.attributes.push_back(std::move(out));
}

void set_ints(OnnxNode& node, std::string name, std::vector<std::int64_t> values) {
  drop(node, name);
  OnnxAttribute out;
  out.name = std::move(name);
  out.type = OnnxAttributeType::kInts;
  out.ints = std::move(values);
  node.attributes.push_back(std::move(out));
}

void set_float(OnnxNode& node, std::string name, float value) {
  drop(node, name);
  OnnxAttribute out;
  out.name = std::move(name);
  out.type = OnnxAttributeType::kFloat;
  out.f = value;
  node.attributes.push_back(std::move(out));
}

const std::string& input(const OnnxNode& node, std::size_t i) {
  static const std::string kNone;
  return i < node.inputs.size() ? node.inputs[i] : kNone;
}

void cut_input(OnnxNode& node, std::size_t i) {
  if (i < node.inputs.size()) node.inputs[i].clear();
  while (!node.inputs.empty() && node.inputs.back().empty()) node.inputs.pop_back();
}

}  // namespace octavo::exporters
