// com.microsoft: Attention, QAttention, MultiHeadAttention, without past.
#include "ops/contrib_attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace octavo::ops {
namespace {

struct Sizes {
  std::int64_t batch, queries, keys, heads, head, value_head;
};

Sizes sizes(const OpCall& call, const ContribAttention& in) {
  for (const Tensor* x : {&in.q, &in.k, &in.v}) {
    require_rank(call, *x, 3);
    if (x->dtype() != DType::kFloat32) fail_dtype(call, x->dtype(), "a float type");
  }
  const std::int64_t heads = call.attributes().require_int("num_heads");
  const Shape &q = in.q.shape(), &k = in.k.shape(), &v = in.v.shape();
  if (heads < 1 || q[2] % heads != 0 || v[2] % heads != 0) {
    call.fail("num_heads does not divide the hidden size",
              "a divisor of " + std::to_string(q[2]) + " and " + std::to_string(v[2]),
              std::to_string(heads));
  }
  if (k[0] != q[0] || k[2] != q[2] || v[0] != q[0] || v[1] != k[1]) {
    call.fail("query, key and value do not fit", shape_to_string(q),
              shape_to_string(k) + " and " + shape_to_string(v));
  }
  return {q[0], q[1], k[1], heads, q[2] / heads, v[2] / heads};
}

// What is added to the score of every query and key, [batch, queries, keys].
Tensor additive_mask(const OpCall& call, const Tensor* mask, const Sizes& s) {
  const float filter = call.attributes().float_or("mask_filter_value", -10000.0f);
  const bool causal = call.attributes().int_or("unidirectional", 0) != 0;
  Tensor out = make_zeros(call, DType::kFloat32, {s.batch, s.queries, s.keys});
  const auto to = out.mutable_data<float>();
  std::vector<std::int64_t> values;
  enum { kNone, kEnds, kEndsAndStarts, kKeys, kPairs } form = kNone;
  if (mask != nullptr) {
    if (dtype_is_float(mask->dtype())) fail_dtype(call, mask->dtype(), "an integer type");
    const Shape& shape = mask->shape();
    if (shape == Shape{s.batch, s.queries, s.keys})
      form = kPairs;
    else if (shape == Shape{s.batch, s.keys})
      form = kKeys;
    else if (shape == Shape{s.batch, 1} || shape == Shape{1, 1})
      form = kNone;
    else if (shape == Shape{s.batch} || shape == Shape{3 * s.batch + 2})
      form = kEnds;
    else if (shape == Shape{2 * s.batch})
      form = kEndsAndStarts;
    else
      call.fail("the mask has none of the shapes of an attention mask",
                "[batch], [2 batch], [3 batch + 2], [batch, keys] or [batch, queries, keys] of " +
                    shape_to_string(Shape{s.batch, s.queries, s.keys}),
                shape_to_string(shape));
    values = mask->to_int64s();
  }
  std::size_t at = 0;
  for (std::int64_t b = 0; b < s.batch; ++b) {
    for (std::int64_t i = 0; i < s.queries; ++i) {
      for (std::int64_t j = 0; j < s.keys; ++j, ++at) {
        bool kept = true;
        if (form == kPairs) kept = values[at] > 0;
        if (form == kKeys) kept = values[static_cast<std::size_t>(b * s.keys + j)] > 0;
        if (form == kEnds || form == kEndsAndStarts) kept = j < values[static_cast<std::size_t>(b)];
        if (form == kEndsAndStarts) kept &= j >= values[static_cast<std::size_t>(s.batch + b)];
        if (!kept) to[at] = filter;
        if (causal && j > s.keys - s.queries + i) to[at] = std::numeric_limits<float>::lowest();
      }
    }
  }
  return out;
}

Strides bias_strides(const OpCall& call, const Tensor& bias, const Sizes& s) {
  const Shape full{s.batch, s.heads, s.queries, s.keys};
  if (bias.dtype() != DType::kFloat32 || bias.rank() > 4 ||
      broadcast_shapes(call, full, bias.shape()) != full) {
    call.fail("the attention bias does not fit the scores", "float32 " + shape_to_string(full),
              shape_to_string(bias.shape()));
  }
  return broadcast_strides(bias.shape(), full);
}

}  // namespace

Tensor attend(const OpCall& call, const ContribAttention& in) {
  const Sizes s = sizes(call, in);
  const Tensor mask = additive_mask(call, in.mask, s);
  const Strides strides = in.bias != nullptr ? bias_strides(call, *in.bias, s) : Strides(4, 0);
  double scale = call.attributes().float_or("scale", 0.0f);
  if (scale == 0) scale = 1 / std::sqrt(static_cast<double>(s.head));
  Tensor out = make_output(call, DType::kFloat32, {s.batch, s.queries, s.heads * s.value_head});
  const float *q = in.q.data<float>().data(), *k = in.k.data<float>().data();
  const float *v = in.v.data<float>().data(), *added = mask.data<float>().data();
  float* to = out.mutable_data<float>().data();
  std::vector<double> weights(static_cast<std::size_t>(s.keys));
  for (std::int64_t b = 0; b < s.batch; ++b) {
    for (std::int64_t n = 0; n < s.heads; ++n) {
      for (std::int64_t i = 0; i < s.queries; ++i) {
        double largest = -std::numeric_limits<double>::infinity(), sum = 0;
        for (std::int64_t j = 0; j < s.keys; ++j) {
          double w = 0;
          for (std::int64_t d = 0; d < s.head; ++d) {
            w += double{q[((b * s.queries + i) * s.heads + n) * s.head + d]} *
                 double{k[((b * s.keys + j) * s.heads + n) * s.head + d]};
          }
          w = w * scale + double{added[(b * s.queries + i) * s.keys + j]};
          if (in.bias != nullptr) {
            w += double{in.bias->data<float>()[static_cast<std::size_t>(
                b * strides[0] + n * strides[1] + i * strides[2] + j * strides[3])]};
          }
          weights[static_cast<std::size_t>(j)] = w;
          largest = std::max(largest, w);
        }
        for (double& w : weights) sum += w = std::exp(w - largest);
        for (std::int64_t d = 0; d < s.value_head; ++d) {
          double total = 0;
          for (std::int64_t j = 0; j < s.keys; ++j) {
            total += weights[static_cast<std::size_t>(j)] *
                     double{v[((b * s.keys + j) * s.heads + n) * s.value_head + d]};
          }
          to[((b * s.queries + i) * s.heads + n) * s.value_head + d] =
              static_cast<float>(total / sum);
        }
      }
    }
  }
  return out;
}

namespace {

void refuse_past(const OpCall& call, std::initializer_list<std::size_t> inputs) {
  for (const std::size_t i : inputs) {
    if (call.optional(i) != nullptr) {
      call.fail("attention with past keys and values is not supported",
                "no input " + std::to_string(i));
    }
  }
  if (call.attributes().int_or("do_rotary", 0) != 0) {
    call.fail("rotary embedding inside of attention is not supported", "do_rotary 0");
  }
}

// Columns [first, first + width) of the last of three dimensions.
Tensor columns(const OpCall& call, const Tensor& x, std::int64_t first, std::int64_t width) {
  if (first < 0 || width < 0 || first > x.dim(2) - width) {
    call.fail("the sizes of query, key and value do not add up",
              "at most " + std::to_string(x.dim(2)), std::to_string(first + width));
  }
  return strided_copy(call, x, {x.dim(0), x.dim(1), width}, first,
                      {x.dim(1) * x.dim(2), x.dim(2), 1});
}

// Attention of [batch, tokens, query | key | value].
Tensor attend_packed(const OpCall& call, const Tensor& qkv, const Tensor* mask,
                     const Tensor* bias) {
  require_rank(call, qkv, 3);
  std::vector<std::int64_t> widths =
      call.attributes().ints("qkv_hidden_sizes").value_or(std::vector<std::int64_t>{});
  if (widths.empty()) widths.assign(3, qkv.dim(2) / 3);
  if (widths.size() != 3 || qkv.dim(2) < 3) {
    call.fail("attribute 'qkv_hidden_sizes' must have three sizes", "3",
              std::to_string(widths.size()));
  }
  const std::int64_t limit = qkv.dim(2);
  for (const std::int64_t w : widths) {
    if (w < 1 || w > limit)
      call.fail("a hidden size is out of range", "1 to " + std::to_string(limit),
                std::to_string(w));
  }
  return attend(call, {.q = columns(call, qkv, 0, widths[0]),
                       .k = columns(call, qkv, widths[0], widths[1]),
                       .v = columns(call, qkv, widths[0] + widths[1], widths[2]),
                       .mask = mask,
                       .bias = bias});
}

}  // namespace

namespace reference {

/// Inputs x, weights (query, key, value columns side by side), their bias, mask, past, attention
/// bias.
std::vector<Tensor> contrib_attention(const OpCall& call) {
  refuse_past(call, {4, 6});
  const Tensor &x = call.input(0), &weights = call.input(1);
  require_rank(call, x, 3);
  require_rank(call, weights, 2);
  const DType dtype = x.dtype();
  const Tensor product = matmul(call, x, weights);
  const Tensor qkv = add_row(call, product, call.optional(2)).to_float32();
  const Tensor bias = call.optional(5) != nullptr ? call.input(5).to_float32() : Tensor();
  return {from_float32(
      call,
      attend_packed(call, qkv, call.optional(3), call.optional(5) != nullptr ? &bias : nullptr),
      dtype)};
}

/// As above from 8-bit operands: x, weights, bias, scales of both, mask, zero points of both.
std::vector<Tensor> qattention(const OpCall& call) {
  refuse_past(call, {8});
  require_rank(call, call.input(0), 3);
  require_rank(call, call.input(1), 2);
  const Tensor qkv =
      scaled_product(call, call.input(0), call.input(1), call.input(3), call.input(4),
                     call.optional(6), call.optional(7), &call.input(2));
  return {attend_packed(call, qkv, call.optional(5), nullptr)};
}

/// Inputs query, key, value, the bias of the three, key mask, attention bias. The query alone may
/// hold all three as [batch, tokens, heads, 3, size]; the key may hold key and value as [batch,
/// tokens, heads, 2, size]; key and value may be [batch, heads, tokens, size].
std::vector<Tensor> multi_head_attention(const OpCall& call) {
  refuse_past(call, {6, 7, 8, 9});
  const Tensor query = call.input(0).to_float32();
  const DType dtype = call.input(0).dtype();
  ContribAttention in{.q = query, .k = {}, .v = {}, .mask = call.optional(4), .bias = nullptr};
  // Part i of [batch, tokens, heads, parts, size] as [batch, tokens, heads * size].
  const auto part = [&](const Tensor& x, std::int64_t i, std::int64_t parts) {
    require_rank(call, x, 5);
    if (x.dim(3) != parts) {
      call.fail("a packed input has another number of parts", std::to_string(parts),
                shape_to_string(x.shape()));
    }
    const Strides strides = row_major(x.shape());
    return strided_copy(call, x, {x.dim(0), x.dim(1), x.dim(2), x.dim(4)}, i * strides[3],
                        {strides[0], strides[1], strides[2], 1})
        .reshaped({x.dim(0), x.dim(1), x.dim(2) * x.dim(4)});
  };
  const auto tokens_first = [&](const Tensor& x) {
    if (x.rank() != 4) return x;
    const Strides strides = row_major(x.shape());
    return strided_copy(call, x, {x.dim(0), x.dim(2), x.dim(1), x.dim(3)}, 0,
                        {strides[0], strides[2], strides[1], 1})
        .reshaped({x.dim(0), x.dim(2), x.dim(1) * x.dim(3)});
  };
  if (call.optional(1) == nullptr) {
    in.q = part(query, 0, 3), in.k = part(query, 1, 3), in.v = part(query, 2, 3);
  } else if (call.optional(2) == nullptr) {
    const Tensor key = call.input(1).to_float32();
    in.k = part(key, 0, 2), in.v = part(key, 1, 2);
  } else {
    in.k = tokens_first(call.input(1).to_float32());
    in.v = tokens_first(call.input(2).to_float32());
  }
  if (call.optional(3) != nullptr) {
    for (const Tensor* x : {&in.q, &in.k, &in.v}) require_rank(call, *x, 3);
    const Tensor bias = call.input(3).to_float32();
    if (bias.shape() != Shape{in.q.dim(2) + in.k.dim(2) + in.v.dim(2)}) {
      call.fail("the bias does not fit query, key and value",
                std::to_string(in.q.dim(2) + in.k.dim(2) + in.v.dim(2)),
                shape_to_string(bias.shape()));
    }
    std::int64_t first = 0;
    for (Tensor* x : {&in.q, &in.k, &in.v}) {
      const Tensor row = strided_copy(call, bias, {x->dim(2)}, first, {1});
      first += x->dim(2);
      *x = add_row(call, *x, &row);
    }
  }
  const Tensor bias = call.optional(5) != nullptr ? call.input(5).to_float32() : Tensor();
  if (call.optional(5) != nullptr) in.bias = &bias;
  return {from_float32(call, attend(call, in), dtype)};
}

}  // namespace reference
}  // namespace octavo::ops
