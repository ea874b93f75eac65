// Fast 8-bit products and row operators against the references: integers the same, floats near.
#include "runtime/integer_products.h"

#include <gtest/gtest.h>

#include "ops/op.h"
#include "runtime/row_operators.h"
#include "tensor/testing.h"

namespace octavo::runtime {
namespace {

ir::Node node(std::string op, std::string domain = "") {
  ir::Node out;
  out.op = std::move(op);
  out.domain = std::move(domain);
  out.outputs = {0};
  return out;
}

std::vector<Tensor> reference(const ops::OpCall& call) {
  return ops::find_op(call.node.op, call.node.domain)->reference(call);
}

class Products : public testing::TestWithParam<std::tuple<DType, DType, int>> {
 protected:
  ThreadPool pool{2};
  const DType left = std::get<0>(GetParam()), right = std::get<1>(GetParam());
  const std::int64_t k = std::get<2>(GetParam()), n = 37;
  const Tensor a = random_bytes(left, {3, 23, k}, 1), b = random_bytes(right, {k, n}, 2);
  const Tensor a_zero = random_bytes(left, {}, 3), b_zero = random_bytes(right, {n}, 4);
  const Tensor a_scale = Tensor::scalar<float>(0.017f), b_scale = random_tensor({n}, 5, 0.01f);
  const Tensor bias = random_tensor({n}, 6);

  void expect_same(const ir::Node& what, std::vector<const Tensor*> inputs) {
    const ops::OpCall call{what, inputs};
    const Tensor wanted = reference(call).front();
    for (const IsaMask isa : {IsaMask{0}, detect_isa()}) {
      std::size_t weight = 0;
      ASSERT_TRUE(is_integer_product(what, weight));
      const IntegerMatrix matrix(*inputs[weight], isa);
      std::vector<Tensor> got;
      ASSERT_TRUE(multiply_integers(call, matrix, pool, got));
      EXPECT_TRUE(identical(got.front(), wanted)) << what.op << " on " << isa_name(isa);
    }
  }
};

TEST_P(Products, AreThoseOfTheReference) {
  expect_same(node("MatMulInteger"), {&a, &b, &a_zero, &b_zero});
  expect_same(node("MatMulInteger"), {&a, &b});
  expect_same(node("MatMulIntegerToFloat", "com.microsoft"),
              {&a, &b, &a_scale, &b_scale, &a_zero, &b_zero, &bias});
  expect_same(node("MatMulIntegerToFloat", "com.microsoft"), {&a, &b, &a_scale, &a_scale});
  const Tensor y_scale = Tensor::scalar<float>(0.9f), y_zero = random_bytes(left, {}, 7);
  expect_same(node("QLinearMatMul"),
              {&a, &a_scale, &a_zero, &b, &b_scale, &b_zero, &y_scale, &y_zero});
  const Tensor x = random_tensor({3, 23, k}, 8, 2);
  expect_same(node("DynamicQuantizeMatMul", "com.microsoft"), {&x, &b, &b_scale, &b_zero, &bias});
}

INSTANTIATE_TEST_SUITE_P(All, Products,
                         testing::Combine(testing::Values(DType::kUint8, DType::kInt8),
                                          testing::Values(DType::kUint8, DType::kInt8),
                                          testing::Values(1, 3, 64, 512, 700, 1536)));

TEST(Products, OtherOperandsAreForTheReference) {
  ThreadPool pool(1);
  const Tensor b = random_bytes(DType::kInt8, {8, 5}, 1),
               a = random_bytes(DType::kUint8, {2, 7}, 2);
  const Tensor fits = random_bytes(DType::kUint8, {2, 8}, 3),
               rows = random_bytes(DType::kUint8, {2}, 4);
  const IntegerMatrix matrix(b, detect_isa());
  std::vector<Tensor> out;
  const ir::Node what = node("MatMulInteger");
  const std::vector<const Tensor*> short_rows{&a, &b}, zeros{&fits, &b, &rows}, none{nullptr, &b};
  EXPECT_FALSE(multiply_integers({what, short_rows}, matrix, pool, out));
  EXPECT_FALSE(multiply_integers({what, zeros}, matrix, pool, out));
  EXPECT_FALSE(multiply_integers({what, none}, matrix, pool, out));
}

TEST(RowOperators, AreNearTheReference) {
  ThreadPool pool(2);
  const Tensor x = random_tensor({5, 7, 129}, 1, 3), scale = random_tensor({129}, 2),
               bias = random_tensor({129}, 3);
  ir::Node tanh_form = node("Gelu");
  tanh_form.attributes.set("approximate", std::string("tanh"));
  const std::vector<const Tensor*> one{&x}, three{&x, &scale, &bias};
  const ir::Node calls[] = {node("Gelu"), tanh_form, node("Softmax"), node("LayerNormalization")};
  for (const ir::Node& what : calls) {
    const ops::OpCall call{what, what.op == "LayerNormalization" ? three : one};
    const Tensor wanted = reference(call).front();
    std::vector<Tensor> got;
    ASSERT_TRUE(run_rows(call, detect_isa(), pool, got)) << what.op;
    ASSERT_EQ(got.front().shape(), wanted.shape());
    for (std::size_t i = 0; i < wanted.elements(); ++i) {
      ASSERT_NEAR(got.front().data<float>()[i], wanted.data<float>()[i], 5e-6f) << what.op;
    }
  }
}

void expect_same_rows(const ir::Node& what, const std::vector<const Tensor*>& inputs) {
  ThreadPool pool(2);
  const Tensor wanted = reference({what, inputs}).front();
  for (const IsaMask isa : {IsaMask{0}, detect_isa()}) {
    std::vector<Tensor> got;
    ASSERT_TRUE(run_rows({what, inputs}, isa, pool, got)) << what.op;
    EXPECT_TRUE(identical(got.front(), wanted)) << what.op << " on " << isa_name(isa);
  }
}

TEST(RowOperators, RoundAndWidenAsTheReference) {
  Tensor x = random_tensor({3, 17, 541}, 1, 4);
  const float specials[] = {NAN, INFINITY, -INFINITY, 1e30f, -1e30f, 0.45f, -0.45f, -0.0f};
  std::copy(std::begin(specials), std::end(specials), x.mutable_data<float>().begin() + 5);
  const Tensor scale = Tensor::scalar(0.03f), row_scale = Tensor::from<float>({1}, {{0.9f}});
  for (const DType dtype : {DType::kUint8, DType::kInt8}) {
    const Tensor zero = random_bytes(dtype, {}, 2), steps = random_bytes(dtype, {9, 1, 1033}, 3);
    for (const Tensor* by : {&scale, &row_scale}) {
      const Tensor at = zero.reshaped(by->shape());
      expect_same_rows(node("QuantizeLinear"), {&x, by, &at});
      expect_same_rows(node("QuantizeLinear"), {&x, by});
      expect_same_rows(node("DequantizeLinear"), {&steps, by, &at});
      expect_same_rows(node("DequantizeLinear"), {&steps, by});
    }
  }
}

TEST(RowOperators, OtherScalesAreForTheReference) {
  ThreadPool pool(1);
  const Tensor x = random_tensor({4, 6}, 1), rows = random_tensor({4}, 2),
               one = Tensor::scalar(0.1f);
  const Tensor wide(DType::kInt16, {}), codes(DType::kInt32, {4, 6});
  std::vector<Tensor> out;
  ir::Node by_axis = node("QuantizeLinear"), typed = by_axis;
  by_axis.attributes.set("axis", std::int64_t{0});
  typed.attributes.set("output_dtype", std::int64_t{3});
  const ir::Node back = node("DequantizeLinear");
  const std::vector<const Tensor*> axis{&x, &rows}, plain{&x, &one}, words{&x, &one, &wide},
      ints{&codes, &one};
  EXPECT_FALSE(run_rows({by_axis, axis}, detect_isa(), pool, out));
  EXPECT_FALSE(run_rows({typed, plain}, detect_isa(), pool, out));
  EXPECT_FALSE(run_rows({node("QuantizeLinear"), words}, detect_isa(), pool, out));
  EXPECT_FALSE(run_rows({back, ints}, detect_isa(), pool, out));
}

TEST(RowOperators, ArithmeticHasTheBitsOfTheReference) {
  const Tensor x = random_tensor({2, 3, 40, 129}, 1), y = random_tensor({2, 3, 40, 129}, 2);
  const Tensor row = random_tensor({129}, 3),
               plane = random_tensor({1, 3, 40, 129}, 4).reshaped({3, 40, 129});
  const Tensor led = row.reshaped({1, 1, 1, 129}), number = Tensor::scalar(0.3f);
  const Tensor one = number.reshaped({1, 1}), small = random_tensor({7}, 5),
               many = random_tensor({70000}, 6);
  for (const char* op : {"Add", "Sub", "Mul", "Div"}) {
    for (const Tensor* other : {&y, &row, &plane, &led, &number, &one}) {
      expect_same_rows(node(op), {&x, other});
      expect_same_rows(node(op), {other, &x});
    }
    expect_same_rows(node(op), {&small, &small});
    expect_same_rows(node(op), {&small, &number});
    expect_same_rows(node(op), {&many, &number});
    expect_same_rows(node(op), {&number, &number});
  }
}

TEST(RowOperators, OtherShapesAreForTheReference) {
  ThreadPool pool(1);
  const Tensor x = random_tensor({2, 3, 4}, 1), column = random_tensor({3, 1}, 2),
               batch = random_tensor({2, 1, 4}, 3);
  const Tensor led = random_tensor({1, 1, 1, 4}, 4), ints(DType::kInt64, {4});
  std::vector<Tensor> out;
  for (const Tensor* other : {&column, &batch, &led, &ints}) {
    const std::vector<const Tensor*> pair{&x, other}, turned{other, &x};
    EXPECT_FALSE(run_rows({node("Add"), pair}, detect_isa(), pool, out));
    EXPECT_FALSE(run_rows({node("Add"), turned}, detect_isa(), pool, out));
  }
}

TEST(RowOperators, QuantizeToTheSameBytes) {
  ThreadPool pool(2);
  const ir::Node what = node("DynamicQuantizeLinear");
  for (unsigned seed = 0; seed < 6; ++seed) {
    Tensor x = random_tensor({3, 11, 997}, seed, 0.2f * static_cast<float>(seed));
    const std::vector<const Tensor*> one{&x};
    const auto wanted = reference({what, one});
    std::vector<Tensor> got;
    ASSERT_TRUE(run_rows({what, one}, detect_isa(), pool, got));
    for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(identical(got[i], wanted[i])) << seed;
    x.mutable_data<float>()[50] = NAN;
    got.clear();
    EXPECT_FALSE(run_rows({what, one}, detect_isa(), pool, got));
  }
}

}  // namespace
}  // namespace octavo::runtime
