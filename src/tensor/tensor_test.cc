// Tensors: shapes, views and conversions.
#include "tensor/tensor.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <memory>

#include "base/half.h"
#include "octavo/error.h"

namespace octavo {
namespace {

TEST(DType, NumbersAreOnnx) {
  for (const int value : {1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 16}) {
    const auto dtype = dtype_from_onnx(value);
    ASSERT_TRUE(dtype.has_value()) << value;
    EXPECT_EQ(static_cast<int>(*dtype), value);
    EXPECT_FALSE(dtype_name(*dtype).empty());
  }
  for (const std::int64_t value : {0, 8, 14, 15, 17, 22, -1, 257, 1 << 20})
    EXPECT_FALSE(dtype_from_onnx(value));
  EXPECT_EQ(dtype_size(DType::kFloat64), 8u);
  EXPECT_EQ(dtype_size(DType::kBFloat16), 2u);
  EXPECT_EQ(dtype_size(DType::kBool), 1u);
  EXPECT_TRUE(dtype_is_float(DType::kFloat16));
  EXPECT_FALSE(dtype_is_float(DType::kUint16));
}

TEST(Tensor, RefusesImpossibleShapes) {
  constexpr std::int64_t kBig = std::int64_t{1} << 40;
  for (const Shape& shape : {Shape{-1}, Shape{2, -3}, Shape{kBig, kBig}, Shape{kBig, 1 << 20},
                             Shape{std::int64_t{1} << 62}}) {
    EXPECT_THROW(Tensor(DType::kFloat32, shape), Error) << shape_to_string(shape);
  }
  EXPECT_EQ(Tensor(DType::kFloat32, Shape{0, 5}).elements(), 0u);
  EXPECT_EQ(Tensor().shape(), Shape{0});
  EXPECT_EQ(Tensor(DType::kInt64, Shape{}).byte_size(), 8u);
}

TEST(Tensor, ViewsStayInsideTheirStorage) {
  auto storage = std::make_shared<Buffer>(16);
  for (int i = 0; i < 16; ++i) storage->data()[i] = static_cast<std::byte>(i);
  const Tensor view(DType::kInt32, {2}, storage, 8);
  EXPECT_EQ(view.bytes(), storage->data() + 8);
  const Tensor moved(DType::kInt32, {2}, storage, 5);  // misaligned: a copy
  EXPECT_NE(moved.bytes(), storage->data() + 5);
  EXPECT_EQ(std::memcmp(moved.bytes(), storage->data() + 5, 8), 0);
  EXPECT_NO_THROW(Tensor(DType::kInt32, {0}, storage, 16));
  EXPECT_THROW(Tensor(DType::kInt32, {2}, storage, 9), Error);
  EXPECT_THROW(Tensor(DType::kInt32, {0}, storage, 17), Error);
  EXPECT_THROW(Tensor(DType::kInt8, {1}, storage, std::numeric_limits<std::size_t>::max()), Error);
}

TEST(Tensor, ConvertsToFloatAndInteger) {
  const std::vector<std::int32_t> ints = {-7, 0, 1 << 20};
  const Tensor tensor = Tensor::vector<std::int32_t>(ints);
  EXPECT_EQ(tensor.to_int64s(), (std::vector<std::int64_t>{-7, 0, 1 << 20}));
  EXPECT_EQ(tensor.to_float32().data<float>()[0], -7.0f);
  Tensor half(DType::kFloat16, {2});
  half.mutable_data<std::uint16_t>()[0] = 0x3c00;
  half.mutable_data<std::uint16_t>()[1] = 0xc000;
  EXPECT_EQ(half.to_float32().data<float>()[0], 1.0f);
  EXPECT_EQ(half.to_float32().data<float>()[1], -2.0f);
  Tensor bf16(DType::kBFloat16, {1});
  bf16.mutable_data<std::uint16_t>()[0] = 0x4049;
  EXPECT_EQ(bf16.to_float32().data<float>()[0], 3.140625f);
  EXPECT_THROW(half.to_int64s(), Error);
  EXPECT_EQ(Tensor::scalar<std::uint64_t>(5).to_float32().data<float>()[0], 5.0f);
}

TEST(Tensor, ReshapesWithTheSameStorage) {
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  const Tensor tensor = Tensor::from<float>({2, 3}, values);
  const Tensor other = tensor.reshaped({3, 2});
  EXPECT_EQ(other.bytes(), tensor.bytes());
  EXPECT_THROW(tensor.reshaped({4}), Error);
  EXPECT_THROW(tensor.reshaped({-6}), Error);
  EXPECT_FALSE(identical(tensor, other));
  EXPECT_TRUE(identical(tensor, other.reshaped({2, 3})));
}

}  // namespace
}  // namespace octavo
