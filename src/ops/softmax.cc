// Softmax, LogSoftmax and Hardmax along one axis.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/reference.h"

namespace octavo::ops::reference {
namespace {

// f(values of one line, in place).
template <typename F>
std::vector<Tensor> along_axis(const OpCall& call, F f) {
  const Tensor& x = call.input(0);
  const std::size_t axis = normalize_axis(call, call.attributes().int_or("axis", -1), x.rank());
  const Split3 split = split_at(x.shape(), axis);
  Tensor out = make_output(call, x.dtype(), x.shape());
  if (out.elements() == 0) return {out};
  dispatch_floats(call, x.dtype(), [&]<typename T>(Tag<T>) {
    const auto from = x.data<T>();
    const auto to = out.mutable_data<T>();
    std::vector<Compute<T>> line(split.axis);
    for (std::size_t o = 0; o < split.outer; ++o) {
      for (std::size_t i = 0; i < split.inner; ++i) {
        const std::size_t first = o * split.axis * split.inner + i;
        for (std::size_t a = 0; a < split.axis; ++a) line[a] = from[first + a * split.inner];
        f(line);
        for (std::size_t a = 0; a < split.axis; ++a) {
          to[first + a * split.inner] = static_cast<T>(line[a]);
        }
      }
    }
  });
  return {out};
}

}  // namespace

std::vector<Tensor> softmax(const OpCall& call) {
  return along_axis(call, []<typename C>(std::vector<C>& line) {
    const C high = *std::ranges::max_element(line);
    double sum = 0;
    for (C& v : line) {
      v = std::exp(v - high);
      sum += static_cast<double>(v);
    }
    for (C& v : line) v = static_cast<C>(static_cast<double>(v) / sum);
  });
}

std::vector<Tensor> log_softmax(const OpCall& call) {
  return along_axis(call, []<typename C>(std::vector<C>& line) {
    const C high = *std::ranges::max_element(line);
    double sum = 0;
    for (const C v : line) sum += static_cast<double>(std::exp(v - high));
    const double log_sum = std::log(sum);
    for (C& v : line) v = static_cast<C>(static_cast<double>(v - high) - log_sum);
  });
}

std::vector<Tensor> hardmax(const OpCall& call) {
  return along_axis(call, []<typename C>(std::vector<C>& line) {
    const auto best = std::ranges::max_element(line) - line.begin();
    std::ranges::fill(line, C{0});
    line[static_cast<std::size_t>(best)] = C{1};
  });
}

}  // namespace octavo::ops::reference
