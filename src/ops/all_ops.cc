// The operator table: one line an op. Adding one: its reference (`octavo::ops::reference`) in a
// file of its own or of its family, and its line here.
#include <array>

#include "ops/op.h"

// OP(domain, ONNX name, function)
#define OCTAVO_OPS(OP)                                                              \
  OP("", Abs, abs)                                                                  \
  OP("", Acos, acos)                                                                \
  OP("", Acosh, acosh)                                                              \
  OP("", Add, add)                                                                  \
  OP("", And, logical_and)                                                          \
  OP("", ArgMax, arg_max)                                                           \
  OP("", ArgMin, arg_min)                                                           \
  OP("", Asin, asin)                                                                \
  OP("", Asinh, asinh)                                                              \
  OP("", Atan, atan)                                                                \
  OP("", Atanh, atanh)                                                              \
  OP("", BitShift, bit_shift)                                                       \
  OP("", BitwiseAnd, bitwise_and)                                                   \
  OP("", BitwiseNot, bitwise_not)                                                   \
  OP("", BitwiseOr, bitwise_or)                                                     \
  OP("", BitwiseXor, bitwise_xor)                                                   \
  OP("", Cast, cast)                                                                \
  OP("", CastLike, cast_like)                                                       \
  OP("", Ceil, ceil)                                                                \
  OP("", Celu, celu)                                                                \
  OP("", Clip, clip)                                                                \
  OP("", Compress, compress)                                                        \
  OP("", Concat, concat)                                                            \
  OP("", Constant, constant)                                                        \
  OP("", ConstantOfShape, constant_of_shape)                                        \
  OP("", Cos, cos)                                                                  \
  OP("", Cosh, cosh)                                                                \
  OP("", CumSum, cum_sum)                                                           \
  OP("", DepthToSpace, depth_to_space)                                              \
  OP("", DequantizeLinear, dequantize_linear)                                       \
  OP("", Div, div)                                                                  \
  OP("", Dropout, dropout)                                                          \
  OP("", DynamicQuantizeLinear, dynamic_quantize_linear)                            \
  OP("", Einsum, einsum)                                                            \
  OP("", Elu, elu)                                                                  \
  OP("", Equal, equal)                                                              \
  OP("", Erf, erf)                                                                  \
  OP("", Exp, exp)                                                                  \
  OP("", Expand, expand)                                                            \
  OP("", EyeLike, eye_like)                                                         \
  OP("", Flatten, flatten)                                                          \
  OP("", Floor, floor)                                                              \
  OP("", Gather, gather)                                                            \
  OP("", GatherElements, gather_elements)                                           \
  OP("", GatherND, gather_nd)                                                       \
  OP("", Gelu, gelu)                                                                \
  OP("", Gemm, gemm)                                                                \
  OP("", Greater, greater)                                                          \
  OP("", GreaterOrEqual, greater_or_equal)                                          \
  OP("", GroupNormalization, group_normalization)                                   \
  OP("", HardSigmoid, hard_sigmoid)                                                 \
  OP("", HardSwish, hard_swish)                                                     \
  OP("", Hardmax, hardmax)                                                          \
  OP("", Identity, identity)                                                        \
  OP("", InstanceNormalization, instance_normalization)                             \
  OP("", IsInf, is_inf)                                                             \
  OP("", IsNaN, is_nan)                                                             \
  OP("", LayerNormalization, layer_normalization)                                   \
  OP("", LeakyRelu, leaky_relu)                                                     \
  OP("", Less, less)                                                                \
  OP("", LessOrEqual, less_or_equal)                                                \
  OP("", Log, log)                                                                  \
  OP("", LogSoftmax, log_softmax)                                                   \
  OP("", LpNormalization, lp_normalization)                                         \
  OP("", MatMul, matmul)                                                            \
  OP("", MatMulInteger, matmul_integer)                                             \
  OP("", Max, max)                                                                  \
  OP("", Mean, mean)                                                                \
  OP("", MeanVarianceNormalization, mean_variance_normalization)                    \
  OP("", Min, min)                                                                  \
  OP("", Mish, mish)                                                                \
  OP("", Mod, mod)                                                                  \
  OP("", Mul, mul)                                                                  \
  OP("", Neg, neg)                                                                  \
  OP("", NonZero, non_zero)                                                         \
  OP("", Not, logical_not)                                                          \
  OP("", OneHot, one_hot)                                                           \
  OP("", Or, logical_or)                                                            \
  OP("", PRelu, prelu)                                                              \
  OP("", Pad, pad)                                                                  \
  OP("", Pow, pow)                                                                  \
  OP("", QLinearMatMul, qlinear_matmul)                                             \
  OP("", QuantizeLinear, quantize_linear)                                           \
  OP("", RMSNormalization, rms_normalization)                                       \
  OP("", Range, range)                                                              \
  OP("", Reciprocal, reciprocal)                                                    \
  OP("", ReduceL1, reduce_l1)                                                       \
  OP("", ReduceL2, reduce_l2)                                                       \
  OP("", ReduceLogSum, reduce_log_sum)                                              \
  OP("", ReduceLogSumExp, reduce_log_sum_exp)                                       \
  OP("", ReduceMax, reduce_max)                                                     \
  OP("", ReduceMean, reduce_mean)                                                   \
  OP("", ReduceMin, reduce_min)                                                     \
  OP("", ReduceProd, reduce_prod)                                                   \
  OP("", ReduceSum, reduce_sum)                                                     \
  OP("", ReduceSumSquare, reduce_sum_square)                                        \
  OP("", Relu, relu)                                                                \
  OP("", Reshape, reshape)                                                          \
  OP("", ReverseSequence, reverse_sequence)                                         \
  OP("", Round, round)                                                              \
  OP("", ScatterElements, scatter_elements)                                         \
  OP("", ScatterND, scatter_nd)                                                     \
  OP("", Selu, selu)                                                                \
  OP("", Shape, shape)                                                              \
  OP("", Shrink, shrink)                                                            \
  OP("", Sigmoid, sigmoid)                                                          \
  OP("", Sign, sign)                                                                \
  OP("", SimplifiedLayerNormalization, simplified_layer_normalization)              \
  OP("", Sin, sin)                                                                  \
  OP("", Sinh, sinh)                                                                \
  OP("", Size, size)                                                                \
  OP("", Slice, slice)                                                              \
  OP("", Softmax, softmax)                                                          \
  OP("", Softplus, softplus)                                                        \
  OP("", Softsign, softsign)                                                        \
  OP("", SpaceToDepth, space_to_depth)                                              \
  OP("", Split, split)                                                              \
  OP("", Sqrt, sqrt)                                                                \
  OP("", Squeeze, squeeze)                                                          \
  OP("", Sub, sub)                                                                  \
  OP("", Sum, sum)                                                                  \
  OP("", Swish, swish)                                                              \
  OP("", Tan, tan)                                                                  \
  OP("", Tanh, tanh)                                                                \
  OP("", ThresholdedRelu, thresholded_relu)                                         \
  OP("", Tile, tile)                                                                \
  OP("", TopK, top_k)                                                               \
  OP("", Transpose, transpose)                                                      \
  OP("", Trilu, trilu)                                                              \
  OP("", Unsqueeze, unsqueeze)                                                      \
  OP("", Where, where)                                                              \
  OP("", Xor, logical_xor)                                                          \
  OP("ai.octavo", Attention, octavo_attention)                                      \
  OP("ai.octavo", FakeQuantize, octavo_fake_quantize)                               \
  OP("ai.octavo", L2Normalize, octavo_l2_normalize)                                 \
  OP("ai.octavo", MeanTokens, octavo_mean_tokens)                                   \
  OP("ai.octavo", PositionIds, octavo_position_ids)                                 \
  OP("ai.octavo", RotaryEmbedding, octavo_rotary_embedding)                         \
  OP("com.microsoft", Attention, contrib_attention)                                 \
  OP("com.microsoft", BiasGelu, bias_gelu)                                          \
  OP("com.microsoft", DequantizeLinear, dequantize_linear)                          \
  OP("com.microsoft", DynamicQuantizeMatMul, dynamic_quantize_matmul)               \
  OP("com.microsoft", EmbedLayerNormalization, embed_layer_normalization)           \
  OP("com.microsoft", FastGelu, fast_gelu)                                          \
  OP("com.microsoft", FusedGemm, fused_gemm)                                        \
  OP("com.microsoft", FusedMatMul, fused_matmul)                                    \
  OP("com.microsoft", GatherBlockQuantized, gather_block_quantized)                 \
  OP("com.microsoft", Gelu, contrib_gelu)                                           \
  OP("com.microsoft", MatMulBnb4, matmul_bnb4)                                      \
  OP("com.microsoft", MatMulIntegerToFloat, matmul_integer_to_float)                \
  OP("com.microsoft", MatMulNBits, matmul_nbits)                                    \
  OP("com.microsoft", MultiHeadAttention, multi_head_attention)                     \
  OP("com.microsoft", QAttention, qattention)                                       \
  OP("com.microsoft", QEmbedLayerNormalization, qembed_layer_normalization)         \
  OP("com.microsoft", QGemm, qgemm)                                                 \
  OP("com.microsoft", QLinearAdd, qlinear_add)                                      \
  OP("com.microsoft", QLinearConcat, qlinear_concat)                                \
  OP("com.microsoft", QLinearLeakyRelu, qlinear_leaky_relu)                         \
  OP("com.microsoft", QLinearMul, qlinear_mul)                                      \
  OP("com.microsoft", QLinearSigmoid, qlinear_sigmoid)                              \
  OP("com.microsoft", QLinearSoftmax, qlinear_softmax)                              \
  OP("com.microsoft", QLinearWhere, qlinear_where)                                  \
  OP("com.microsoft", QuantizeLinear, quantize_linear)                              \
  OP("com.microsoft", QuickGelu, quick_gelu)                                        \
  OP("com.microsoft", RotaryEmbedding, contrib_rotary_embedding)                    \
  OP("com.microsoft", SimplifiedLayerNormalization, simplified_layer_normalization) \
  OP("com.microsoft", SkipLayerNormalization, skip_layer_normalization)             \
  OP("com.microsoft", SkipSimplifiedLayerNormalization, skip_simplified_layer_normalization)

namespace octavo::ops {

namespace reference {
#define OCTAVO_DECLARE(domain, name, function) std::vector<Tensor> function(const OpCall& call);
OCTAVO_OPS(OCTAVO_DECLARE)
#undef OCTAVO_DECLARE
}  // namespace reference

namespace {

constexpr OpDef kOps[] = {
#define OCTAVO_ROW(domain, name, function) {#name, domain, reference::function},
    OCTAVO_OPS(OCTAVO_ROW)
#undef OCTAVO_ROW
};

}  // namespace

std::span<const OpDef> all_ops() { return kOps; }

const OpDef* find_op(std::string_view name, std::string_view domain) {
  for (const OpDef& op : kOps) {
    if (op.name == name && op.domain == domain) return &op;
  }
  return nullptr;
}

}  // namespace octavo::ops
