// Scaled dot-product attention as the references of com.microsoft's operators share it.
#pragma once

#include "ops/contrib.h"

namespace octavo::ops {

/// What is common to Attention, QAttention and MultiHeadAttention. Attributes: num_heads, scale (1
/// / sqrt of the head size), unidirectional, mask_filter_value.
struct ContribAttention {
  /// float32 [batch, queries, heads * size], [batch, keys, heads * size], [batch, keys, heads *
  /// value size].
  Tensor q, k, v;
  /// int32; nullptr: every key is kept. [batch] ends; [2 * batch] ends and starts; [3 * batch + 2]
  /// ends and more; [batch, keys] or [batch, queries, keys] above 0 where kept; [.., 1] of several
  /// keys: kept.
  const Tensor* mask = nullptr;
  /// float32, broadcast to [batch, heads, queries, keys]; nullptr: none.
  const Tensor* bias = nullptr;
};

/// [batch, queries, heads * value size].
Tensor attend(const OpCall& call, const ContribAttention& inputs);

}  // namespace octavo::ops
