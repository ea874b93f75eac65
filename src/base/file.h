// Files in and out: whole reads that do not depend on a mapping, opening that cannot leave a
// directory, and writes that are either there whole or not at all.
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>

#include "base/buffer.h"

namespace octavo {

/// Closes a file descriptor when it goes.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) : fd_(fd) {}
  ~FileDescriptor();
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  int get() const { return fd_; }

 private:
  int fd_;
};

bool file_exists(const std::string& path);  // a regular file (links followed)
bool directory_exists(const std::string& path);

/// Opens an existing regular file for reading; kNotFound or kIo otherwise.
FileDescriptor open_file(const std::string& path);

/// Opens `relative` inside `directory`: no absolute path, no "..", no symbolic link on the way, no
/// hard link, a regular file (openat2 RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS where the kernel has
/// it, else every component is checked).
FileDescriptor open_file_beneath(const std::string& directory, const std::string& relative);

std::size_t file_size(const FileDescriptor& file, const std::string& path);

/// Bytes [offset, offset + size) of an open file; an error when the file is shorter.
std::shared_ptr<Buffer> read_range(const FileDescriptor& file, const std::string& path,
                                   std::size_t offset, std::size_t size);
/// The whole file.
std::shared_ptr<Buffer> read_file(const std::string& path);
std::string read_text_file(const std::string& path);

/// Writes beside `path`, syncs, renames: afterwards `path` is the old file or the whole new one.
/// `write` fills the stream; an exception from it leaves `path` untouched and removes what was
/// written.
void write_file_atomically(const std::string& path,
                           const std::function<void(std::ostream&)>& write);

}  // namespace octavo
