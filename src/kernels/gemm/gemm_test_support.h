// Problems for the packed products with results known exactly (int8) or in double (others), and
// the checks of one against a row. The layout is spelled out here again, not taken from layout.h.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "base/half.h"
#include "kernels/activation_test_support.h"
#include "kernels/gemm/gemm.h"
#include "kernels/test_support.h"

namespace octavo::kernels {

using GemmRun = void (*)(const GemmArgs&, std::size_t, std::size_t, std::size_t, std::size_t);

struct GemmCase {
  GemmType type;
  std::size_t m, n, k;
  std::size_t extra = 0;  // floats between rows of C and the residual
  bool bias = false, residual = false, in_place = false;
  bool raw = false;      // int8: scales of 1, so that C is the integer sums
  bool extreme = false;  // int8: only -127 and 127, half of the columns of one sign
  bool any = false;      // int8: -128 too
  Activation activation = Activation::kNone;
  GuardedFloats::Edge edge = GuardedFloats::Edge::kEnd;
  std::uint32_t seed = 1;
};

inline std::size_t round_up(std::size_t x, std::size_t step) {
  return (x + step - 1) / step * step;
}

class GemmProblem {
 public:
  explicit GemmProblem(const GemmCase& c)
      : c_(c),
        width_(c.type == GemmType::kInt8 ? 64 : 32),
        tiles_((c.k + width_ - 1) / width_),
        columns_(round_up(c.n, 16)),
        state_(c.seed * 2654435761u + 1),
        x_(c.m * c.k),
        w_(c.k * c.n),
        a_(round_up(c.m, 16) * tiles_ * 16, c.edge),
        b_(columns_ * tiles_ * 16, c.edge),
        a_scale_(c.m, c.edge),
        b_scale_(columns_, c.edge),
        b_sum_(columns_, c.edge),
        bias_(columns_, c.edge),
        residual_(c.m == 0 ? 0 : (c.m - 1) * ldc() + c.n, c.edge) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    fill_a();
    fill_b();
    for (std::size_t i = 0; i < c.m; ++i) a_scale_.data()[i] = c.raw ? 1.0f : uniform() + 1.1f;
    for (std::size_t j = 0; j < columns_; ++j) {
      const bool used = j < c.n;
      b_scale_.data()[j] = !used ? nan : c.raw ? 1.0f : 0.01f * (uniform() + 1.1f);
      bias_.data()[j] = used ? uniform() : nan;
    }
    for (std::size_t i = 0; i < residual_.size(); ++i) residual_.data()[i] = uniform();
  }

  const GemmCase& shape() const { return c_; }
  std::size_t ldc() const { return c_.n + c_.extra; }
  std::size_t groups() const { return columns_ / 16; }
  std::size_t extent() const { return residual_.size(); }
  const float* residual() { return residual_.data(); }
  const std::byte* row(std::size_t i) { return bytes(a_) + i / 16 * tiles_ * 1024 + i % 16 * 64; }

  GemmArgs args(float* c) {
    GemmArgs out{
        .a = bytes(a_), .b = bytes(b_), .c = c, .ldc = ldc(), .m = c_.m, .n = c_.n, .k = c_.k};
    if (c_.type == GemmType::kInt8) {
      out.a_scale = a_scale_.data();
      out.b_scale = b_scale_.data();
      out.b_sum = reinterpret_cast<const std::int32_t*>(b_sum_.data());
    }
    if (c_.bias) out.bias = bias_.data();
    if (c_.residual) {
      out.residual = c_.in_place ? c : residual_.data();
      out.ld_residual = ldc();
    }
    out.activation = c_.activation;
    return out;
  }

  std::int64_t sum(std::size_t i, std::size_t j) const {
    std::int64_t out = 0;
    for (std::size_t p = 0; p < c_.k; ++p) {
      out +=
          static_cast<std::int64_t>(x_[i * c_.k + p]) * static_cast<std::int64_t>(w_[p * c_.n + j]);
    }
    return out;
  }

  // int8 without activation: what the contract says in float32, one rounding an operation.
  float exact(std::size_t i, std::size_t j) {
    volatile float y = static_cast<float>(sum(i, j));
    y = y * b_scale_.data()[j];
    y = y * a_scale_.data()[i];
    if (c_.bias) y = y + bias_.data()[j];
    if (c_.residual) y = y + residual_.data()[i * ldc() + j];
    return y;
  }

  // The result in double, and how far a float32 computation may be from it.
  struct Wanted {
    double value, bound;
  };
  Wanted wanted(std::size_t i, std::size_t j) {
    constexpr double kUnit = 0x1p-24;
    double product = 0, norm = 0, error = 0;
    if (c_.type == GemmType::kInt8) {
      product = static_cast<double>(sum(i, j)) * b_scale_.data()[j] * a_scale_.data()[i];
      error = 4 * kUnit * std::abs(product);  // to float32, and two scales
    } else {
      for (std::size_t p = 0; p < c_.k; ++p) {
        const double term = static_cast<double>(x_[i * c_.k + p]) * w_[p * c_.n + j];
        product += term;
        norm += std::abs(term);
      }
      error = 1.01 * static_cast<double>(c_.k + 2) * kUnit * norm + 0x1p-126;
    }
    double y = product + (c_.bias ? bias_.data()[j] : 0.0f);
    error += 2 * kUnit * std::abs(y);
    if (c_.activation != Activation::kNone) {
      y = activate(y, c_.activation);
      error = 1.2 * error + 1e-6 * std::max(1.0, std::abs(y));  // no slope is above 1.13
    }
    if (c_.residual) y += residual_.data()[i * ldc() + j];
    return {y, error + 2 * kUnit * std::abs(y)};
  }

 private:
  static std::byte* bytes(GuardedFloats& x) { return reinterpret_cast<std::byte*>(x.data()); }
  std::uint32_t next() {
    state_ ^= state_ << 13, state_ ^= state_ >> 17, state_ ^= state_ << 5;
    return state_ >> 8;
  }
  float uniform() { return static_cast<float>(next()) * 0x1p-23f - 1.0f; }
  std::int32_t next_int8() {
    return c_.any ? static_cast<std::int32_t>(next() % 256u) - 128
                  : static_cast<std::int32_t>(next() % 255u) - 127;
  }
  // A bfloat16, or a half that is now and then below the normal range.
  float next_short() {
    if (c_.type == GemmType::kFp16) {
      const float scale = next() % 4 == 0 ? 0x1p-14f : 1.0f;
      return half_to_float(float_to_half(scale * uniform()));
    }
    const float x = uniform();
    std::uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    bits &= 0xffff0000u;
    float out;
    std::memcpy(&out, &bits, sizeof out);
    return out;
  }
  void put_short(std::byte* to, float x) const {
    const std::uint16_t half = c_.type == GemmType::kFp16 ? float_to_half(x) : float_to_bf16(x);
    std::memcpy(to, &half, sizeof half);
  }

  // Rows past m hold NaNs; past k there are arbitrary bytes that are finite numbers.
  void fill_a() {
    std::memset(a_.data(), 0xff, a_.size() * sizeof(float));
    for (std::size_t i = 0; i < c_.m; ++i) {
      for (std::size_t p = 0; p < tiles_ * width_; ++p) {
        std::byte* to = bytes(a_) + i / 16 * tiles_ * 1024 + p / width_ * 1024 + i % 16 * 64;
        if (c_.type == GemmType::kInt8) {
          const std::int32_t q = c_.extreme ? (i % 2 == 0 ? 127 : -127) : next_int8();
          if (p < c_.k) x_[i * c_.k + p] = static_cast<float>(q);
          to[p % 64] = static_cast<std::byte>(q + 128);
        } else {
          const float x = next_short();
          if (p < c_.k) x_[i * c_.k + p] = x;
          put_short(to + p % 32 * 2, x);
        }
      }
    }
  }
  void fill_b() {
    std::memset(b_.data(), 0, b_.size() * sizeof(float));
    auto* sums = reinterpret_cast<std::int32_t*>(b_sum_.data());
    std::fill_n(sums, columns_, 0);
    for (std::size_t j = 0; j < c_.n; ++j) {
      for (std::size_t p = 0; p < c_.k; ++p) {
        std::byte* to = bytes(b_) + (j / 16 * tiles_ + p / width_) * 1024 + j % 16 * 4;
        if (c_.type == GemmType::kInt8) {
          const std::int32_t q = c_.extreme ? (j % 4 < 2 ? 127 : -127) : next_int8();
          w_[p * c_.n + j] = static_cast<float>(q);
          sums[j] += 128 * q;
          to[p % 64 / 4 * 64 + p % 4] = static_cast<std::byte>(q);
        } else {
          const float x = next_short();
          w_[p * c_.n + j] = x;
          put_short(to + p % 32 / 2 * 64 + p % 2 * 2, x);
        }
      }
    }
  }

  GemmCase c_;
  std::size_t width_, tiles_, columns_;
  std::uint32_t state_;
  std::vector<float> x_, w_;  // the operands, unpacked
  GuardedFloats a_, b_, a_scale_, b_scale_, b_sum_, bias_, residual_;
};

inline constexpr float kUntouched = 12345.0f;

// C before a run.
inline std::vector<float> before(GemmProblem& problem) {
  if (problem.shape().in_place) return {problem.residual(), problem.residual() + problem.extent()};
  return std::vector<float>(problem.extent(), kUntouched);
}

/// Runs rows [first_row, last_row) and groups [first_group, last_group) and looks at all of C.
inline void check_gemm_part(GemmRun run, GemmProblem& problem, std::size_t first_row,
                            std::size_t last_row, std::size_t first_group, std::size_t last_group) {
  const GemmCase& c = problem.shape();
  SCOPED_TRACE(testing::Message() << "m " << c.m << " n " << c.n << " k " << c.k << " extra "
                                  << c.extra << " activation " << int(c.activation) << " seed "
                                  << c.seed << " rows " << first_row << " to " << last_row
                                  << " groups " << first_group << " to " << last_group);
  const std::vector<float> old = before(problem);
  GuardedFloats out(old, c.edge);
  run(problem.args(out.data()), first_row, last_row, first_group, last_group);
  const bool exact = c.type == GemmType::kInt8 && c.activation == Activation::kNone;
  for (std::size_t at = 0; at < out.size(); ++at) {
    const std::size_t i = at / problem.ldc(), j = at % problem.ldc();
    const float got = out.data()[at];
    if (i < first_row || i >= last_row || j < 16 * first_group || j >= 16 * last_group ||
        j >= c.n) {
      ASSERT_TRUE(same_bits(got, old[at])) << "written outside, at " << i << ", " << j;
    } else if (exact) {
      ASSERT_TRUE(same_bits(got, problem.exact(i, j)))
          << got << " for " << problem.exact(i, j) << " at " << i << ", " << j;
    } else {
      const GemmProblem::Wanted wanted = problem.wanted(i, j);
      ASSERT_LE(std::abs(got - wanted.value), wanted.bound)
          << got << " for " << wanted.value << " at " << i << ", " << j;
    }
  }
}

inline void check_gemm(GemmRun run, const GemmCase& c) {
  GemmProblem problem(c);
  check_gemm_part(run, problem, 0, c.m, 0, problem.groups());
}

}  // namespace octavo::kernels
