#include "tokenizer/token_table.h"

#include <bit>
#include <cstring>

namespace octavo::tokenizer {

std::uint64_t hash_bytes(std::string_view text) {
  std::uint64_t h = text.size() * 0x9e3779b97f4a7c15u;
  const char* p = text.data();
  std::size_t n = text.size();
  for (; n >= 8; p += 8, n -= 8) {
    std::uint64_t word;
    std::memcpy(&word, p, 8);
    h = mix64(h ^ word);
  }
  std::uint64_t tail = 0;
  if (n > 0) std::memcpy(&tail, p, n);
  return mix64(h ^ tail);
}

void TokenTable::reserve(std::size_t tokens, std::size_t bytes) {
  arena_.reserve(bytes);
  entries_.reserve(tokens);
  by_id_.reserve(tokens);
  grow(std::bit_ceil(tokens * 2 + 2));
}

void TokenTable::grow(std::size_t slots) {
  if (slots <= slots_.size()) return;
  slots_.assign(slots, -1);
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    std::size_t at = entries_[i].hash & (slots - 1);
    while (slots_[at] >= 0) at = (at + 1) & (slots - 1);
    slots_[at] = static_cast<std::int32_t>(i);
  }
}

void TokenTable::insert(std::string_view token, std::int32_t id) {
  if ((entries_.size() + 1) * 2 > slots_.size()) grow(std::bit_ceil((entries_.size() + 1) * 4));
  const auto hash = static_cast<std::uint32_t>(hash_bytes(token));
  std::size_t at = hash & (slots_.size() - 1);
  std::int32_t index = -1;
  for (; slots_[at] >= 0; at = (at + 1) & (slots_.size() - 1)) {
    const Entry& e = entries_[static_cast<std::size_t>(slots_[at])];
    if (e.hash == hash && view(e) == token) {
      index = slots_[at];
      break;
    }
  }
  if (index < 0) {
    index = static_cast<std::int32_t>(entries_.size());
    entries_.push_back({static_cast<std::uint32_t>(arena_.size()),
                        static_cast<std::uint32_t>(token.size()), hash, id});
    arena_.append(token);
    slots_[at] = index;
  }
  entries_[static_cast<std::size_t>(index)].id = id;
  if (static_cast<std::size_t>(id) >= by_id_.size())
    by_id_.resize(static_cast<std::size_t>(id) + 1, -1);
  by_id_[static_cast<std::size_t>(id)] = index;
}

std::int32_t TokenTable::find(std::string_view token) const {
  if (slots_.empty()) return -1;
  const auto hash = static_cast<std::uint32_t>(hash_bytes(token));
  for (std::size_t at = hash & (slots_.size() - 1); slots_[at] >= 0;
       at = (at + 1) & (slots_.size() - 1)) {
    const Entry& e = entries_[static_cast<std::size_t>(slots_[at])];
    if (e.hash == hash && view(e) == token) return e.id;
  }
  return -1;
}

bool TokenTable::has_id(std::int32_t id) const {
  return id >= 0 && id < id_bound() && by_id_[static_cast<std::size_t>(id)] >= 0;
}

std::string_view TokenTable::token(std::int32_t id) const {
  if (!has_id(id)) return {};
  return view(entries_[static_cast<std::size_t>(by_id_[static_cast<std::size_t>(id)])]);
}

}  // namespace octavo::tokenizer
