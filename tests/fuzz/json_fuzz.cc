// JSON: the same verdict and the same values as nlohmann-json.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "base/json.h"

namespace {

using octavo::JsonType;
using octavo::JsonValue;

void require(bool right) {
  if (!right) __builtin_trap();
}

void compare(const JsonValue& ours, const nlohmann::json& reference) {
  switch (ours.type()) {
    case JsonType::kNull: return require(reference.is_null());
    case JsonType::kBool: return require(ours.as_bool() == reference.get<bool>());
    case JsonType::kInt: return require(ours.as_int() == reference.get<std::int64_t>());
    case JsonType::kDouble: return require(ours.as_double() == reference.get<double>());
    case JsonType::kString: return require(ours.as_string() == reference.get<std::string>());
    case JsonType::kArray: {
      require(ours.size() == reference.size());
      std::size_t i = 0;
      for (const JsonValue element : ours.elements()) compare(element, reference[i++]);
      return;
    }
    case JsonType::kObject:
      require(ours.size() == reference.size());
      for (const auto [key, value] : ours.members()) {
        require(ours.find(key).has_value());
        compare(value, reference.at(std::string(key)));
      }
  }
}

bool stricter_than_the_reference(const std::string& message) {
  for (const char* rule : {"same key twice", "nested too deeply", "more values than a file"}) {
    if (message.find(rule) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  // A NUL is nowhere allowed; the reference takes it for the end of the text.
  const auto reference = text.find('\0') == std::string::npos
                             ? nlohmann::json::parse(text, nullptr, false)
                             : nlohmann::json(nlohmann::json::value_t::discarded);
  try {
    const auto document = octavo::JsonDocument::parse(text, "fuzz");
    require(!reference.is_discarded());
    compare(document.root(), reference);
  } catch (const octavo::Error& error) {
    require(reference.is_discarded() || stricter_than_the_reference(error.info().message));
  }
  return 0;
}
