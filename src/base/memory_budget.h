// What a parser may allocate for a file: twice the file (three times where it has 4-bit integers)
// and 16 MiB, whatever its bytes claim. Every
// decoded struct, string and copy is charged before it is allocated.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/checked.h"
#include "octavo/error.h"

namespace octavo {

class MemoryBudget {
 public:
  /// `used` is what is held already (the bytes of the file, a parsed header).
  MemoryBudget(std::size_t file_bytes, std::size_t used, std::string_view file)
      : left_(2 * file_bytes + kAllowance > used ? 2 * file_bytes + kAllowance - used : 0),
        file_(file) {}

  /// One allocation of `bytes`; zero bytes cost nothing. Throws Error(kInvalidFile) when nothing is
  /// left.
  void charge(std::size_t bytes, std::string_view what) {
    const auto cost = bytes == 0 ? bytes : checked_add(bytes, kAllocationOverhead);
    if (!cost || *cost > left_) refuse(what);
    left_ -= *cost;
  }
  /// One allocation of `count` elements of `each` bytes.
  void charge(std::size_t count, std::size_t each, std::string_view what) {
    const auto bytes = checked_mul(count, each);
    if (!bytes) refuse(what);
    charge(*bytes, what);
  }
  /// Another file of `file_bytes` belongs to the same model, and is held in memory.
  void add_file(std::size_t file_bytes) {
    left_ += 2 * file_bytes;
    charge(file_bytes, "external data");
  }
  /// Room for the 4-bit integers of a file of `file_bytes`, which take a byte each in memory.
  void allow_unpacking(std::size_t file_bytes) { left_ += file_bytes; }
  /// A std::string of `size` bytes; short ones live inside their owner.
  void charge_text(std::size_t size, std::string_view what) {
    if (size > 15) charge(size + 1, what);
  }

 private:
  static constexpr std::size_t kAllowance = std::size_t{15}
                                            << 20;  // 1 MiB stays for what is not worth charging
  static constexpr std::size_t kAllocationOverhead = 24;

  [[noreturn]] void refuse(std::string_view what) const {
    throw Error(ErrorCode::kInvalidFile,
                {.message = "the file describes more than a file of its size should",
                 .file = std::string(file_),
                 .place = std::string(what),
                 .expected = "contents that fit in twice the size of the file and 16 MiB",
                 .found = "more",
                 .fix = "the file is damaged or hostile: fetch it again from where you trust it"});
  }

  std::size_t left_;
  std::string file_;
};

}  // namespace octavo
