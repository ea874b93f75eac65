// A graph for tests of plans as files.
#pragma once

namespace octavo::plan {

// Every kind of step, three outputs, a merged product and a transposed one.
inline constexpr const char* kPlanTestGraph = R"(graph "test" {
  input %input_ids: int64[batch, sequence]
  input %attention_mask: int64[batch, sequence]
  input %token_type_ids: int64[batch, sequence]
  const %words: float32[50, 24] = random(1)
  const %types: float32[2, 24] = random(2)
  const %places: float32[40, 24] = random(3)
  const %gamma: float32[24] = random(4)
  const %beta: float32[24] = random(5)
  const %wq: float32[24, 24] = random(6)
  const %wk: float32[24, 24] = random(7)
  const %wv: float32[24, 24] = random(8)
  const %bq: float32[24] = random(9)
  const %up: float32[40, 24] = random(10)
  const %down: float32[40, 24] = random(11)
  const %bup: float32[40] = random(12)
  const %near: float32[3, 9] = random(13)
  const %turns: float32[4] = random(14)
  const %first: int64[] = [0]
  %positions = ai.octavo.PositionIds(%input_ids, %attention_mask) {padding_idx=0}
  %w = Gather(%words, %input_ids)
  %t = Gather(%types, %token_type_ids)
  %p = Gather(%places, %positions)
  %wt = Add(%w, %t)
  %sum = Add(%wt, %p)
  %x = LayerNormalization(%sum, %gamma, %beta) {axis=-1, epsilon=1e-06}
  %q = MatMul(%x, %wq)
  %qb = Add(%q, %bq)
  %k = MatMul(%x, %wk)
  %v = MatMul(%x, %wv)
  %qr = ai.octavo.RotaryEmbedding(%qb, %turns, %attention_mask) {num_heads=3}
  %a = ai.octavo.Attention(%qr, %k, %v, %attention_mask, %near) {num_heads=3, local_window=5}
  %ut = Transpose(%up) {perm=[1, 0]}
  %u = MatMul(%a, %ut)
  %ub = Add(%bup, %u)
  %g = Gelu(%ub)
  %d = MatMul(%g, %down)
  %r = Add(%x, %d)
  %s = Sub(%r, %gamma)
  %th = Tanh(%s)
  %m = Mul(%th, %x)
  %rl = Relu(%m)
  %c = Gather(%r, %first) {axis=1}
  %cp = MatMul(%c, %wq)
  %mean = ai.octavo.MeanTokens(%r, %attention_mask)
  %unit = ai.octavo.L2Normalize(%mean) {epsilon=1e-12}
  output %rl "tokens"
  output %cp "pooled"
  output %unit "mean"
})";

}  // namespace octavo::plan
