// Quantised products and tables: what widens, what does not, and how near the results stay.
#include "passes/testing.h"

namespace octavo::passes {
namespace {

using testing::Builder;
using testing::count;
using testing::with;

ir::ValueId bytes(Builder& b, Shape shape, bool is_unsigned) {
  std::size_t size = 1;
  for (const std::int64_t d : shape) size *= static_cast<std::size_t>(d);
  std::mt19937 engine(++b.seed);
  std::vector<std::uint8_t> values(size);
  for (auto& v : values) v = static_cast<std::uint8_t>(engine());
  if (is_unsigned) return b.graph.add_constant("w", Tensor::from<std::uint8_t>(shape, values));
  const std::vector<std::int8_t> narrow(values.begin(), values.end());
  return b.graph.add_constant("w", Tensor::from<std::int8_t>(shape, narrow));
}

/// x quantised, times a quantised weight, as onnxruntime's dynamic quantisation writes it.
ir::ValueId product(Builder& b, ir::ValueId x, bool per_channel, bool scales_first = false) {
  std::vector<ir::ValueId> q;
  for (int i = 0; i < 3; ++i) q.push_back(b.graph.add_value("q" + std::to_string(i)));
  b.graph.add_node(
      {.op = "DynamicQuantizeLinear", .domain = "", .name = "q", .inputs = {x}, .outputs = q});
  const std::int64_t columns = 6;
  const ir::ValueId w = bytes(b, {8, columns}, !per_channel);
  std::vector<float> scale(per_channel ? 6 : 1);
  for (std::size_t i = 0; i < scale.size(); ++i) scale[i] = 0.01f + 0.001f * static_cast<float>(i);
  const ir::ValueId w_scale = b.graph.add_constant("scale", Tensor::vector<float>(scale));
  const std::vector<std::uint8_t> zero{131};
  const std::vector<std::int8_t> zeros(6, 0);
  const ir::ValueId w_zero =
      b.graph.add_constant("zero", per_channel ? Tensor::vector<std::int8_t>(zeros)
                                               : Tensor::vector<std::uint8_t>(zero));
  const ir::ValueId sum = b.op("MatMulInteger", {q[0], w, q[2], w_zero});
  const ir::ValueId cast = b.op("Cast", {sum}, with("to", std::int64_t{1}));
  const ir::ValueId both =
      scales_first ? b.op("Mul", {w_scale, q[1]}) : b.op("Mul", {q[1], w_scale});
  return b.op("Mul", {cast, both});
}

/// Widens, and returns the largest difference of the outputs over their largest value.
double widen(Builder& b, std::size_t fires) {
  const Batch batch = make_batch(7, {7, 3});
  const Tensor before = testing::run(b.graph, batch);
  PassContext joining(b.graph);
  join_integer_products(b.graph, joining);
  b.graph.remove_dead();
  PassContext context(b.graph);
  widen_quantized(b.graph, context);
  b.graph.remove_dead();
  b.graph.verify();
  EXPECT_EQ(context.fired(), fires);
  PassContext again(b.graph);
  widen_quantized(b.graph, again);
  EXPECT_EQ(again.fired(), 0u);
  double top = 0;
  for (const float x : before.data<float>()) top = std::max<double>(top, std::abs(x));
  return testing::difference(before, testing::run(b.graph, batch), batch) / top;
}

TEST(WidenQuantized, DynamicProducts) {
  for (const bool per_channel : {false, true}) {
    for (const bool scales_first : {false, true}) {
      Builder b;
      b.output(product(b, b.tokens(8), per_channel, scales_first));
      EXPECT_LE(widen(b, 1), 0.02);
      EXPECT_EQ(count(b.graph, "MatMulInteger"), 0u);
      EXPECT_EQ(count(b.graph, "DynamicQuantizeLinear"), 0u);
      EXPECT_EQ(count(b.graph, "MatMul"), 1u);
    }
  }
}

TEST(WidenQuantized, TablesKeepTheirBits) {
  Builder b;
  const ir::ValueId rows = b.op("Gather", {bytes(b, {20, 4}, true), b.ids});
  const std::vector<std::uint8_t> zero{128};
  b.output(b.op(
      "DequantizeLinear",
      {rows, b.number(0.25f), b.graph.add_constant("zero", Tensor::from<std::uint8_t>({}, zero))}));
  EXPECT_EQ(widen(b, 1), 0);
}

TEST(WidenQuantized, PairsOfQuantizeAndDequantize) {
  Builder b;
  const std::vector<std::uint8_t> zero{128};
  const ir::ValueId z = b.graph.add_constant("zero", Tensor::from<std::uint8_t>({}, zero));
  const ir::ValueId s = b.number(0.05f);
  b.output(b.op("DequantizeLinear", {b.op("QuantizeLinear", {b.tokens(4), s, z}), s, z}));
  EXPECT_LE(widen(b, 1), 0.05);
  Builder other;
  const ir::ValueId y = other.graph.add_constant("zero", Tensor::from<std::uint8_t>({}, zero));
  other.output(other.op("DequantizeLinear",
                        {other.op("QuantizeLinear", {other.tokens(4), other.number(0.05f), y}),
                         other.number(0.5f), y}));
  EXPECT_EQ(widen(other, 0), 0);
}

/// Pairs of this zero point, or of output_dtype alone: about -1 to 1.
double widen_pair(Tensor zero, float scale, bool by_attribute, std::size_t relus) {
  Builder b;
  const auto type = static_cast<std::int64_t>(zero.dtype());
  const ir::ValueId s = b.number(scale);
  const ir::ValueId z = b.graph.add_constant("zero", std::move(zero));
  const ir::ValueId q = by_attribute
                            ? b.op("QuantizeLinear", {b.tokens(4), s}, with("output_dtype", type))
                            : b.op("QuantizeLinear", {b.tokens(4), s, z});
  b.output(by_attribute ? b.op("DequantizeLinear", {q, s}) : b.op("DequantizeLinear", {q, s, z}));
  const double difference = widen(b, 1);
  EXPECT_EQ(count(b.graph, "Relu"), relus);
  return difference;
}

TEST(WidenQuantized, StepsBeginWhereTheirTypeDoes) {
  EXPECT_LE(widen_pair(Tensor::scalar<std::int8_t>(0), 0.05f, true, 0), 0.05);
  EXPECT_LE(widen_pair(Tensor::scalar<std::int8_t>(0), 0.05f, false, 0), 0.05);
  EXPECT_LE(widen_pair(Tensor::scalar<std::int16_t>(0), 1e-3f, true, 0), 0.01);
  EXPECT_LE(widen_pair(Tensor::scalar<std::uint8_t>(0), 0.05f, true, 1), 0.05);
  EXPECT_LE(widen_pair(Tensor::scalar<std::uint16_t>(0), 1e-3f, true, 1), 0.01);
  EXPECT_LE(widen_pair(Tensor::scalar<std::uint16_t>(0), 1e-3f, false, 1), 0.01);
  EXPECT_LE(widen_pair(Tensor::scalar<std::int8_t>(-128), 0.05f, false, 1), 0.05);
  EXPECT_LE(widen_pair(Tensor::scalar<std::int16_t>(-32768), 1e-3f, false, 1), 0.01);
}

TEST(WidenQuantized, PairsOfOtherZeroPointsStay) {
  Builder b;
  const std::vector<std::uint8_t> one{128}, other{120};
  const ir::ValueId s = b.number(0.05f);
  const ir::ValueId q =
      b.op("QuantizeLinear",
           {b.tokens(4), s, b.graph.add_constant("z", Tensor::from<std::uint8_t>({}, one))});
  b.output(b.op("DequantizeLinear",
                {q, s, b.graph.add_constant("z", Tensor::from<std::uint8_t>({}, other))}));
  EXPECT_EQ(widen(b, 0), 0);
}

TEST(WidenQuantized, LeavesOtherScalesAlone) {
  Builder b;
  const ir::ValueId x = b.tokens(8);
  std::vector<ir::ValueId> q;
  for (int i = 0; i < 3; ++i) q.push_back(b.graph.add_value("q" + std::to_string(i)));
  b.graph.add_node(
      {.op = "DynamicQuantizeLinear", .domain = "", .name = "q", .inputs = {x}, .outputs = q});
  const ir::ValueId sum = b.op("MatMulInteger", {q[0], bytes(b, {8, 6}, true), q[2]});
  const ir::ValueId cast = b.op("Cast", {sum}, with("to", std::int64_t{1}));
  b.output(b.op("Mul", {cast, b.number(0.1f)}));  // without the scale of x
  EXPECT_EQ(widen(b, 0), 0);
  EXPECT_EQ(count(b.graph, "MatMulInteger"), 1u);
  EXPECT_EQ(count(b.graph, "MatMulIntegerToFloat", "com.microsoft"), 0u);
}

/// One row for each text, quantised; QGemm with 8-bit weights; back to float32 by `back`.
ir::ValueId gemm(Builder& b, bool transposed, bool per_channel, bool bias, float back = 0.2f) {
  const std::int64_t rows = 8, columns = 6;
  const std::vector<std::uint8_t> zero{128};
  const ir::ValueId z = b.graph.add_constant("zero", Tensor::from<std::uint8_t>({}, zero));
  const ir::ValueId row =
      b.op("Gather", {b.tokens(rows), b.integer(0)}, with("axis", std::int64_t{1}));
  const ir::ValueId step = b.number(0.04f);
  const ir::ValueId x = b.op("QuantizeLinear", {row, step, z});
  const ir::ValueId w = bytes(b, transposed ? Shape{columns, rows} : Shape{rows, columns}, false);
  std::vector<float> scale(per_channel ? columns : 1);
  for (std::size_t i = 0; i < scale.size(); ++i) scale[i] = 0.05f + 0.01f * static_cast<float>(i);
  const std::vector<std::int8_t> zeros(scale.size(), 0);
  const std::vector<std::int32_t> sums{900, -1700, 400, 0, 2500, -300};
  const ir::ValueId added =
      bias ? b.graph.add_constant("bias", Tensor::vector<std::int32_t>(sums)) : ir::kNoValue;
  const ir::ValueId y_step = b.number(0.2f);
  ir::Attributes attributes = with("transB", std::int64_t{transposed});
  attributes.set("alpha", 0.5f);
  const ir::ValueId y = b.graph.emit(
      "QGemm",
      {x, step, z, w, b.graph.add_constant("scale", Tensor::vector<float>(scale)),
       b.graph.add_constant("zeros", Tensor::vector<std::int8_t>(zeros)), added, y_step, z},
      std::move(attributes), "com.microsoft");
  return b.op("DequantizeLinear", {y, b.number(back), z});
}

TEST(WidenQuantized, QuantizedGemm) {
  for (int bits = 0; bits < 8; ++bits) {
    Builder b;
    b.output(gemm(b, (bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0));
    EXPECT_LE(widen(b, 1), 0.04) << bits;
    EXPECT_EQ(count(b.graph, "QGemm", "com.microsoft"), 0u) << bits;
    EXPECT_EQ(count(b.graph, "Gemm"), 1u) << bits;
  }
}

TEST(WidenQuantized, QuantizedGemmOfOtherStepsStays) {
  Builder b;
  b.output(gemm(b, true, true, true, 0.1f));
  EXPECT_EQ(widen(b, 0), 0);
  EXPECT_EQ(count(b.graph, "QGemm", "com.microsoft"), 1u);
}

}  // namespace
}  // namespace octavo::passes
