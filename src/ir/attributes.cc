#include "ir/attributes.h"

#include "octavo/error.h"

namespace octavo::ir {
namespace {

template <typename T>
const T* typed(const Attributes& attributes, std::string_view name, std::string_view kind) {
  const Attribute* value = attributes.find(name);
  if (value == nullptr) return nullptr;
  if (const T* out = std::get_if<T>(value)) return out;
  throw Error(ErrorCode::kInvalidFile,
              {.message = "an attribute has the wrong kind",
               .place = "attribute '" + std::string(name) + "'",
               .expected = std::string(kind),
               .fix = "the model breaks the ONNX specification: export it again"});
}

}  // namespace

bool Attributes::erase(std::string_view name) {
  const auto it = values_.find(name);
  if (it == values_.end()) return false;
  values_.erase(it);
  return true;
}

const Attribute* Attributes::find(std::string_view name) const {
  const auto it = values_.find(name);
  return it == values_.end() ? nullptr : &it->second;
}

std::int64_t Attributes::int_or(std::string_view name, std::int64_t fallback) const {
  const auto* value = typed<std::int64_t>(*this, name, "an integer");
  return value != nullptr ? *value : fallback;
}

float Attributes::float_or(std::string_view name, float fallback) const {
  const auto* value = typed<float>(*this, name, "a float");
  return value != nullptr ? *value : fallback;
}

std::string Attributes::string_or(std::string_view name, std::string_view fallback) const {
  const auto* value = typed<std::string>(*this, name, "a string");
  return value != nullptr ? *value : std::string(fallback);
}

std::optional<std::vector<std::int64_t>> Attributes::ints(std::string_view name) const {
  const auto* value = typed<std::vector<std::int64_t>>(*this, name, "integers");
  return value != nullptr ? std::optional(*value) : std::nullopt;
}

std::optional<std::vector<float>> Attributes::floats(std::string_view name) const {
  const auto* value = typed<std::vector<float>>(*this, name, "floats");
  return value != nullptr ? std::optional(*value) : std::nullopt;
}

std::optional<Tensor> Attributes::tensor(std::string_view name) const {
  const auto* value = typed<Tensor>(*this, name, "a tensor");
  return value != nullptr ? std::optional(*value) : std::nullopt;
}

std::int64_t Attributes::require_int(std::string_view name) const {
  if (find(name) == nullptr) {
    throw Error(ErrorCode::kInvalidFile,
                {.message = "an attribute is missing",
                 .place = "attribute '" + std::string(name) + "'",
                 .expected = "an integer",
                 .found = "no such attribute",
                 .fix = "the model breaks the ONNX specification: export it again"});
  }
  return int_or(name, 0);
}

bool equal(const Attributes& a, const Attributes& b) {
  auto x = a.begin(), y = b.begin();
  for (; x != a.end() && y != b.end(); ++x, ++y) {
    if (x->first != y->first || x->second.index() != y->second.index()) return false;
    const bool same = std::visit(
        [&](const auto& value) {
          using T = std::decay_t<decltype(value)>;
          if constexpr (std::is_same_v<T, Tensor>) {
            return identical(value, std::get<T>(y->second));
          } else {
            return value == std::get<T>(y->second);
          }
        },
        x->second);
    if (!same) return false;
  }
  return x == a.end() && y == b.end();
}

}  // namespace octavo::ir
