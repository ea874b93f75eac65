// Graphs in halves: what becomes float32, and how near the results stay.
#include "base/half.h"
#include "passes/testing.h"

namespace octavo::passes {
namespace {

using testing::Builder;
using testing::count;
using testing::with;

constexpr std::int64_t kFloat = 1, kHalf = 10, kBFloat = 16, kDouble = 11;

ir::ValueId halves(Builder& b, Shape shape, DType dtype) {
  const Tensor floats = random_tensor(shape, ++b.seed, 1.0f);
  Tensor out(dtype, shape);
  for (std::size_t i = 0; i < floats.elements(); ++i) {
    const float x = floats.data<float>()[i];
    out.mutable_data<std::uint16_t>()[i] =
        dtype == DType::kFloat16 ? float_to_half(x) : float_to_bf16(x);
  }
  return b.graph.add_constant("weight", std::move(out));
}

ir::ValueId cast(Builder& b, ir::ValueId x, std::int64_t to) {
  return b.op("Cast", {x}, with("to", to));
}

/// The largest difference of the output, after the pass has run.
double widen(Builder& b) {
  const Batch batch = make_batch(7, {7, 3});
  const Tensor before = testing::run(b.graph, batch).to_float32();
  PassContext context(b.graph);
  widen_halves(b.graph, context);
  b.graph.remove_dead();
  b.graph.verify();
  EXPECT_GT(context.fired(), 0u);
  PassContext again(b.graph);
  widen_halves(b.graph, again);
  EXPECT_EQ(again.fired(), 0u);
  for (std::size_t i = 0; i < b.graph.value_count(); ++i) {
    const Tensor* t = b.graph.constant(static_cast<ir::ValueId>(i));
    EXPECT_FALSE(t != nullptr && t->byte_size() == 2 * t->elements()) << i;
  }
  return testing::difference(before, testing::run(b.graph, batch), batch);
}

TEST(WidenHalves, ConstantsAndArithmeticBecomeFloats) {
  for (const auto& [dtype, type, bound] :
       {std::tuple{DType::kFloat16, kHalf, 0.02}, std::tuple{DType::kBFloat16, kBFloat, 0.2}}) {
    Builder b;
    const ir::ValueId x = b.op("Gather", {halves(b, {20, 8}, dtype), b.ids});
    const ir::ValueId y = b.op("MatMul", {x, halves(b, {8, 6}, dtype)});
    const ir::ValueId back = cast(b, cast(b, y, kFloat), type);  // as converters leave them
    b.output(cast(b, b.op("Add", {back, halves(b, {6}, dtype)}), kFloat));
    EXPECT_LT(widen(b), bound);
    EXPECT_EQ(count(b.graph, "Cast"), 0u);
  }
}

TEST(WidenHalves, GeluIsKnownAgain) {
  for (const float root : {1.41421356f, 0.70710678f}) {
    Builder b;
    const auto number = [&](float x) {
      Tensor out(DType::kFloat16, {});
      out.mutable_data<std::uint16_t>()[0] = float_to_half(x);
      return b.graph.add_constant("number", std::move(out));
    };
    const ir::ValueId x = b.op("Gather", {halves(b, {20, 8}, DType::kFloat16), b.ids});
    const ir::ValueId erf = b.op("Erf", {b.op(root > 1 ? "Div" : "Mul", {x, number(root)})});
    const ir::ValueId y =
        b.op("Mul", {b.op("Mul", {x, number(0.5f)}), b.op("Add", {erf, number(1)})});
    b.output(cast(b, y, kFloat));
    EXPECT_LT(widen(b), 0.002);
    PassContext context(b.graph);
    fuse_gelu(b.graph, context);
    EXPECT_EQ(context.fired(), 1u);
  }
}

TEST(WidenHalves, OutputsInHalvesBecomeFloats) {
  Builder b;
  b.output(b.op("Gather", {halves(b, {20, 8}, DType::kFloat16), b.ids}));
  EXPECT_EQ(widen(b), 0.0);
}

TEST(WidenHalves, FloatsThatWereRoundedOnTheWayStayFloats) {
  Builder b;
  b.output(cast(b, cast(b, b.tokens(8), kHalf), kFloat));
  EXPECT_LT(widen(b), 0.001);
  EXPECT_EQ(count(b.graph, "Cast"), 0u);
}

TEST(WidenHalves, OtherTypesAreCastAsBefore) {
  Builder b;
  const ir::ValueId mask = b.op("Unsqueeze", {cast(b, b.mask, kHalf), b.integers({2})});
  const ir::ValueId x = b.op("Gather", {halves(b, {20, 8}, DType::kFloat16), b.ids});
  const ir::ValueId wide = cast(b, b.op("Mul", {x, mask}), kDouble);
  b.output(cast(b, wide, kFloat));
  EXPECT_EQ(widen(b), 0.0);
  EXPECT_EQ(count(b.graph, "Cast"), 3u);
}

TEST(WidenHalves, AttributesThatNameTheType) {
  Builder b;
  Tensor one(DType::kFloat16, {1});
  one.mutable_data<std::uint16_t>()[0] = 0x3C00;
  const ir::ValueId ones = b.op("ConstantOfShape", {b.op("Shape", {b.ids})}, with("value", one));
  b.output(cast(b, ones, kFloat));
  EXPECT_EQ(widen(b), 0.0);
  EXPECT_EQ(count(b.graph, "Cast"), 0u);
}

}  // namespace
}  // namespace octavo::passes
