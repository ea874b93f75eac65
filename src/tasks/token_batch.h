// Texts to a packed batch: tokenised by all threads, order kept.
#pragma once

#include <functional>
#include <vector>

#include "base/thread_pool.h"
#include "octavo/tokenizer.h"
#include "plan/packed_batch.h"

namespace octavo::tasks {

struct TokenBatch {
  std::vector<std::int32_t> ids, type_ids, starts{0};
  std::vector<std::size_t>
      rows;  // sequence -> index of its text; texts without a token are left out
  std::size_t truncated = 0;

  plan::PackedBatch packed() const { return {.ids = ids, .type_ids = type_ids, .starts = starts}; }
};

/// encode(i) for i in [0, count), in parallel; the first exception is rethrown.
TokenBatch tokenize_batch(std::size_t count, const std::function<Encoding(std::size_t)>& encode,
                          ThreadPool& pool);

}  // namespace octavo::tasks
