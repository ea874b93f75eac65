// Exact nearest neighbours: every query against every document.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/thread_pool.h"

namespace octavo::eval {

enum class VectorSimilarity { kDot, kEuclidean, kManhattan };  // of distances the negative

struct Hit {
  std::uint32_t index;  // of the document
  float score;
};

/// Divides each row of a [n, dims] matrix by its Euclidean norm; rows of zeros stay. Dot products
/// of such rows are cosines.
void normalize_rows(std::span<float> rows, std::size_t dims);

/// For each row of `queries` [q, dims] the `k` best rows of `documents` [n, dims], best first,
/// equal scores by ascending index. Scores are float32 sums in an order that depends on `dims`
/// alone, so that neither the number of threads nor the place in a matrix changes them; NaN counts
/// as -1. `progress` gets the number of queries done, from the caller's thread; false stops the
/// search with Error(kCancelled).
std::vector<std::vector<Hit>> top_k(std::span<const float> queries,
                                    std::span<const float> documents, std::size_t dims,
                                    std::size_t k, VectorSimilarity similarity, ThreadPool& pool,
                                    const std::function<bool(std::size_t)>& progress = {});

}  // namespace octavo::eval
