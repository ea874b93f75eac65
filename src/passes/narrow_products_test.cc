// Products between QuantizeLinear and DequantizeLinear pairs: which become products of bytes, and
// that these give the same numbers.
#include "passes/narrow_products.h"

#include "passes/testing.h"

namespace octavo::passes {
namespace {

using testing::Builder;
using testing::count;
using testing::with;

constexpr std::int64_t kIn = 12, kOut = 7;

Tensor scales(std::int64_t count) {
  std::vector<float> out;
  for (std::int64_t i = 0; i < count; ++i) out.push_back(0.01f + 0.003f * static_cast<float>(i));
  return Tensor::vector<float>(out);
}

struct Pairs : Builder {
  ir::ValueId constant(Tensor tensor) { return graph.add_constant("c", std::move(tensor)); }

  ir::ValueId rounded(DType dtype) {
    const auto scale = number(0.02f), zero = constant(random_bytes(dtype, {}, 3));
    const auto x = op("QuantizeLinear", {tokens(kIn), scale, zero});
    return op("DequantizeLinear", {x, scale, zero});
  }
  ir::ValueId rounded_at_run_time() {
    ir::Node node;
    node.op = "DynamicQuantizeLinear";
    node.inputs = {tokens(kIn)};
    for (int i = 0; i < 3; ++i) node.outputs.push_back(graph.add_value("q"));
    const std::vector<ir::ValueId> made = node.outputs;
    graph.add_node(std::move(node));
    return op("DequantizeLinear", made);
  }
  ir::ValueId weights(DType dtype, std::int64_t columns, bool zeros, std::int64_t axis = 1) {
    const Shape one = columns == 1 ? Shape{} : Shape{columns};
    std::vector<ir::ValueId> inputs{constant(random_bytes(dtype, {kIn, kOut}, 5)),
                                    constant(scales(columns).reshaped(one))};
    if (zeros) inputs.push_back(constant(random_bytes(dtype, one, 6)));
    return op("DequantizeLinear", inputs, with("axis", axis));
  }
};

void expect_narrowed(Pairs& b, ir::ValueId a, ir::ValueId w) {
  b.output(b.op("MatMul", {a, w}));
  const Batch batch = make_batch(6, {6, 2, 4});
  const Tensor before = testing::run(b.graph, batch);
  EXPECT_EQ(narrow_products(b.graph), 1u);
  EXPECT_EQ(narrow_products(b.graph), 0u);
  b.graph.verify();
  EXPECT_EQ(count(b.graph, "MatMul"), 0u);
  EXPECT_EQ(count(b.graph, "MatMulIntegerToFloat", "com.microsoft"), 1u);
  EXPECT_LT(testing::difference(before, testing::run(b.graph, batch), batch), 2e-3);
}

TEST(NarrowProducts, OfEveryPairOfTypes) {
  for (const DType left : {DType::kUint8, DType::kInt8}) {
    for (const DType right : {DType::kUint8, DType::kInt8}) {
      for (const std::int64_t columns : {std::int64_t{1}, kOut}) {
        for (const bool zeros : {false, true}) {
          Pairs b;
          const auto a = b.rounded(left);
          expect_narrowed(b, a, b.weights(right, columns, zeros));
        }
      }
    }
  }
  Pairs dynamic;
  const auto a = dynamic.rounded_at_run_time();
  expect_narrowed(dynamic, a, dynamic.weights(DType::kInt8, kOut, true));
}

void expect_left(Pairs& b, ir::ValueId a, ir::ValueId w) {
  b.output(b.op("MatMul", {a, w}));
  EXPECT_EQ(narrow_products(b.graph), 0u);
  EXPECT_EQ(count(b.graph, "MatMul"), 1u);
}

TEST(NarrowProducts, OthersStay) {
  Pairs words, rows, floats, one_side, activations;
  expect_left(words, words.rounded(DType::kInt16), words.weights(DType::kInt8, kOut, true));
  expect_left(rows, rows.rounded(DType::kUint8), rows.weights(DType::kInt8, kIn, true, 0));
  expect_left(floats, floats.rounded(DType::kUint8), floats.weight({kIn, kOut}));
  expect_left(one_side, one_side.tokens(kIn), one_side.weights(DType::kInt8, kOut, true));
  const auto x = activations.rounded(DType::kUint8);
  expect_left(activations, x,
              activations.op("Transpose", {x}, with("perm", std::vector<std::int64_t>{0, 2, 1})));
}

}  // namespace
}  // namespace octavo::passes
