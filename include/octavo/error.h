// The one exception type of octavo. Every failure that a caller can meet is an `octavo::Error`:
// what happened, where, what was expected, what was found, and what to do about it.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace octavo {

enum class ErrorCode {
  kInvalidArgument,  // the caller asked for something that makes no sense (exit code 2 at the
                     // command line)
  kNotFound,         // a file, model, tensor or name does not exist (exit code 3)
  kInvalidFile,      // bytes from outside break their format
  kUnsupported,      // valid, but octavo cannot do it
  kIo,               // the operating system refused
  kCancelled,        // the caller asked to stop
  kInternal,         // a defect of octavo itself
};

/// Stable lower-case name of a code ("invalid_file"), as it appears in JSON.
std::string_view error_code_name(ErrorCode code);

/// The parts of an error; every part but `message` may be empty.
struct ErrorInfo {
  std::string message;  // one sentence: what is wrong
  std::string file{};   // the file it is about
  std::string place{};  // where in it: "header, byte 8", "tensor 'a.b'", "line 12"
  std::string expected{};
  std::string found{};
  std::string fix{};  // what the user can do
};

class Error : public std::exception {
 public:
  Error(ErrorCode code, ErrorInfo info);
  Error(ErrorCode code, std::string message);

  ErrorCode code() const noexcept { return code_; }
  const ErrorInfo& info() const noexcept { return info_; }
  /// What was being done, innermost first ("reading tensor x", "loading model y").
  const std::vector<std::string>& frames() const noexcept { return frames_; }

  /// Adds what was being done; each layer adds its own frame and rethrows.
  Error& add_frame(std::string frame);
  /// Names the file or the advice where the thrower could not know it; does not overwrite.
  Error& set_file(std::string_view file);
  Error& set_fix(std::string_view fix);

  /// The whole text, several lines.
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  void render();

  ErrorCode code_;
  ErrorInfo info_;
  std::vector<std::string> frames_;
  std::string text_;
};

/// Runs `body`; an Error that leaves it gets the frame that `describe()` returns.
template <typename Describe, typename Body>
decltype(auto) with_frame(Describe&& describe, Body&& body) {
  try {
    return body();
  } catch (Error& error) {
    error.add_frame(describe());
    throw;
  }
}

}  // namespace octavo
