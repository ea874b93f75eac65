// Operators on what no correct model holds: every call must end in an Error, and under the
// sanitizers in nothing else.
#include <gtest/gtest.h>

#include "ir/text.h"
#include "octavo/error.h"
#include "ops/evaluate.h"

namespace octavo::ops {
namespace {

// Constants the calls read; f and i are [2, 3], names with a digit are scalars.
constexpr std::string_view kValues = R"(
  const %f: float32[2, 3] = [1, -2, 3, 4, 5, 6]
  const %f4: float32[1, 2, 2, 2] = random(1)
  const %v: float32[3] = [1, 2, 3]
  const %empty: float32[0, 3] = []
  const %d: float64[2, 3] = random(2)
  const %i: int64[2, 3] = [0, 1, 1, 1, 0, 1]
  const %far: int64[2] = [0, 99]
  const %negative: int64[2] = [-1, -9223372036854775808]
  const %huge: int64[2] = [9223372036854775807, 9223372036854775807]
  const %large: int64[2] = [1000000, 1000000]
  const %zero: int64[2] = [0, 0]
  const %zeros3: int64[3] = [0, 0, 0]
  const %twice: int64[2] = [1, 1]
  const %one: int64[1] = [1]
  const %s0: int64[] = 0
  const %s9: int64[] = 9
  const %least: int64[] = -9223372036854775808
  const %most: int64[] = 9223372036854775807
  const %b: bool[3] = [1, 0, 1]
  const %b9: bool[9] = fill(1)
  const %u: uint8[2, 3] = [1, 2, 3, 4, 5, 6]
  const %u1: uint8[] = 1
  const %scales: float32[7] = fill(1)
  const %f1: float32[] = 1
  const %x: float32[1, 2, 3] = random(3)
  const %w: float32[3, 9] = random(4)
  const %i3: float32[1, 3] = random(5)
  const %row9: float32[9] = fill(1)
  const %one_column: float32[2, 1] = fill(1)
  const %u3: uint8[1, 2, 3] = fill(7)
  const %uw: uint8[3, 9] = fill(7)
  const %u8: uint8[8] = fill(7)
)";

const char* const kCalls[] = {
    "Add(%f)",
    "Add(%f, %d)",
    "Add(%f, %zero)",
    "Add(%b, %b)",
    "Mul(%v, %scales)",
    "Div(%i, %zeros3)",
    "Mod(%i, %zeros3)",
    "Where(%f, %f, %f)",
    "Where(%b, %f, %d)",
    "Where(%b, %scales, %f)",
    "And(%f, %f)",
    "Not(%f)",
    "BitShift(%u, %u)",
    "BitShift(%u, %u) {direction=\"UP\"}",
    "BitwiseAnd(%f, %f)",
    "Sqrt(%i)",
    "IsNaN(%i)",
    "Clip(%f, %v)",
    "Clip(%f, %d)",
    "PRelu(%v, %f)",
    "Gelu(%f) {approximate=\"x\"}",
    "Max(%f, %d)",
    "Max()",
    "Cast(%f)",
    "Cast(%f) {to=99}",
    "Cast(%f) {to=8}",
    "Cast(%f) {to=1.5}",
    "CastLike(%f)",
    "MatMul(%f, %f)",
    "MatMul(%f, %f1)",
    "MatMul(%b, %b)",
    "MatMulInteger(%f, %f)",
    "MatMulInteger(%u, %u)",
    "MatMulInteger(%u, %u, %f1)",
    "MatMulInteger(%u, %u, %u)",
    "Gemm(%v, %f)",
    "Gemm(%f, %f)",
    "Gemm(%f, %f, %scales) {transB=1}",
    "QuantizeLinear(%f, %scales)",
    "QuantizeLinear(%f, %v) {axis=5}",
    "QuantizeLinear(%f, %f1, %u)",
    "QuantizeLinear(%f, %f1) {output_dtype=1}",
    "QuantizeLinear(%f, %f) {block_size=-1}",
    "DequantizeLinear(%u, %scales)",
    "DequantizeLinear(%f, %f1)",
    "DequantizeLinear(%u, %v, %u1)",
    "DynamicQuantizeLinear(%d)",
    "QLinearMatMul(%u, %f1, %u1, %u, %f1, %u1, %f1, %u1)",
    "QLinearMatMul(%u)",
    "Constant()",
    "Reshape(%f, %far)",
    "Reshape(%f, %negative)",
    "Reshape(%f, %huge)",
    "Reshape(%f, %f)",
    "Reshape(%f, %i)",
    "Reshape(%empty, %huge)",
    "Flatten(%f) {axis=3}",
    "Flatten(%f) {axis=-9223372036854775808}",
    "Squeeze(%f, %one)",
    "Squeeze(%f, %far)",
    "Squeeze(%f, %twice)",
    "Unsqueeze(%f, %far)",
    "Unsqueeze(%f, %twice)",
    "Unsqueeze(%f)",
    "ConstantOfShape(%huge)",
    "ConstantOfShape(%large)",
    "ConstantOfShape(%negative)",
    "ConstantOfShape(%one) {value=float32[2] = [1, 2]}",
    "ConstantOfShape(%one) {value=3}",
    "Range(%s0, %most, %s0)",
    "Range(%s0, %most, %one)",
    "Range(%least, %most, %s9)",
    "Range(%s0, %f1, %s9)",
    "Range(%f, %f1, %f1)",
    "EyeLike(%v)",
    "EyeLike(%f) {dtype=77}",
    "OneHot(%i, %most, %far)",
    "OneHot(%i, %least, %far)",
    "OneHot(%i, %s9, %f)",
    "OneHot(%i, %s9, %far) {axis=4}",
    "Transpose(%f) {perm=[0, 0]}",
    "Transpose(%f) {perm=[0]}",
    "Transpose(%f) {perm=[0, -1]}",
    "Transpose(%f) {perm=[0, 9223372036854775807]}",
    "Expand(%f, %huge)",
    "Expand(%f, %negative)",
    "Expand(%f, %far)",
    "Expand(%f1, %large)",
    "Tile(%f, %one)",
    "Tile(%f, %huge)",
    "Tile(%f, %large)",
    "Tile(%f, %negative)",
    "Slice(%f, %zero, %one)",
    "Slice(%f, %zero, %far, %twice)",
    "Slice(%f, %zero, %far, %far)",
    "Slice(%f, %zero, %far, _, %zero)",
    "Slice(%f, %zero, %far, %zeros3)",
    "Slice(%f, %f, %f)",
    "DepthToSpace(%f4) {blocksize=3}",
    "DepthToSpace(%f4) {blocksize=-1}",
    "DepthToSpace(%f4) {blocksize=9223372036854775807}",
    "DepthToSpace(%f) {blocksize=2}",
    "SpaceToDepth(%f4) {blocksize=0}",
    "SpaceToDepth(%f4)",
    "Concat(%f, %v) {axis=0}",
    "Concat(%f, %f)",
    "Concat(%f, %d) {axis=0}",
    "Concat(%f, %f4) {axis=1}",
    "Concat() {axis=0}",
    "Concat(%f, _) {axis=0}",
    "Split(%f, %far)",
    "Split(%f, %negative)",
    "Split(%f, %huge)",
    "Split(%f, %one) {axis=2}",
    "Pad(%f, %one)",
    "Pad(%v, %huge)",
    "Pad(%v, %negative)",
    "Pad(%v, %twice) {mode=\"x\"}",
    "Pad(%f, %twice, _, %far)",
    "Pad(%v, %twice, %s0)",
    "Trilu(%v)",
    "Trilu(%f, %far)",
    "Gather(%f, %far)",
    "Gather(%f, %negative)",
    "Gather(%f, %one) {axis=2}",
    "Gather(%f, %f)",
    "Gather(%f1, %one)",
    "Gather(%f, %u)",
    "GatherElements(%f, %far)",
    "GatherElements(%f, %i) {axis=-3}",
    "GatherElements(%v, %far)",
    "GatherElements(%empty, %i) {axis=0}",
    "GatherND(%f, %far)",
    "GatherND(%f, %s0)",
    "GatherND(%f, %i) {batch_dims=2}",
    "GatherND(%v, %i)",
    "GatherND(%f, %i) {batch_dims=-1}",
    "Compress(%f, %f)",
    "Compress(%v, %b9)",
    "Compress(%f, %b) {axis=0}",
    "ReverseSequence(%f, %far) {batch_axis=0, time_axis=1}",
    "ReverseSequence(%f, %zero) {batch_axis=1, time_axis=1}",
    "ReverseSequence(%v, %zero)",
    "ScatterElements(%f, %i, %v)",
    "ScatterElements(%v, %far, %far)",
    "ScatterElements(%f, %i, %f) {reduction=\"x\"}",
    "ScatterElements(%f, %i, %d)",
    "ScatterND(%f, %far, %f1)",
    "ScatterND(%v, %i, %v)",
    "ScatterND(%f, %s0, %f)",
    "ReduceSum(%f, %far)",
    "ReduceSum(%f, %twice)",
    "ReduceSum(%f, %f)",
    "ReduceSum(%b)",
    "ReduceMax(%f, %negative)",
    "ReduceMean(%i, %far)",
    "CumSum(%f, %s9)",
    "CumSum(%f, %far)",
    "CumSum(%f, %f1)",
    "Softmax(%f) {axis=2}",
    "Softmax(%i)",
    "Softmax(%f1)",
    "LogSoftmax(%f) {axis=-3}",
    "LayerNormalization(%f, %scales)",
    "LayerNormalization(%f, %v) {axis=4}",
    "LayerNormalization(%f, %i)",
    "LayerNormalization(%i, %v)",
    "RMSNormalization(%f, %scales)",
    "InstanceNormalization(%v, %v, %v)",
    "InstanceNormalization(%f4, %v, %v)",
    "GroupNormalization(%f4, %v, %v) {num_groups=0}",
    "GroupNormalization(%f4, %v, %v) {num_groups=3}",
    "MeanVarianceNormalization(%v)",
    "LpNormalization(%f) {p=3}",
    "LpNormalization(%f) {axis=7}",
    "ArgMax(%f) {axis=2}",
    "ArgMax(%empty) {axis=0}",
    "TopK(%f, %s9)",
    "TopK(%f, %least)",
    "TopK(%f, %far)",
    "TopK(%f1, %one)",
    "Einsum(%f, %f)",
    "Einsum(%f, %f) {equation=\"ij,jk->ik\"}",
    "Einsum(%f) {equation=\"ijk\"}",
    "Einsum(%f) {equation=\"ij->ii\"}",
    "Einsum(%f) {equation=\"ij->k\"}",
    "Einsum(%f) {equation=\"i1\"}",
    "Einsum(%f) {equation=\"...i...\"}",
    "Einsum(%f) {equation=\"->\"}",
    "Einsum(%f, %d) {equation=\"ij,ij\"}",
    "Einsum(%b) {equation=\"i\"}",
    "SimplifiedLayerNormalization(%f, %scales)",
    "ai.octavo.FakeQuantize(%f)",
    "ai.octavo.FakeQuantize(%f) {scale=1.0, low=0}",
    "ai.octavo.FakeQuantize(%f) {scale=0.0, low=0, high=255}",
    "ai.octavo.FakeQuantize(%f) {scale=-1.0, low=0, high=255}",
    "ai.octavo.FakeQuantize(%f) {scale=1.0, low=1, high=255}",
    "ai.octavo.FakeQuantize(%f) {scale=1.0, low=0, high=9223372036854775807}",
    "ai.octavo.FakeQuantize(%i) {scale=1.0, low=0, high=255}",
    "com.microsoft.Gelu(%i)",
    "com.microsoft.BiasGelu(%f)",
    "com.microsoft.BiasGelu(%f, %scales)",
    "com.microsoft.BiasGelu(%f1, %v)",
    "com.microsoft.BiasGelu(%v, %f)",
    "com.microsoft.FastGelu(%d, %v)",
    "com.microsoft.QuickGelu(%i)",
    "com.microsoft.SkipLayerNormalization(%f, %f)",
    "com.microsoft.SkipLayerNormalization(%v, %f, %v)",
    "com.microsoft.SkipLayerNormalization(%f, %f, %f)",
    "com.microsoft.SkipLayerNormalization(%f, %f, %v, %scales)",
    "com.microsoft.SkipLayerNormalization(%f, %f, %v, %v, %scales)",
    "com.microsoft.SkipLayerNormalization(%f, %d, %v)",
    "com.microsoft.SkipSimplifiedLayerNormalization(%f, %f, %scales)",
    "com.microsoft.EmbedLayerNormalization(%i, _, %f, %f)",
    "com.microsoft.EmbedLayerNormalization(%i, _, %f, %f, _, %scales, %v)",
    "com.microsoft.EmbedLayerNormalization(%far, _, %f, %f, _, %v, %v)",
    "com.microsoft.EmbedLayerNormalization(%i, _, %f, %f, _, %v, %v)",
    "com.microsoft.EmbedLayerNormalization(%i, %far, %f, %i3, %f, %v, %v)",
    "com.microsoft.EmbedLayerNormalization(%i, %i, %f, %f, %f, %v, %v, %far, %i)",
    "com.microsoft.QEmbedLayerNormalization(%i, _, %u, %u)",
    "com.microsoft.QEmbedLayerNormalization(%i, _, %f, %u, _, %u, %u, _, %f1, %f1, _, %f1, %f1, "
    "%u1, %u1, _, %u1, %u1)",
    "com.microsoft.Attention(%x, %f) {num_heads=1}",
    "com.microsoft.Attention(%x, %w)",
    "com.microsoft.Attention(%f, %w) {num_heads=1}",
    "com.microsoft.Attention(%x, %w) {num_heads=0}",
    "com.microsoft.Attention(%x, %w) {num_heads=2}",
    "com.microsoft.Attention(%x, %w) {num_heads=-9223372036854775808}",
    "com.microsoft.Attention(%x, %w, %v) {num_heads=1}",
    "com.microsoft.Attention(%x, %w, _, %far) {num_heads=1, qkv_hidden_sizes=[1, 2]}",
    "com.microsoft.Attention(%x, %w) {num_heads=1, qkv_hidden_sizes=[9223372036854775807, 1, 1]}",
    "com.microsoft.Attention(%x, %w) {num_heads=1, qkv_hidden_sizes=[-1, -1, 11]}",
    "com.microsoft.Attention(%x, %w) {num_heads=1, qkv_hidden_sizes=[3, 4, 2]}",
    "com.microsoft.Attention(%x, %w, _, %zeros3) {num_heads=1}",
    "com.microsoft.Attention(%x, %w, _, %f) {num_heads=1}",
    "com.microsoft.Attention(%x, %w, _, _, %f) {num_heads=1}",
    "com.microsoft.Attention(%x, %w, _, _, _, %f) {num_heads=1}",
    "com.microsoft.Attention(%x, %w, _, _, _, %f4) {num_heads=1}",
    "com.microsoft.QAttention(%x, %w, %v, %f1, %f1) {num_heads=1}",
    "com.microsoft.QAttention(%u, %u, %v, %f1, %f1) {num_heads=1}",
    "com.microsoft.QAttention(%u3, %uw, %v, %f1, %f1) {num_heads=1}",
    "com.microsoft.QAttention(%u3, %uw, %row9, %v, %f1) {num_heads=1}",
    "com.microsoft.QAttention(%u3, %uw, %row9, %f1, %v) {num_heads=1}",
    "com.microsoft.QAttention(%u3, %uw, %row9, %f1, %f1, _, %u) {num_heads=1}",
    "com.microsoft.QAttention(%u3, %uw, %row9, %f1, %f1, _, _, %u) {num_heads=1}",
    "com.microsoft.QAttention(%u3, %uw, %row9, %f1, %f1, _, _, _, %f4) {num_heads=1}",
    "com.microsoft.MultiHeadAttention(%x) {num_heads=1}",
    "com.microsoft.MultiHeadAttention(%x, %x) {num_heads=1}",
    "com.microsoft.MultiHeadAttention(%x, %x, %f) {num_heads=1}",
    "com.microsoft.MultiHeadAttention(%x, %x, %x, %v) {num_heads=1}",
    "com.microsoft.MultiHeadAttention(%x, %x, %x, _, %f) {num_heads=1}",
    "com.microsoft.MultiHeadAttention(%x, %f4, %f4) {num_heads=1}",
    "com.microsoft.MultiHeadAttention(%f, %x, %x, %row9) {num_heads=1}",
    "com.microsoft.RotaryEmbedding(%x, %s0, %f, %d)",
    "com.microsoft.RotaryEmbedding(%x, %s0, %f, %f)",
    "com.microsoft.RotaryEmbedding(%f4, %s9, %one_column, %one_column)",
    "com.microsoft.RotaryEmbedding(%f4, %least, %one_column, %one_column)",
    "com.microsoft.RotaryEmbedding(%f4, %most, %one_column, %one_column)",
    "com.microsoft.RotaryEmbedding(%f4, %f1, %one_column, %one_column)",
    "com.microsoft.RotaryEmbedding(%f4, %negative, %one_column, %one_column)",
    "com.microsoft.RotaryEmbedding(%x, %s0, %one_column, %one_column) {num_heads=7}",
    "com.microsoft.RotaryEmbedding(%x, %s0, %empty, %empty)",
    "com.microsoft.FusedMatMul(%f, %f)",
    "com.microsoft.FusedMatMul(%f1, %f) {transA=1}",
    "com.microsoft.FusedMatMul(%i, %f) {transA=1}",
    "com.microsoft.FusedGemm(%f, %f) {transB=1, activation=\"x\"}",
    "com.microsoft.MatMulIntegerToFloat(%u, %u, %f1, %f1)",
    "com.microsoft.MatMulIntegerToFloat(%u, %uw, %v, %f1)",
    "com.microsoft.MatMulIntegerToFloat(%u, %uw, %f1, %v)",
    "com.microsoft.MatMulIntegerToFloat(%u, %uw, %f1, %f1, %u)",
    "com.microsoft.MatMulIntegerToFloat(%u, %uw, %f1, %f1, _, %u)",
    "com.microsoft.MatMulIntegerToFloat(%u, %uw, %f1, %f1, _, _, %v)",
    "com.microsoft.MatMulIntegerToFloat(%u1, %uw, %f1, %f1)",
    "com.microsoft.DynamicQuantizeMatMul(%u, %uw, %f1)",
    "com.microsoft.DynamicQuantizeMatMul(%f, %w, %f1)",
    "com.microsoft.DynamicQuantizeMatMul()",
    "com.microsoft.QGemm(%u, %f1, %u1, %uw, %f1, %u1, %f)",
    "com.microsoft.QGemm(%u, %f1, %u1, %uw, %v, %u1)",
    "com.microsoft.QGemm(%u, %f1, %u1, %uw, %f1, %u1, _, %f1)",
    "com.microsoft.MatMulNBits(%f, %u, %f1)",
    "com.microsoft.MatMulNBits(%f, %u, %f1) {K=3, N=1}",
    "com.microsoft.MatMulNBits(%f, %u, %f1) {K=3, N=1, block_size=3}",
    "com.microsoft.MatMulNBits(%f, %u, %f1) {K=3, N=1, block_size=16, bits=5}",
    "com.microsoft.MatMulNBits(%f, %u, %f1) {K=3, N=1, block_size=16}",
    "com.microsoft.MatMulNBits(%f, %u, %f1) {K=2147483648, N=2147483648, block_size=16}",
    "com.microsoft.MatMulNBits(%f, %u, %f1) {K=-1, N=1, block_size=16}",
    "com.microsoft.MatMulNBits(%f, %u8, %f1, %f) {K=3, N=1, block_size=16}",
    "com.microsoft.MatMulNBits(%f, %u8, %f1, %i) {K=3, N=1, block_size=16}",
    "com.microsoft.MatMulNBits(%f, %u8, %f1, _, %far) {K=3, N=1, block_size=16}",
    "com.microsoft.MatMulNBits(%f, %u8, %f1, _, _, %v) {K=3, N=1, block_size=16}",
    "com.microsoft.MatMulBnb4(%f, %u, %f1) {K=3, N=4, block_size=16, quant_type=2}",
    "com.microsoft.MatMulBnb4(%f, %u, %v) {K=3, N=4, block_size=16, quant_type=1}",
    "com.microsoft.MatMulBnb4(%f, %u, %f1) {K=2147483648, N=2147483648, block_size=1, "
    "quant_type=1}",
    "com.microsoft.GatherBlockQuantized(%f, %far, %f1)",
    "com.microsoft.GatherBlockQuantized(%u, %far, %f1)",
    "com.microsoft.GatherBlockQuantized(%u, %far, %one_column)",
    "com.microsoft.GatherBlockQuantized(%u, %zero, %f1) {quantize_axis=0}",
    "com.microsoft.GatherBlockQuantized(%u, %zero, %f1) {block_size=0}",
    "com.microsoft.GatherBlockQuantized(%u1, %zero, %f1)",
    "com.microsoft.QLinearAdd(%u, %f1, %u1, %u, %v, %u1, %f1, %u1)",
    "com.microsoft.QLinearAdd(%u, %f1, %u1, %u8, %f1, %u1, %f1, %u1)",
    "com.microsoft.QLinearMul(%f, %f1, _, %u, %f1, _, %f1)",
    "com.microsoft.QLinearSoftmax(%u, %f1, %u1, %f1, %u1) {axis=5}",
    "com.microsoft.QLinearConcat(%f1, %u1, %u, %f1)",
    "com.microsoft.QLinearConcat(%f1, %u1, %u, %f1, %u1) {axis=9}",
    "com.microsoft.QLinearWhere(%f, %u, %f1, %u1, %u, %f1, %u1, %f1, %u1)",
    "com.microsoft.QLinearSigmoid(%u, %f1, %u1, %v)",
};

TEST(HostileCalls, EndInAnError) {
  for (const char* call : kCalls) {
    const std::string text =
        "graph \"g\" {" + std::string(kValues) + "  %y = " + call + "\n  output %y\n}";
    const ir::Graph graph = ir::parse(text);
    std::vector<ir::ValueId> wanted;
    for (ir::NodeId id = 0; id < static_cast<ir::NodeId>(graph.node_count()); ++id) {
      wanted.push_back(graph.node(id).outputs[0]);
    }
    try {
      const auto out = evaluate(graph, {}, wanted);
      ADD_FAILURE() << call << " gives " << shape_to_string(out.back().shape());
    } catch (const Error& error) {
      EXPECT_TRUE(error.code() == ErrorCode::kInvalidFile ||
                  error.code() == ErrorCode::kUnsupported)
          << call << ": " << error.what();
    }
  }
}

// Shapes with no elements pass through everything that has a meaning for them.
TEST(EmptyTensors, AreFine) {
  const char* const calls[] = {"Add(%e, %v)",
                               "Transpose(%e)",
                               "MatMul(%m, %n)",
                               "Softmax(%e)",
                               "Concat(%e, %e) {axis=0}",
                               "Gather(%v, %none)",
                               "ReduceSum(%e)",
                               "LayerNormalization(%e, %v)",
                               "Slice(%e, %zero, %zero)",
                               "NonZero(%e)",
                               "CumSum(%e, %axis)",
                               "Tile(%v, %zero)",
                               "DynamicQuantizeLinear(%e)",
                               "TopK(%e, %zero)",
                               "Einsum(%e) {equation=\"ij->j\"}",
                               "ScatterND(%v, %nothing, %nil)"};
  for (const char* call : calls) {
    const ir::Graph graph = ir::parse(
        std::string("graph \"g\" { const %e: float32[0, 3] = [] const %v: float32[3] = [1, 2, 3] "
                    "const %m: float32[2, 0] = [] const %n: float32[0, 2] = [] "
                    "const %none: int64[0] = [] const %zero: int64[1] = [0] "
                    "const %axis: int64[] = 0 const %nothing: int64[0, 1] = [] "
                    "const %nil: float32[0] = [] %y = ") +
        call + " output %y }");
    EXPECT_NO_THROW(evaluate(graph, {}, std::vector{graph.outputs()[0].value})) << call;
  }
}

}  // namespace
}  // namespace octavo::ops
