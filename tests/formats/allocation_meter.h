// Counts the heap of the process it is linked into, to hold parsers to their memory bound. Works
// with glibc's allocator and with AddressSanitizer's; elsewhere available() is false.
#pragma once

#include <cstddef>

namespace octavo::testing {

/// The most bytes in use at once since this object was made, above what was in use then.
class AllocationMeter {
 public:
  AllocationMeter();
  std::size_t peak() const;
  static bool available();

 private:
  std::size_t start_;
};

}  // namespace octavo::testing
