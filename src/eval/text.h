// Lines and fields of text files from outside: checked UTF-8, line numbers for errors, Python's
// str.strip.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/error.h"

namespace octavo::eval {

/// A line of a file, for errors.
struct LineContext {
  const std::string& file;
  std::size_t line;  // from 1

  [[noreturn]] void fail(std::string message, std::string expected, std::string found,
                         std::string fix, ErrorCode code = ErrorCode::kInvalidFile) const;
};

/// Calls `visit` with each line, without its LF or CRLF. An empty line is an error, except at the
/// end of the text; so are a byte order mark, NUL, and bytes that are no UTF-8.
void for_each_line(
    std::string_view text, const std::string& file,
    const std::function<void(std::string_view line, const LineContext& where)>& visit);

std::vector<std::string_view> split_tabs(std::string_view line);
/// Fields between runs of spaces and tabs.
std::vector<std::string_view> split_blanks(std::string_view line);

/// The whole of `text` as a number; nothing otherwise.
std::optional<std::int32_t> parse_int(std::string_view text);
std::optional<double> parse_double(std::string_view text);

/// Without leading and trailing white space as Python's str.strip() sees it (str.isspace); `text`
/// is UTF-8.
std::string_view strip(std::string_view text);
/// At most 80 bytes of `text`, in quotes, for the `found` of an error.
std::string quote(std::string_view text);

}  // namespace octavo::eval
