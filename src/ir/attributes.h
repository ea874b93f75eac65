// Attributes of a node: ONNX's kinds, by name, with typed access and defaults.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tensor/tensor.h"

namespace octavo::ir {

class Graph;

using Attribute =
    std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>, std::vector<float>,
                 std::vector<std::string>, Tensor, std::shared_ptr<const Graph>>;

class Attributes {
 public:
  void set(std::string name, Attribute value) { values_[std::move(name)] = std::move(value); }
  bool erase(std::string_view name);
  const Attribute* find(std::string_view name) const;

  // Typed access. A present attribute of another kind is Error(kInvalidFile) that names it.
  std::int64_t int_or(std::string_view name, std::int64_t fallback) const;
  float float_or(std::string_view name, float fallback) const;
  std::string string_or(std::string_view name, std::string_view fallback) const;
  std::optional<std::vector<std::int64_t>> ints(std::string_view name) const;
  std::optional<std::vector<float>> floats(std::string_view name) const;
  std::optional<Tensor> tensor(std::string_view name) const;
  /// As int_or, but the attribute must be there.
  std::int64_t require_int(std::string_view name) const;

  bool empty() const { return values_.empty(); }
  auto begin() const { return values_.begin(); }
  auto end() const { return values_.end(); }

 private:
  std::map<std::string, Attribute, std::less<>> values_;
};

/// Equal kinds and values; tensors by bytes, graphs by identity.
bool equal(const Attributes& a, const Attributes& b);

}  // namespace octavo::ir
