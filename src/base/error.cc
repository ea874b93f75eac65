#include "octavo/error.h"

#include <utility>

namespace octavo {

std::string_view error_code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument: return "invalid_argument";
    case ErrorCode::kNotFound: return "not_found";
    case ErrorCode::kInvalidFile: return "invalid_file";
    case ErrorCode::kUnsupported: return "unsupported";
    case ErrorCode::kIo: return "io";
    case ErrorCode::kCancelled: return "cancelled";
    case ErrorCode::kInternal: return "internal";
  }
  return "internal";
}

Error::Error(ErrorCode code, ErrorInfo info) : code_(code), info_(std::move(info)) { render(); }

Error::Error(ErrorCode code, std::string message)
    : Error(code, ErrorInfo{.message = std::move(message)}) {}

Error& Error::add_frame(std::string frame) {
  frames_.push_back(std::move(frame));
  render();
  return *this;
}

Error& Error::set_file(std::string_view file) {
  if (info_.file.empty()) {
    info_.file = file;
    render();
  }
  return *this;
}

Error& Error::set_fix(std::string_view fix) {
  if (info_.fix.empty()) {
    info_.fix = fix;
    render();
  }
  return *this;
}

void Error::render() {
  text_.clear();
  if (!info_.file.empty()) text_ += info_.file + ": ";
  if (!info_.place.empty()) text_ += info_.place + ": ";
  text_ += info_.message;
  if (!info_.expected.empty()) text_ += "\n  expected: " + info_.expected;
  if (!info_.found.empty()) text_ += "\n  found: " + info_.found;
  for (const std::string& frame : frames_) text_ += "\n  while " + frame;
  if (!info_.fix.empty()) text_ += "\n  fix: " + info_.fix;
}

}  // namespace octavo
