// The merging of byte-pair encoding: the adjacent pair of lowest rank first, leftmost among equals,
// until none is left.
#pragma once

#include <cstdint>
#include <vector>

#include "tokenizer/token_table.h"

namespace octavo::tokenizer {

struct Merge {
  std::uint32_t rank = 0;
  std::int32_t id = -1;  // what the pair becomes; -1: it does not merge
};

class MergeTable {
 public:
  void reserve(std::size_t merges);
  /// A pair that is there already gets the new rank.
  void insert(std::int32_t left, std::int32_t right, Merge merge);
  Merge find(std::int32_t left, std::int32_t right) const {
    if (slots_.empty()) return {};
    const std::uint64_t key = pair(left, right);
    for (std::size_t at = mix64(key) & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at].key == key || slots_[at].merge.id < 0) return slots_[at].merge;
    }
  }

 private:
  struct Slot {
    std::uint64_t key = 0;
    Merge merge;
  };
  static std::uint64_t pair(std::int32_t left, std::int32_t right) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
           static_cast<std::uint32_t>(right);
  }
  std::vector<Slot> slots_;
};

/// Merges `symbols` in place.
void merge_symbols(const MergeTable& merges, std::vector<std::int32_t>& symbols);

}  // namespace octavo::tokenizer
