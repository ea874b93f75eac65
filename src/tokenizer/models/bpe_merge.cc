#include "tokenizer/models/bpe_merge.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <queue>
#include <unordered_map>

namespace octavo::tokenizer {

void MergeTable::reserve(std::size_t merges) { slots_.assign(std::bit_ceil(merges * 2 + 2), {}); }

void MergeTable::insert(std::int32_t left, std::int32_t right, Merge merge) {
  const std::uint64_t key = pair(left, right);
  std::size_t at = mix64(key) & (slots_.size() - 1);
  while (slots_[at].merge.id >= 0 && slots_[at].key != key) at = (at + 1) & (slots_.size() - 1);
  slots_[at] = {key, merge};
}

namespace {

constexpr std::size_t kShort = 48;
constexpr std::uint32_t kNoRank = 0xffffffff;

// For short words: look at all pairs for each merge.
void merge_short(const MergeTable& merges, std::vector<std::int32_t>& symbols) {
  Merge pairs[kShort];
  std::size_t n = symbols.size();
  const auto look = [&](std::size_t i) {
    pairs[i] = merges.find(symbols[i], symbols[i + 1]);
    if (pairs[i].id < 0) pairs[i].rank = kNoRank;
  };
  for (std::size_t i = 0; i + 1 < n; ++i) look(i);
  while (n > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < n; ++i) {
      if (pairs[i].rank < pairs[best].rank) best = i;
    }
    if (pairs[best].rank == kNoRank) break;
    symbols[best] = pairs[best].id;
    for (std::size_t i = best + 1; i + 1 < n; ++i) symbols[i] = symbols[i + 1];
    for (std::size_t i = best + 1; i + 2 < n; ++i) pairs[i] = pairs[i + 1];
    --n;
    if (best > 0) look(best - 1);
    if (best + 1 < n) look(best);
  }
  symbols.resize(n);
}

// For long words: positions in a list for each rank. Merging in one list goes from left to right,
// so that positions enter the other lists almost always in order; near linear where a heap of
// positions would spend its time in misses.
class LongMerger {
 public:
  LongMerger(const MergeTable& merges, std::vector<std::int32_t>& symbols)
      : merges_(merges), symbols_(symbols) {
    const auto n = static_cast<std::int32_t>(symbols.size());
    links_.resize(symbols.size());
    for (std::int32_t i = 0; i < n; ++i)
      links_[static_cast<std::size_t>(i)] = {i - 1, i + 1 < n ? i + 1 : -1};
    for (std::int32_t i = 0; i + 1 < n; ++i) offer(i);
  }

  void run() {
    while (!queue_.empty()) {
      const std::uint32_t rank = queue_.top();
      List& list = lists_[where_[rank]];
      if (!list.sorted) {
        std::sort(list.positions.begin() + static_cast<std::ptrdiff_t>(list.done),
                  list.positions.end());
        list.sorted = true;
      }
      const std::int32_t at = list.positions[list.done++];
      const std::int32_t id = list.id;
      if (list.done == list.positions.size()) {
        queue_.pop();
        list.positions.clear();
        list.done = 0;
      }
      merge_at(at, id);
    }
    std::size_t out = 0;
    for (const std::int32_t symbol : symbols_) {
      if (symbol >= 0) symbols_[out++] = symbol;
    }
    symbols_.resize(out);
  }

 private:
  struct Link {
    std::int32_t previous, next;
  };
  struct List {
    std::int32_t id;
    std::vector<std::int32_t> positions;
    std::size_t done = 0;
    bool sorted = true;
  };

  std::int32_t& symbol(std::int32_t i) { return symbols_[static_cast<std::size_t>(i)]; }
  Link& link(std::int32_t i) { return links_[static_cast<std::size_t>(i)]; }

  void offer(std::int32_t at) {
    const Merge merge = merges_.find(symbol(at), symbol(link(at).next));
    if (merge.id < 0) return;
    if (merge.rank != last_rank_) {
      const auto [it, fresh] = where_.try_emplace(merge.rank, lists_.size());
      if (fresh) lists_.push_back({merge.id, {}});
      last_rank_ = merge.rank;
      last_list_ = it->second;
    }
    List& list = lists_[last_list_];
    if (list.positions.empty())
      queue_.push(merge.rank);
    else if (at < list.positions.back())
      list.sorted = false;
    list.positions.push_back(at);
  }

  void merge_at(std::int32_t at, std::int32_t id) {
    if (symbol(at) < 0) return;
    const std::int32_t right = link(at).next;
    if (right < 0) return;
    if (merges_.find(symbol(at), symbol(right)).id != id) return;
    symbol(at) = id;
    symbol(right) = -1;
    link(at).next = link(right).next;
    if (link(at).next >= 0) link(link(at).next).previous = at;
    if (link(at).previous >= 0) offer(link(at).previous);
    if (link(at).next >= 0) offer(at);
  }

  const MergeTable& merges_;
  std::vector<std::int32_t>& symbols_;
  std::vector<Link> links_;
  std::vector<List> lists_;
  std::unordered_map<std::uint32_t, std::size_t> where_;
  std::priority_queue<std::uint32_t, std::vector<std::uint32_t>, std::greater<>> queue_;
  std::uint32_t last_rank_ = kNoRank;
  std::size_t last_list_ = 0;
};

}  // namespace

void merge_symbols(const MergeTable& merges, std::vector<std::int32_t>& symbols) {
  if (symbols.size() < 2) return;
  if (symbols.size() <= kShort)
    merge_short(merges, symbols);
  else
    LongMerger(merges, symbols).run();
}

}  // namespace octavo::tokenizer
