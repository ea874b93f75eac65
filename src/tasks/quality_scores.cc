#include "tasks/quality_scores.h"

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "formats/sha256.h"
#include "octavo/error.h"

namespace octavo::tasks {
namespace {

constexpr const char* kFormat = "octavo quality 1";

}  // namespace

QualityScores::QualityScores(const std::string& directory, const std::string& identity)
    : identity_(identity) {
  if (directory.empty()) return;
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return;
  constexpr std::size_t kDigits = 32;
  const std::string name = formats::sha256(std::as_bytes(std::span(identity))).substr(0, kDigits);
  path_ = (std::filesystem::path(directory) / (name + ".json")).string();
  numbers_ = read();
}

std::map<std::string, double> QualityScores::read() const {
  std::map<std::string, double> out;
  if (path_.empty() || !file_exists(path_)) return out;
  try {
    const JsonDocument document = JsonDocument::parse_file(path_);
    const JsonValue root = document.root();
    if (root.string_or("format", "") != kFormat || root.string_or("identity", "") != identity_)
      return out;
    for (const auto& [name, value] : root.at("numbers").members()) {
      const double number = value.as_double();
      if (std::isfinite(number)) out.emplace(name, number);
    }
  } catch (const Error&) {
    out.clear();
  }
  return out;
}

std::optional<double> QualityScores::find(const std::string& name) const {
  const auto at = numbers_.find(name);
  return at == numbers_.end() ? std::nullopt : std::optional(at->second);
}

void QualityScores::put(const std::map<std::string, double>& numbers) {
  for (const auto& [name, number] : numbers) numbers_[name] = number;
  if (path_.empty()) return;
  numbers_.merge(read());
  const nlohmann::ordered_json document{
      {"format", kFormat}, {"identity", identity_}, {"numbers", numbers_}};
  const std::string text =
      document.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  try {
    write_file_atomically(path_, [&](std::ostream& out) { out << text << '\n'; });
  } catch (const Error&) {
    path_.clear();
  }
}

}  // namespace octavo::tasks
