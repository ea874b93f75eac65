// The Reduce ops over axes given as an input, and CumSum. Floats accumulate in double, integers
// wrap at 64 bits.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/reference.h"

namespace octavo::ops::reference {
namespace {

// The shape with the reduced axes at 1, and the shape of the result.
struct Plan {
  Shape kept, result;
  std::size_t count = 1;  // elements that meet in one
  bool nothing = false;   // no axes, and noop_with_empty_axes
};

Plan plan_reduction(const OpCall& call) {
  const Tensor& x = call.input(0);
  const bool keep = call.attributes().int_or("keepdims", 1) != 0;
  std::vector<std::int64_t> axes;
  if (const Tensor* given = call.optional(1)) axes = integers(call, *given);
  Plan plan;
  plan.nothing = axes.empty() && call.attributes().int_or("noop_with_empty_axes", 0) != 0;
  std::vector<bool> reduced(x.rank(), axes.empty() && !plan.nothing);
  for (const std::size_t axis : normalize_axes(call, axes, x.rank())) reduced[axis] = true;
  for (std::size_t i = 0; i < x.rank(); ++i) {
    plan.kept.push_back(reduced[i] ? 1 : x.dim(i));
    if (!reduced[i] || keep) plan.result.push_back(plan.kept.back());
    if (reduced[i]) plan.count *= static_cast<std::size_t>(x.dim(i));
  }
  return plan;
}

template <typename T>
using Sum = std::conditional_t<kIsFloat<T>, double, std::uint64_t>;

// Calls step(accumulator, element, index of the accumulator) for all elements.
template <typename T, typename A, typename Step>
void accumulate(const Tensor& x, const Plan& plan, std::vector<A>& into, Step step) {
  const Walk walk{x.shape(), {broadcast_strides(plan.kept, x.shape())}};
  const T* from = x.data<T>().data();
  for_rows<1>(walk, [&](std::size_t first, const auto& at, const auto& by, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const auto to = static_cast<std::size_t>(at[0] + static_cast<std::int64_t>(i) * by[0]);
      step(into[to], static_cast<Compute<T>>(from[first + i]), to);
    }
  });
}

// A result from start value, step and finish; also of a single element when nothing is reduced.
template <typename Start, typename Step, typename Finish>
std::vector<Tensor> reduce(const OpCall& call, Start start, Step step, Finish finish) {
  const Plan plan = plan_reduction(call);
  const Tensor& x = call.input(0);
  Tensor out = make_output(call, x.dtype(), plan.result);
  dispatch_numbers(call, x.dtype(), [&]<typename T>(Tag<T>) {
    using A = Sum<T>;
    std::vector<A> sums(out.elements(), static_cast<A>(start));
    accumulate<T>(x, plan, sums, [&](A& sum, auto v, std::size_t) { sum = step(sum, v); });
    const auto to = out.mutable_data<T>();
    for (std::size_t i = 0; i < to.size(); ++i) {
      if constexpr (kIsFloat<T>) {
        to[i] = static_cast<T>(static_cast<Compute<T>>(finish(sums[i], plan.count)));
      } else {
        to[i] = convert<T>(finish(
            static_cast<std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>>(
                sums[i]),
            plan.count));
      }
    }
  });
  return {out};
}

const auto kAdd = [](auto sum, auto v) {
  return static_cast<decltype(sum)>(sum + static_cast<decltype(sum)>(v));
};
const auto kSame = [](auto sum, std::size_t) { return sum; };

template <bool kLargest>
std::vector<Tensor> reduce_extreme(const OpCall& call) {
  const Plan plan = plan_reduction(call);
  const Tensor& x = call.input(0);
  Tensor out = make_output(call, x.dtype(), plan.result);
  dispatch_all(call, x.dtype(), [&]<typename T>(Tag<T>) {
    using C = Compute<T>;
    using Limits = std::numeric_limits<C>;
    C start;
    if constexpr (kIsFloat<T>) {
      start = kLargest ? -Limits::infinity() : Limits::infinity();
    } else {
      start = kLargest ? Limits::min() : Limits::max();
    }
    // Not vector<bool>.
    struct Cell {
      C value;
    };
    std::vector<Cell> cells(out.elements(), Cell{start});
    accumulate<T>(x, plan, cells, [](Cell& cell, C v, std::size_t) {
      const bool better = kLargest ? v > cell.value : v < cell.value;
      if (better || v != v) cell.value = v;
    });
    const auto to = out.mutable_data<T>();
    for (std::size_t i = 0; i < to.size(); ++i) to[i] = static_cast<T>(cells[i].value);
  });
  return {out};
}

}  // namespace

std::vector<Tensor> reduce_sum(const OpCall& call) {
  if (plan_reduction(call).nothing) return {call.input(0)};
  return reduce(call, 0, kAdd, kSame);
}

std::vector<Tensor> reduce_mean(const OpCall& call) {
  if (plan_reduction(call).nothing) return {call.input(0)};
  return reduce(call, 0, kAdd, [&](auto sum, std::size_t count) {
    if constexpr (std::is_integral_v<decltype(sum)>) {
      if (count == 0) call.fail("the mean of no integers is asked for", "1 element or more");
    }
    return static_cast<decltype(sum)>(sum / static_cast<decltype(sum)>(count));
  });
}

std::vector<Tensor> reduce_prod(const OpCall& call) {
  if (plan_reduction(call).nothing) return {call.input(0)};
  return reduce(
      call, 1,
      [](auto sum, auto v) {
        return static_cast<decltype(sum)>(sum * static_cast<decltype(sum)>(v));
      },
      kSame);
}

std::vector<Tensor> reduce_max(const OpCall& call) {
  if (plan_reduction(call).nothing) return {call.input(0)};
  return reduce_extreme<true>(call);
}
std::vector<Tensor> reduce_min(const OpCall& call) {
  if (plan_reduction(call).nothing) return {call.input(0)};
  return reduce_extreme<false>(call);
}

std::vector<Tensor> reduce_l1(const OpCall& call) {
  return reduce(
      call, 0,
      [](auto sum, auto v) {
        using A = decltype(sum);
        const A wide = static_cast<A>(v);
        return static_cast<A>(sum + (v < 0 ? A{0} - wide : wide));
      },
      kSame);
}

namespace {

const auto kAddSquare = [](auto sum, auto v) {
  const auto wide = static_cast<decltype(sum)>(v);
  return static_cast<decltype(sum)>(sum + wide * wide);
};

}  // namespace

std::vector<Tensor> reduce_l2(const OpCall& call) {
  return reduce(call, 0, kAddSquare,
                [](auto sum, std::size_t) { return std::sqrt(static_cast<double>(sum)); });
}

std::vector<Tensor> reduce_sum_square(const OpCall& call) {
  return reduce(call, 0, kAddSquare, kSame);
}

std::vector<Tensor> reduce_log_sum(const OpCall& call) {
  return reduce(call, 0, kAdd,
                [](auto sum, std::size_t) { return std::log(static_cast<double>(sum)); });
}

/// Relative to the largest element, so that nothing overflows.
std::vector<Tensor> reduce_log_sum_exp(const OpCall& call) {
  const Plan plan = plan_reduction(call);
  const Tensor& x = call.input(0);
  Tensor out = make_output(call, x.dtype(), plan.result);
  dispatch_numbers(call, x.dtype(), [&]<typename T>(Tag<T>) {
    constexpr double kLow = -std::numeric_limits<double>::infinity();
    std::vector<double> highest(out.elements(), kLow), sums(out.elements(), 0.0);
    accumulate<T>(x, plan, highest, [](double& high, auto v, std::size_t) {
      high = std::max(high, static_cast<double>(v));
    });
    for (double& high : highest) high = std::isfinite(high) ? high : 0.0;
    accumulate<T>(x, plan, sums, [&](double& sum, auto v, std::size_t i) {
      sum += std::exp(static_cast<double>(v) - highest[i]);
    });
    const auto to = out.mutable_data<T>();
    for (std::size_t i = 0; i < to.size(); ++i) {
      to[i] = convert<T>(std::log(sums[i]) + highest[i]);
    }
  });
  return {out};
}

std::vector<Tensor> cum_sum(const OpCall& call) {
  const Tensor& x = call.input(0);
  const std::size_t axis = normalize_axis(call, integer(call, call.input(1)), x.rank());
  const bool exclusive = call.attributes().int_or("exclusive", 0) != 0;
  const bool reverse = call.attributes().int_or("reverse", 0) != 0;
  const Split3 split = split_at(x.shape(), axis);
  Tensor out = make_output(call, x.dtype(), x.shape());
  if (out.elements() == 0) return {out};
  dispatch_numbers(call, x.dtype(), [&]<typename T>(Tag<T>) {
    const auto from = x.data<T>();
    const auto to = out.mutable_data<T>();
    for (std::size_t o = 0; o < split.outer; ++o) {
      for (std::size_t i = 0; i < split.inner; ++i) {
        Wrap<Compute<T>> sum = 0;
        for (std::size_t a = 0; a < split.axis; ++a) {
          const std::size_t step = reverse ? split.axis - 1 - a : a;
          const std::size_t at = (o * split.axis + step) * split.inner + i;
          const auto v = static_cast<Wrap<Compute<T>>>(static_cast<Compute<T>>(from[at]));
          if (exclusive) to[at] = static_cast<T>(sum);
          sum += v;
          if (!exclusive) to[at] = static_cast<T>(sum);
        }
      }
    }
  });
  return {out};
}

}  // namespace octavo::ops::reference
