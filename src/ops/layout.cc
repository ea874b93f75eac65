// Ops that read elements in another order: Transpose, Expand, Tile, Slice, DepthToSpace,
// SpaceToDepth.
#include <algorithm>
#include <numeric>

#include "ops/reference.h"

namespace octavo::ops::reference {
namespace {

Tensor permuted(const OpCall& call, const Tensor& x, std::span<const std::int64_t> perm) {
  const Strides own = row_major(x.shape());
  Shape shape;
  Strides strides;
  for (const std::int64_t p : perm) {
    shape.push_back(x.shape()[static_cast<std::size_t>(p)]);
    strides.push_back(own[static_cast<std::size_t>(p)]);
  }
  return strided_copy(call, x, std::move(shape), 0, std::move(strides));
}

}  // namespace

std::vector<Tensor> transpose(const OpCall& call) {
  const Tensor& x = call.input(0);
  std::vector<std::int64_t> perm(x.rank());
  std::iota(perm.rbegin(), perm.rend(), 0);
  if (const auto given = call.attributes().ints("perm")) {
    auto sorted = *given;
    std::sort(sorted.begin(), sorted.end());
    std::vector<std::int64_t> all(x.rank());
    std::iota(all.begin(), all.end(), 0);
    if (sorted != all) {
      call.fail("attribute 'perm' is no permutation of the axes",
                "each of 0 to " + std::to_string(x.rank()) + " (excluded) once",
                shape_to_string(*given));
    }
    perm = *given;
  }
  return {permuted(call, x, perm)};
}

std::vector<Tensor> expand(const OpCall& call) {
  const Tensor& x = call.input(0);
  const Shape wanted = integers(call, call.input(1));
  if (std::ranges::any_of(wanted, [](std::int64_t d) { return d < 0; })) {
    call.fail("a dimension is negative", "0 or more", shape_to_string(wanted));
  }
  Shape shape = broadcast_shapes(call, x.shape(), wanted);
  if (shape == x.shape()) return {x};
  Strides strides = broadcast_strides(x.shape(), shape);
  return {strided_copy(call, x, std::move(shape), 0, std::move(strides))};
}

std::vector<Tensor> tile(const OpCall& call) {
  const Tensor& x = call.input(0);
  const auto repeats = integers(call, call.input(1));
  if (repeats.size() != x.rank()) {
    call.fail("Tile needs a number of repeats for every axis", std::to_string(x.rank()),
              std::to_string(repeats.size()));
  }
  // Seen as [repeat, dim] pairs, the repeats have stride 0.
  const Strides own = row_major(x.shape());
  Shape pairs, shape;
  Strides strides;
  for (std::size_t i = 0; i < x.rank(); ++i) {
    std::int64_t dim;
    if (repeats[i] < 0 || __builtin_mul_overflow(repeats[i], x.dim(i), &dim)) {
      call.fail("a number of repeats is not possible", "0 or more", shape_to_string(repeats));
    }
    pairs.insert(pairs.end(), {repeats[i], x.dim(i)});
    strides.insert(strides.end(), {0, own[i]});
    shape.push_back(dim);
  }
  return {strided_copy(call, x, std::move(pairs), 0, std::move(strides)).reshaped(shape)};
}

std::vector<Tensor> slice(const OpCall& call) {
  const Tensor& x = call.input(0);
  const auto starts = integers(call, call.input(1)), ends = integers(call, call.input(2));
  std::vector<std::int64_t> axes(starts.size()), steps(starts.size(), 1);
  std::iota(axes.begin(), axes.end(), 0);
  if (const Tensor* given = call.optional(3)) axes = integers(call, *given);
  if (const Tensor* given = call.optional(4)) steps = integers(call, *given);
  if (ends.size() != starts.size() || axes.size() != starts.size() ||
      steps.size() != starts.size()) {
    call.fail("starts, ends, axes and steps differ in number", std::to_string(starts.size()),
              std::to_string(ends.size()) + ", " + std::to_string(axes.size()) + ", " +
                  std::to_string(steps.size()));
  }
  normalize_axes(call, axes, x.rank());  // all different
  Shape shape = x.shape();
  Strides strides = row_major(x.shape());
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const std::size_t axis = normalize_axis(call, axes[i], x.rank());
    const std::int64_t dim = x.dim(axis), step = steps[i];
    if (step == 0) call.fail("a slice has no step", "a step other than 0", "0");
    // A negative step runs from at most dim - 1 down to past -1.
    const std::int64_t low = step > 0 ? 0 : -1, high = step > 0 ? dim : dim - 1;
    const auto cut = [&](std::int64_t at) {
      if (at < 0) at = at < -dim ? low : at + dim;
      return std::clamp(at, low, std::max(low, high));
    };
    const std::int64_t first = cut(starts[i]), last = cut(ends[i]);
    const std::int64_t gap = step > 0 ? last - first : first - last;
    const std::uint64_t by =
        step > 0 ? static_cast<std::uint64_t>(step) : 0 - static_cast<std::uint64_t>(step);
    shape[axis] =
        gap <= 0 ? 0 : static_cast<std::int64_t>((static_cast<std::uint64_t>(gap) - 1) / by + 1);
    if (shape[axis] == 0) continue;
    offset += first * strides[axis];
    strides[axis] = shape[axis] == 1 ? 0 : strides[axis] * step;
  }
  return {strided_copy(call, x, std::move(shape), offset, std::move(strides))};
}

std::vector<Tensor> depth_to_space(const OpCall& call) {
  const Tensor& x = call.input(0);
  require_rank(call, x, 4);
  const std::int64_t b = call.attributes().require_int("blocksize");
  const std::string mode = call.attributes().string_or("mode", "DCR");
  if (b <= 0 || b > 1 << 15 || x.dim(1) % (b * b) != 0) {
    call.fail("attribute 'blocksize' does not fit", "a block whose square divides the channels",
              std::to_string(b) + " for " + shape_to_string(x.shape()));
  }
  const std::int64_t n = x.dim(0), c = x.dim(1) / (b * b), h = x.dim(2), w = x.dim(3);
  const bool crd = mode == "CRD";
  const Tensor parts = crd ? x.reshaped({n, c, b, b, h, w}) : x.reshaped({n, b, b, c, h, w});
  const std::vector<std::int64_t> perm = crd ? std::vector<std::int64_t>{0, 1, 4, 2, 5, 3}
                                             : std::vector<std::int64_t>{0, 3, 4, 1, 5, 2};
  return {permuted(call, parts, perm).reshaped({n, c, h * b, w * b})};
}

std::vector<Tensor> space_to_depth(const OpCall& call) {
  const Tensor& x = call.input(0);
  require_rank(call, x, 4);
  const std::int64_t b = call.attributes().require_int("blocksize");
  if (b <= 0 || b > 1 << 15 || x.dim(2) % b != 0 || x.dim(3) % b != 0) {
    call.fail("attribute 'blocksize' does not fit", "a block that divides height and width",
              std::to_string(b) + " for " + shape_to_string(x.shape()));
  }
  const std::int64_t n = x.dim(0), c = x.dim(1), h = x.dim(2) / b, w = x.dim(3) / b;
  const bool crd = call.attributes().string_or("mode", "DCR") == "CRD";
  const std::vector<std::int64_t> perm = crd ? std::vector<std::int64_t>{0, 1, 3, 5, 2, 4}
                                             : std::vector<std::int64_t>{0, 3, 5, 1, 2, 4};
  return {permuted(call, x.reshaped({n, c, h, b, w, b}), perm).reshaped({n, c * b * b, h, w})};
}

}  // namespace octavo::ops::reference
