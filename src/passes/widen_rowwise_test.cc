// octavo's own int8 form: what widens, what does not, and how near the results stay.
#include "passes/testing.h"

namespace octavo::passes {
namespace {

using testing::Builder;
using testing::count;
using testing::with;

ir::ValueId int8s(Builder& b, Shape shape) {
  std::size_t size = 1;
  for (const std::int64_t d : shape) size *= static_cast<std::size_t>(d);
  std::mt19937 engine(++b.seed);
  std::vector<std::int8_t> values(size);
  for (auto& v : values) v = static_cast<std::int8_t>(static_cast<int>(engine() % 255) - 127);
  return b.graph.add_constant("w", Tensor::from<std::int8_t>(shape, values));
}

ir::ValueId scales(Builder& b, Shape shape) {
  Tensor out = random_tensor(std::move(shape), ++b.seed, 0.01f);
  for (float& v : out.mutable_data<float>()) v = std::fabs(v) + 0.001f;
  return b.graph.add_constant("s", std::move(out));
}

ir::ValueId row_scale(Builder& b, ir::ValueId x, float steps = 127) {
  const ir::ValueId largest =
      b.op("ReduceMax", {b.op("Abs", {x}), b.integers({-1})}, with("keepdims", std::int64_t{1}));
  return b.op("Max", {b.op("Div", {largest, b.number(steps)}), b.number(1e-30f)});
}

ir::ValueId product(Builder& b, ir::ValueId x, ir::ValueId scale, bool column_first = false) {
  const ir::ValueId q =
      b.op("Cast", {b.op("Round", {b.op("Div", {x, scale})})}, with("to", std::int64_t{3}));
  const ir::ValueId sums =
      b.op("Cast", {b.op("MatMulInteger", {q, int8s(b, {8, 6})})}, with("to", std::int64_t{1}));
  const ir::ValueId columns = scales(b, {6});
  const ir::ValueId once = b.op("Mul", {sums, column_first ? columns : scale});
  return b.op("Mul", {once, column_first ? scale : columns});
}

ir::ValueId rows(Builder& b, ir::ValueId ids) {
  const ir::ValueId q = b.op("Gather", {int8s(b, {20, 8}), ids});
  return b.op("Mul", {b.op("Cast", {q}, with("to", std::int64_t{1})),
                      b.op("Gather", {scales(b, {20, 1}), ids})});
}

/// Widens and gives the largest difference over the largest value.
double widen(Builder& b, std::size_t fires) {
  const Batch batch = make_batch(7, {7, 3});
  const Tensor before = testing::run(b.graph, batch);
  PassContext context(b.graph);
  widen_rowwise(b.graph, context);
  b.graph.remove_dead();
  b.graph.verify();
  EXPECT_EQ(context.fired(), fires);
  PassContext again(b.graph);
  widen_rowwise(b.graph, again);
  EXPECT_EQ(again.fired(), 0u);
  double top = 0;
  for (const float v : before.data<float>()) top = std::max(top, std::fabs(double{v}));
  return testing::difference(before, testing::run(b.graph, batch), batch) / top;
}

TEST(WidenRowwise, ProductsAndTables) {
  for (const bool column_first : {false, true}) {
    Builder b;
    const ir::ValueId x = rows(b, b.ids);
    b.output(product(b, x, row_scale(b, x), column_first));
    EXPECT_LT(widen(b, 2), 0.02);
    EXPECT_EQ(count(b.graph, "MatMul"), 1u);
    EXPECT_EQ(count(b.graph, "MatMulInteger"), 0u);
    EXPECT_EQ(count(b.graph, "Gather"), 1u);
  }
}

TEST(WidenRowwise, TablesAreExact) {
  Builder b;
  b.output(rows(b, b.ids));
  EXPECT_EQ(widen(b, 1), 0.0);
}

TEST(WidenRowwise, OtherScalesStay) {
  {
    Builder b;  // a scale of other steps saturates elsewhere
    const ir::ValueId x = b.tokens(8);
    b.output(product(b, x, row_scale(b, x, 63)));
    EXPECT_EQ(widen(b, 0), 0.0);
  }
  {
    Builder b;  // the scale of another value
    const ir::ValueId x = b.tokens(8), other = b.tokens(8);
    b.output(product(b, x, row_scale(b, other)));
    EXPECT_EQ(widen(b, 0), 0.0);
  }
}

}  // namespace
}  // namespace octavo::passes
