#include "tensor/tensor.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/checked.h"
#include "base/half.h"
#include "octavo/error.h"

namespace octavo {
namespace {

std::size_t require_elements(const Shape& shape, DType dtype) {
  const auto count = checked_elements(shape);
  const auto size = count ? checked_mul(*count, dtype_size(dtype)) : std::nullopt;
  if (!size || *size > (std::size_t{1} << 46)) {
    throw Error(ErrorCode::kInvalidArgument,
                {.message = "a tensor shape is not possible",
                 .expected = "dimensions of 0 or more whose product fits in memory",
                 .found = shape_to_string(shape)});
  }
  return *count;
}

template <typename T>
void widen(const Tensor& in, std::span<float> out) {
  const auto values = in.data<T>();
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(values[i]);
}

template <typename T>
void widen(const Tensor& in, std::vector<std::int64_t>& out) {
  for (const T value : in.data<T>()) out.push_back(static_cast<std::int64_t>(value));
}

}  // namespace

std::string shape_to_string(std::span<const std::int64_t> shape) {
  std::string out = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i != 0) out += ", ";
    out += std::to_string(shape[i]);
  }
  return out + "]";
}

Tensor::Tensor() : Tensor(DType::kFloat32, Shape{0}) {}

Tensor::Tensor(DType dtype, Shape shape)
    : dtype_(dtype), shape_(std::move(shape)), elements_(require_elements(shape_, dtype)) {
  auto buffer = std::make_shared<Buffer>(elements_ * dtype_size(dtype));
  data_ = buffer->data();
  storage_ = std::move(buffer);
}

Tensor::Tensor(DType dtype, Shape shape, std::shared_ptr<const Buffer> storage,
               std::size_t byte_offset)
    : dtype_(dtype),
      shape_(std::move(shape)),
      elements_(require_elements(shape_, dtype)),
      storage_(std::move(storage)),
      data_(nullptr) {
  const std::size_t size = byte_size();
  if (byte_offset > storage_->size() || size > storage_->size() - byte_offset) {
    throw Error(ErrorCode::kInvalidArgument,
                {.message = "a tensor reaches past the end of its storage",
                 .expected = std::to_string(size) + " bytes from " + std::to_string(byte_offset),
                 .found = std::to_string(storage_->size()) + " bytes"});
  }
  data_ = storage_->data() + byte_offset;
  if (byte_offset % dtype_size(dtype_) != 0) {
    auto copy = std::make_shared<Buffer>(size);
    std::memcpy(copy->data(), data_, size);
    data_ = copy->data();
    storage_ = std::move(copy);
  }
}

Tensor Tensor::own() const {
  if (storage_->size() == byte_size()) return *this;
  Tensor out(dtype_, shape_);
  if (byte_size() > 0) std::memcpy(out.mutable_bytes(), data_, byte_size());
  return out;
}

Tensor Tensor::reshaped(Shape shape) const {
  Tensor out = *this;
  if (require_elements(shape, dtype_) != elements_) {
    throw Error(ErrorCode::kInvalidArgument,
                {.message = "a tensor cannot take another number of elements",
                 .expected = std::to_string(elements_) + " elements, as " + shape_to_string(shape_),
                 .found = shape_to_string(shape)});
  }
  out.shape_ = std::move(shape);
  return out;
}

Tensor Tensor::to_float32() const {
  if (dtype_ == DType::kFloat32) return *this;
  Tensor result(DType::kFloat32, shape_);
  const auto out = result.mutable_data<float>();
  const auto from_bits = [&](auto convert) {
    const auto values = data<std::uint16_t>();
    std::transform(values.begin(), values.end(), out.begin(), convert);
  };
  switch (dtype_) {
    case DType::kFloat16: from_bits(half_to_float); break;
    case DType::kBFloat16: from_bits(bf16_to_float); break;
    case DType::kFloat64: widen<double>(*this, out); break;
    case DType::kInt8: widen<std::int8_t>(*this, out); break;
    case DType::kUint8:
    case DType::kBool: widen<std::uint8_t>(*this, out); break;
    case DType::kInt16: widen<std::int16_t>(*this, out); break;
    case DType::kUint16: widen<std::uint16_t>(*this, out); break;
    case DType::kInt32: widen<std::int32_t>(*this, out); break;
    case DType::kUint32: widen<std::uint32_t>(*this, out); break;
    case DType::kInt64: widen<std::int64_t>(*this, out); break;
    case DType::kUint64: widen<std::uint64_t>(*this, out); break;
    case DType::kFloat32: break;
  }
  return result;
}

std::vector<std::int64_t> Tensor::to_int64s() const {
  std::vector<std::int64_t> out;
  out.reserve(elements_);
  switch (dtype_) {
    case DType::kInt8: widen<std::int8_t>(*this, out); break;
    case DType::kUint8:
    case DType::kBool: widen<std::uint8_t>(*this, out); break;
    case DType::kInt16: widen<std::int16_t>(*this, out); break;
    case DType::kUint16: widen<std::uint16_t>(*this, out); break;
    case DType::kInt32: widen<std::int32_t>(*this, out); break;
    case DType::kUint32: widen<std::uint32_t>(*this, out); break;
    case DType::kInt64: widen<std::int64_t>(*this, out); break;
    case DType::kUint64: widen<std::uint64_t>(*this, out); break;
    default:
      throw Error(ErrorCode::kInvalidArgument, {.message = "a tensor has the wrong type",
                                                .expected = "integers",
                                                .found = std::string(dtype_name(dtype_))});
  }
  return out;
}

bool identical(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         (a.byte_size() == 0 || std::memcmp(a.bytes(), b.bytes(), a.byte_size()) == 0);
}

}  // namespace octavo
