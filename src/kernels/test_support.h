// Shared by the kernel tests and benches: repeatable numbers, memory that faults one float beyond
// either end, and the rows this CPU can run.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <new>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/cpu.h"

namespace octavo::kernels {

inline std::vector<float> random_floats(std::size_t count, std::uint32_t seed, float scale = 1.0f) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-scale, scale);
  std::vector<float> out(count);
  for (float& x : out) x = uniform(generator);
  return out;
}

/// `count` floats whose last one touches an unreadable page (or whose first one does).
class GuardedFloats {
 public:
  enum class Edge { kEnd, kBegin };

  explicit GuardedFloats(std::size_t count, Edge edge = Edge::kEnd) : count_(count) {
    const std::size_t page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const std::size_t body = (count * sizeof(float) + page - 1) / page * page;
    size_ = body + 2 * page;
    void* map = ::mmap(nullptr, size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) throw std::bad_alloc();
    base_ = static_cast<char*>(map);
    if (body != 0 && ::mprotect(base_ + page, body, PROT_READ | PROT_WRITE) != 0) {
      throw std::bad_alloc();
    }
    char* first = edge == Edge::kEnd ? base_ + page + body - count * sizeof(float) : base_ + page;
    data_ = reinterpret_cast<float*>(first);
  }
  explicit GuardedFloats(const std::vector<float>& values, Edge edge = Edge::kEnd)
      : GuardedFloats(values.size(), edge) {
    if (!values.empty()) std::memcpy(data_, values.data(), values.size() * sizeof(float));
  }
  ~GuardedFloats() { ::munmap(base_, size_); }
  GuardedFloats(const GuardedFloats&) = delete;
  GuardedFloats& operator=(const GuardedFloats&) = delete;

  float* data() { return data_; }
  std::size_t size() const { return count_; }
  std::vector<float> values() const { return {data_, data_ + count_}; }

 private:
  std::size_t count_, size_;
  char* base_;
  float* data_;
};

/// Floats on a 64-byte boundary.
class AlignedFloats {
 public:
  explicit AlignedFloats(std::size_t count) : storage_(count + 16) {
    const auto address = reinterpret_cast<std::uintptr_t>(storage_.data());
    data_ = storage_.data() + (64 - address % 64) % 64 / sizeof(float);
  }
  float* data() { return data_; }

 private:
  std::vector<float> storage_;
  float* data_;
};

inline bool same_bits(float a, float b) { return std::memcmp(&a, &b, sizeof(float)) == 0; }

/// Calls body(row) for every row this CPU has; names the others.
template <class Kernel, class Body>
void for_each_runnable(std::span<const Kernel> rows, Body body) {
  const IsaMask isa = detect_isa();
  for (const Kernel& row : rows) {
    if ((row.isa & isa) != row.isa) {
      std::printf("left out: %s needs %s\n", std::string(row.name).c_str(),
                  isa_name(row.isa & ~isa).c_str());
      continue;
    }
    SCOPED_TRACE(std::string(row.name));
    body(row);
  }
}

}  // namespace octavo::kernels
