// com.microsoft: SkipLayerNormalization, SkipSimplifiedLayerNormalization, EmbedLayerNormalization,
// QEmbedLayerNormalization; and SimplifiedLayerNormalization, which files have in the standard
// domain too.
#include "ops/contrib.h"

namespace octavo::ops::reference {
namespace {

// Outputs y, none, none, the sum that was normalized.
std::vector<Tensor> skip_norm(const OpCall& call, bool simplified) {
  const Tensor &x = call.input(0), &skip = call.input(1), &gamma = call.input(2);
  const Tensor* beta = simplified ? nullptr : call.optional(3);
  const Tensor* bias = call.optional(simplified ? 3 : 4);
  if (broadcast_shapes(call, x.shape(), skip.shape()) != x.shape()) {
    call.fail("the skipped input does not broadcast to the input", shape_to_string(x.shape()),
              shape_to_string(skip.shape()));
  }
  require_row(call, x, gamma);
  if (beta != nullptr) require_row(call, x, *beta);
  const float epsilon = call.attributes().float_or("epsilon", 1e-12f);
  Tensor sum = add_row(call, call_op(call, "Add", {&x, &skip}), bias);
  Tensor y = simplified ? call_op(call, "RMSNormalization", {&sum, &gamma}, {{"epsilon", epsilon}})
                        : call_op(call, "LayerNormalization", {&sum, &gamma, beta},
                                  {{"epsilon", epsilon}});
  if (call.node.outputs.size() < 4) return {std::move(y)};
  for (const std::size_t i : {1u, 2u}) {
    if (call.node.outputs[i] != ir::kNoValue) {
      call.fail("the statistics of a norm are for training: they are not computed");
    }
  }
  return {std::move(y), Tensor(), Tensor(), std::move(sum)};
}

// Tables and parameters in float32 or narrower, all of one type; indices are checked by Gather.
struct Embedding {
  Tensor word, position, gamma, beta;
  std::optional<Tensor> segment;
};

std::vector<Tensor> embed(const OpCall& call, const Embedding& tables, const Tensor* mask,
                          const Tensor* positions) {
  const Tensor& ids = call.input(0);
  require_rank(call, ids, 2);
  const Tensor words = call_op(call, "Gather", {&tables.word, &ids});
  std::vector<std::int64_t> counted(static_cast<std::size_t>(ids.dim(1)));
  for (std::size_t i = 0; i < counted.size(); ++i) counted[i] = static_cast<std::int64_t>(i);
  const Tensor plain = Tensor::vector<std::int64_t>(counted);
  const Tensor places =
      call_op(call, "Gather", {&tables.position, positions != nullptr ? positions : &plain});
  Tensor sum = call_op(call, "Add", {&words, &places});
  if (tables.segment) {
    const Tensor segments = call_op(call, "Gather", {&*tables.segment, &call.input(1)});
    sum = call_op(call, "Add", {&sum, &segments});
  }
  if (sum.shape() != words.shape()) {
    call.fail("positions or segments do not fit the ids", shape_to_string(words.shape()),
              shape_to_string(sum.shape()));
  }
  require_row(call, sum, tables.gamma);
  require_row(call, sum, tables.beta);
  Tensor y = call_op(call, "LayerNormalization", {&sum, &tables.gamma, &tables.beta},
                     {{"epsilon", call.attributes().float_or("epsilon", 1e-12f)}});
  Tensor kept = make_zeros(call, DType::kInt32, {ids.dim(0)});
  if (mask != nullptr) {
    if (mask->shape() != ids.shape() || dtype_is_float(mask->dtype())) {
      call.fail("the mask does not fit the ids", shape_to_string(ids.shape()),
                shape_to_string(mask->shape()));
    }
    const auto values = mask->to_int64s();
    for (std::size_t i = 0; i < values.size(); ++i) {
      kept.mutable_data<std::int32_t>()[i / static_cast<std::size_t>(ids.dim(1))] +=
          values[i] == 1 ? 1 : 0;
    }
  }
  return {std::move(y), std::move(kept), std::move(sum)};
}

}  // namespace

/// x / sqrt(mean(x^2) + epsilon) * scale, as RMSNormalization.
std::vector<Tensor> simplified_layer_normalization(const OpCall& call) {
  return {call_op(call, "RMSNormalization", {&call.input(0), &call.input(1)},
                  {{"axis", call.attributes().int_or("axis", -1)},
                   {"epsilon", call.attributes().float_or("epsilon", 1e-5f)}})};
}

std::vector<Tensor> skip_layer_normalization(const OpCall& call) { return skip_norm(call, false); }

std::vector<Tensor> skip_simplified_layer_normalization(const OpCall& call) {
  return skip_norm(call, true);
}

/// Outputs y, how many tokens of each row the mask keeps (0 without a mask), the sum before the
/// norm.
std::vector<Tensor> embed_layer_normalization(const OpCall& call) {
  Embedding tables{.word = call.input(2),
                   .position = call.input(3),
                   .gamma = call.input(5),
                   .beta = call.input(6),
                   .segment = {}};
  if (call.optional(4) != nullptr) tables.segment = call.input(4);
  return embed(call, tables, call.optional(7), call.optional(8));
}

/// As above from 8-bit tables and parameters, each with one scale and zero point.
std::vector<Tensor> qembed_layer_normalization(const OpCall& call) {
  const auto table = [&](std::size_t i, std::size_t scale, std::size_t zero) {
    const Tensor &x = call.input(i), &s = call.input(scale), &z = call.input(zero);
    if (s.elements() != 1 || z.elements() != 1) {
      call.fail("a table has one scale and one zero point", "1 element",
                shape_to_string(s.shape()));
    }
    return dequantized(call, x, s, &z, 0);
  };
  Embedding tables{.word = table(2, 8, 13),
                   .position = table(3, 9, 14),
                   .gamma = table(5, 11, 16),
                   .beta = table(6, 12, 17),
                   .segment = {}};
  if (call.optional(4) != nullptr) tables.segment = table(4, 10, 15);
  return embed(call, tables, call.optional(7), nullptr);
}

}  // namespace octavo::ops::reference
