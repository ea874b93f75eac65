#include "base/file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "octavo/error.h"

namespace octavo {
namespace {

std::string system_message(int error) { return std::system_category().message(error); }

[[noreturn]] void throw_open_error(int error, const std::string& path) {
  const bool missing = error == ENOENT || error == ENOTDIR;
  throw Error(
      missing ? ErrorCode::kNotFound : ErrorCode::kIo,
      {.message = "cannot open the file: " + system_message(error),
       .file = path,
       .fix = missing ? "check the path" : "check the permissions of the file and its folders"});
}

void require_regular(const FileDescriptor& file, const std::string& path) {
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) throw_open_error(errno, path);
  if (!S_ISREG(info.st_mode)) {
    throw Error(ErrorCode::kInvalidFile,
                {.message = "this is not a regular file",
                 .file = path,
                 .expected = "a regular file",
                 .found = S_ISDIR(info.st_mode) ? "a directory" : "a special file",
                 .fix = "give the path of a file"});
  }
}

[[noreturn]] void refuse_outside(const std::string& relative, std::string found) {
  std::string shown = relative.substr(0, 200);
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  throw Error(ErrorCode::kInvalidFile,
              {.message = "a model file names data outside its own folder",
               .place = "location '" + shown + "'",
               .expected = "a plain file below the model's folder, without links",
               .found = std::move(found),
               .fix = "put the data file beside the model and name it by its relative path"});
}

int open_beneath_by_steps(int directory, const std::filesystem::path& relative) {
  int current = ::dup(directory);
  for (auto part = relative.begin(); current >= 0 && part != relative.end(); ++part) {
    const bool last = std::next(part) == relative.end();
    const int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (last ? 0 : O_DIRECTORY);
    const int next = ::openat(current, part->c_str(), flags);
    const int saved = errno;
    ::close(current);
    errno = saved;
    current = next;
  }
  return current;
}

}  // namespace

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) ::close(fd_);
}

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

bool file_exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored);
}

bool directory_exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

FileDescriptor open_file(const std::string& path) {
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) throw_open_error(errno, path);
  require_regular(file, path);
  return file;
}

FileDescriptor open_file_beneath(const std::string& directory, const std::string& relative) {
  if (relative.empty() || relative.find('\0') != std::string::npos)
    refuse_outside(relative, "an empty or broken name");
  const std::filesystem::path path(relative);
  if (path.is_absolute()) refuse_outside(relative, "an absolute path");
  for (const auto& part : path) {
    if (part == "..") refuse_outside(relative, "a path with '..'");
  }
  FileDescriptor root(
      ::open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (root.get() < 0) throw_open_error(errno, directory);
  struct open_how how {};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  int fd = static_cast<int>(::syscall(SYS_openat2, root.get(), relative.c_str(), &how, sizeof how));
  if (fd < 0 && (errno == ENOSYS || errno == EPERM || errno == EINVAL))
    fd = open_beneath_by_steps(root.get(), path);
  if (fd < 0 && (errno == ELOOP || errno == EXDEV)) refuse_outside(relative, "a symbolic link");
  const std::string full = (std::filesystem::path(directory) / path).string();
  if (fd < 0) throw_open_error(errno, full);
  FileDescriptor file(fd);
  require_regular(file, full);
  struct stat info {};
  if (::fstat(fd, &info) == 0 && info.st_nlink > 1)
    refuse_outside(relative, "a file with several hard links");
  return file;
}

std::size_t file_size(const FileDescriptor& file, const std::string& path) {
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) throw_open_error(errno, path);
  return static_cast<std::size_t>(info.st_size);
}

std::shared_ptr<Buffer> read_range(const FileDescriptor& file, const std::string& path,
                                   std::size_t offset, std::size_t size) {
  const std::size_t total = file_size(file, path);
  if (offset > total || size > total - offset) {
    throw Error(ErrorCode::kInvalidFile,
                {.message = "the file is shorter than its description says",
                 .file = path,
                 .place = "byte " + std::to_string(offset),
                 .expected = std::to_string(size) + " bytes",
                 .found = std::to_string(offset > total ? 0 : total - offset) + " bytes",
                 .fix = "the file is damaged or incomplete: fetch it again"});
  }
  auto out = std::make_shared<Buffer>(size);
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got =
        ::pread(file.get(), out->data() + done, size - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      throw Error(ErrorCode::kIo,
                  {.message = got == 0 ? "the file became shorter while it was read"
                                       : "cannot read the file: " + system_message(errno),
                   .file = path,
                   .fix = "make sure that nothing writes to the file and the disk is sound"});
    }
    done += static_cast<std::size_t>(got);
  }
  return out;
}

std::shared_ptr<Buffer> read_file(const std::string& path) {
  const FileDescriptor file = open_file(path);
  return read_range(file, path, 0, file_size(file, path));
}

std::string read_text_file(const std::string& path) {
  const auto buffer = read_file(path);
  return {reinterpret_cast<const char*>(buffer->data()), buffer->size()};
}

void write_file_atomically(const std::string& path,
                           const std::function<void(std::ostream&)>& write) {
  const std::string temporary =
      path + ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(::gettid());
  const auto fail = [&](int error) {
    ::unlink(temporary.c_str());
    throw Error(ErrorCode::kIo,
                {.message = "cannot write the file: " + system_message(error),
                 .file = path,
                 .fix = "check the permissions of the folder and the space on the disk"});
  };
  try {
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    if (!out) fail(errno);
    errno = 0;
    write(out);
    const int failed = out ? 0 : errno;
    errno = 0;
    out.close();
    if (!out) fail(failed != 0 ? failed : errno != 0 ? errno : ENOSPC);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  const FileDescriptor file(::open(temporary.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0 || ::fsync(file.get()) != 0) fail(errno);
  if (::rename(temporary.c_str(), path.c_str()) != 0) fail(errno);
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const FileDescriptor directory(
      ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() >= 0) ::fsync(directory.get());
}

}  // namespace octavo
