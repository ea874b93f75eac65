// The two streams of a command: data on standard output, everything for people on standard error.
// Writing to a pipe whose reader is gone throws BrokenPipe; any other failure to write an Error.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <string_view>

#include "octavo/error.h"

namespace octavo::cli {

using Json = nlohmann::ordered_json;

/// The reader of standard output went away: the command ends quietly.
struct BrokenPipe {};

class Console {
 public:
  /// `no_color`: the user asked for none (NO_COLOR).
  explicit Console(bool no_color);
  ~Console();

  bool json = false;   // --json
  bool quiet = false;  // --quiet

  /// Standard output, buffered.
  std::ostream& out() { return *out_; }
  /// Writes what is buffered; a command has not succeeded before this returned.
  void flush();
  /// One document, then a line end.
  void print_json(const Json& document);

  /// A line on standard error, unless --quiet.
  void note(std::string_view text);
  /// The same, marked as a warning.
  void warn(std::string_view text);
  /// "octavo: ..." or, with --json, {"error": {...}}; shown even with --quiet.
  void print_error(const Error& error);

  bool out_is_terminal() const { return out_is_terminal_; }
  bool error_is_terminal() const { return error_is_terminal_; }

  /// `text` in bold, where standard output is a terminal that takes colours.
  std::string strong(std::string_view text) const;

 private:
  class Buffer;
  void clear_progress();
  friend class Progress;

  bool out_is_terminal_, error_is_terminal_, out_color_, error_color_;
  bool progress_shown_ = false;
  std::unique_ptr<Buffer> buffer_;
  std::unique_ptr<std::ostream> out_;
};

/// A document's text; bytes that are no UTF-8 are replaced.
std::string to_text(const Json& document, int indent = 2);
/// A float as the shortest decimal that reads back as the same float.
double shortest(float value);

}  // namespace octavo::cli
