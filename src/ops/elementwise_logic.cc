// Comparisons, logic, Where, bit operations.
#include "ops/reference.h"

namespace octavo::ops::reference {
namespace {

template <typename F>
std::vector<Tensor> compare(const OpCall& call, F f) {
  const Tensor &a = call.input(0), &b = call.input(1);
  require_same_dtype(call, a, b);
  return {dispatch_all(call, a.dtype(), [&]<typename T>(Tag<T>) {
    return map_pairs<T, Bool>(call, a, b, DType::kBool, f);
  })};
}

template <typename F>
std::vector<Tensor> logic(const OpCall& call, F f) {
  const Tensor &a = call.input(0), &b = call.input(1);
  if (a.dtype() != DType::kBool) fail_dtype(call, a.dtype(), "bool");
  if (b.dtype() != DType::kBool) fail_dtype(call, b.dtype(), "bool");
  return {map_pairs<Bool, Bool>(call, a, b, DType::kBool, f)};
}

template <typename F>
std::vector<Tensor> bitwise(const OpCall& call, F f) {
  const Tensor &a = call.input(0), &b = call.input(1);
  require_same_dtype(call, a, b);
  return {dispatch_integers(call, a.dtype(), [&]<typename T>(Tag<T>) {
    return map_pairs<T, T>(call, a, b, a.dtype(), f);
  })};
}

}  // namespace

std::vector<Tensor> equal(const OpCall& call) {
  return compare(call, [](auto x, auto y) { return x == y; });
}
std::vector<Tensor> less(const OpCall& call) {
  return compare(call, [](auto x, auto y) { return x < y; });
}
std::vector<Tensor> less_or_equal(const OpCall& call) {
  return compare(call, [](auto x, auto y) { return x <= y; });
}
std::vector<Tensor> greater(const OpCall& call) {
  return compare(call, [](auto x, auto y) { return x > y; });
}
std::vector<Tensor> greater_or_equal(const OpCall& call) {
  return compare(call, [](auto x, auto y) { return x >= y; });
}

std::vector<Tensor> logical_and(const OpCall& call) {
  return logic(call, [](bool x, bool y) { return x && y; });
}
std::vector<Tensor> logical_or(const OpCall& call) {
  return logic(call, [](bool x, bool y) { return x || y; });
}
std::vector<Tensor> logical_xor(const OpCall& call) {
  return logic(call, [](bool x, bool y) { return x != y; });
}
std::vector<Tensor> logical_not(const OpCall& call) {
  const Tensor& x = call.input(0);
  if (x.dtype() != DType::kBool) fail_dtype(call, x.dtype(), "bool");
  return {map_elements<Bool>(call, x, [](bool v) { return !v; })};
}

std::vector<Tensor> bitwise_and(const OpCall& call) {
  return bitwise(call, [](auto x, auto y) { return x & y; });
}
std::vector<Tensor> bitwise_or(const OpCall& call) {
  return bitwise(call, [](auto x, auto y) { return x | y; });
}
std::vector<Tensor> bitwise_xor(const OpCall& call) {
  return bitwise(call, [](auto x, auto y) { return x ^ y; });
}
std::vector<Tensor> bitwise_not(const OpCall& call) {
  const Tensor& x = call.input(0);
  return {dispatch_integers(call, x.dtype(), [&]<typename T>(Tag<T>) {
    return map_elements<T>(call, x, [](auto v) { return ~v; });
  })};
}

std::vector<Tensor> bit_shift(const OpCall& call) {
  const std::string direction = call.attributes().string_or("direction", "");
  if (direction != "LEFT" && direction != "RIGHT") {
    call.fail("attribute 'direction' is not known", "LEFT or RIGHT", "'" + direction + "'");
  }
  const bool left = direction == "LEFT";
  return bitwise(call, [&]<typename T>(T x, T y) -> T {
    const auto count = static_cast<std::uint64_t>(y);
    // A shift by the width or more pushes every bit out; the sign fills from the left.
    if (count >= sizeof(T) * 8) return static_cast<T>(!left && x < 0 ? -1 : 0);
    return static_cast<T>(left ? static_cast<std::uint64_t>(x) << count : x >> count);
  });
}

std::vector<Tensor> where(const OpCall& call) {
  const Tensor &condition = call.input(0), &a = call.input(1), &b = call.input(2);
  if (condition.dtype() != DType::kBool) fail_dtype(call, condition.dtype(), "bool");
  require_same_dtype(call, a, b);
  const Walk walk = broadcast(call, {&condition, &a, &b});
  Tensor out = make_output(call, a.dtype(), walk.shape);
  const auto c = condition.data<std::uint8_t>().data();
  dispatch_width(a.dtype(), [&]<typename T>(Tag<T>) {
    const T* x = a.data<T>().data();
    const T* y = b.data<T>().data();
    T* z = out.mutable_data<T>().data();
    for_rows<3>(walk, [&](std::size_t first, const auto& at, const auto& step, std::size_t count) {
      for (std::size_t i = 0; i < count; ++i) {
        const auto n = static_cast<std::int64_t>(i);
        z[first + i] =
            c[at[0] + n * step[0]] != 0 ? x[at[1] + n * step[1]] : y[at[2] + n * step[2]];
      }
    });
  });
  return {out};
}

}  // namespace octavo::ops::reference
