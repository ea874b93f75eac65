// Unary functions of floats: roots, exponentials, trigonometry, rounding, tests for NaN and
// infinity.
#include <cmath>

#include "ops/reference.h"

namespace octavo::ops::reference {

std::vector<Tensor> sqrt(const OpCall& call) {
  return map_floats(call, [](auto x) { return std::sqrt(x); });
}
std::vector<Tensor> exp(const OpCall& call) {
  return map_floats(call, [](auto x) { return std::exp(x); });
}
std::vector<Tensor> log(const OpCall& call) {
  return map_floats(call, [](auto x) { return std::log(x); });
}
std::vector<Tensor> erf(const OpCall& call) {
  return map_floats(call, [](auto x) { return std::erf(x); });
}
std::vector<Tensor> reciprocal(const OpCall& call) {
  return map_floats(call, [](auto x) { return decltype(x){1} / x; });
}
std::vector<Tensor> floor(const OpCall& call) {
  return map_floats(call, [](auto x) { return std::floor(x); });
}
std::vector<Tensor> ceil(const OpCall& call) {
  return map_floats(call, [](auto x) { return std::ceil(x); });
}
/// Halves go to the even neighbour.
std::vector<Tensor> round(const OpCall& call) {
  return map_floats(call, [](auto x) { return std::nearbyint(x); });
}
std::vector<Tensor> sin(const OpCall& call) {
  return map_floats(call, [](auto x) { return std::sin(x); });
}
std::vector<Tensor> cos(const OpCall& call) {
  return map_floats(call, [](auto x) { return std::cos(x); });
}
std::vector<Tensor> tan(const OpCall& call) {
  return map_floats(call, [](auto x) { return std::tan(x); });
}
std::vector<Tensor> asin(const OpCall& call) {
  return map_floats(call, [](auto x) { return std::asin(x); });
}
std::vector<Tensor> acos(const OpCall& call) {
  return map_floats(call, [](auto x) { return std::acos(x); });
}
std::vector<Tensor> atan(const OpCall& call) {
  return map_floats(call, [](auto x) { return std::atan(x); });
}
std::vector<Tensor> sinh(const OpCall& call) {
  return map_floats(call, [](auto x) { return std::sinh(x); });
}
std::vector<Tensor> cosh(const OpCall& call) {
  return map_floats(call, [](auto x) { return std::cosh(x); });
}
std::vector<Tensor> tanh(const OpCall& call) {
  return map_floats(call, [](auto x) { return std::tanh(x); });
}
std::vector<Tensor> asinh(const OpCall& call) {
  return map_floats(call, [](auto x) { return std::asinh(x); });
}
std::vector<Tensor> acosh(const OpCall& call) {
  return map_floats(call, [](auto x) { return std::acosh(x); });
}
std::vector<Tensor> atanh(const OpCall& call) {
  return map_floats(call, [](auto x) { return std::atanh(x); });
}

namespace {

template <typename F>
std::vector<Tensor> test_floats(const OpCall& call, F f) {
  const Tensor& x = call.input(0);
  Tensor out = make_output(call, DType::kBool, x.shape());
  dispatch_floats(call, x.dtype(), [&]<typename T>(Tag<T>) {
    const auto in = x.data<T>();
    const auto to = out.mutable_data<Bool>();
    for (std::size_t i = 0; i < in.size(); ++i) to[i] = Bool(f(Compute<T>(in[i])));
  });
  return {out};
}

}  // namespace

std::vector<Tensor> is_nan(const OpCall& call) {
  return test_floats(call, [](auto x) { return std::isnan(x); });
}

std::vector<Tensor> is_inf(const OpCall& call) {
  const bool negative = call.attributes().int_or("detect_negative", 1) != 0;
  const bool positive = call.attributes().int_or("detect_positive", 1) != 0;
  return test_floats(
      call, [&](auto x) { return std::isinf(x) && (std::signbit(x) ? negative : positive); });
}

}  // namespace octavo::ops::reference
