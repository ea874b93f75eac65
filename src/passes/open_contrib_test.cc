// com.microsoft operators written out: the same results, and nothing of the domain left.
#include <functional>

#include "passes/testing.h"

namespace octavo::passes {
namespace {

using testing::apply;
using testing::Builder;
using testing::count;
using testing::with;

ir::ValueId contrib(Builder& b, std::string op, std::vector<ir::ValueId> inputs,
                    ir::Attributes attributes = {}) {
  return b.graph.emit(std::move(op), std::move(inputs), std::move(attributes), "com.microsoft");
}

std::size_t left(const ir::Graph& graph) {
  std::size_t out = 0;
  for (const ir::NodeId id : graph.topological_order()) {
    out += graph.node(id).domain == "com.microsoft";
  }
  return out;
}

ir::ValueId as_int32(Builder& b, ir::ValueId value) {
  return b.op("Cast", {value}, with("to", std::int64_t{6}));
}

ir::ValueId end_positions(Builder& b) {
  return b.op("ReduceSum", {as_int32(b, b.mask), b.integers({1})},
              with("keepdims", std::int64_t{0}));
}

TEST(OpenContrib, ActivationsAndNorms) {
  Builder b;
  const ir::ValueId none = ir::kNoValue;
  ir::ValueId x = b.tokens(8);
  x = contrib(b, "Gelu", {x});
  x = contrib(b, "BiasGelu", {x, b.weight({8})});
  x = contrib(b, "FastGelu", {x, b.weight({8})});
  x = contrib(b, "FastGelu", {x});
  x = contrib(b, "QuickGelu", {x});
  x = contrib(b, "SkipLayerNormalization",
              {x, b.tokens(8), b.weight({8}), b.weight({8}), b.weight({8})});
  x = contrib(b, "SkipLayerNormalization", {x, b.tokens(8), b.weight({8}), none, b.weight({8})});
  x = contrib(b, "SkipSimplifiedLayerNormalization", {x, b.tokens(8), b.weight({8})});
  x = b.op("SimplifiedLayerNormalization", {x, b.weight({8})});
  b.output(x);
  EXPECT_EQ(apply(open_contrib, b.graph).fired, 9u);
  EXPECT_EQ(left(b.graph), 0u);
  EXPECT_EQ(count(b.graph, "SimplifiedLayerNormalization"), 0u);
}

TEST(OpenContrib, TheSumOfASkipIsKept) {
  Builder b;
  ir::Node node{
      .op = "SkipLayerNormalization",
      .domain = "com.microsoft",
      .name = "skip",
      .inputs = {b.tokens(8), b.tokens(8), b.weight({8}), b.weight({8})},
      .outputs = {b.graph.add_value("y"), ir::kNoValue, ir::kNoValue, b.graph.add_value("sum")}};
  const auto outputs = node.outputs;
  b.graph.add_node(std::move(node));
  b.output(b.op("Mul", {outputs[0], outputs[3]}));
  EXPECT_EQ(apply(open_contrib, b.graph).fired, 1u);
  EXPECT_EQ(left(b.graph), 0u);
}

TEST(OpenContrib, StatisticsAreLeft) {
  Builder b;
  ir::Node node{.op = "SkipLayerNormalization",
                .domain = "com.microsoft",
                .name = "skip",
                .inputs = {b.tokens(8), b.tokens(8), b.weight({8}), b.weight({8})},
                .outputs = {b.graph.add_value("y"), b.graph.add_value("mean")}};
  b.graph.add_output(node.outputs[0], "y");
  b.graph.add_output(node.outputs[1], "mean");
  b.graph.add_node(std::move(node));
  PassContext context(b.graph);
  open_contrib(b.graph, context);
  EXPECT_EQ(context.fired(), 0u);
  EXPECT_EQ(context.take_notes().size(), 1u);
}

// Embeddings, attention and its mask as onnxruntime fuses them; then written out, and found again.
void expect_lifted(const std::function<ir::ValueId(Builder&, ir::ValueId mask_index)>& mask) {
  Builder b;
  ir::Node embed{
      .op = "EmbedLayerNormalization",
      .domain = "com.microsoft",
      .name = "embed",
      .inputs = {as_int32(b, b.ids), as_int32(b, b.types), b.weight({20, 12}), b.weight({64, 12}),
                 b.weight({2, 12}), b.weight({12}), b.weight({12}), as_int32(b, b.mask)},
      .outputs = {b.graph.add_value("x"), b.graph.add_value("mask_index")}};
  const auto made = embed.outputs;
  b.graph.add_node(std::move(embed));
  ir::Attributes heads = with("num_heads", std::int64_t{3});
  b.output(contrib(b, "Attention",
                   {made[0], b.weight({12, 36}, 0.3f), b.weight({36}), mask(b, made[1])}, heads));
  EXPECT_EQ(apply(open_contrib, b.graph).fired, 2u);
  EXPECT_EQ(count(b.graph, "MultiHeadAttention", "com.microsoft"), 1u);
  PassContext context(b.graph);
  fold_constants(b.graph, context);
  EXPECT_EQ(apply(open_attention, b.graph).fired, 1u);
  EXPECT_EQ(left(b.graph), 0u);
  EXPECT_EQ(apply(lift_positions, b.graph).fired, 3u);
  EXPECT_EQ(apply(lift_attention, b.graph).fired, 1u);
  EXPECT_EQ(count(b.graph, "Attention", "ai.octavo"), 1u);
}

TEST(OpenAttention, RawMask) {
  expect_lifted([](Builder& b, ir::ValueId) { return as_int32(b, b.mask); });
}
TEST(OpenAttention, EndPositions) {
  expect_lifted([](Builder&, ir::ValueId index) { return index; });
}
TEST(OpenAttention, EndAndStartPositions) {
  expect_lifted([](Builder& b, ir::ValueId) {
    const ir::ValueId ends = end_positions(b);
    const ir::ValueId starts = b.op("Sub", {ends, ends});
    return b.op("Concat", {ends, starts}, with("axis", std::int64_t{0}));
  });
}
TEST(OpenAttention, AMaskForEveryPair) {
  expect_lifted([](Builder& b, ir::ValueId) {
    const ir::ValueId keys = b.op("Unsqueeze", {as_int32(b, b.mask), b.integers({1})});
    return b.op("Mul", {keys, b.op("Unsqueeze", {as_int32(b, b.mask), b.integers({2})})});
  });
}

TEST(OpenAttention, QueryKeyAndValueOfTheirOwn) {
  Builder b;
  const ir::ValueId bias = b.weight({48}), none = ir::kNoValue;
  b.output(contrib(b, "MultiHeadAttention",
                   {b.tokens(16), b.tokens(16), b.tokens(16), bias, as_int32(b, b.mask), none},
                   with("num_heads", std::int64_t{2})));
  EXPECT_EQ(apply(open_attention, b.graph).fired, 1u);
  EXPECT_EQ(apply(lift_attention, b.graph).fired, 1u);
}

// Rotary positions, of the tables that exporters compute once.
TEST(OpenAttention, RotaryPositions) {
  for (const bool one_offset : {false, true}) {
    Builder b;
    const std::int64_t rows = 700, half = 4;
    std::vector<float> cosine, sine;
    std::vector<std::int64_t> counted;
    for (std::int64_t p = 0; p < rows; ++p) {
      counted.push_back(p);
      for (std::int64_t d = 0; d < half; ++d) {
        const float angle = static_cast<float>(p) * std::pow(10000.0f, -static_cast<float>(d) / 4);
        cosine.push_back(std::cos(angle));
        sine.push_back(std::sin(angle));
      }
    }
    const ir::ValueId c = b.graph.add_constant("c", Tensor::from<float>({rows, half}, cosine));
    const ir::ValueId s = b.graph.add_constant("s", Tensor::from<float>({rows, half}, sine));
    ir::ValueId places = b.integers({0});
    if (!one_offset) {
      const ir::ValueId sizes = b.op("Shape", {b.ids});
      const ir::ValueId length = b.op("Gather", {sizes, b.integer(1)});
      places = b.op("Expand", {b.op("Range", {b.integer(0), length, b.integer(1)}), sizes});
    }
    const auto turned = [&](ir::ValueId x) {
      return contrib(b, "RotaryEmbedding", {x, places, c, s}, with("num_heads", std::int64_t{2}));
    };
    const ir::ValueId q = turned(b.tokens(16)), k = turned(b.tokens(16));
    b.output(contrib(b, "MultiHeadAttention",
                     {q, k, b.tokens(16), ir::kNoValue, as_int32(b, b.mask)},
                     with("num_heads", std::int64_t{2})));
    EXPECT_EQ(apply(open_attention, b.graph).fired, 1u);
    EXPECT_EQ(left(b.graph), 0u);
    const auto lifted = apply(lift_attention, b.graph);
    EXPECT_EQ(lifted.fired, 1u) << (lifted.notes.empty() ? "" : lifted.notes[0]);
    EXPECT_EQ(count(b.graph, "RotaryEmbedding", "ai.octavo"), 2u);
  }
}

TEST(OpenAttention, CausalAttentionIsLeft) {
  Builder b;
  ir::Attributes attributes = with("num_heads", std::int64_t{2});
  attributes.set("unidirectional", std::int64_t{1});
  b.output(
      contrib(b, "MultiHeadAttention", {b.tokens(16), b.tokens(16), b.tokens(16)}, attributes));
  EXPECT_EQ(apply(open_attention, b.graph).fired, 0u);
}

TEST(OpenAttention, FusedProducts) {
  Builder b;
  const ir::ValueId x = b.tokens(8), y = b.tokens(8);
  ir::Attributes attributes = with("transB", std::int64_t{1});
  attributes.set("alpha", 0.25f);
  const ir::ValueId scores = contrib(b, "FusedMatMul", {x, y}, attributes);
  b.output(contrib(b, "FusedMatMul", {scores, x}));
  EXPECT_EQ(apply(open_attention, b.graph).fired, 2u);
  EXPECT_EQ(left(b.graph), 0u);
}

}  // namespace
}  // namespace octavo::passes
