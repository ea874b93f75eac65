// ai.octavo.Attention: multi-head self-attention over the kept tokens of each row.
//
//   P[i, j] = softmax_j(scale * q[i] . k[j] + relative_bias[n, R + clamp(j - i, -R, R)])
//   out[i]  = sum_j P[i, j] * v[j]        over kept j, with |i - j| <= local_window if that is > 0
//
// Inputs: q, k, v [batch, sequence, num_heads * head_size] float32; attention_mask [batch,
// sequence] (absent: all kept); relative_bias [num_heads, 2R + 1] float32 or absent. Attributes:
// num_heads, scale, local_window (0: none). Rows of masked queries are zero.
#include <cmath>

#include "ops/octavo_tokens.h"

namespace octavo::ops::reference {
namespace {

const Tensor* checked_bias(const OpCall& call, std::int64_t heads) {
  const Tensor* bias = call.optional(4);
  if (bias == nullptr) return nullptr;
  if (bias->dtype() != DType::kFloat32 || bias->rank() != 2 || bias->dim(0) != heads ||
      bias->dim(1) % 2 != 1) {
    call.fail("the relative bias has the wrong shape", "float32 [num_heads, an odd number]",
              dtype_text(bias->dtype()) + " of shape " + shape_to_string(bias->shape()));
  }
  return bias;
}

}  // namespace

std::vector<Tensor> octavo_attention(const OpCall& call) {
  const Tensor &q = call.input(0), &k = call.input(1), &v = call.input(2);
  const HeadShape s = head_shape(call, q);
  head_shape(call, k);
  head_shape(call, v);
  if (k.shape() != q.shape() || v.shape() != q.shape()) {
    call.fail("query, key and value differ in shape", shape_to_string(q.shape()),
              shape_to_string(k.shape()) + " and " + shape_to_string(v.shape()));
  }
  const std::vector<bool> kept = kept_tokens(call, call.optional(3), s.batch, s.sequence);
  const Tensor* bias = checked_bias(call, s.heads);
  const std::int64_t radius = bias != nullptr ? bias->dim(1) / 2 : 0;
  const std::int64_t window = call.attributes().int_or("local_window", 0);
  const double scale = call.attributes().float_or("scale", 1.0f);

  Tensor out = make_zeros(call, DType::kFloat32, q.shape());
  const float *pq = q.data<float>().data(), *pk = k.data<float>().data();
  const float* pv = v.data<float>().data();
  float* po = out.mutable_data<float>().data();
  const auto at = [&](std::int64_t b, std::int64_t i, std::int64_t n) {
    return ((b * s.sequence + i) * s.heads + n) * s.head_size;
  };
  const auto is_kept = [&](std::int64_t b, std::int64_t i) {
    return kept[static_cast<std::size_t>(b * s.sequence + i)];
  };
  std::vector<double> weights(static_cast<std::size_t>(s.sequence));
  for (std::int64_t b = 0; b < s.batch; ++b) {
    for (std::int64_t i = 0; i < s.sequence; ++i) {
      if (!is_kept(b, i)) continue;
      for (std::int64_t n = 0; n < s.heads; ++n) {
        double largest = -std::numeric_limits<double>::infinity(), sum = 0;
        for (std::int64_t j = 0; j < s.sequence; ++j) {
          double& w = weights[static_cast<std::size_t>(j)];
          w = -std::numeric_limits<double>::infinity();
          if (!is_kept(b, j) || (window > 0 && std::abs(i - j) > window)) continue;
          w = 0;
          for (std::int64_t d = 0; d < s.head_size; ++d) {
            w += double{pq[at(b, i, n) + d]} * double{pk[at(b, j, n) + d]};
          }
          w *= scale;
          if (bias != nullptr) {
            const std::int64_t entry = radius + std::clamp(j - i, -radius, radius);
            w += bias->data<float>()[static_cast<std::size_t>(n * bias->dim(1) + entry)];
          }
          largest = std::max(largest, w);
        }
        for (double& w : weights) sum += w = std::exp(w - largest);
        for (std::int64_t d = 0; d < s.head_size; ++d) {
          double total = 0;
          for (std::int64_t j = 0; j < s.sequence; ++j) {
            const double w = weights[static_cast<std::size_t>(j)];
            if (w != 0) total += w * double{pv[at(b, j, n) + d]};
          }
          po[at(b, i, n) + d] = static_cast<float>(total / sum);
        }
      }
    }
  }
  return {std::move(out)};
}

}  // namespace octavo::ops::reference
