// Scaled dot-product attention of one head over one sequence, float32, without padding.
//
//   P[i, j] = softmax_j(scale * Q[i] . K[j] + bias[clamp(j - i, -radius, radius)])   over j with |i
//   - j| <= window O[i]    = sum_j P[i, j] * V[j]
// Everything depends on this sequence alone: the same bits in any batch.
//
// The int8 rows round inside: queries and keys to int8 with a scale a row (keys less their mean,
// which softmax does not see), values to int8 with a scale a column, P to 16 bits. The bfloat16
// rows round scale * queries, keys, values and P, unnormalised, to bfloat16.
#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <string_view>

#include "base/cpu.h"

namespace octavo::kernels {

struct AttentionArgs {
  const float *q, *k, *v;  // [tokens, head_size], row strides below
  std::size_t ld_q, ld_k, ld_v;
  float* out;  // [tokens, head_size]
  std::size_t ld_out;
  std::size_t tokens;
  std::size_t head_size;
  float scale;
  std::size_t window =
      std::numeric_limits<std::size_t>::max();  // keys at distance window are still seen
  const float* relative_bias = nullptr;         // [2 * radius + 1], entry radius + (j - i)
  std::size_t radius = 0;
  float* scratch;  // attention_scratch_floats() of it, 64-byte aligned
};

enum class AttentionType { kFloat32, kInt8, kBf16 };

/// The longest sequence of the int8 rows: int32 sums of 255 * 127 a key.
inline constexpr std::size_t kMaxInt8Tokens = 65536;

struct AttentionKernel {
  std::string_view name;
  AttentionType type;
  IsaMask isa;
  /// Floats of scratch for sequences of up to `tokens`.
  std::size_t (*scratch_floats)(std::size_t tokens, std::size_t head_size) noexcept;
  void (*run)(const AttentionArgs& args) noexcept;
};

std::span<const AttentionKernel> attention_kernels();
std::span<const AttentionKernel> attention_kernels(AttentionType type);
/// The strongest row of the type that `isa` allows; float32 where the type has none.
const AttentionKernel& choose_attention(AttentionType type, IsaMask isa);

}  // namespace octavo::kernels
