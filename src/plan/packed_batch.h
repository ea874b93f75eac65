// Sequences back to back, without padding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace octavo::plan {

struct PackedBatch {
  std::span<const std::int32_t> ids;       // [tokens]
  std::span<const std::int32_t> type_ids;  // [tokens], or empty: all 0
  std::span<const std::int32_t>
      starts;  // [sequences + 1]: sequence i is [starts[i], starts[i + 1]); none is empty

  std::size_t tokens() const { return ids.size(); }
  std::size_t sequences() const { return starts.size() - 1; }
  std::size_t begin(std::size_t i) const { return static_cast<std::size_t>(starts[i] - starts[0]); }
  std::size_t length(std::size_t i) const {
    return static_cast<std::size_t>(starts[i + 1] - starts[i]);
  }
  std::size_t longest() const {
    std::size_t out = 0;
    for (std::size_t i = 0; i < sequences(); ++i) out = length(i) > out ? length(i) : out;
    return out;
  }
};

}  // namespace octavo::plan
