// A vocabulary: token text to id and back. Ids are dense enough to be an array index (checked by
// whoever fills it).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace octavo::tokenizer {

inline std::uint64_t mix64(std::uint64_t x) {
  x *= 0x9e3779b97f4a7c15u;
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93u;
  return x ^ x >> 32;
}
std::uint64_t hash_bytes(std::string_view text);

class TokenTable {
 public:
  void reserve(std::size_t tokens, std::size_t bytes);
  /// Adds a token; a token that is there already gets the new id.
  void insert(std::string_view token, std::int32_t id);
  std::int32_t find(std::string_view token) const;  // -1 when absent
  /// The token of an id, or nothing with `known` false.
  std::string_view token(std::int32_t id) const;
  bool has_id(std::int32_t id) const;
  std::size_t size() const { return entries_.size(); }
  /// One more than the highest id.
  std::int32_t id_bound() const { return static_cast<std::int32_t>(by_id_.size()); }
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (const Entry& e : entries_) visit(view(e), e.id);
  }

 private:
  struct Entry {
    std::uint32_t offset, size, hash;
    std::int32_t id;
  };
  std::string_view view(const Entry& e) const { return {arena_.data() + e.offset, e.size}; }
  void grow(std::size_t slots);

  std::string arena_;
  std::vector<Entry> entries_;
  std::vector<std::int32_t> slots_;  // entry index, -1 free
  std::vector<std::int32_t> by_id_;  // entry index, -1 none
};

}  // namespace octavo::tokenizer
