// The paired bootstrap: how far a mean difference over queries may be chance.
#pragma once

#include <cstddef>
#include <span>

#include "octavo/benchmark.h"

namespace octavo::eval {

/// The 95 % percentile interval of the mean of `differences` over `resamples` resamples of as many
/// values with replacement. The generator has a fixed seed: the same input gives the same interval.
/// Both ends are the mean for fewer than two values. Source: Efron and Tibshirani, An Introduction
/// to the Bootstrap, 13.3; Sakai, SIGIR 2006, for paired tests over queries.
Interval bootstrap_mean(std::span<const double> differences, std::size_t resamples);

}  // namespace octavo::eval
