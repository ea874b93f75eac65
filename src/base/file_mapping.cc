#include "base/file_mapping.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <system_error>

#include "octavo/error.h"

namespace octavo {
namespace {

constexpr std::size_t kPage = 4096;

std::size_t round_up(std::size_t n, std::size_t step) { return (n + step - 1) / step * step; }

// PAGEMAP_SCAN of Linux 6.7, whose headers few systems have yet.
struct PageRegion {
  std::uint64_t start, end, categories;
};
struct ScanArguments {
  std::uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, category_inverted,
      category_mask, category_any_mask, return_mask;
};
constexpr std::uint64_t kPageIsHuge = 1u << 6;

/// Bytes of a range that are on huge pages; 0 where the kernel does not say.
std::size_t huge_bytes(const std::byte* begin, std::size_t size) {
  const FileDescriptor pages(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  if (pages.get() < 0) return 0;
  PageRegion regions[16];
  const auto first = reinterpret_cast<std::uintptr_t>(begin);
  ScanArguments scan{.size = sizeof(ScanArguments),
                     .flags = 0,
                     .start = first,
                     .end = first + round_up(size, kPage),
                     .walk_end = 0,
                     .vec = reinterpret_cast<std::uintptr_t>(regions),
                     .vec_len = std::size(regions),
                     .max_pages = 0,
                     .category_inverted = 0,
                     .category_mask = kPageIsHuge,
                     .category_any_mask = 0,
                     .return_mask = kPageIsHuge};
  const int found = ::ioctl(pages.get(), _IOWR('f', 16, ScanArguments), &scan);
  std::size_t out = 0;
  for (int i = 0; i < found; ++i) out += regions[i].end - regions[i].start;
  return out;
}

}  // namespace

FileMapping::FileMapping(const FileDescriptor& file, const std::string& path)
    : size_(file_size(file, path)) {
  const auto fail = [&] {
    throw Error(
        ErrorCode::kIo,
        {.message = "cannot map the file: " + std::system_category().message(errno), .file = path});
  };
  // The address must lie in its huge page as the offset does in the file.
  const std::size_t room = round_up(size_, kAlignment) + kAlignment;
  void* space = ::mmap(nullptr, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (space == MAP_FAILED) fail();
  auto* base = static_cast<std::byte*>(space);
  const auto address = reinterpret_cast<std::uintptr_t>(base);
  std::byte* aligned = base + (round_up(address, kAlignment) - address);
  std::byte* end = aligned + round_up(size_, kPage);
  if (::mmap(aligned, size_, PROT_READ, MAP_SHARED | MAP_FIXED, file.get(), 0) == MAP_FAILED) {
    const int error = errno;
    ::munmap(base, room);
    errno = error;
    fail();
  }
  if (aligned > base) ::munmap(base, static_cast<std::size_t>(aligned - base));
  if (end < base + room) ::munmap(end, static_cast<std::size_t>(base + room - end));
  data_ = aligned;
  // Reading ahead past the part that is read now would bring what follows in on small pages.
  ::madvise(aligned, size_, MADV_RANDOM);
}

FileMapping::~FileMapping() { ::munmap(const_cast<std::byte*>(data_), size_); }

bool FileMapping::load(std::size_t offset, std::size_t size) const {
  if (size == 0) return true;
  auto* begin = const_cast<std::byte*>(data_) + offset;
  const std::size_t whole = std::min(round_up(size, kAlignment), size_ - offset);
  ::madvise(begin, whole, MADV_NORMAL);
  ::madvise(begin, whole, MADV_HUGEPAGE);
  // A touch a huge page: what is not in the page cache is then read as one, which
  // MADV_POPULATE_READ does not do.
  for (std::size_t at = 0; at < size; at += kAlignment)
    static_cast<void>(*static_cast<const volatile std::byte*>(begin + at));
  return huge_bytes(begin, whole) >= size / kAlignment * kAlignment;
}

void FileMapping::release(std::size_t offset, std::size_t size) const {
  ::madvise(const_cast<std::byte*>(data_) + offset, size, MADV_DONTNEED);
}

std::shared_ptr<const Buffer> map_file(const FileDescriptor& file, const std::string& path) {
  const std::size_t size = file_size(file, path);
  if (size == 0) return std::make_shared<Buffer>(0);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
  if (data == MAP_FAILED) {
    throw Error(
        ErrorCode::kIo,
        {.message = "cannot map the file: " + std::system_category().message(errno), .file = path});
  }
  const std::shared_ptr<const void> owner(data, [size](void* d) { ::munmap(d, size); });
  return Buffer::view({static_cast<const std::byte*>(data), size}, owner, true);
}

void drop_from_cache(const FileDescriptor& file, std::size_t offset, std::size_t size) {
  ::posix_fadvise(file.get(), static_cast<off_t>(offset), static_cast<off_t>(size),
                  POSIX_FADV_DONTNEED);
}

}  // namespace octavo
