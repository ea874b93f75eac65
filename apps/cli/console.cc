#include "console.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <streambuf>
#include <system_error>

namespace octavo::cli {
namespace {

void write_error_stream(std::string_view text) {
  while (!text.empty()) {
    const ssize_t got = ::write(STDERR_FILENO, text.data(), text.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(got));
  }
}

Json error_json(const Error& error) {
  const ErrorInfo& info = error.info();
  Json body = {{"code", error_code_name(error.code())}, {"message", info.message}};
  const auto add = [&](const char* key, const std::string& value) {
    body[key] = value.empty() ? Json(nullptr) : Json(value);
  };
  add("file", info.file);
  add("place", info.place);
  add("expected", info.expected);
  add("found", info.found);
  add("fix", info.fix);
  if (!error.frames().empty()) body["while"] = error.frames();
  return {{"error", std::move(body)}};
}

}  // namespace

class Console::Buffer : public std::streambuf {
 public:
  Buffer() { setp(data_.data(), data_.data() + data_.size()); }

  void drain() {
    const char* at = pbase();
    while (at < pptr()) {
      const ssize_t got = ::write(STDOUT_FILENO, at, static_cast<std::size_t>(pptr() - at));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) {
        const int error = errno;
        setp(data_.data(), data_.data() + data_.size());
        if (error == EPIPE) throw BrokenPipe{};
        throw Error(ErrorCode::kIo,
                    {.message = "cannot write: " + std::system_category().message(error),
                     .file = "standard output",
                     .fix = "check the space on the disk that the output goes to"});
      }
      at += got;
    }
    setp(data_.data(), data_.data() + data_.size());
  }

 protected:
  int_type overflow(int_type c) override {
    drain();
    if (!traits_type::eq_int_type(c, traits_type::eof())) sputc(traits_type::to_char_type(c));
    return traits_type::not_eof(c);
  }
  int sync() override {
    drain();
    return 0;
  }

 private:
  std::array<char, 1 << 16> data_;
};

Console::Console(bool no_color)
    : out_is_terminal_(::isatty(STDOUT_FILENO) == 1),
      error_is_terminal_(::isatty(STDERR_FILENO) == 1),
      out_color_(out_is_terminal_ && !no_color),
      error_color_(error_is_terminal_ && !no_color),
      buffer_(std::make_unique<Buffer>()),
      out_(std::make_unique<std::ostream>(buffer_.get())) {
  out_->exceptions(std::ios::badbit);
}

Console::~Console() = default;

void Console::flush() { buffer_->drain(); }

void Console::print_json(const Json& document) { out() << to_text(document) << '\n'; }

void Console::clear_progress() {
  if (progress_shown_) write_error_stream("\r\033[K");
  progress_shown_ = false;
}

void Console::note(std::string_view text) {
  if (quiet) return;
  clear_progress();
  write_error_stream(fmt::format("{}\n", text));
}

void Console::warn(std::string_view text) {
  if (quiet) return;
  clear_progress();
  write_error_stream(error_color_ ? fmt::format("\033[33moctavo: {}\033[0m\n", text)
                                  : fmt::format("octavo: {}\n", text));
}

void Console::print_error(const Error& error) {
  clear_progress();
  if (json) {
    write_error_stream(to_text(error_json(error), -1) + "\n");
    return;
  }
  write_error_stream(error_color_ ? fmt::format("\033[1;31moctavo:\033[0m {}\n", error.what())
                                  : fmt::format("octavo: {}\n", error.what()));
}

std::string Console::strong(std::string_view text) const {
  return out_color_ ? fmt::format("\033[1m{}\033[0m", text) : std::string(text);
}

std::string to_text(const Json& document, int indent) {
  return document.dump(indent, ' ', false, Json::error_handler_t::replace);
}

double shortest(float value) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  double out = 0;
  std::from_chars(text.data(), end, out);
  return out;
}

}  // namespace octavo::cli
