// Checked arithmetic for sizes that come from outside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace octavo {

inline std::optional<std::size_t> checked_add(std::size_t a, std::size_t b) {
  std::size_t out;
  if (__builtin_add_overflow(a, b, &out)) return std::nullopt;
  return out;
}

inline std::optional<std::size_t> checked_mul(std::size_t a, std::size_t b) {
  std::size_t out;
  if (__builtin_mul_overflow(a, b, &out)) return std::nullopt;
  return out;
}

/// Number of elements of a shape; nothing when a dimension is negative or the product overflows.
inline std::optional<std::size_t> checked_elements(std::span<const std::int64_t> shape) {
  std::size_t count = 1;
  for (std::int64_t dim : shape) {
    if (dim < 0) return std::nullopt;
    const auto next = checked_mul(count, static_cast<std::size_t>(dim));
    if (!next) return std::nullopt;
    count = *next;
  }
  return count;
}

}  // namespace octavo
