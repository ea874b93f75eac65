#include "octavo/text_input.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"
#include "octavo/error.h"

namespace octavo {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kStandardInput = "standard input";

// A sign that the user meant JSON: '{' and then a key or the end of the object.
bool begins_object(std::string_view line) {
  std::size_t at = line.find_first_not_of(" \t");
  if (at == std::string_view::npos || line[at] != '{') return false;
  at = line.find_first_not_of(" \t", at + 1);
  return at != std::string_view::npos && (line[at] == '"' || line[at] == '}');
}

bool begins_string(std::string_view line) {
  const std::size_t at = line.find_first_not_of(" \t");
  return at != std::string_view::npos && line[at] == '"';
}

std::optional<std::string> string_member(const JsonValue& object, std::string_view key) {
  const auto value = object.get(key);
  if (!value) return std::nullopt;
  return std::string(value->as_string());
}

void read_id(const JsonValue& object, TextRecord& record) {
  for (const char* key : {"_id", "id"}) {
    const auto value = object.get(key);
    if (!value) continue;
    record.id_key = key;
    record.id =
        value->is_string() ? std::string(value->as_string()) : std::to_string(value->as_int());
    record.id_json = value->is_string() ? nlohmann::json(record.id).dump() : record.id;
    return;
  }
}

void read_value(const JsonValue& value, TextRecord& record) {
  if (value.is_string()) {
    record.text = std::string(value.as_string());
    return;
  }
  if (!value.is_object()) value.fail("this is no text", "a JSON string or a JSON object");
  record.text = string_member(value, "text");
  record.pair = string_member(value, "pair");
  record.title = string_member(value, "title");
  record.query = string_member(value, "query");
  read_id(value, record);
}

// The place of an error in a line that is a document of its own.
std::string place_of(std::size_t line, std::string_view inner) {
  constexpr std::string_view first = "line 1, ";
  if (inner.starts_with(first)) inner.remove_prefix(first.size());
  return "line " + std::to_string(line) + (inner.empty() ? "" : ", " + std::string(inner));
}

}  // namespace

TextFormat parse_text_format(std::string_view name) {
  if (name == "auto") return TextFormat::kAuto;
  if (name == "text") return TextFormat::kText;
  if (name == "jsonl") return TextFormat::kJsonl;
  throw Error(ErrorCode::kInvalidArgument, {.message = "unknown text format",
                                            .expected = "auto, text or jsonl",
                                            .found = std::string(name),
                                            .fix = "use one of these names"});
}

const std::string& TextRecord::require_text() const {
  if (text) return *text;
  throw Error(ErrorCode::kInvalidFile, {.message = "the record has no text",
                                        .file = file,
                                        .place = "line " + std::to_string(line),
                                        .expected = "a key \"text\" with a string",
                                        .found = "a JSON object without it",
                                        .fix = "name the text \"text\""});
}

struct TextReader::Impl {
  struct Input {
    std::string name;
    FileDescriptor file;  // -1 for standard input
    std::optional<std::size_t> size;
  };

  std::vector<Input> inputs;
  TextFormat format;
  std::function<bool()> cancelled;
  std::size_t current = 0;  // of inputs
  std::size_t line_number = 0, bytes = 0;
  std::array<char, 1 << 16> block;
  std::size_t begin = 0, end = 0;  // unread part of block
  std::string line;

  void open(const std::string& path) {
    if (path == "-") {
      struct stat info {};
      std::optional<std::size_t> size;
      if (::fstat(STDIN_FILENO, &info) == 0 && S_ISREG(info.st_mode))
        size = static_cast<std::size_t>(info.st_size);
      inputs.push_back({std::string(kStandardInput), FileDescriptor(), size});
      return;
    }
    if (path.empty())
      throw Error(ErrorCode::kInvalidArgument,
                  ErrorInfo{.message = "the name of an input file is empty",
                            .fix = "name a file, or - for standard input"});
    FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat info {};
    if (file.get() < 0 || ::fstat(file.get(), &info) != 0) {
      const bool missing = errno == ENOENT || errno == ENOTDIR;
      throw Error(missing ? ErrorCode::kNotFound : ErrorCode::kIo,
                  {.message = "cannot open the file: " + std::system_category().message(errno),
                   .file = path,
                   .fix = missing ? "check the path" : "check the permissions"});
    }
    if (S_ISDIR(info.st_mode)) {
      throw Error(ErrorCode::kInvalidArgument, {.message = "this is a directory",
                                                .file = path,
                                                .expected = "a file with a text a line",
                                                .fix = "name the files in it"});
    }
    std::optional<std::size_t> size;
    if (S_ISREG(info.st_mode)) size = static_cast<std::size_t>(info.st_size);
    inputs.push_back({path, std::move(file), size});
  }

  bool fill() {
    const Input& input = inputs[current];
    const int fd = input.file.get() < 0 ? STDIN_FILENO : input.file.get();
    for (;;) {
      const ssize_t got = ::read(fd, block.data(), block.size());
      if (got >= 0) {
        begin = 0;
        end = static_cast<std::size_t>(got);
        return got > 0;
      }
      if (errno != EINTR) {
        throw Error(ErrorCode::kIo,
                    {.message = "cannot read: " + std::system_category().message(errno),
                     .file = input.name,
                     .fix = "check that the file can be read"});
      }
      if (cancelled && cancelled()) throw Error(ErrorCode::kCancelled, "stopped while reading");
    }
  }

  // The next line without its end; false at the end of the last input.
  bool next_line() {
    line.clear();
    bool any = false;
    while (current < inputs.size()) {
      if (begin == end && !fill()) {
        if (any) break;
        ++current;
        line_number = 0;
        continue;
      }
      const std::string_view rest(block.data() + begin, end - begin);
      const std::size_t stop = rest.find('\n');
      const std::size_t taken = std::min(stop, rest.size());
      line.append(rest.substr(0, taken));
      any = true;
      begin += taken;
      bytes += taken;
      if (stop == std::string_view::npos) continue;
      ++begin;
      ++bytes;
      break;
    }
    if (!any) return false;
    ++line_number;
    if (line_number == 1 && line.starts_with(kByteOrderMark)) line.erase(0, kByteOrderMark.size());
    if (line.ends_with('\r')) line.pop_back();
    return true;
  }

  void parse(TextRecord& record) {
    const auto fail_at = [&](Error& error) {
      ErrorInfo info = error.info();
      info.place = place_of(line_number, info.place);
      if (format == TextFormat::kAuto && begins_object(line))
        info.fix = "mend the line; where it is meant as plain text: --format text";
      return Error(error.code(), std::move(info));
    };
    try {
      read_value(JsonDocument::parse(line, record.file).root(), record);
    } catch (Error& error) {
      throw fail_at(error);
    }
  }

  bool next(TextRecord& record) {
    do {
      if (!next_line()) return false;
    } while (format == TextFormat::kJsonl && line.find_first_not_of(" \t") == std::string::npos);
    record = TextRecord{};
    record.line = line_number;
    record.file = inputs[current].name;
    if (!is_utf8(line)) {
      throw Error(ErrorCode::kInvalidFile,
                  {.message = "the line is not UTF-8",
                   .file = record.file,
                   .place = "line " + std::to_string(line_number),
                   .fix = "convert the file first: iconv -f LATIN1 -t UTF-8"});
    }
    if (format == TextFormat::kJsonl || (format == TextFormat::kAuto && begins_object(line))) {
      parse(record);
      return true;
    }
    if (format == TextFormat::kAuto && begins_string(line)) {
      try {
        parse(record);
        return true;
      } catch (const Error&) {
        record.text.reset();  // a sentence that begins with a quotation
      }
    }
    record.text = line;
    return true;
  }
};

TextReader::TextReader(std::vector<std::string> paths, TextFormat format,
                       std::function<bool()> cancelled)
    : impl_(std::make_unique<Impl>()) {
  impl_->format = format;
  impl_->cancelled = std::move(cancelled);
  if (paths.empty()) paths.emplace_back("-");
  for (const std::string& path : paths) impl_->open(path);
}

TextReader::TextReader(TextReader&&) noexcept = default;
TextReader& TextReader::operator=(TextReader&&) noexcept = default;
TextReader::~TextReader() = default;

bool TextReader::next(TextRecord& record) { return impl_->next(record); }

std::size_t TextReader::bytes_done() const { return impl_->bytes; }

std::optional<std::size_t> TextReader::bytes_total() const {
  std::size_t total = 0;
  for (const auto& input : impl_->inputs) {
    if (!input.size) return std::nullopt;
    total += *input.size;
  }
  return total;
}

std::vector<std::int32_t> parse_token_ids(std::string_view line, std::string_view place) {
  const auto fail = [&](std::string found) {
    throw Error(ErrorCode::kInvalidFile,
                {.message = "these are no token ids",
                 .place = std::string(place),
                 .expected = "[101, 7592, 102], {\"ids\": [...]}, or integers separated by blanks",
                 .found = std::move(found),
                 .fix = "give the ids as 'octavo tokenize' prints them"});
  };
  std::vector<std::int32_t> out;
  const auto add = [&](std::int64_t id) {
    if (id < 0 || id > INT32_MAX) fail(std::to_string(id));
    out.push_back(static_cast<std::int32_t>(id));
  };
  const std::size_t start = line.find_first_not_of(" \t");
  if (start != std::string_view::npos && (line[start] == '[' || line[start] == '{')) {
    const JsonDocument document = JsonDocument::parse(line, std::string(place));
    JsonValue ids = document.root();
    if (ids.is_object()) ids = ids.at("ids");
    for (const JsonValue id : ids.elements()) add(id.as_int());
    return out;
  }
  while (!line.empty()) {
    const std::size_t skip = std::min(line.find_first_not_of(" \t\r,"), line.size());
    line.remove_prefix(skip);
    if (line.empty()) break;
    const std::size_t size = std::min(line.find_first_of(" \t\r,"), line.size());
    const std::string_view word = line.substr(0, size);
    std::int64_t id = 0;
    const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (error != std::errc{} || stop != word.data() + word.size()) fail(std::string(word));
    add(id);
    line.remove_prefix(size);
  }
  return out;
}

}  // namespace octavo
