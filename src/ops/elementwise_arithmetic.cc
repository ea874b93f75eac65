// Add, Sub, Mul, Div, Mod, Pow and the unary Neg, Abs, Sign. Integers wrap; an integer division by
// zero is an error.
#include <cmath>

#include "ops/reference.h"

namespace octavo::ops::reference {
namespace {

// Pairs of one type; F is a template over the computing type.
template <typename F>
std::vector<Tensor> arithmetic(const OpCall& call, F f) {
  const Tensor &a = call.input(0), &b = call.input(1);
  require_same_dtype(call, a, b);
  return {dispatch_numbers(call, a.dtype(), [&]<typename T>(Tag<T>) {
    return map_pairs<T, T>(call, a, b, a.dtype(), [&](auto x, auto y) { return f(x, y); });
  })};
}

template <typename T>
T divide(const OpCall& call, T x, T y) {
  if constexpr (std::is_integral_v<T>) {
    if (y == 0) call.fail("an integer is divided by zero", "a divisor other than 0", "0");
    if constexpr (std::is_signed_v<T>) {
      if (y == -1) return static_cast<T>(Wrap<T>{0} - static_cast<Wrap<T>>(x));
    }
  }
  return static_cast<T>(x / y);
}

// The remainder with the divisor's sign (Python's %), or C's fmod.
template <typename T>
T modulo(const OpCall& call, T x, T y, bool fmod) {
  if constexpr (std::is_integral_v<T>) {
    if (y == 0) call.fail("an integer is divided by zero", "a divisor other than 0", "0");
    if constexpr (std::is_signed_v<T>) {
      if (y == -1) return 0;
    }
    const T rest = static_cast<T>(x % y);
    const bool shift = !fmod && rest != 0 && (rest < 0) != (y < 0);
    return shift ? static_cast<T>(rest + y) : rest;
  } else {
    const T rest = std::fmod(x, y);
    return !fmod && rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
  }
}

template <typename T, typename E>
T power(T x, E y) {
  if constexpr (std::is_integral_v<T> && std::is_integral_v<E>) {
    if (y >= 0) {
      Wrap<T> base = static_cast<Wrap<T>>(x), out = 1;
      for (auto n = static_cast<std::make_unsigned_t<E>>(y); n != 0;
           n = static_cast<decltype(n)>(n >> 1)) {
        if (n & 1) out *= base;
        base *= base;
      }
      return static_cast<T>(out);
    }
  }
  if constexpr (std::is_same_v<T, float>) {
    // Squares and cubes are products, as in every runtime.
    if (y == E{2}) return x * x;
    if (y == E{3}) return x * x * x;
    return std::pow(x, static_cast<float>(y));
  } else {
    return convert<T>(std::pow(static_cast<double>(x), static_cast<double>(y)));
  }
}

}  // namespace

std::vector<Tensor> add(const OpCall& call) {
  return arithmetic(call, []<typename T>(T x, T y) {
    return static_cast<T>(static_cast<Wrap<T>>(x) + static_cast<Wrap<T>>(y));
  });
}

std::vector<Tensor> sub(const OpCall& call) {
  return arithmetic(call, []<typename T>(T x, T y) {
    return static_cast<T>(static_cast<Wrap<T>>(x) - static_cast<Wrap<T>>(y));
  });
}

std::vector<Tensor> mul(const OpCall& call) {
  return arithmetic(call, []<typename T>(T x, T y) {
    return static_cast<T>(static_cast<Wrap<T>>(x) * static_cast<Wrap<T>>(y));
  });
}

std::vector<Tensor> div(const OpCall& call) {
  return arithmetic(call, [&]<typename T>(T x, T y) { return divide<T>(call, x, y); });
}

std::vector<Tensor> mod(const OpCall& call) {
  const bool fmod = call.attributes().int_or("fmod", 0) != 0;
  return arithmetic(call, [&]<typename T>(T x, T y) { return modulo<T>(call, x, y, fmod); });
}

/// The result has the base's type; an exponent of another type is read as float32 or int64.
std::vector<Tensor> pow(const OpCall& call) {
  const Tensor& x = call.input(0);
  Tensor exponent = call.input(1);
  if (exponent.dtype() != x.dtype()) {
    exponent = dtype_is_float(exponent.dtype())
                   ? exponent.to_float32()
                   : Tensor::from<std::int64_t>(exponent.shape(), exponent.to_int64s());
  }
  const Walk walk = broadcast(call, {&x, &exponent});
  Tensor out = make_output(call, x.dtype(), walk.shape);
  const auto run = [&]<typename T, typename E>(Tag<T>, Tag<E>) {
    const T* p = x.data<T>().data();
    const E* q = exponent.data<E>().data();
    T* r = out.mutable_data<T>().data();
    for_rows<2>(walk, [&](std::size_t first, const auto& at, const auto& step, std::size_t count) {
      for (std::size_t i = 0; i < count; ++i) {
        const auto n = static_cast<std::int64_t>(i);
        const auto base = static_cast<Compute<T>>(p[at[0] + n * step[0]]);
        const auto power_of = static_cast<Compute<E>>(q[at[1] + n * step[1]]);
        r[first + i] = static_cast<T>(power(base, power_of));
      }
    });
  };
  dispatch_numbers(call, x.dtype(), [&]<typename T>(Tag<T> tag) {
    if (exponent.dtype() == x.dtype()) return run(tag, tag);
    if (exponent.dtype() == DType::kFloat32) return run(tag, Tag<float>{});
    run(tag, Tag<std::int64_t>{});
  });
  return {out};
}

std::vector<Tensor> neg(const OpCall& call) {
  const Tensor& x = call.input(0);
  return {dispatch_numbers(call, x.dtype(), [&]<typename T>(Tag<T>) {
    return map_elements<T>(call, x, [](auto v) {
      using C = decltype(v);
      if constexpr (std::is_integral_v<C>) {
        return static_cast<C>(Wrap<C>{0} - static_cast<Wrap<C>>(v));
      } else {
        return -v;
      }
    });
  })};
}

std::vector<Tensor> abs(const OpCall& call) {
  const Tensor& x = call.input(0);
  return {dispatch_numbers(call, x.dtype(), [&]<typename T>(Tag<T>) {
    return map_elements<T>(call, x, [](auto v) {
      using C = decltype(v);
      if constexpr (std::is_integral_v<C>) {
        return v < 0 ? static_cast<C>(Wrap<C>{0} - static_cast<Wrap<C>>(v)) : v;
      } else {
        return std::fabs(v);
      }
    });
  })};
}

std::vector<Tensor> sign(const OpCall& call) {
  const Tensor& x = call.input(0);
  return {dispatch_numbers(call, x.dtype(), [&]<typename T>(Tag<T>) {
    return map_elements<T>(call, x, [](auto v) {
      using C = decltype(v);
      return static_cast<C>(static_cast<C>(v > C{0}) - static_cast<C>(v < C{0}));
    });
  })};
}

}  // namespace octavo::ops::reference
