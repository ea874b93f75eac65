// Merging against the definition: the lowest rank anywhere, leftmost first, over and over.
#include <gtest/gtest.h>

#include <random>

#include "tokenizer/models/bpe_merge.h"

namespace octavo::tokenizer {
namespace {

void merge_by_definition(const MergeTable& merges, std::vector<std::int32_t>& s) {
  for (;;) {
    std::size_t best = s.size();
    Merge chosen;
    for (std::size_t i = 0; i + 1 < s.size(); ++i) {
      const Merge m = merges.find(s[i], s[i + 1]);
      if (m.id >= 0 && (best == s.size() || m.rank < chosen.rank)) {
        best = i;
        chosen = m;
      }
    }
    if (best == s.size()) return;
    s[best] = chosen.id;
    s.erase(s.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

TEST(Merge, SameAsTheDefinition) {
  std::mt19937 random(5);
  for (int round = 0; round < 60; ++round) {
    // Tokens are made of earlier tokens, ranks in random order, so that a merge can make a pair of
    // lower rank.
    MergeTable merges;
    const int count = 40;
    merges.reserve(count);
    std::vector<std::uint32_t> ranks(count);
    for (int i = 0; i < count; ++i)
      ranks[static_cast<std::size_t>(i)] = static_cast<std::uint32_t>(i);
    if (round % 2) std::shuffle(ranks.begin(), ranks.end(), random);
    std::int32_t next = 4;
    for (int i = 0; i < count; ++i, ++next) {
      const auto any = [&] {
        return static_cast<std::int32_t>(random() % static_cast<unsigned>(next));
      };
      const std::int32_t a = any(), b = any();
      if (merges.find(a, b).id < 0) merges.insert(a, b, {ranks[static_cast<std::size_t>(i)], next});
    }
    for (const std::size_t size : {1u, 2u, 7u, 47u, 48u, 49u, 120u, 400u}) {
      std::vector<std::int32_t> symbols(size);
      for (auto& s : symbols) s = static_cast<std::int32_t>(random() % (round % 3 ? 4 : 1));
      auto expected = symbols;
      merge_by_definition(merges, expected);
      merge_symbols(merges, symbols);
      EXPECT_EQ(symbols, expected) << "round " << round << ", size " << size;
    }
  }
}

}  // namespace
}  // namespace octavo::tokenizer
