#include "quant/calibration_state.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "octavo/error.h"

namespace octavo::quant {
namespace {

constexpr const char* kFormat = "octavo calibration 1";

/// The options that change what an observer keeps. A percentile and a number of levels only change
/// what is made of it, but a file should say what it was written for.
nlohmann::json describe(const ObserverOptions& options) {
  return {{"method", calibration_method_name(options.method)},
          {"symmetric", options.symmetric},
          {"percentile", options.percentile},
          {"bins", options.bins},
          {"quantized_levels", options.quantized_levels}};
}

[[noreturn]] void refuse(const std::string& path, const std::string& place, std::string expected,
                         std::string found) {
  throw Error(ErrorCode::kInvalidArgument,
              {.message = "the calibration cache was made from something else",
               .file = path,
               .place = place,
               .expected = std::move(expected),
               .found = std::move(found),
               .fix = "name another cache file, or remove this one"});
}

std::vector<double> numbers(const JsonValue& list) {
  std::vector<double> out;
  out.reserve(list.size());
  for (const JsonValue value : list.elements()) out.push_back(value.as_double());
  return out;
}

void check_key(const JsonValue& root, const std::string& path, const CacheKey& key) {
  if (root.string_or("format", "") != kFormat) {
    throw Error(ErrorCode::kInvalidFile, {.message = "this is no calibration cache",
                                          .file = path,
                                          .place = "key 'format'",
                                          .expected = kFormat,
                                          .fix = "name another file"});
  }
  const std::string identity(root.at("identity").as_string());
  if (identity != key.identity) refuse(path, "key 'identity'", key.identity, identity);
  // Compared as text: what is written is what is read.
  const nlohmann::json wanted = describe(key.options);
  const JsonValue options = root.at("options");
  for (const auto& [name, value] : wanted.items()) {
    const JsonValue found = options.at(name);
    bool same = false;
    if (value.is_string()) same = found.as_string() == value.get<std::string>();
    if (value.is_boolean()) same = found.as_bool() == value.get<bool>();
    if (value.is_number()) same = found.as_double() == value.get<double>();
    if (!same) refuse(path, "option '" + name + "'", value.dump(), "another value");
  }
}

}  // namespace

void write_calibration_cache(const std::string& path, const CacheKey& key,
                             const CalibrationState& state) {
  write_file_atomically(path, [&](std::ostream& out) {
    out << "{\"format\": " << nlohmann::json(kFormat).dump()
        << ",\n\"identity\": " << nlohmann::json(key.identity).dump()
        << ",\n\"options\": " << describe(key.options).dump() << ",\n\"samples\": " << state.samples
        << ",\n\"tokens\": " << state.tokens << ",\n\"values\": {";
    const char* separator = "\n";
    for (const auto& [name, observer] : state.observers) {
      out << separator << nlohmann::json(name).dump() << ": "
          << nlohmann::json(observer->state()).dump();
      separator = ",\n";
    }
    out << "},\n\"channels\": {";
    separator = "\n";
    for (const auto& [name, maxima] : state.channels) {
      out << separator << nlohmann::json(name).dump() << ": " << nlohmann::json(maxima).dump();
      separator = ",\n";
    }
    out << "}}\n";
  });
}

bool read_calibration_cache(const std::string& path, const CacheKey& key, bool subset,
                            CalibrationState& state) {
  if (!file_exists(path)) return false;
  return with_frame(
      [&] { return "reading the calibration cache " + path; },
      [&] {
        const JsonDocument document = JsonDocument::parse_file(path);
        const JsonValue root = document.root();
        check_key(root, path, key);
        const JsonValue values = root.at("values"), channels = root.at("channels");
        if (subset) {
          std::erase_if(state.observers,
                        [&](const auto& entry) { return !values.find(entry.first); });
        }
        if (values.size() != state.observers.size() || channels.size() != state.channels.size()) {
          refuse(path, "key 'values'", std::to_string(state.observers.size()) + " values",
                 std::to_string(values.size()) + " values");
        }
        for (auto& [name, observer] : state.observers) {
          const auto found = values.find(name);
          if (!found) refuse(path, "key 'values'", "value '" + name + "'", "none of this name");
          if (!observer->restore(numbers(*found)))
            found->fail("the state of a value is broken", "the numbers that octavo wrote");
        }
        for (auto& [name, maxima] : state.channels) {
          const auto found = channels.find(name);
          if (!found) refuse(path, "key 'channels'", "value '" + name + "'", "none of this name");
          for (const double x : numbers(*found)) {
            if (!std::isfinite(x) || x < 0) found->fail("a channel's magnitude is broken");
            maxima.push_back(static_cast<float>(x));
          }
        }
        const std::int64_t samples = root.at("samples").as_int(),
                           tokens = root.at("tokens").as_int();
        if (samples < 0 || tokens < samples) root.fail("the number of samples is broken");
        state.samples = static_cast<std::size_t>(samples);
        state.tokens = static_cast<std::size_t>(tokens);
        return true;
      });
}

}  // namespace octavo::quant
