#include "base/buffer.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>

#include "octavo/error.h"

namespace octavo {
namespace {
constexpr std::size_t kAlignment = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kMaxSize = std::size_t{1} << 46;  // an address space holds no more
}  // namespace

Buffer::Buffer(std::size_t size) : size_(size) {
  const std::size_t alignment = size >= kHugePage ? kHugePage : kAlignment;
  if (size <= kMaxSize) {
    const std::size_t rounded = (size / kAlignment + 1) * kAlignment;
    void* memory = nullptr;
    if (::posix_memalign(&memory, alignment, rounded) == 0) data_ = static_cast<std::byte*>(memory);
  }
  if (data_ == nullptr) {
    throw Error(ErrorCode::kIo,
                {.message = "the system has no memory left for a buffer",
                 .found = std::to_string(size) + " bytes asked",
                 .fix = "close other programs, use a smaller model or smaller batches"});
  }
  if (size >= kHugePage) ::madvise(data_, size / kHugePage * kHugePage, MADV_HUGEPAGE);
}

Buffer::Buffer(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
               bool mapped_file)
    : data_(const_cast<std::byte*>(bytes.data())),
      size_(bytes.size()),
      owner_(std::move(owner)),
      mapped_file_(mapped_file) {}

std::shared_ptr<const Buffer> Buffer::view(std::span<const std::byte> bytes,
                                           std::shared_ptr<const void> owner, bool mapped_file) {
  return std::shared_ptr<const Buffer>(new Buffer(bytes, std::move(owner), mapped_file));
}

void Buffer::release(std::size_t offset, std::size_t size) const {
  if (!mapped_file_ || offset > size_ || size > size_ - offset) return;
  // Whole pages alone: neighbours may be in use, and would only come back more slowly.
  const std::size_t page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(data_) + offset;
  const std::uintptr_t from = (begin + page - 1) / page * page, to = (begin + size) / page * page;
  if (to > from) ::madvise(reinterpret_cast<void*>(from), to - from, MADV_DONTNEED);
}

Buffer::~Buffer() {
  if (owner_ == nullptr) std::free(data_);
}

}  // namespace octavo
