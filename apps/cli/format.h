// Numbers, sizes and tables as people read them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace octavo::cli {

std::string group_digits(std::size_t value);                   // "1,234,567"
std::string bytes_text(std::size_t bytes);                     // "87.3 MiB"
std::string duration_text(double seconds);                     // "45 s", "3 min 20 s", "2 h 5 min"
std::string plural(std::size_t count, std::string_view noun);  // "1 text", "3 texts"

/// Lines of `text` at most `width` columns wide, broken at spaces; the first one starts after
/// `used` columns of the line, the others are indented by `indent`.
std::string wrap(std::string_view text, std::size_t width, std::size_t indent, std::size_t used);

/// Columns of text, numbers (those that start with a digit or a sign) to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> header) { rows_.push_back(std::move(header)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace octavo::cli
