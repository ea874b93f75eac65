// The fusions of the optimizer: each fires on the forms it names, leaves others alone, and keeps
// outputs; the whole keeps them for padding on the left too.
#include "passes/fusions.h"

#include <algorithm>

#include "octavo/error.h"
#include "passes/testing.h"

namespace octavo::passes {
namespace {

using testing::apply;
using testing::Builder;
using testing::count;
using testing::with;

constexpr std::int64_t kWidth = 8;

ir::ValueId norm(Builder& b, ir::ValueId x) {
  ir::Attributes attributes;
  attributes.set("axis", std::int64_t{-1});
  attributes.set("epsilon", 1e-5f);
  return b.op("LayerNormalization", {x, b.weight({kWidth}), b.weight({kWidth})},
              std::move(attributes));
}

ir::ValueId linear(Builder& b, ir::ValueId x, std::int64_t out = kWidth, bool bias = true) {
  const auto product = b.op("MatMul", {x, b.weight({kWidth, out}, 0.4f)});
  return bias ? b.op("Add", {b.weight({out}), product}) : product;
}

ir::ValueId octavo(Builder& b, const char* op, std::vector<ir::ValueId> inputs,
                   ir::Attributes attributes = {}) {
  return b.graph.emit(op, std::move(inputs), std::move(attributes), "ai.octavo");
}

ir::ValueId attention(Builder& b, std::vector<ir::ValueId> inputs, std::int64_t window = 0) {
  ir::Attributes attributes;
  attributes.set("num_heads", std::int64_t{2});
  attributes.set("scale", 0.5f);
  attributes.set("local_window", window);
  return octavo(b, "Attention", std::move(inputs), std::move(attributes));
}

ir::ValueId positions(Builder& b, bool masked, std::int64_t padding, std::int64_t offset) {
  ir::Attributes attributes;
  attributes.set("padding_idx", padding);
  attributes.set("offset", offset);
  std::vector<ir::ValueId> inputs{b.ids};
  if (masked) inputs.push_back(b.mask);
  return octavo(b, "PositionIds", std::move(inputs), std::move(attributes));
}

std::size_t fused(const ir::Graph& graph, std::string_view op) {
  return count(graph, op, "com.microsoft");
}

/// Rows turned round: padded on the left.
Batch left(std::int64_t sequence, std::vector<std::int64_t> lengths) {
  Batch out = make_batch(sequence, std::move(lengths));
  for (auto* values : {&out.ids, &out.mask, &out.types}) {
    for (std::int64_t b = 0; b < out.batch; ++b) {
      std::reverse(values->begin() + b * sequence, values->begin() + (b + 1) * sequence);
    }
  }
  return out;
}

TEST(FuseBiasGelu, TakesTheBiasAndKnowsBothForms) {
  for (const char* form : {"none", "tanh"}) {
    for (const bool biased : {true, false}) {
      Builder b;
      const auto x = linear(b, b.tokens(kWidth), kWidth, biased);
      b.output(b.op("Gelu", {x}, with("approximate", std::string(form))));
      EXPECT_EQ(apply(fuse_bias_gelu, b.graph).fired, 1u);
      const bool tanh_form = std::string(form) == "tanh";
      EXPECT_EQ(fused(b.graph, tanh_form ? "FastGelu" : biased ? "BiasGelu" : "Gelu"), 1u);
      EXPECT_EQ(count(b.graph, "Add"), 0u);
    }
  }
}

TEST(FuseBiasGelu, LeavesASumThatOthersRead) {
  Builder b;
  const auto x = linear(b, b.tokens(kWidth));
  b.output(b.op("Add", {b.op("Gelu", {x}), x}));
  apply(fuse_bias_gelu, b.graph);
  EXPECT_EQ(fused(b.graph, "BiasGelu"), 0u);
  EXPECT_EQ(fused(b.graph, "Gelu"), 1u);
}

// A column and a row: the sum is wider than the product.
TEST(FuseBiasGelu, LeavesARowThatWidens) {
  Builder b;
  const auto column = linear(b, b.tokens(kWidth), 1, false);
  b.output(b.op("Gelu", {b.op("Add", {column, b.weight({kWidth})})}));
  EXPECT_EQ(apply(fuse_bias_gelu, b.graph).fired, 1u);
  EXPECT_EQ(fused(b.graph, "BiasGelu"), 0u);
  EXPECT_EQ(fused(b.graph, "Gelu"), 1u);
}

TEST(FuseSkipLayerNorm, LeavesARowThatWidens) {
  Builder b;
  const auto x = norm(b, b.tokens(kWidth));
  const auto wide = b.op("Add", {linear(b, x, 1, false), b.weight({kWidth})});
  b.output(norm(b, b.op("Add", {wide, x})));
  apply(fuse_skip_layer_norm, b.graph);
  for (const ir::NodeId id : b.graph.topological_order()) {
    const ir::Node& node = b.graph.node(id);
    if (node.op == "SkipLayerNormalization") {
      EXPECT_EQ(node.input(4), ir::kNoValue);
    }
  }
}

TEST(FuseQuickGelu, TakesTheFactorInTheSigmoid) {
  Builder b;
  const auto x = b.tokens(kWidth);
  const auto gate = b.op("Sigmoid", {b.op("Mul", {x, b.number(1.702f)})});
  b.output(b.op("Mul", {gate, x}));
  EXPECT_EQ(apply(fuse_quick_gelu, b.graph).fired, 1u);
  EXPECT_EQ(fused(b.graph, "QuickGelu"), 1u);
}

TEST(FuseQuickGelu, LeavesOtherGates) {
  Builder b;
  const auto x = b.tokens(kWidth), y = b.tokens(kWidth);
  b.output(b.op("Mul", {b.op("Sigmoid", {y}), x}));
  EXPECT_EQ(apply(fuse_quick_gelu, b.graph).fired, 0u);
}

TEST(FuseSkipLayerNorm, TakesResidualAndBiasInAnyOrder) {
  for (const bool swapped : {false, true}) {
    for (const bool biased : {false, true}) {
      Builder b;
      const auto x = norm(b, b.tokens(kWidth)), y = linear(b, x, kWidth, biased);
      b.output(norm(b, b.op("Add", swapped ? std::vector{x, y} : std::vector{y, x})));
      EXPECT_EQ(apply(fuse_skip_layer_norm, b.graph).fired, 1u);
      EXPECT_EQ(fused(b.graph, "SkipLayerNormalization"), 1u);
      EXPECT_EQ(count(b.graph, "Add"), 0u);
    }
  }
}

TEST(FuseSkipLayerNorm, KnowsTheWidthOfProductsWithWeightsOfEightBits) {
  const std::vector<std::int8_t> codes(kWidth * kWidth, 3);
  for (const bool dynamic : {false, true}) {
    Builder b;
    const auto x = norm(b, b.tokens(kWidth));
    const auto matrix =
        b.graph.add_constant("w", Tensor::from<std::int8_t>({kWidth, kWidth}, codes));
    const auto scale = b.number(0.02f);
    const auto product =
        dynamic ? b.graph.emit("DynamicQuantizeMatMul", {x, matrix, scale}, {}, "com.microsoft")
                : b.op("MatMul", {x, b.op("DequantizeLinear", {matrix, scale})});
    b.output(norm(b, b.op("Add", {b.op("Add", {product, b.weight({kWidth})}), x})));
    EXPECT_EQ(apply(fuse_skip_layer_norm, b.graph).fired, 1u);
    EXPECT_EQ(count(b.graph, "Add"), 0u);
  }
}

TEST(FuseSkipLayerNorm, LearnsTheWidthBehindAttentionInItsParts) {
  Builder b;
  const auto turned = [&b](ir::ValueId x, std::vector<std::int64_t> order) {
    return b.op("Transpose", {x}, with("perm", std::move(order)));
  };
  auto x = norm(b, b.tokens(kWidth));
  for (int layer = 0; layer < 2; ++layer) {
    const auto scores = b.op("MatMul", {x, turned(x, {0, 2, 1})});
    const auto mixed = b.op("MatMul", {b.op("Exp", {scores}), x});  // no softmax: stays as it is
    const auto heads = b.op("Reshape", {mixed, b.integers({0, 0, 2, kWidth / 2})});
    const auto joined = b.op("Reshape", {heads, b.integers({0, 0, kWidth})});
    x = norm(b, b.op("Add", {linear(b, joined), x}));
  }
  b.output(x);
  EXPECT_EQ(apply(fuse_skip_layer_norm, b.graph).fired, 2u);
  EXPECT_EQ(count(b.graph, "Add"), 0u);
}

TEST(FuseSkipLayerNorm, GivesTheSumToItsOtherReaders) {
  Builder b;
  const auto x = b.tokens(kWidth);
  const auto first = b.op("Add", {x, linear(b, norm(b, x))});
  const auto second = b.op("Add", {first, linear(b, norm(b, first))});
  b.output(norm(b, second));
  EXPECT_EQ(apply(fuse_skip_layer_norm, b.graph).fired, 2u);
  EXPECT_EQ(count(b.graph, "Add"), 0u);
}

TEST(FuseSkipLayerNorm, LeavesASumWithOneRowForAll) {
  Builder b;
  b.output(norm(b, b.op("Add", {b.tokens(kWidth), b.weight({1, 1, kWidth})})));
  EXPECT_EQ(apply(fuse_skip_layer_norm, b.graph).fired, 0u);
}

TEST(FuseSkipLayerNorm, LeavesARowOfTheTextThatIsRepeated) {
  Builder b;
  const auto first =
      b.op("Gather", {b.tokens(kWidth), b.integers({0})}, with("axis", std::int64_t{1}));
  const auto x = b.tokens(kWidth);
  b.output(norm(b, b.op("Add", {x, first})));  // one row of the text, repeated
  EXPECT_EQ(apply(fuse_skip_layer_norm, b.graph).fired, 0u);
}

TEST(FuseRmsNorm, KnowsDivisionAndReciprocal) {
  for (const bool reciprocal : {false, true}) {
    Builder b;
    const auto x = b.op("Add", {b.tokens(kWidth), b.tokens(kWidth)});
    const auto square = b.op("Pow", {x, b.number(2)});
    const auto mean = b.op("ReduceMean", {square, b.integers({-1})});
    const auto root = b.op("Sqrt", {b.op("Add", {mean, b.number(1e-5f)})});
    const auto scaled =
        reciprocal ? b.op("Mul", {b.op("Reciprocal", {root}), x}) : b.op("Div", {x, root});
    b.output(b.op("Mul", {b.weight({kWidth}), scaled}));
    PassContext context(b.graph);
    const Batch batch = make_batch(6, {6, 2});
    const Tensor before = testing::run(b.graph, batch);
    fuse_rms_norm(b.graph, context);
    EXPECT_EQ(context.fired(), 1u);
    fuse_skip_layer_norm(b.graph, context);
    b.graph.remove_dead();
    EXPECT_EQ(fused(b.graph, "SkipSimplifiedLayerNormalization"), 1u);
    EXPECT_EQ(b.graph.alive_count(), 3u);
    EXPECT_LE(testing::difference(before, testing::run(b.graph, batch), batch), 2e-5);
  }
}

TEST(FuseEmbedLayerNorm, TakesTablesInAnyOrder) {
  for (const bool segments : {true, false}) {
    Builder b;
    const auto places = b.op("Gather", {b.weight({40, kWidth}), positions(b, false, -1, 0)});
    auto sum = b.op("Add", {places, b.tokens(kWidth)});
    if (segments) sum = b.op("Add", {b.op("Gather", {b.weight({2, kWidth}), b.types}), sum});
    b.output(norm(b, sum));
    EXPECT_EQ(apply(fuse_embed_layer_norm, b.graph).fired, 1u);
    EXPECT_EQ(fused(b.graph, "EmbedLayerNormalization"), 1u);
    EXPECT_EQ(b.graph.alive_count(), segments ? 3u : 2u);  // and the Casts
  }
}

TEST(FuseEmbedLayerNorm, CutsTheTableAndAddsConstantRows) {
  Builder b;
  const auto places = b.op("Gather", {b.weight({40, kWidth}), positions(b, false, -1, 3)});
  const auto row = b.op("Add", {places, b.weight({kWidth})});
  b.output(norm(b, b.op("Add", {b.tokens(kWidth), row})));
  EXPECT_EQ(apply(fuse_embed_layer_norm, b.graph).fired, 1u);
  EXPECT_EQ(b.graph.alive_count(), 2u);
}

TEST(FuseEmbedLayerNorm, CountsAsTheGraphDoes) {
  for (const std::int64_t padding : {-1, 0, 1}) {
    for (const bool masked : {true, false}) {
      Builder b;
      const auto places =
          b.op("Gather", {b.weight({40, kWidth}), positions(b, masked, padding, 2)});
      b.output(norm(b, b.op("Add", {b.tokens(kWidth), places})));
      const Batch batch = left(9, {9, 4, 7});
      const Tensor before = testing::run(b.graph, batch);
      EXPECT_EQ(apply(fuse_embed_layer_norm, b.graph).fired, 1u);
      EXPECT_LE(testing::difference(before, testing::run(b.graph, batch), batch), 2e-5);
    }
  }
}

TEST(FuseEmbedLayerNorm, SaysWhatIsMissing) {
  Builder b;
  b.output(norm(b, b.tokens(kWidth)));
  const auto outcome = apply(fuse_embed_layer_norm, b.graph);
  EXPECT_EQ(outcome.fired, 0u);
  ASSERT_EQ(outcome.notes.size(), 1u);
  EXPECT_NE(outcome.notes[0].find("no position table"), std::string::npos);
}

TEST(FuseAttention, JoinsProductsOfOneValue) {
  for (const bool biased : {true, false}) {
    for (const bool masked : {true, false}) {
      Builder b;
      const auto x = b.tokens(kWidth);
      const auto q = linear(b, x, kWidth, biased), k = linear(b, x, kWidth, false);
      const auto v = linear(b, x, kWidth, biased);
      std::vector<ir::ValueId> inputs{q, k, v};
      if (masked) inputs.push_back(b.mask);
      b.output(attention(b, inputs));
      EXPECT_EQ(apply(fuse_attention, b.graph).fired, 1u);
      EXPECT_EQ(fused(b.graph, "Attention"), 1u);
      EXPECT_EQ(b.graph.alive_count(), masked ? 3u : 2u);
      const Tensor* bias = b.graph.constant(b.graph.producer(b.graph.outputs()[0].value)->input(2));
      ASSERT_NE(bias, nullptr);  // without it onnxruntime's kernel ends the process
      EXPECT_EQ(bias->shape(), Shape{3 * kWidth});
    }
  }
}

TEST(FuseAttention, TakesOneProductThatIsSplit) {
  Builder b;
  ir::Node split;
  split.op = "Split";
  split.name = "split";
  split.attributes.set("axis", std::int64_t{-1});
  split.inputs = {linear(b, b.tokens(kWidth), 3 * kWidth), b.integers({kWidth, kWidth, kWidth})};
  for (int i = 0; i < 3; ++i) split.outputs.push_back(b.graph.add_value("part"));
  std::vector<ir::ValueId> inputs = split.outputs;
  b.graph.add_node(std::move(split));
  inputs.push_back(b.mask);
  b.output(attention(b, inputs));
  EXPECT_EQ(apply(fuse_attention, b.graph).fired, 1u);
  EXPECT_EQ(fused(b.graph, "Attention"), 1u);
  EXPECT_EQ(count(b.graph, "Split"), 0u);
}

TEST(FuseAttention, BuildsTheBiasOfWindowAndDistance) {
  Builder b;
  const auto x = b.tokens(kWidth);
  const auto q = linear(b, x), k = linear(b, x), v = linear(b, x);
  b.output(attention(b, {q, k, v, b.mask, b.weight({2, 7})}, 2));
  const Batch batch = left(9, {9, 4, 7});
  const Tensor before = testing::run(b.graph, batch);
  EXPECT_EQ(apply(fuse_attention, b.graph).fired, 1u);
  EXPECT_EQ(fused(b.graph, "Attention"), 1u);
  EXPECT_LE(testing::difference(before, testing::run(b.graph, batch), batch), 2e-5);
}

TEST(FuseAttention, LeavesProductsOfDifferentValuesApart) {
  Builder b;
  const auto x = b.tokens(kWidth), y = b.tokens(kWidth);
  b.output(attention(b, {linear(b, x), linear(b, y), linear(b, y), b.mask}));
  const auto outcome = apply(fuse_attention, b.graph);
  EXPECT_EQ(fused(b.graph, "MultiHeadAttention"), 1u);
  ASSERT_EQ(outcome.notes.size(), 1u);
  EXPECT_NE(outcome.notes[0].find("different values"), std::string::npos);
}

TEST(FuseRotaryEmbedding, ServesAttentionOnEitherSideOfPadding) {
  Builder b;
  const auto x = b.tokens(kWidth);
  const auto frequencies = b.weight({2});
  std::vector<ir::ValueId> inputs;
  for (int i = 0; i < 2; ++i) {
    inputs.push_back(octavo(b, "RotaryEmbedding", {linear(b, x), frequencies, b.mask},
                            with("num_heads", std::int64_t{2})));
  }
  inputs.insert(inputs.end(), {linear(b, x), b.mask});
  b.output(attention(b, inputs));
  const Batch batch = left(9, {9, 4, 7});
  const Tensor before = testing::run(b.graph, batch);
  apply(fuse_attention, b.graph);
  EXPECT_EQ(apply(fuse_rotary_embedding, b.graph).fired, 2u);
  EXPECT_EQ(fused(b.graph, "RotaryEmbedding"), 2u);
  EXPECT_EQ(fused(b.graph, "MultiHeadAttention"), 1u);
  EXPECT_LE(testing::difference(before, testing::run(b.graph, batch), batch), 2e-5);
}

TEST(FuseRotaryEmbedding, LeavesWhatOthersRead) {
  Builder b;
  b.output(octavo(b, "RotaryEmbedding", {b.tokens(kWidth), b.weight({2}), b.mask},
                  with("num_heads", std::int64_t{2})));
  const auto outcome = apply(fuse_rotary_embedding, b.graph);
  EXPECT_EQ(outcome.fired, 0u);
  EXPECT_EQ(outcome.notes.size(), 1u);
}

TEST(FuseGemm, TakesAHeadOnTheFirstToken) {
  Builder b;
  auto x = b.op("Gather", {b.tokens(kWidth), b.integer(0)}, with("axis", std::int64_t{1}));
  x = b.op("Tanh", {linear(b, x)});
  b.output(linear(b, x, 1));
  EXPECT_EQ(apply(fuse_gemm, b.graph).fired, 2u);
  EXPECT_EQ(count(b.graph, "Gemm"), 2u);
  EXPECT_EQ(count(b.graph, "MatMul"), 0u);
}

TEST(FuseGemm, LeavesProductsOfAllTokens) {
  Builder b;
  b.output(linear(b, b.op("Tanh", {b.tokens(kWidth)})));
  EXPECT_EQ(apply(fuse_gemm, b.graph).fired, 0u);
}

ir::ValueId slice(Builder& b, ir::ValueId x, std::int64_t begin, std::int64_t end) {
  return b.op("Slice", {x, b.integers({begin}), b.integers({end}), b.integers({-1})});
}

TEST(MergeSlices, MakesAdjacentPartsASplit) {
  Builder b;
  const auto x = b.tokens(kWidth);
  const auto gate = slice(b, x, 4, 1000), value = slice(b, x, 0, 4);
  b.output(b.op("Mul", {b.op("Tanh", {value}), gate}));
  EXPECT_EQ(apply(merge_slices, b.graph).fired, 1u);
  EXPECT_EQ(count(b.graph, "Split"), 1u);
  EXPECT_EQ(count(b.graph, "Slice"), 0u);
}

TEST(MergeSlices, LeavesPartsThatOverlap) {
  Builder b;
  const auto x = b.tokens(kWidth);
  b.output(b.op("Mul", {slice(b, x, 0, 5), slice(b, x, 3, 8)}));
  EXPECT_EQ(apply(merge_slices, b.graph).fired, 0u);
}

TEST(MergeDuplicates, MergesEqualNodesAndConstants) {
  Builder b;
  const auto x = b.tokens(kWidth);
  const auto one = b.op("Mul", {x, b.number(3)}), other = b.op("Mul", {x, b.number(3)});
  b.output(b.op("Add", {b.op("Tanh", {one}), b.op("Tanh", {other})}));
  apply(merge_duplicates, b.graph);
  EXPECT_EQ(count(b.graph, "Mul"), 1u);
  EXPECT_EQ(count(b.graph, "Tanh"), 1u);
}

TEST(MergeDuplicates, LeavesDifferentAttributes) {
  Builder b;
  const auto x = b.tokens(kWidth);
  const auto one = b.op("Softmax", {x}, with("axis", std::int64_t{-1}));
  const auto other = b.op("Softmax", {x}, with("axis", std::int64_t{1}));
  b.output(b.op("Add", {one, other}));
  EXPECT_EQ(apply(merge_duplicates, b.graph).fired, 0u);
}

TEST(SimplifyShapes, MakesComputedShapesConstant) {
  Builder b;
  const auto x = b.tokens(kWidth);
  const auto shape = b.op("Shape", {x});
  std::vector<ir::ValueId> parts;
  for (const std::int64_t axis : {0, 1}) {
    parts.push_back(b.op("Unsqueeze", {b.op("Gather", {shape, b.integer(axis)}), b.integers({0})}));
  }
  parts.insert(parts.end(), {b.integers({2}), b.integers({kWidth / 2})});
  const auto heads = b.op("Concat", parts, with("axis", std::int64_t{0}));
  const auto split = b.op("Reshape", {x, heads});
  b.output(b.op("Reshape", {b.op("Tanh", {split}), shape}));
  EXPECT_EQ(apply(simplify_shapes, b.graph).fired, 2u);
  EXPECT_EQ(count(b.graph, "Concat"), 0u);
  EXPECT_EQ(count(b.graph, "Shape"), 0u);
}

// Padding to whole blocks: five tokens and seven make one block, nine make two.
TEST(SimplifyShapes, LeavesBlocksOfTheSequence) {
  for (const std::int64_t block : {8, 128}) {
    Builder b;
    const auto x = b.tokens(kWidth);
    const auto size = [&](std::int64_t axis) {
      return b.op("Gather", {b.op("Shape", {x}), b.integers({axis})});
    };
    const auto length = b.integers({block});
    const auto blocks = b.op("Div", {b.op("Add", {size(1), b.integers({block - 1})}), length});
    const auto more = b.op("Sub", {b.op("Mul", {blocks, length}), size(1)});
    const auto none = b.integers({0});
    const auto pads =
        b.op("Concat", {b.integers({0, 0, 0, 0}), more, none}, with("axis", std::int64_t{0}));
    const auto shape = b.op("Concat", {size(0), blocks, length, b.integers({kWidth})},
                            with("axis", std::int64_t{0}));
    b.output(b.op("Reshape", {b.op("Pad", {x, pads}), shape}));
    EXPECT_EQ(apply(simplify_shapes, b.graph).fired, 0u) << block;
  }
}

TEST(SimplifyShapes, ExpandsByAConstant) {
  Builder b;
  const auto x = b.tokens(kWidth);
  const auto kept =
      b.op("Cast", {b.op("Unsqueeze", {b.mask, b.integers({-1})})}, with("to", std::int64_t{1}));
  b.output(b.op("Mul", {x, b.op("Expand", {kept, b.op("Shape", {x})})}));
  EXPECT_EQ(apply(simplify_shapes, b.graph).fired, 1u);
  EXPECT_EQ(count(b.graph, "Shape"), 0u);
}

TEST(SimplifyShapes, LeavesAnExpandByASizeOfTheBatch) {
  Builder b;
  const auto x = b.tokens(kWidth);
  b.output(b.op("Add", {x, b.op("Expand", {b.weight({1, 1, kWidth}), b.op("Shape", {x})})}));
  EXPECT_EQ(apply(simplify_shapes, b.graph).fired, 0u);
}

/// 0, 1, 2 .. in every row, whatever is padding.
ir::ValueId all_positions(Builder& b) {
  const auto length = b.op("Gather", {b.op("Shape", {b.ids}), b.integer(1)});
  return b.op("Unsqueeze", {b.op("Range", {b.integer(0), length, b.integer(1)}), b.integers({0})});
}

ir::ValueId counted(Builder& b, ir::ValueId kept, std::int64_t offset) {
  const auto sums = b.op("CumSum", {kept, b.integer(1)});
  return b.op("Add", {b.op("Mul", {sums, kept}), b.integer(offset)});
}

TEST(LiftExactPositions, KeepsWhatLeftPaddedRowsMean) {
  for (const std::string form : {"all", "ids", "mask"}) {
    Builder b;
    ir::ValueId indices = ir::kNoValue;
    if (form == "all") indices = all_positions(b);
    if (form == "mask") {  // 0 for the first kept token
      indices = b.op("Sub", {counted(b, b.mask, 0), b.mask});
    }
    if (form == "ids") {
      const auto words = b.op("Not", {b.op("Equal", {b.ids, b.integer(1)})});
      indices = counted(b, b.op("Cast", {words}, with("to", std::int64_t{7})), 1);
    }
    const auto places = b.op("Gather", {b.weight({40, kWidth}), indices});
    b.output(b.op("Add", {b.tokens(kWidth), places}));
    const Batch batch = left(9, {9, 4, 7});
    const Tensor before = testing::run(b.graph, batch);
    EXPECT_EQ(apply(lift_exact_positions, b.graph).fired, 1u) << form;
    EXPECT_EQ(testing::difference(before, testing::run(b.graph, batch), batch), 0) << form;
    for (const ir::NodeId id : b.graph.topological_order()) {
      const ir::Node& node = b.graph.node(id);
      if (node.op != "PositionIds") continue;
      EXPECT_EQ(node.input(1) != ir::kNoValue, form == "mask") << form;
    }
    EXPECT_EQ(count(b.graph, "PositionIds", "ai.octavo"), 1u) << form;
  }
}

TEST(OptimizeGraph, DoesNothingAtLevelZeroAndRefusesUnknownNames) {
  Builder b;
  b.output(b.op("Identity", {b.tokens(kWidth)}));
  EXPECT_TRUE(optimize_graph(b.graph, {.level = 0}).empty());
  EXPECT_EQ(count(b.graph, "Identity"), 1u);
  EXPECT_THROW(optimize_graph(b.graph, {.level = 2, .disabled = {"fuse_atention"}}), Error);
}

TEST(OptimizeGraph, LeavesOutWhatIsDisabled) {
  Builder b;
  b.output(b.op("Gelu", {linear(b, b.tokens(kWidth))}));
  optimize_graph(b.graph, {.level = 2, .disabled = {"fuse_bias_gelu"}});
  EXPECT_EQ(fused(b.graph, "BiasGelu"), 0u);
  optimize_graph(b.graph, {.level = 2});
  EXPECT_EQ(fused(b.graph, "BiasGelu"), 1u);
}

}  // namespace
}  // namespace octavo::passes
