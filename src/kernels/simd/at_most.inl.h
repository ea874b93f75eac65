// How many floats of a row the next Vec holds. Include after one of the Vec headers.
#pragma once

namespace octavo::kernels {
namespace {

OCTAVO_INLINE std::size_t at_most(std::size_t n) { return n < kWidth ? n : kWidth; }

}  // namespace
}  // namespace octavo::kernels
