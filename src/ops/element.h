// Element types as C++ types, and dispatch from a DType to one of them: what references are written
// with. float16 and bfloat16 compute in float32; a bool is any non-zero byte.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>

#include "base/half.h"
#include "ops/op.h"

namespace octavo::ops {

struct Half {
  std::uint16_t bits = 0;
  Half() = default;
  template <typename T>
  explicit Half(T value) : bits(float_to_half(static_cast<float>(value))) {}
  operator float() const { return half_to_float(bits); }  // NOLINT(google-explicit-constructor)
};

struct BFloat {
  std::uint16_t bits = 0;
  BFloat() = default;
  template <typename T>
  explicit BFloat(T value) : bits(float_to_bf16(static_cast<float>(value))) {}
  operator float() const { return bf16_to_float(bits); }  // NOLINT(google-explicit-constructor)
};

struct Bool {
  std::uint8_t byte = 0;
  Bool() = default;
  template <typename T>
  explicit Bool(T value) : byte(value != T{} ? 1 : 0) {}
  operator bool() const { return byte != 0; }  // NOLINT(google-explicit-constructor)
};

template <typename T>
inline constexpr bool kIsHalf = std::is_same_v<T, Half> || std::is_same_v<T, BFloat>;
template <typename T>
inline constexpr bool kIsFloat = std::is_floating_point_v<T> || kIsHalf<T>;

/// The type an element computes in.
template <typename T>
using Compute =
    std::conditional_t<kIsHalf<T>, float, std::conditional_t<std::is_same_v<T, Bool>, bool, T>>;

/// Integer arithmetic wraps: it is done on unsigned values of the same width, never on ones that
/// promote to int.
template <typename T, bool = std::is_integral_v<T>>
struct WrapOf {
  using type = T;
};
template <typename T>
struct WrapOf<T, true> {
  using type = std::conditional_t<sizeof(T) <= 4, std::uint32_t, std::uint64_t>;
};
template <typename T>
using Wrap = typename WrapOf<T>::type;

template <typename T>
struct Tag {
  using type = T;
};

/// A float as an integer: truncated, cut to the range of T, 0 for NaN.
template <typename T, typename F>
T float_to_int(F value) {
  const auto wide = static_cast<double>(value);
  if (wide != wide) return 0;
  constexpr auto low = static_cast<double>(std::numeric_limits<T>::min());
  constexpr auto high = static_cast<double>(std::numeric_limits<T>::max());
  if (wide <= low) return std::numeric_limits<T>::min();
  if (wide >= high) return std::numeric_limits<T>::max();
  return static_cast<T>(wide);
}

/// Any element as any other, defined for every value.
template <typename Out, typename In>
Out convert(In value) {
  if constexpr (std::is_integral_v<Out> && (kIsFloat<In>)) {
    return float_to_int<Out>(static_cast<Compute<In>>(value));
  } else {
    return static_cast<Out>(static_cast<Compute<In>>(value));
  }
}

[[noreturn]] void fail_dtype(const OpCall& call, DType dtype, std::string expected);

template <typename F>
decltype(auto) dispatch_floats(const OpCall& call, DType dtype, F&& f) {
  switch (dtype) {
    case DType::kFloat32: return f(Tag<float>{});
    case DType::kFloat64: return f(Tag<double>{});
    case DType::kFloat16: return f(Tag<Half>{});
    case DType::kBFloat16: return f(Tag<BFloat>{});
    default: fail_dtype(call, dtype, "a float type");
  }
}

template <typename F>
decltype(auto) dispatch_integers(const OpCall& call, DType dtype, F&& f) {
  switch (dtype) {
    case DType::kInt8: return f(Tag<std::int8_t>{});
    case DType::kUint8: return f(Tag<std::uint8_t>{});
    case DType::kInt16: return f(Tag<std::int16_t>{});
    case DType::kUint16: return f(Tag<std::uint16_t>{});
    case DType::kInt32: return f(Tag<std::int32_t>{});
    case DType::kUint32: return f(Tag<std::uint32_t>{});
    case DType::kInt64: return f(Tag<std::int64_t>{});
    case DType::kUint64: return f(Tag<std::uint64_t>{});
    default: fail_dtype(call, dtype, "an integer type");
  }
}

/// Floats and integers.
template <typename F>
decltype(auto) dispatch_numbers(const OpCall& call, DType dtype, F&& f) {
  if (dtype_is_float(dtype)) return dispatch_floats(call, dtype, f);
  if (dtype == DType::kBool) fail_dtype(call, dtype, "a number type");
  return dispatch_integers(call, dtype, f);
}

/// Floats, integers and bool.
template <typename F>
decltype(auto) dispatch_all(const OpCall& call, DType dtype, F&& f) {
  if (dtype == DType::kBool) return f(Tag<Bool>{});
  return dispatch_numbers(call, dtype, f);
}

/// By width alone, for ops that only move elements.
template <typename F>
decltype(auto) dispatch_width(DType dtype, F&& f) {
  switch (dtype_size(dtype)) {
    case 1: return f(Tag<std::uint8_t>{});
    case 2: return f(Tag<std::uint16_t>{});
    case 4: return f(Tag<std::uint32_t>{});
    default: return f(Tag<std::uint64_t>{});
  }
}

}  // namespace octavo::ops
