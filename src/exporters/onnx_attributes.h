// Attributes and inputs of ONNX nodes, by name and by place.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "formats/onnx_model.h"

namespace octavo::exporters {

bool is_any(std::string_view op, std::initializer_list<std::string_view> names);

/// The attribute, or nullptr.
const formats::OnnxAttribute* find(const formats::OnnxNode& node, std::string_view name);
void drop(formats::OnnxNode& node, std::string_view name);
std::int64_t int_or(const formats::OnnxNode& node, std::string_view name, std::int64_t fallback);
float float_or(const formats::OnnxNode& node, std::string_view name, float fallback);
void set_int(formats::OnnxNode& node, std::string name, std::int64_t value);
void set_ints(formats::OnnxNode& node, std::string name, std::vector<std::int64_t> values);
void set_float(formats::OnnxNode& node, std::string name, float value);

/// The name of an input; empty where there is none.
const std::string& input(const formats::OnnxNode& node, std::size_t i);
/// Leaves an input out, and whatever is left out at the end.
void cut_input(formats::OnnxNode& node, std::size_t i);

}  // namespace octavo::exporters
