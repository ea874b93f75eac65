// A trie over bytes whose edges live in one hash table: building is linear whatever the keys, a
// step is one probe.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/token_table.h"

namespace octavo::tokenizer {

class ByteTrie {
 public:
  static constexpr std::int32_t kRoot = 0, kNone = -1;

  ByteTrie() : values_(1, kNone), slots_(16) { root_.fill(kNone); }

  void insert(std::string_view key, std::int32_t value) {
    std::int32_t node = kRoot;
    for (const char c : key) {
      std::int32_t child = step(node, static_cast<unsigned char>(c));
      if (child == kNone) {
        child = static_cast<std::int32_t>(values_.size());
        values_.push_back(kNone);
        add_edge(node, static_cast<unsigned char>(c), child);
      }
      node = child;
    }
    values_[static_cast<std::size_t>(node)] = value;
  }

  std::int32_t step(std::int32_t node, unsigned char byte) const {
    if (node == kRoot) return root_[byte];
    const std::uint64_t key = edge_key(node, byte);
    for (std::size_t at = mix64(key) & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at].key == key) return slots_[at].child;
      if (slots_[at].key == 0) return kNone;
    }
  }
  std::int32_t value(std::int32_t node) const { return values_[static_cast<std::size_t>(node)]; }
  bool empty() const { return values_.size() == 1; }

  /// The longest key that is a prefix of `text`: its value, its size in `size`; kNone when there is
  /// none.
  std::int32_t longest(std::int32_t from, std::string_view text, std::size_t& size) const {
    std::int32_t node = from, found = kNone;
    for (std::size_t i = 0; i < text.size(); ++i) {
      node = step(node, static_cast<unsigned char>(text[i]));
      if (node == kNone) break;
      if (value(node) != kNone) {
        found = value(node);
        size = i + 1;
      }
    }
    return found;
  }

 private:
  struct Slot {
    std::uint64_t key = 0;
    std::int32_t child = kNone;
  };
  static std::uint64_t edge_key(std::int32_t node, unsigned char byte) {
    return (static_cast<std::uint64_t>(node) << 8 | byte) + 1;
  }
  void place(std::uint64_t key, std::int32_t child) {
    std::size_t at = mix64(key) & (slots_.size() - 1);
    while (slots_[at].key != 0) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = {key, child};
  }
  void add_edge(std::int32_t node, unsigned char byte, std::int32_t child) {
    if (node == kRoot) {
      root_[byte] = child;
      return;
    }
    if (values_.size() * 2 > slots_.size()) {
      std::vector<Slot> old(slots_.size() * 2);
      old.swap(slots_);
      for (const Slot& slot : old) {
        if (slot.key != 0) place(slot.key, slot.child);
      }
    }
    place(edge_key(node, byte), child);
  }

  std::vector<std::int32_t> values_;
  std::array<std::int32_t, 256> root_;
  std::vector<Slot> slots_;
};

}  // namespace octavo::tokenizer
