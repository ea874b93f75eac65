// LayerNormalization, RMSNormalization, InstanceNormalization, GroupNormalization,
// MeanVarianceNormalization and LpNormalization. Statistics are computed in double.
#include <algorithm>
#include <cmath>

#include "ops/matmul.h"
#include "ops/reference.h"

namespace octavo::ops::reference {
namespace {

void require_float(const OpCall& call, const Tensor& x) {
  if (!dtype_is_float(x.dtype())) fail_dtype(call, x.dtype(), "a float type");
}

std::vector<double> doubles(const OpCall& call, const Tensor& x) {
  std::vector<double> out(x.elements());
  dispatch_floats(call, x.dtype(), [&]<typename T>(Tag<T>) {
    const auto from = x.data<T>();
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<Compute<T>>(from[i]);
  });
  return out;
}

Tensor from_doubles(const OpCall& call, DType dtype, const Shape& shape,
                    const std::vector<double>& values) {
  Tensor out = make_output(call, dtype, shape);
  dispatch_floats(call, dtype, [&]<typename T>(Tag<T>) {
    const auto to = out.mutable_data<T>();
    for (std::size_t i = 0; i < to.size(); ++i) to[i] = static_cast<T>(values[i]);
  });
  return out;
}

struct Moments {
  double mean = 0, inverse = 0;  // 1 / sqrt(variance + epsilon)
};

// Of a run of `count` values; the mean is 0 when it is not to be taken off.
Moments moments(const double* x, std::size_t count, double epsilon, bool center) {
  Moments out;
  const auto n = static_cast<double>(count);
  if (center) {
    for (std::size_t i = 0; i < count; ++i) out.mean += x[i];
    out.mean /= n;
  }
  double variance = 0;
  for (std::size_t i = 0; i < count; ++i) variance += (x[i] - out.mean) * (x[i] - out.mean);
  out.inverse = 1 / std::sqrt(variance / n + epsilon);
  return out;
}

// Scale or bias of the shape of x's axes from `axis` on, broadcast to them.
std::vector<double> parameter(const OpCall& call, const Tensor& p, const Shape& inner) {
  if (broadcast_shapes(call, inner, p.shape()) != inner) {
    call.fail("a parameter does not broadcast to the normalized axes", shape_to_string(inner),
              shape_to_string(p.shape()));
  }
  return doubles(call, strided_copy(call, p, inner, 0, broadcast_strides(p.shape(), inner)));
}

std::vector<Tensor> normalize_trailing(const OpCall& call, bool center) {
  const Tensor &x = call.input(0), &scale = call.input(1);
  const Tensor* bias = center ? call.optional(2) : nullptr;
  require_float(call, x);
  require_float(call, scale);
  const std::size_t axis = normalize_axis(call, call.attributes().int_or("axis", -1), x.rank());
  const double epsilon = static_cast<double>(call.attributes().float_or("epsilon", 1e-5f));
  const Shape inner(x.shape().begin() + static_cast<std::ptrdiff_t>(axis), x.shape().end());
  const auto by = parameter(call, scale, inner);
  const auto add = bias != nullptr ? parameter(call, *bias, inner) : std::vector<double>();
  auto values = doubles(call, x);
  Shape stats_shape = x.shape();
  std::fill(stats_shape.begin() + static_cast<std::ptrdiff_t>(axis), stats_shape.end(), 1);
  std::vector<double> means, inverses;
  const std::size_t width = by.size();
  for (std::size_t first = 0; width != 0 && first < values.size(); first += width) {
    const Moments m = moments(values.data() + first, width, epsilon, center);
    for (std::size_t i = 0; i < width; ++i) {
      double& v = values[first + i];
      v = (v - m.mean) * m.inverse * by[i] + (add.empty() ? 0.0 : add[i]);
    }
    means.push_back(m.mean);
    inverses.push_back(m.inverse);
  }
  std::vector<Tensor> out{from_doubles(call, x.dtype(), x.shape(), values)};
  if (center && call.node.outputs.size() > 1) {
    const std::size_t count = product(stats_shape, 0, stats_shape.size());
    means.resize(count);
    inverses.resize(count);
    out.push_back(from_doubles(call, DType::kFloat32, stats_shape, means));
    out.push_back(from_doubles(call, DType::kFloat32, stats_shape, inverses));
  }
  return out;
}

// [batch, channels, ...]: statistics over `groups` of channels; scale and bias one a channel.
std::vector<Tensor> normalize_groups(const OpCall& call, std::int64_t groups) {
  const Tensor &x = call.input(0), &scale = call.input(1), &bias = call.input(2);
  require_float(call, x);
  if (x.rank() < 2) call.fail("channels are expected", "2 dimensions or more");
  const std::int64_t channels = x.dim(1);
  if (groups <= 0 || channels % groups != 0) {
    call.fail("the groups do not divide the channels", std::to_string(channels) + " channels",
              std::to_string(groups) + " groups");
  }
  const double epsilon = static_cast<double>(call.attributes().float_or("epsilon", 1e-5f));
  const auto by = doubles(call, scale), add = doubles(call, bias);
  if (by.size() != static_cast<std::size_t>(channels) || add.size() != by.size()) {
    call.fail("scale and bias do not fit the channels", std::to_string(channels),
              std::to_string(by.size()) + " and " + std::to_string(add.size()));
  }
  auto values = doubles(call, x);
  const std::size_t area = product(x.shape(), 2, x.rank());
  const std::size_t width = area * static_cast<std::size_t>(channels / groups);
  for (std::size_t first = 0; width != 0 && first < values.size(); first += width) {
    const Moments m = moments(values.data() + first, width, epsilon, true);
    for (std::size_t i = first; i < first + width; ++i) {
      const std::size_t channel = i / area % by.size();
      values[i] = (values[i] - m.mean) * m.inverse * by[channel] + add[channel];
    }
  }
  return {from_doubles(call, x.dtype(), x.shape(), values)};
}

}  // namespace

/// Outputs y, and on request mean and 1 / standard deviation.
std::vector<Tensor> layer_normalization(const OpCall& call) {
  return normalize_trailing(call, true);
}

std::vector<Tensor> rms_normalization(const OpCall& call) {
  return normalize_trailing(call, false);
}

std::vector<Tensor> instance_normalization(const OpCall& call) {
  const Tensor& x = call.input(0);
  return normalize_groups(call, x.rank() < 2 || x.dim(1) == 0 ? 1 : x.dim(1));
}

std::vector<Tensor> group_normalization(const OpCall& call) {
  return normalize_groups(call, call.attributes().require_int("num_groups"));
}

/// (x - mean) / sqrt(variance) over the axes, [0, 2, 3] by default.
std::vector<Tensor> mean_variance_normalization(const OpCall& call) {
  const Tensor& x = call.input(0);
  require_float(call, x);
  const auto axes = call.attributes().ints("axes").value_or(std::vector<std::int64_t>{0, 2, 3});
  Shape kept = x.shape();
  double count = 1;
  for (const std::size_t axis : normalize_axes(call, axes, x.rank())) {
    count *= static_cast<double>(kept[axis]);
    kept[axis] = 1;
  }
  const auto values = doubles(call, x);
  const Walk walk{x.shape(), {broadcast_strides(kept, x.shape())}};
  std::vector<std::size_t> group(values.size());
  for_rows<1>(walk, [&](std::size_t first, const auto& at, const auto& step, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) {
      group[first + i] = static_cast<std::size_t>(at[0] + static_cast<std::int64_t>(i) * step[0]);
    }
  });
  std::vector<double> mean(product(kept, 0, kept.size()), 0.0), square(mean.size(), 0.0);
  for (std::size_t i = 0; i < values.size(); ++i) mean[group[i]] += values[i] / count;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double d = values[i] - mean[group[i]];
    square[group[i]] += d * d / count;
  }
  std::vector<double> out(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    out[i] = (values[i] - mean[group[i]]) / (std::sqrt(square[group[i]]) + 1e-9);
  }
  return {from_doubles(call, x.dtype(), x.shape(), out)};
}

/// x / its L1 or L2 norm along an axis; a line of zeros stays zero.
std::vector<Tensor> lp_normalization(const OpCall& call) {
  const Tensor& x = call.input(0);
  require_float(call, x);
  const std::size_t axis = normalize_axis(call, call.attributes().int_or("axis", -1), x.rank());
  const std::int64_t p = call.attributes().int_or("p", 2);
  if (p != 1 && p != 2) call.fail("attribute 'p' is not known", "1 or 2", std::to_string(p));
  const Split3 split = split_at(x.shape(), axis);
  auto values = doubles(call, x);
  for (std::size_t o = 0; o < split.outer && !values.empty(); ++o) {
    for (std::size_t i = 0; i < split.inner; ++i) {
      double* line = values.data() + o * split.axis * split.inner + i;
      double norm = 0;
      for (std::size_t a = 0; a < split.axis; ++a) {
        const double v = line[a * split.inner];
        norm += p == 1 ? std::fabs(v) : v * v;
      }
      if (p == 2) norm = std::sqrt(norm);
      for (std::size_t a = 0; a < split.axis; ++a) {
        if (norm != 0) line[a * split.inner] /= norm;
      }
    }
  }
  return {from_doubles(call, x.dtype(), x.shape(), values)};
}

}  // namespace octavo::ops::reference
