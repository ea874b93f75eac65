#include "runtime/attend.h"

#include <algorithm>

#include "base/buffer.h"
#include "kernels/attention/attention.h"

namespace octavo::runtime {
namespace {

/// [batch, heads, tokens, size], in this order or with tokens before heads.
struct Heads {
  std::size_t batch = 0, heads = 0, tokens = 0, size = 0;
  bool tokens_first = false;

  bool same(const Heads& o) const {
    return batch == o.batch && heads == o.heads && tokens == o.tokens && size == o.size;
  }
  std::size_t offset(std::size_t b, std::size_t h) const {
    return tokens_first ? (b * tokens * heads + h) * size : (b * heads + h) * tokens * size;
  }
  std::size_t ld() const { return tokens_first ? heads * size : size; }
};

bool heads_of(const Tensor* x, bool tokens_first, Heads& out) {
  if (x == nullptr || x->dtype() != DType::kFloat32 || x->rank() != 4 || x->elements() == 0) {
    return false;
  }
  const auto dim = [&](std::size_t i) { return static_cast<std::size_t>(x->dim(i)); };
  out = {dim(0), dim(tokens_first ? 2 : 1), dim(tokens_first ? 1 : 2), dim(3), tokens_first};
  return true;
}

/// A mask that adds nothing to any score.
bool hides_nothing(const Tensor& mask, const Heads& q) {
  if (mask.dtype() != DType::kFloat32 || mask.rank() > 4) return false;
  const std::size_t scores[] = {q.batch, q.heads, q.tokens, q.tokens};
  for (std::size_t i = 0; i < mask.rank(); ++i) {
    const auto dim = static_cast<std::size_t>(mask.dim(mask.rank() - 1 - i));
    if (dim != 1 && dim != scores[3 - i]) return false;
  }
  const auto values = mask.data<float>();
  return std::all_of(values.begin(), values.end(), [](float x) { return x == 0; });
}

}  // namespace

bool attend(const ops::OpCall& call, IsaMask isa, ThreadPool& pool, std::vector<Tensor>& outputs) {
  const auto first = call.attributes().ints("tokens_first");
  Heads q, k, v;
  if (!first || first->size() != 4 || !heads_of(call.optional(0), (*first)[0] != 0, q) ||
      !heads_of(call.optional(1), (*first)[1] != 0, k) ||
      !heads_of(call.optional(2), (*first)[2] != 0, v) || !q.same(k) || !q.same(v)) {
    return false;
  }
  if (call.optional(3) != nullptr && !hides_nothing(*call.optional(3), q)) return false;
  const kernels::AttentionKernel& kernel =
      kernels::choose_attention(kernels::AttentionType::kFloat32, isa);
  Heads y = q;
  y.tokens_first = (*first)[3] != 0;
  const auto dim = [](std::size_t x) { return static_cast<std::int64_t>(x); };
  Tensor out(DType::kFloat32, {dim(y.batch), dim(y.tokens_first ? y.tokens : y.heads),
                               dim(y.tokens_first ? y.heads : y.tokens), dim(y.size)});
  // Of every worker its own, on a cache line of its own.
  const std::size_t floats = (kernel.scratch_floats(q.tokens, q.size) + 15) / 16 * 16;
  Buffer scratch(
      std::max<std::size_t>(static_cast<std::size_t>(pool.size()) * floats * sizeof(float), 1));
  auto* const memory = reinterpret_cast<float*>(scratch.data());
  float* const to = out.mutable_data<float>().data();
  const auto at = [&](std::size_t i) { return call.inputs[i]->data<float>().data(); };
  pool.parallel_for(q.batch * q.heads, [&](std::size_t i, int worker) {
    const std::size_t b = i / q.heads, h = i % q.heads;
    kernel.run({.q = at(0) + q.offset(b, h),
                .k = at(1) + k.offset(b, h),
                .v = at(2) + v.offset(b, h),
                .ld_q = q.ld(),
                .ld_k = k.ld(),
                .ld_v = v.ld(),
                .out = to + y.offset(b, h),
                .ld_out = y.ld(),
                .tokens = q.tokens,
                .head_size = q.size,
                .scale = call.attributes().float_or("factor", 1.0f),
                .scratch = memory + static_cast<std::size_t>(worker) * floats});
  });
  outputs.push_back(std::move(out));
  return true;
}

}  // namespace octavo::runtime
