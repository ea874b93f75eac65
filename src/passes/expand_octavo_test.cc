// ai.octavo operators written out give what their references give, at every kept token: right and
// left padding, holes in the mask, any size.
#include "passes/expand_octavo.h"

#include "passes/testing.h"
#include "passes/token_subgraphs.h"

namespace octavo::passes {
namespace {

using ir::kNoValue;
using ir::ValueId;
using testing::Builder;
using testing::count;

/// Right-padded, left-padded, with holes; a row alone; longer than every radius and window below.
std::vector<Batch> batches() {
  std::vector<Batch> out{make_batch(6, {6, 2, 4}), make_batch(1, {1}), make_batch(13, {13, 9})};
  Batch left = make_batch(7, {7, 7, 7});
  left.mask = {0, 0, 0, 1, 1, 1, 1, 1, 0, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1};
  left.ids[4] = left.ids[12] = 1;  // the padding id among kept tokens
  out.push_back(left);
  return out;
}

std::size_t own_nodes(const ir::Graph& graph) {
  std::size_t out = 0;
  for (const ir::NodeId id : graph.topological_order()) out += graph.node(id).domain == "ai.octavo";
  return out;
}

/// Largest difference of a float output over kept tokens, and no value at all that is not finite.
void check_same(ir::Graph& graph, double bound = 2e-6) {
  std::vector<Tensor> before;
  for (const Batch& batch : batches()) before.push_back(testing::run(graph, batch));
  ASSERT_GT(own_nodes(graph), 0u);
  expand_octavo(graph);
  EXPECT_EQ(own_nodes(graph), 0u);
  std::size_t i = 0;
  for (const Batch& batch : batches()) {
    const Tensor after = testing::run(graph, batch);
    if (after.dtype() == DType::kInt64) {
      EXPECT_TRUE(identical(before[i], after)) << "batch " << i;
    } else {
      EXPECT_LE(testing::difference(before[i], after, batch), bound) << "batch " << i;
      for (const float value : after.data<float>()) ASSERT_TRUE(std::isfinite(value));
    }
    ++i;
  }
}

struct AttentionCase {
  bool mask, bias;
  std::int64_t window;
  float scale;
};

class ExpandAttention : public ::testing::TestWithParam<AttentionCase> {};

TEST_P(ExpandAttention, GivesWhatTheReferenceGives) {
  const AttentionCase c = GetParam();
  Builder b;
  const auto head = [&] { return b.op("MatMul", {b.tokens(8), b.weight({8, 12})}); };
  ir::Attributes attributes;
  attributes.set("num_heads", std::int64_t{3});
  attributes.set("scale", c.scale);
  if (c.window > 0) attributes.set("local_window", c.window);
  // Twice with the same bias: the second attention must not get the first one's queries.
  const ValueId table = b.weight({3, 2 * 4 + 1});
  ValueId x = head();
  for (int layer = 0; layer < 2; ++layer) {
    std::vector<ValueId> inputs{x, head(), head()};
    if (c.mask || c.bias) inputs.push_back(c.mask ? b.mask : kNoValue);
    if (c.bias) inputs.push_back(table);
    x = b.graph.emit("Attention", inputs, attributes, "ai.octavo");
  }
  b.output(x);
  check_same(b.graph, 2e-5);
  EXPECT_EQ(count(b.graph, "Softmax"), 2u);
  if (c.bias && c.mask) {
    EXPECT_EQ(count(b.graph, "Range"), 1u) << "the bias is shared";
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, ExpandAttention,
    ::testing::Values(AttentionCase{true, false, 0, 0.5f}, AttentionCase{false, false, 0, 0.5f},
                      AttentionCase{true, true, 0, 0.25f}, AttentionCase{false, true, 0, 1.0f},
                      AttentionCase{true, false, 2, 0.5f}, AttentionCase{false, false, 3, 0.5f},
                      AttentionCase{true, true, 1, -0.5f}, AttentionCase{false, true, 2, 0.5f}));

TEST(ExpandRotaryEmbedding, GivesWhatTheReferenceGives) {
  for (const bool mask : {true, false}) {
    Builder b;
    ir::Attributes attributes;
    attributes.set("num_heads", std::int64_t{2});
    Tensor frequencies(DType::kFloat32, {3});
    for (int i = 0; i < 3; ++i)
      frequencies.mutable_data<float>()[static_cast<std::size_t>(i)] =
          1.0f / static_cast<float>(i + 1);
    const ValueId inv_freq = b.graph.add_constant("inv_freq", frequencies);
    std::vector<ValueId> inputs{b.tokens(12), inv_freq};
    if (mask) inputs.push_back(b.mask);
    b.output(b.graph.emit("RotaryEmbedding", inputs, attributes, "ai.octavo"));
    check_same(b.graph);
  }
}

TEST(ExpandPositionIds, GivesWhatTheReferenceGives) {
  for (const bool mask : {true, false}) {
    for (const std::int64_t padding_idx : {-1, 0, 1, 5}) {
      for (const std::int64_t offset : {0, 2}) {
        Builder b;
        ir::Attributes attributes;
        attributes.set("padding_idx", padding_idx);
        attributes.set("offset", offset);
        std::vector<ValueId> inputs{b.ids};
        if (mask) inputs.push_back(b.mask);
        b.output(b.graph.emit("PositionIds", inputs, attributes, "ai.octavo"));
        check_same(b.graph);
      }
    }
  }
}

TEST(TokenSubgraphsTest, EmitsEachOnce) {
  Builder b;
  TokenSubgraphs tokens(b.graph);
  const ValueId first = tokens.attention_bias(b.mask, b.mask, kNoValue, 3);
  const std::size_t nodes = b.graph.node_count();
  EXPECT_EQ(tokens.attention_bias(b.mask, b.mask, kNoValue, 3), first);
  EXPECT_EQ(b.graph.node_count(), nodes);
  EXPECT_NE(tokens.attention_bias(b.mask, b.mask, kNoValue, 4), first);
  EXPECT_NE(tokens.number(1e-12f), tokens.number(2e-12f));
}

TEST(LastDimension, IsReadOffWeights) {
  Builder b;
  const ValueId x = b.op("Add", {b.op("MatMul", {b.tokens(8), b.weight({8, 12})}), b.weight({12})});
  EXPECT_EQ(last_dimension(b.graph, x), 12);
  EXPECT_EQ(last_dimension(b.graph, b.op("Mul", {b.number(2), x})), 12);
  const ValueId cut = b.op("Slice", {x, b.integers({4}), b.integers({12}), b.integers({-1})});
  EXPECT_EQ(last_dimension(b.graph, cut), 8);
  EXPECT_EQ(last_dimension(b.graph, b.op("Shape", {x})), -1);
}

}  // namespace
}  // namespace octavo::passes
