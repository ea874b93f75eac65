// ArgMax, ArgMin and TopK.
#include <algorithm>
#include <numeric>

#include "ops/reference.h"

namespace octavo::ops::reference {
namespace {

// Whether x comes before y: NaN is larger than every number.
template <typename C>
bool larger(C x, C y) {
  return (x != x && y == y) || x > y;
}

template <bool kLargest>
std::vector<Tensor> arg_extreme(const OpCall& call) {
  const Tensor& x = call.input(0);
  const std::size_t axis = normalize_axis(call, call.attributes().int_or("axis", 0), x.rank());
  const bool keep = call.attributes().int_or("keepdims", 1) != 0;
  const bool last = call.attributes().int_or("select_last_index", 0) != 0;
  const Split3 split = split_at(x.shape(), axis);
  Shape shape = x.shape();
  shape[axis] = 1;
  if (!keep) shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(axis));
  Tensor out = make_output(call, DType::kInt64, shape);
  if (out.elements() == 0) return {out};
  if (split.axis == 0) call.fail("an axis has no elements", "1 or more", "0");
  const auto to = out.mutable_data<std::int64_t>();
  dispatch_numbers(call, x.dtype(), [&]<typename T>(Tag<T>) {
    const auto from = x.data<T>();
    for (std::size_t o = 0; o < split.outer; ++o) {
      for (std::size_t i = 0; i < split.inner; ++i) {
        std::size_t best = 0;
        const auto at = [&](std::size_t a) {
          return static_cast<Compute<T>>(from[(o * split.axis + a) * split.inner + i]);
        };
        for (std::size_t a = 1; a < split.axis; ++a) {
          const auto v = at(a), b = at(best);
          const bool better = kLargest ? larger(v, b) : (v != v && b == b) || v < b;
          if (better || (last && v == b)) best = a;
        }
        to[o * split.inner + i] = static_cast<std::int64_t>(best);
      }
    }
  });
  return {out};
}

}  // namespace

std::vector<Tensor> arg_max(const OpCall& call) { return arg_extreme<true>(call); }
std::vector<Tensor> arg_min(const OpCall& call) { return arg_extreme<false>(call); }

/// Values and indices, always sorted; ties by the lower index.
std::vector<Tensor> top_k(const OpCall& call) {
  const Tensor& x = call.input(0);
  const std::int64_t k = integer(call, call.input(1));
  const std::size_t axis = normalize_axis(call, call.attributes().int_or("axis", -1), x.rank());
  const bool largest = call.attributes().int_or("largest", 1) != 0;
  if (k < 0 || k > x.dim(axis)) {
    call.fail("more elements are asked for than there are", "0 to " + std::to_string(x.dim(axis)),
              std::to_string(k));
  }
  const Split3 split = split_at(x.shape(), axis);
  Shape shape = x.shape();
  shape[axis] = k;
  Tensor values = make_output(call, x.dtype(), shape);
  Tensor indices = make_output(call, DType::kInt64, shape);
  if (values.elements() == 0) return {values, indices};
  const auto count = static_cast<std::size_t>(k);
  const auto places = indices.mutable_data<std::int64_t>();
  dispatch_numbers(call, x.dtype(), [&]<typename T>(Tag<T>) {
    const auto from = x.data<T>();
    const auto to = values.mutable_data<T>();
    std::vector<std::size_t> order(split.axis);
    for (std::size_t o = 0; o < split.outer; ++o) {
      for (std::size_t i = 0; i < split.inner; ++i) {
        const auto at = [&](std::size_t a) {
          return static_cast<Compute<T>>(from[(o * split.axis + a) * split.inner + i]);
        };
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
          return largest ? larger(at(a), at(b)) : larger(at(b), at(a));
        });
        for (std::size_t a = 0; a < count; ++a) {
          const std::size_t target = (o * count + a) * split.inner + i;
          to[target] = static_cast<T>(at(order[a]));
          places[target] = static_cast<std::int64_t>(order[a]);
        }
      }
    }
  });
  return {values, indices};
}

}  // namespace octavo::ops::reference
