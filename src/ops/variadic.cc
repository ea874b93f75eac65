// Max, Min, Sum and Mean over any number of broadcast inputs.
#include <cmath>

#include "ops/reference.h"

namespace octavo::ops::reference {
namespace {

template <typename F>
Tensor fold(const OpCall& call, F f) {
  Tensor out = call.input(0);
  return dispatch_numbers(call, out.dtype(), [&]<typename T>(Tag<T>) {
    for (std::size_t i = 1; i < call.inputs.size(); ++i) {
      require_same_dtype(call, out, call.input(i));
      out = map_pairs<T, T>(call, out, call.input(i), out.dtype(), f);
    }
    return out;
  });
}

Tensor sum_of(const OpCall& call) {
  return fold(call, []<typename C>(C x, C y) {
    return static_cast<C>(static_cast<Wrap<C>>(x) + static_cast<Wrap<C>>(y));
  });
}

}  // namespace

// NaN wins, as in NumPy.
std::vector<Tensor> max(const OpCall& call) {
  return {fold(call, [](auto x, auto y) { return x != x || x > y ? x : y; })};
}
std::vector<Tensor> min(const OpCall& call) {
  return {fold(call, [](auto x, auto y) { return x != x || x < y ? x : y; })};
}
std::vector<Tensor> sum(const OpCall& call) { return {sum_of(call)}; }

std::vector<Tensor> mean(const OpCall& call) {
  const Tensor total = sum_of(call);
  return {dispatch_floats(call, total.dtype(), [&]<typename T>(Tag<T>) {
    return map_elements<T>(call, total,
                           [&]<typename C>(C x) { return x / static_cast<C>(call.inputs.size()); });
  })};
}

}  // namespace octavo::ops::reference
