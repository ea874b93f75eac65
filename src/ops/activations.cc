// Activation functions and Clip.
#include <algorithm>
#include <cmath>

#include "ops/reference.h"

namespace octavo::ops::reference {
namespace {

template <typename C>
C logistic(C x) {
  return x >= 0 ? C{1} / (C{1} + std::exp(-x)) : std::exp(x) / (C{1} + std::exp(x));
}

template <typename C>
C softplus_of(C x) {
  return std::max(x, C{0}) + std::log1p(std::exp(-std::fabs(x)));
}

}  // namespace

std::vector<Tensor> relu(const OpCall& call) {
  const Tensor& x = call.input(0);
  return {dispatch_numbers(call, x.dtype(), [&]<typename T>(Tag<T>) {
    return map_elements<T>(call, x, [](auto v) { return v < 0 ? decltype(v){0} : v; });
  })};
}

std::vector<Tensor> sigmoid(const OpCall& call) {
  return map_floats(call, [](auto x) { return logistic(x); });
}

std::vector<Tensor> swish(const OpCall& call) {
  const float alpha = call.attributes().float_or("alpha", 1.0f);
  return map_floats(call, [&]<typename C>(C x) { return x * logistic(static_cast<C>(alpha) * x); });
}

std::vector<Tensor> hard_sigmoid(const OpCall& call) {
  const float alpha = call.attributes().float_or("alpha", 0.2f);
  const float beta = call.attributes().float_or("beta", 0.5f);
  return map_floats(call, [&]<typename C>(C x) {
    return std::clamp(static_cast<C>(alpha) * x + static_cast<C>(beta), C{0}, C{1});
  });
}

std::vector<Tensor> hard_swish(const OpCall& call) {
  return map_floats(call,
                    []<typename C>(C x) { return x * std::clamp(x / C{6} + C{0.5}, C{0}, C{1}); });
}

std::vector<Tensor> leaky_relu(const OpCall& call) {
  const float alpha = call.attributes().float_or("alpha", 0.01f);
  return map_floats(call, [&]<typename C>(C x) { return x < 0 ? static_cast<C>(alpha) * x : x; });
}

std::vector<Tensor> thresholded_relu(const OpCall& call) {
  const float alpha = call.attributes().float_or("alpha", 1.0f);
  return map_floats(call, [&]<typename C>(C x) { return x > static_cast<C>(alpha) ? x : C{0}; });
}

std::vector<Tensor> elu(const OpCall& call) {
  const float alpha = call.attributes().float_or("alpha", 1.0f);
  return map_floats(
      call, [&]<typename C>(C x) { return x < 0 ? static_cast<C>(alpha) * std::expm1(x) : x; });
}

std::vector<Tensor> celu(const OpCall& call) {
  const float alpha = call.attributes().float_or("alpha", 1.0f);
  return map_floats(call, [&]<typename C>(C x) {
    const C a = static_cast<C>(alpha);
    return std::max(C{0}, x) + std::min(C{0}, a * std::expm1(x / a));
  });
}

std::vector<Tensor> selu(const OpCall& call) {
  const float alpha = call.attributes().float_or("alpha", 1.67326319217681884765625f);
  const float gamma = call.attributes().float_or("gamma", 1.05070102214813232421875f);
  return map_floats(call, [&]<typename C>(C x) {
    const C g = static_cast<C>(gamma);
    return x <= 0 ? g * static_cast<C>(alpha) * std::expm1(x) : g * x;
  });
}

std::vector<Tensor> gelu(const OpCall& call) {
  const std::string approximate = call.attributes().string_or("approximate", "none");
  if (approximate == "none") {
    return map_floats(call, []<typename C>(C x) {
      return C{0.5} * x * (C{1} + std::erf(x * static_cast<C>(0.70710678118654752440)));
    });
  }
  if (approximate == "tanh") {
    return map_floats(call, []<typename C>(C x) {
      const C inner =
          static_cast<C>(0.79788456080286535588) * (x + static_cast<C>(0.044715) * x * x * x);
      return C{0.5} * x * (C{1} + std::tanh(inner));
    });
  }
  call.fail("attribute 'approximate' is not known", "none or tanh", "'" + approximate + "'");
}

std::vector<Tensor> mish(const OpCall& call) {
  return map_floats(call, [](auto x) { return x * std::tanh(softplus_of(x)); });
}

std::vector<Tensor> softplus(const OpCall& call) {
  return map_floats(call, [](auto x) { return softplus_of(x); });
}

std::vector<Tensor> softsign(const OpCall& call) {
  return map_floats(call, [](auto x) { return x / (decltype(x){1} + std::fabs(x)); });
}

std::vector<Tensor> shrink(const OpCall& call) {
  const float bias = call.attributes().float_or("bias", 0.0f);
  const float lambda = call.attributes().float_or("lambd", 0.5f);
  return map_floats(call, [&]<typename C>(C x) {
    const C b = static_cast<C>(bias), l = static_cast<C>(lambda);
    return x < -l ? x + b : x > l ? x - b : C{0};
  });
}

/// The slope broadcasts to x, and to nothing larger.
std::vector<Tensor> prelu(const OpCall& call) {
  const Tensor &x = call.input(0), &slope = call.input(1);
  require_same_dtype(call, x, slope);
  if (broadcast_shapes(call, x.shape(), slope.shape()) != x.shape()) {
    call.fail("the slope does not broadcast to the input", shape_to_string(x.shape()),
              shape_to_string(slope.shape()));
  }
  return {dispatch_numbers(call, x.dtype(), [&]<typename T>(Tag<T>) {
    return map_pairs<T, T>(call, x, slope, x.dtype(), [](auto v, auto s) {
      using C = decltype(v);
      return v < 0 ? static_cast<C>(static_cast<Wrap<C>>(v) * static_cast<Wrap<C>>(s)) : v;
    });
  })};
}

std::vector<Tensor> clip(const OpCall& call) {
  const Tensor& x = call.input(0);
  const Tensor *low = call.optional(1), *high = call.optional(2);
  for (const Tensor* bound : {low, high}) {
    if (bound == nullptr) continue;
    require_same_dtype(call, x, *bound);
    if (bound->elements() != 1) {
      call.fail("a bound must be one number", "1 element", shape_to_string(bound->shape()));
    }
  }
  return {dispatch_numbers(call, x.dtype(), [&]<typename T>(Tag<T>) {
    return map_elements<T>(call, x, [&]<typename C>(C v) {
      if (low != nullptr) v = std::max(v, static_cast<C>(low->data<T>()[0]));
      if (high != nullptr) v = std::min(v, static_cast<C>(high->data<T>()[0]));
      return v;
    });
  })};
}

}  // namespace octavo::ops::reference
