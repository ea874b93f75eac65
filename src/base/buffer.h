// Owned, 64-byte aligned memory; large buffers ask for huge pages. Or a read-only view of memory
// that something else owns, such as a mapped file.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace octavo {

class Buffer {
 public:
  /// `size` bytes, uninitialised. Throws Error(kIo) when memory is refused.
  explicit Buffer(std::size_t size);
  /// `bytes`, which `owner` keeps alive; nothing is copied, and nothing may be written.
  static std::shared_ptr<const Buffer> view(std::span<const std::byte> bytes,
                                            std::shared_ptr<const void> owner,
                                            bool mapped_file = false);
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }
  /// Gives the memory of bytes that were read back where they are a mapped file's, which brings
  /// them again when they are touched; nothing otherwise.
  void release(std::size_t offset, std::size_t size) const;
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  std::span<std::byte> bytes() { return {data_, size_}; }

 private:
  Buffer(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, bool mapped_file);

  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::shared_ptr<const void> owner_;  // of a view
  bool mapped_file_ = false;
};

}  // namespace octavo
