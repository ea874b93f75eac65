// A file mapped for reading, on huge pages where the file system and the kernel have them. Only for
// files of our own that are replaced by renaming: a foreign file could shrink under the mapping.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "base/buffer.h"
#include "base/file.h"

namespace octavo {

class FileMapping {
 public:
  /// Sections of a file begin at multiples of it, so that they can lie on huge pages.
  static constexpr std::size_t kAlignment = std::size_t{2} << 20;

  /// Maps the whole file, from a multiple of kAlignment; pages come one by one as they are touched.
  /// Throws Error(kIo).
  FileMapping(const FileDescriptor& file, const std::string& path);
  ~FileMapping();
  FileMapping(const FileMapping&) = delete;
  FileMapping& operator=(const FileMapping&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }

  /// Asks for the pages of a section, which begins at a multiple of kAlignment, on huge pages. True
  /// when they are present on such; else a copy in memory will be faster to read.
  bool load(std::size_t offset, std::size_t size) const;
  /// Gives pages back that were read; they come again when they are touched.
  void release(std::size_t offset, std::size_t size) const;

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// How the bytes of a file come: read into memory, or mapped. A mapping costs memory only for what
/// is touched and not released, but a file that is cut off meanwhile ends the process (SIGBUS): for
/// tools that go through large files once, not for what serves.
enum class FileAccess { kCopy, kMap };

/// The whole file as kMap says. Throws Error(kIo).
std::shared_ptr<const Buffer> map_file(const FileDescriptor& file, const std::string& path);

/// Lets the kernel forget its copy of a synced file's bytes: the next load() then reads them into
/// huge pages.
void drop_from_cache(const FileDescriptor& file, std::size_t offset, std::size_t size);

}  // namespace octavo
