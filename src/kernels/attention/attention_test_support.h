// Attention problems and their check against double-precision loops. With s = the largest sum
// |scale q k| + |bias| of a row and V = the largest |v|: |error| <= u (2 (head_size + 4) s + tokens
// + 16) V. The int8 rows may further err by V (exp(2 e) - 1 + tokens / 131070 + 2^-17) + step / 2,
// where e is what rounding queries and keys can do to a score, and step is that of the values'
// column; the bfloat16 rows by V (exp(2 e) - 1 + 3 * 2^-9 + 2^-12) with e = 2^-8 s.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/attention/attention.h"
#include "kernels/test_support.h"

namespace octavo::kernels {

inline constexpr double kUnit = 0x1p-24;
inline constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();

struct AttentionCase {
  std::size_t tokens, head_size;
  std::size_t window = kAll;
  std::size_t radius = 0;  // 0: no relative bias
  std::size_t extra = 0;
  float magnitude = 1.0f;
  bool negative_scale = false;
};

struct AttentionInputs {
  std::vector<float> q, k, v, bias;
  std::size_t ld;
};

inline AttentionInputs make_attention(const AttentionCase& c) {
  const std::size_t ld = c.head_size + c.extra, count = (c.tokens - 1) * ld + c.head_size;
  return {random_floats(count, 1, c.magnitude), random_floats(count, 2, c.magnitude),
          random_floats(count, 3), random_floats(2 * c.radius + 1, 4, 2.0f), ld};
}

inline AttentionArgs attention_arguments(const AttentionCase& c, const float* q, const float* k,
                                         const float* v, const float* bias, std::size_t ld,
                                         float* out, float* scratch) {
  AttentionArgs args{};
  args.q = q;
  args.k = k;
  args.v = v;
  args.ld_q = args.ld_k = args.ld_v = args.ld_out = ld;
  args.out = out;
  args.tokens = c.tokens;
  args.head_size = c.head_size;
  args.scale = (c.negative_scale ? -1.0f : 1.0f) / std::sqrt(float(c.head_size));
  args.window = c.window;
  if (c.radius != 0) {
    args.relative_bias = bias;
    args.radius = c.radius;
  }
  args.scratch = scratch;
  return args;
}

// Scratch with guard pages behind, on the 64-byte boundary the contract asks for, full of NaN.
struct ScratchMemory {
  explicit ScratchMemory(std::size_t floats)
      : memory(std::vector<float>((floats + 15) / 16 * 16, NAN)) {}
  float* data() { return memory.data(); }
  GuardedFloats memory;
};

inline double absmax(const std::vector<float>& x, std::size_t first, std::size_t count,
                     std::size_t stride = 1) {
  double top = 0;
  for (std::size_t i = 0; i < count; ++i) {
    top = std::max<double>(top, std::abs(x[first + i * stride]));
  }
  return top;
}

/// What rounding queries and keys (less their mean) to int8 can do to the score of i and j.
inline double score_error(const AttentionInputs& in, const std::vector<float>& centered,
                          const AttentionCase& c, std::size_t i, std::size_t j) {
  const double q_step = absmax(in.q, i * in.ld, c.head_size) / 127;
  const double k_step = absmax(centered, j * in.ld, c.head_size) / 127;
  double sum = 0;
  for (std::size_t d = 0; d < c.head_size; ++d) {
    sum += q_step / 2 * std::abs(centered[j * in.ld + d]) +
           k_step / 2 * std::abs(in.q[i * in.ld + d]) + q_step * k_step / 4;
  }
  return sum / std::sqrt(double(c.head_size)) * 1.001;
}

/// The output rows, in.ld apart.
inline std::vector<float> attention_output(const AttentionKernel& kernel, const AttentionCase& c,
                                           const AttentionInputs& in) {
  std::vector<float> out(in.q.size());
  ScratchMemory scratch(kernel.scratch_floats(c.tokens, c.head_size));
  kernel.run(attention_arguments(c, in.q.data(), in.k.data(), in.v.data(), in.bias.data(), in.ld,
                                 out.data(), scratch.data()));
  return out;
}

inline void check_attention(const AttentionKernel& kernel, const AttentionCase& c) {
  SCOPED_TRACE(testing::Message() << c.tokens << " tokens, head " << c.head_size << ", window "
                                  << c.window << ", radius " << c.radius);
  const AttentionInputs in = make_attention(c);
  GuardedFloats q(in.q), k(in.k), v(in.v), bias(in.bias);
  GuardedFloats out(std::vector<float>(in.q.size(), 5.0f));
  ScratchMemory scratch(kernel.scratch_floats(c.tokens, c.head_size));
  const AttentionArgs args = attention_arguments(c, q.data(), k.data(), v.data(), bias.data(),
                                                 in.ld, out.data(), scratch.data());
  kernel.run(args);
  const bool int8 = kernel.type == AttentionType::kInt8;
  const bool bf16 = kernel.type == AttentionType::kBf16;
  std::vector<float> centered = in.k;
  for (std::size_t d = 0; d < c.head_size; ++d) {
    double sum = 0;
    for (std::size_t j = 0; j < c.tokens; ++j) sum += in.k[j * in.ld + d];
    for (std::size_t j = 0; j < c.tokens; ++j) {
      centered[j * in.ld + d] -= float(sum / double(c.tokens));
    }
  }
  std::vector<double> p(c.tokens), want(c.head_size);
  for (std::size_t i = 0; i < c.tokens; ++i) {
    if (c.tokens > 200 && i % 37 != 0 && i + 3 < c.tokens) continue;
    const std::size_t low = i > c.window ? i - c.window : 0;
    const std::size_t high = c.window < c.tokens ? std::min(c.tokens, i + c.window + 1) : c.tokens;
    double top = -INFINITY, spread = 0, total = 0;
    for (std::size_t j = low; j < high; ++j) {
      double sum = 0, norm = 0;
      for (std::size_t d = 0; d < c.head_size; ++d) {
        const double product = double(args.scale) * in.q[i * in.ld + d] * in.k[j * in.ld + d];
        sum += product;
        norm += std::abs(product);
      }
      if (c.radius != 0) {
        const long r = long(c.radius), distance = std::clamp(long(j) - long(i), -r, r);
        sum += in.bias[std::size_t(distance + r)];
        norm += 2;
      }
      p[j] = sum;
      top = std::max(top, sum);
      spread = std::max(spread, norm);
    }
    std::fill(want.begin(), want.end(), 0.0);
    double largest = 0;
    for (std::size_t j = low; j < high; ++j) {
      p[j] = std::exp(p[j] - top);
      total += p[j];
    }
    for (std::size_t j = low; j < high; ++j) {
      for (std::size_t d = 0; d < c.head_size; ++d) {
        want[d] += p[j] / total * in.v[j * in.ld + d];
        largest = std::max<double>(largest, std::abs(in.v[j * in.ld + d]));
      }
    }
    double rounding = 0;
    for (std::size_t j = low; j < high && int8; ++j) {
      rounding = std::max(rounding, score_error(in, centered, c, i, j));
    }
    for (std::size_t d = 0; d < c.head_size; ++d) {
      double bound =
          kUnit * largest * (2 * double(c.head_size + 4) * spread + double(high - low) + 16);
      if (int8) {
        bound += largest * (std::expm1(2 * rounding) + double(high - low) / 131070 + 0x1p-17) +
                 absmax(in.v, d, c.tokens, in.ld) / 254 * 1.001;
      }
      if (bf16) {
        // Of two factors, each by 2^-9; P, and with it the sum; V; the exponential.
        const double score = (0x1p-8 + 0x1p-18) * spread;
        bound += largest * (std::expm1(2 * score) + (0x1p-8 + 0x1p-9) * 1.01 + 0x1p-12);
      }
      ASSERT_NEAR(out.data()[i * in.ld + d], want[d], bound) << i << ", " << d;
    }
    for (std::size_t d = c.head_size; d < in.ld && i + 1 < c.tokens; ++d) {
      ASSERT_EQ(out.data()[i * in.ld + d], 5.0f) << "written between rows";
    }
  }
}

/// Both rows give the same bits.
inline void check_same_bits(const AttentionKernel& a, const AttentionKernel& b,
                            const AttentionCase& c) {
  SCOPED_TRACE(testing::Message() << c.tokens << " tokens, head " << c.head_size << ", window "
                                  << c.window << ", radius " << c.radius);
  const AttentionInputs in = make_attention(c);
  const std::vector<float> x = attention_output(a, c, in), y = attention_output(b, c, in);
  for (std::size_t i = 0; i < in.q.size(); ++i) {
    ASSERT_TRUE(same_bits(x[i], y[i])) << i << ": " << x[i] << ", " << y[i];
  }
}

/// One sequence alone, and inside a packed matrix with larger scratch.
inline void check_same_bits_whatever_the_strides(const AttentionKernel& kernel) {
  const AttentionCase c{.tokens = 71, .head_size = 48, .window = 30, .radius = 6};
  const AttentionInputs in = make_attention(c);
  const std::vector<float> out = attention_output(kernel, c, in);
  // The same sequence as one head of three inside a longer packed matrix, in larger scratch.
  const std::size_t ld = 3 * c.head_size, before = 11;
  std::vector<float> q = random_floats((c.tokens + 20) * ld, 9), k = q, v = q, wide = q;
  const std::size_t at = before * ld + c.head_size;
  for (std::size_t i = 0; i < c.tokens; ++i) {
    for (std::size_t d = 0; d < c.head_size; ++d) {
      q[at + i * ld + d] = in.q[i * in.ld + d];
      k[at + i * ld + d] = in.k[i * in.ld + d];
      v[at + i * ld + d] = in.v[i * in.ld + d];
    }
  }
  ScratchMemory larger(kernel.scratch_floats(500, c.head_size));
  kernel.run(attention_arguments(c, q.data() + at, k.data() + at, v.data() + at, in.bias.data(), ld,
                                 wide.data() + at, larger.data()));
  for (std::size_t i = 0; i < c.tokens; ++i) {
    for (std::size_t d = 0; d < c.head_size; ++d) {
      ASSERT_TRUE(same_bits(out[i * in.ld + d], wide[at + i * ld + d])) << i << ", " << d;
    }
  }
}

/// Keys and values out of the window do not matter. Not for int8: its scales are of the whole
/// sequence.
inline void check_masked_keys(const AttentionKernel& kernel) {
  if (kernel.type == AttentionType::kInt8) return;
  const AttentionCase c{.tokens = 90, .head_size = 16, .window = 4};
  AttentionInputs in = make_attention(c);
  const std::vector<float> out = attention_output(kernel, c, in);
  for (std::size_t d = 0; d < c.head_size; ++d) {
    in.k[40 * in.ld + d] = 1e3f;
    in.v[40 * in.ld + d] = -1e30f;
  }
  const std::vector<float> again = attention_output(kernel, c, in);
  for (std::size_t i = 0; i < c.tokens; ++i) {
    if (i >= 36 && i <= 44) continue;
    for (std::size_t d = 0; d < c.head_size; ++d) {
      ASSERT_TRUE(same_bits(out[i * in.ld + d], again[i * in.ld + d])) << i;
    }
  }
}

/// A NaN in a query reaches its own row alone.
inline void check_nan_in_a_query(const AttentionKernel& kernel) {
  const AttentionCase c{.tokens = 30, .head_size = 24};
  AttentionInputs in = make_attention(c);
  in.q[7 * in.ld + 3] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> out = attention_output(kernel, c, in);
  for (std::size_t i = 0; i < c.tokens; ++i) {
    for (std::size_t d = 0; d < c.head_size; ++d) {
      EXPECT_EQ(std::isnan(out[i * in.ld + d]), i == 7) << i;
    }
  }
}

/// An infinity in a value reaches its column alone, a NaN in a key everything.
inline void check_poison_in_keys_and_values(const AttentionKernel& kernel) {
  if (kernel.type != AttentionType::kInt8) return;
  const AttentionCase c{.tokens = 90, .head_size = 72};
  for (const bool in_key : {false, true}) {
    AttentionInputs in = make_attention(c);
    if (in_key) {
      in.k[40 * in.ld + 70] = std::numeric_limits<float>::quiet_NaN();
    } else {
      in.v[89 * in.ld + 70] = -std::numeric_limits<float>::infinity();
    }
    const std::vector<float> out = attention_output(kernel, c, in);
    for (std::size_t i = 0; i < c.tokens; ++i) {
      for (std::size_t d = 0; d < c.head_size; ++d) {
        EXPECT_EQ(std::isnan(out[i * in.ld + d]), in_key || d == 70) << i << ", " << d;
      }
    }
  }
}

/// Scratch for a sequence does for all shorter ones.
inline void check_scratch_grows(const AttentionKernel& kernel) {
  for (std::size_t size : {16, 64, 80}) {
    for (std::size_t tokens = 1; tokens < 300; ++tokens) {
      ASSERT_LE(kernel.scratch_floats(tokens, size), kernel.scratch_floats(tokens + 1, size));
    }
  }
}

}  // namespace octavo::kernels
