// Embeddings kept on disk between runs. A directory a model digest holds segment files that are
// only ever appended to, each record with a checksum: a run that is killed loses at most the batch
// it was in, and damage costs the records it hits. Each run writes segments of its own, so that
// several may work at the same time.
//
// Segment: 8 bytes "OCTVEMB1", uint32 dims, uint32 CRC-32C of these 12 bytes; then records of 32
// bytes key, dims float32, uint32 CRC-32C of the record before it. All little-endian.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/file.h"

namespace octavo::eval {

class EmbeddingCache {
 public:
  using Key = std::array<std::byte, 32>;

  /// SHA-256 of the prompt and the text with their border.
  static Key key(std::string_view prompt, std::string_view text);

  /// Opens or makes `directory`/`digest`. Segments of other dimensions or with a broken header are
  /// passed over. Errors: kIo; kInvalidArgument for a digest that is no file name.
  EmbeddingCache(const std::string& directory, const std::string& digest, std::size_t dims);

  /// Copies the embedding to `out` [dims]; false when there is none or it is damaged.
  bool find(const Key& key, std::span<float> out);
  /// `rows` is [keys.size(), dims]; on disk when this returns (in the system's hands, not synced).
  void append(std::span<const Key> keys, std::span<const float> rows);

  std::size_t size() const { return places_.size(); }

 private:
  struct Place {
    std::uint32_t segment;
    std::uint64_t record;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept;
  };

  std::size_t record_bytes() const {
    return sizeof(Key) + dims_ * sizeof(float) + sizeof(std::uint32_t);
  }
  void index_segment(const std::string& path);
  void start_segment();
  const FileDescriptor& open_segment(std::uint32_t segment);

  std::string directory_;
  std::size_t dims_;
  std::unordered_map<Key, Place, KeyHash> places_;
  std::vector<std::string> segments_;
  std::uint32_t open_ = UINT32_MAX;  // the segment of `reader_`
  FileDescriptor reader_;
  FileDescriptor writer_;
  std::uint32_t written_segment_ = 0;
  std::uint64_t written_ = 0;  // records
  std::vector<std::byte> scratch_;
};

/// CRC-32C (Castagnoli, RFC 3720), as iSCSI and ext4 use it.
std::uint32_t crc32c(std::span<const std::byte> bytes);

}  // namespace octavo::eval
