// Texts from files and pipes, a record a line: plain text, a JSON string, or a JSON object.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace octavo {

enum class TextFormat {
  kAuto,   // a line that is a JSON string or that begins like a JSON object is JSON, any other text
  kText,   // every line is a text as it stands
  kJsonl,  // every line is a JSON string or a JSON object
};

TextFormat parse_text_format(std::string_view name);  // "auto", "text", "jsonl"

/// One line. A plain line or a JSON string fills `text` alone; an object's members of the same
/// names fill the others, null counting as absent and members unknown here being passed over.
struct TextRecord {
  std::optional<std::string> text, pair, title, query;
  std::string id_key;   // "_id" or "id", as the object has it; empty without
  std::string id_json;  // its value as JSON: "\"doc7\"" or "7"
  std::string id;       // its value as text: "doc7" or "7"
  std::size_t line = 0;
  std::string file;

  /// The text that must be there; Error(kInvalidFile) with file and line otherwise.
  const std::string& require_text() const;
};

/// Reads records one after the other, without holding more than a line. A line ends with LF or CR
/// LF; an empty line is the empty text (so that row n belongs to line n), except in kJsonl, where
/// it is passed over. A byte-order mark at the start of a file is dropped. Errors: kNotFound, kIo,
/// and kInvalidFile with file and line for broken JSON and for bytes that are no UTF-8.
class TextReader {
 public:
  /// No path, or the path "-", is standard input. Every path is checked now. `cancelled` is asked
  /// when a signal interrupts a read; true ends in Error(kCancelled).
  TextReader(std::vector<std::string> paths, TextFormat format,
             std::function<bool()> cancelled = {});
  TextReader(TextReader&&) noexcept;
  TextReader& operator=(TextReader&&) noexcept;
  ~TextReader();

  /// False at the end of the last file.
  bool next(TextRecord& record);

  /// Bytes of the records handed out, and of all inputs (nothing when a pipe is among them): for
  /// progress.
  std::size_t bytes_done() const;
  std::optional<std::size_t> bytes_total() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Token ids of one line: a JSON array of integers, an object with such an array under "ids", or
/// integers separated by blanks or commas. `place` names the line in errors (kInvalidFile).
std::vector<std::int32_t> parse_token_ids(std::string_view line, std::string_view place);

}  // namespace octavo
