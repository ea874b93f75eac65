#include "tasks/token_batch.h"

#include <exception>
#include <mutex>

namespace octavo::tasks {

TokenBatch tokenize_batch(std::size_t count, const std::function<Encoding(std::size_t)>& encode,
                          ThreadPool& pool) {
  std::vector<Encoding> encodings(count);
  std::exception_ptr failure;
  std::mutex mutex;
  pool.parallel_for(count, [&](std::size_t i, int) {
    try {
      encodings[i] = encode(i);
    } catch (...) {
      const std::scoped_lock lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  });
  if (failure) std::rethrow_exception(failure);
  TokenBatch out;
  for (std::size_t i = 0; i < count; ++i) {
    const Encoding& encoding = encodings[i];
    out.truncated += encoding.truncated ? 1 : 0;
    if (encoding.ids.empty()) continue;
    out.ids.insert(out.ids.end(), encoding.ids.begin(), encoding.ids.end());
    out.type_ids.insert(out.type_ids.end(), encoding.type_ids.begin(), encoding.type_ids.end());
    out.starts.push_back(static_cast<std::int32_t>(out.ids.size()));
    out.rows.push_back(i);
  }
  return out;
}

}  // namespace octavo::tasks
