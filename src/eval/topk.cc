#include "eval/topk.h"

#include <algorithm>
#include <cmath>

#include "octavo/error.h"

namespace octavo::eval {
namespace {

constexpr std::size_t kLanes = 16;         // partial sums of a score
constexpr std::size_t kQueriesAtOnce = 2;  // share one pass over a document
constexpr std::size_t kQueryBlock = 16;    // one task
constexpr std::size_t kDocumentBlock = 64;

struct Dot {
  static float term(float a, float b) { return a * b; }
  static float finish(float sum) { return sum; }
};
struct Euclidean {
  static float term(float a, float b) { return (a - b) * (a - b); }
  static float finish(float sum) { return -std::sqrt(sum); }
};
struct Manhattan {
  static float term(float a, float b) { return std::abs(a - b); }
  static float finish(float sum) { return -sum; }
};

float sum_lanes(float (&lanes)[kLanes]) {
  for (std::size_t half = kLanes / 2; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  }
  return lanes[0];
}

// Scores of Q queries, `dims` apart, with one document.
template <typename Kind, std::size_t Q>
void score(const float* queries, const float* document, std::size_t dims, float* out) {
  float lanes[Q][kLanes] = {};
  std::size_t i = 0;
  for (; i + kLanes <= dims; i += kLanes) {
    for (std::size_t q = 0; q < Q; ++q) {
      for (std::size_t l = 0; l < kLanes; ++l) {
        lanes[q][l] += Kind::term(queries[q * dims + i + l], document[i + l]);
      }
    }
  }
  for (std::size_t q = 0; q < Q; ++q) {
    for (std::size_t l = 0; i + l < dims; ++l) {
      lanes[q][l] += Kind::term(queries[q * dims + i + l], document[i + l]);
    }
    const float value = Kind::finish(sum_lanes(lanes[q]));
    out[q] = std::isnan(value) ? -1.0F : value;
  }
}

bool better(const Hit& a, const Hit& b) {
  return a.score != b.score ? a.score > b.score : a.index < b.index;
}

// Keeps the k best in a heap whose front is the worst of them; never grows beyond what is reserved.
void offer(std::vector<Hit>& heap, std::size_t k, Hit hit) {
  if (heap.size() < k) {
    heap.push_back(hit);
    std::push_heap(heap.begin(), heap.end(), better);
  } else if (better(hit, heap.front())) {
    std::pop_heap(heap.begin(), heap.end(), better);
    heap.back() = hit;
    std::push_heap(heap.begin(), heap.end(), better);
  }
}

template <typename Kind>
void search_block(const float* queries, std::size_t count, std::span<const float> documents,
                  std::size_t dims, std::size_t k, std::vector<Hit>* heaps) {
  const std::size_t rows = documents.size() / dims;
  for (std::size_t begin = 0; begin < rows; begin += kDocumentBlock) {
    const std::size_t end = std::min(begin + kDocumentBlock, rows);
    for (std::size_t q = 0; q < count; q += kQueriesAtOnce) {
      const std::size_t together = std::min(kQueriesAtOnce, count - q);
      for (std::size_t d = begin; d < end; ++d) {
        float scores[kQueriesAtOnce];
        const float* document = documents.data() + d * dims;
        if (together == kQueriesAtOnce) {
          score<Kind, kQueriesAtOnce>(queries + q * dims, document, dims, scores);
        } else {
          score<Kind, 1>(queries + q * dims, document, dims, scores);
        }
        for (std::size_t i = 0; i < together; ++i)
          offer(heaps[q + i], k, {static_cast<std::uint32_t>(d), scores[i]});
      }
    }
  }
  for (std::size_t q = 0; q < count; ++q) std::sort_heap(heaps[q].begin(), heaps[q].end(), better);
}

template <typename Kind>
std::vector<std::vector<Hit>> search(std::span<const float> queries,
                                     std::span<const float> documents, std::size_t dims,
                                     std::size_t k, ThreadPool& pool,
                                     const std::function<bool(std::size_t)>& progress) {
  const std::size_t count = queries.size() / dims;
  k = std::min(k, documents.size() / dims);
  std::vector<std::vector<Hit>> hits(count);
  for (auto& heap : hits) heap.reserve(k);
  if (k == 0) return hits;
  const std::size_t round = kQueryBlock * static_cast<std::size_t>(pool.size()) * 4;
  for (std::size_t first = 0; first < count; first += round) {
    const std::size_t last = std::min(first + round, count);
    pool.parallel_for((last - first + kQueryBlock - 1) / kQueryBlock, [&](std::size_t block, int) {
      const std::size_t begin = first + block * kQueryBlock;
      const std::size_t size = std::min(kQueryBlock, last - begin);
      search_block<Kind>(queries.data() + begin * dims, size, documents, dims, k,
                         hits.data() + begin);
    });
    if (progress && !progress(last)) throw Error(ErrorCode::kCancelled, "the search was stopped");
  }
  return hits;
}

}  // namespace

void normalize_rows(std::span<float> rows, std::size_t dims) {
  for (std::size_t begin = 0; dims > 0 && begin + dims <= rows.size(); begin += dims) {
    double squares = 0;
    for (const float value : rows.subspan(begin, dims))
      squares += static_cast<double>(value) * value;
    if (!(squares > 0)) continue;
    const double norm = std::sqrt(squares);
    for (float& value : rows.subspan(begin, dims)) value = static_cast<float>(value / norm);
  }
}

std::vector<std::vector<Hit>> top_k(std::span<const float> queries,
                                    std::span<const float> documents, std::size_t dims,
                                    std::size_t k, VectorSimilarity similarity, ThreadPool& pool,
                                    const std::function<bool(std::size_t)>& progress) {
  if (dims == 0 || queries.size() % dims != 0 || documents.size() % dims != 0) {
    throw Error(
        ErrorCode::kInvalidArgument,
        {.message = "the vectors have not the stated number of dimensions",
         .expected = "a multiple of " + std::to_string(dims) + " values",
         .found = std::to_string(queries.size()) + " and " + std::to_string(documents.size())});
  }
  switch (similarity) {
    case VectorSimilarity::kEuclidean:
      return search<Euclidean>(queries, documents, dims, k, pool, progress);
    case VectorSimilarity::kManhattan:
      return search<Manhattan>(queries, documents, dims, k, pool, progress);
    case VectorSimilarity::kDot: break;
  }
  return search<Dot>(queries, documents, dims, k, pool, progress);
}

}  // namespace octavo::eval
