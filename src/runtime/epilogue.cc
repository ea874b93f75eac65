#include "runtime/epilogue.h"

#include <algorithm>

namespace octavo::runtime {

std::optional<Epilogue::Grid> Epilogue::grid(const Tensor* scale, const Tensor* zero) {
  if (scale == nullptr || zero == nullptr || scale->dtype() != DType::kFloat32 ||
      scale->elements() != 1 || zero->elements() != 1 ||
      (zero->dtype() != DType::kUint8 && zero->dtype() != DType::kInt8)) {
    return std::nullopt;
  }
  return Grid{.scale = scale->data<float>()[0],
              .steps = {.zero = static_cast<std::int32_t>(zero->to_int64s()[0]),
                        .is_signed = zero->dtype() == DType::kInt8}};
}

std::optional<Epilogue> Epilogue::make(std::string_view stages, std::string_view approximate,
                                       std::span<const Tensor* const> operands, Shape shape,
                                       IsaMask isa) {
  const auto width = static_cast<std::size_t>(shape.back());
  std::optional<Grid> first, last;
  std::vector<Stage> between;
  std::size_t at = 0;
  DType dtype = DType::kFloat32;
  for (const char stage : stages) {
    if (stage == 'G') {
      if (approximate != "none" && approximate != "tanh") return std::nullopt;
      between.push_back({.activation = approximate == "tanh" ? kernels::Activation::kGeluTanh
                                                             : kernels::Activation::kGeluErf});
    } else if (stage == 'A') {
      const Tensor* addend = at < operands.size() ? operands[at++] : nullptr;
      if (addend == nullptr || addend->dtype() != DType::kFloat32) return std::nullopt;
      const Shape& own = addend->shape();
      const bool row = own.size() <= shape.size() && addend->elements() == width && !own.empty() &&
                       own.back() == shape.back();
      if (!row && own != shape) return std::nullopt;
      between.push_back({.addend = addend->data<float>().data(), .ld = row ? 0 : width});
    } else {
      if (at + 2 > operands.size()) return std::nullopt;
      const Tensor* zero = operands[at + 1];
      (stage == 'D' ? first : last) = grid(operands[at], zero);
      if (!(stage == 'D' ? first : last)) return std::nullopt;
      if (stage == 'Q') dtype = zero->dtype();
      at += 2;
    }
  }
  Epilogue out(isa, width, Tensor(dtype, std::move(shape)));
  out.first_ = first;
  out.last_ = last;
  out.stages_ = std::move(between);
  return out;
}

float* Epilogue::place(std::size_t row, std::size_t column, float* local) const noexcept {
  return last_ ? local : reinterpret_cast<float*>(bytes_) + row * width_ + column;
}

void Epilogue::finish_bytes(std::size_t row, std::size_t column, std::size_t count,
                            const std::uint8_t* x) const noexcept {
  alignas(64) float local[kMostColumns];
  float* to = place(row, column, local);
  affine_->dequantize(x, count, first_->scale, first_->steps, to);
  finish_floats(row, column, count, to);
}

void Epilogue::finish_floats(std::size_t row, std::size_t column, std::size_t count,
                             float* x) const noexcept {
  for (const Stage& stage : stages_) {
    if (stage.addend != nullptr) {
      elementwise_->binary({.a = x,
                            .b = stage.addend + row * stage.ld + column,
                            .ld_a = count,
                            .ld_b = count,
                            .y = x,
                            .ld_y = count,
                            .rows = 1,
                            .width = count,
                            .op = kernels::BinaryOp::kAdd});
    } else {
      elementwise_->unary({.x = x,
                           .ld_x = count,
                           .y = x,
                           .ld_y = count,
                           .rows = 1,
                           .width = count,
                           .activation = stage.activation});
    }
  }
  if (last_) {
    affine_->quantize(x, count, last_->scale, last_->steps,
                      reinterpret_cast<std::uint8_t*>(bytes_) + row * width_ + column);
  }
}

}  // namespace octavo::runtime
