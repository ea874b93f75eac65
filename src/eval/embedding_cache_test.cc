#include "eval/embedding_cache.h"

#include <gtest/gtest.h>

#include <random>

#include "eval/test_files.h"

namespace octavo::eval {
namespace {

constexpr std::size_t kDims = 5;
constexpr std::size_t kRecord = 32 + kDims * 4 + 4;
constexpr std::size_t kHeader = 16;

std::vector<float> row_of(int n) {
  std::vector<float> row;
  for (std::size_t i = 0; i < kDims; ++i)
    row.push_back(static_cast<float>(n) + 0.125F * static_cast<float>(i));
  return row;
}

EmbeddingCache::Key key_of(int n) {
  return EmbeddingCache::key("query: ", "text " + std::to_string(n));
}

void add(EmbeddingCache& cache, int first, int last) {
  std::vector<EmbeddingCache::Key> keys;
  std::vector<float> rows;
  for (int n = first; n < last; ++n) {
    keys.push_back(key_of(n));
    const auto row = row_of(n);
    rows.insert(rows.end(), row.begin(), row.end());
  }
  cache.append(keys, rows);
}

// How many of the first `count` texts are there, each checked.
int found_in(EmbeddingCache& cache, int count) {
  int found = 0;
  for (int n = 0; n < count; ++n) {
    std::vector<float> row(kDims);
    if (!cache.find(key_of(n), row)) continue;
    EXPECT_EQ(row, row_of(n));
    ++found;
  }
  return found;
}

TEST(EmbeddingCache, ChecksumIsCrc32c) {
  const std::string digits = "123456789";  // the check value of the CRC catalogues
  EXPECT_EQ(crc32c(std::as_bytes(std::span(digits))), 0xE3069283u);
  const std::vector<std::byte> zeros(32);  // RFC 3720, B.4
  EXPECT_EQ(crc32c(zeros), 0x8A9136AAu);
}

TEST(EmbeddingCache, KeysTellPromptFromText) {
  EXPECT_NE(EmbeddingCache::key("a", "b"), EmbeddingCache::key("", "ab"));
  EXPECT_NE(EmbeddingCache::key("a", "b"), EmbeddingCache::key("ab", ""));
  EXPECT_EQ(EmbeddingCache::key("a", "b"), EmbeddingCache::key("a", "b"));
}

TEST(EmbeddingCache, KeepsWhatItGot) {
  TemporaryDirectory files;
  {
    EmbeddingCache cache(files / "new/cache", "digest", kDims);
    EXPECT_EQ(found_in(cache, 10), 0);
    add(cache, 0, 3);
    add(cache, 3, 6);
    EXPECT_EQ(found_in(cache, 10), 6);
  }
  {
    EmbeddingCache cache(files / "new/cache", "digest", kDims);
    EXPECT_EQ(found_in(cache, 10), 6);
    add(cache, 5, 9);
  }
  EmbeddingCache cache(files / "new/cache", "digest", kDims);
  EXPECT_EQ(cache.size(), 9u);
  EXPECT_EQ(found_in(cache, 10), 9);
  EmbeddingCache other(files / "new/cache", "other", kDims);
  EXPECT_EQ(found_in(other, 10), 0);
  EmbeddingCache shorter(files / "new/cache", "digest", kDims - 1);
  EXPECT_EQ(shorter.size(), 0u);
}

TEST(EmbeddingCache, SeveralMayWriteAtATime) {
  TemporaryDirectory files;
  EmbeddingCache a(files.path(), "digest", kDims), b(files.path(), "digest", kDims);
  add(a, 0, 2);
  add(b, 2, 4);
  add(a, 4, 6);
  EXPECT_EQ(found_in(a, 9), 4);
  EmbeddingCache both(files.path(), "digest", kDims);
  EXPECT_EQ(found_in(both, 9), 6);
}

TEST(EmbeddingCache, ACutSegmentLosesOnlyItsEnd) {
  TemporaryDirectory files;
  {
    EmbeddingCache cache(files.path(), "digest", kDims);
    add(cache, 0, 4);
  }
  const std::filesystem::path segment =
      std::filesystem::directory_iterator(files / "digest")->path();
  const std::size_t whole = std::filesystem::file_size(segment);
  ASSERT_EQ(whole, kHeader + 4 * kRecord);
  for (std::size_t length = whole; length-- > 0;) {
    std::filesystem::resize_file(segment, length);
    EmbeddingCache cache(files.path(), "digest", kDims);
    const auto expected = length < kHeader ? 0 : static_cast<int>((length - kHeader) / kRecord);
    EXPECT_EQ(found_in(cache, 4), expected) << length;
  }
  EmbeddingCache cache(files.path(), "digest", kDims);
  add(cache, 0, 4);
  EXPECT_EQ(found_in(cache, 4), 4);
  EmbeddingCache again(files.path(), "digest", kDims);
  EXPECT_EQ(found_in(again, 4), 4);
}

TEST(EmbeddingCache, ADamagedByteLosesOnlyItsRecord) {
  TemporaryDirectory files;
  {
    EmbeddingCache cache(files.path(), "digest", kDims);
    add(cache, 0, 4);
  }
  const std::string segment =
      std::filesystem::directory_iterator(files / "digest")->path().string();
  std::mt19937 random(1);
  for (std::size_t at = 0; at < kHeader + 4 * kRecord; ++at) {
    std::fstream file(segment, std::ios::in | std::ios::out | std::ios::binary);
    const auto position = static_cast<std::streamoff>(at);
    char byte = 0;
    file.seekg(position).read(&byte, 1);
    const char damaged = static_cast<char>(byte ^ static_cast<char>(1 + random() % 255));
    file.seekp(position).write(&damaged, 1).flush();
    EmbeddingCache cache(files.path(), "digest", kDims);
    EXPECT_EQ(found_in(cache, 4), at < kHeader ? 0 : 3) << at;
    file.seekp(position).write(&byte, 1).flush();
  }
  EmbeddingCache cache(files.path(), "digest", kDims);
  EXPECT_EQ(found_in(cache, 4), 4);
}

TEST(EmbeddingCache, RefusesWhatItCannotDo) {
  TemporaryDirectory files;
  files.write("file", "");
  for (const char* digest : {"", "..", "a/b", "a b"}) {
    EXPECT_EQ(error_of([&] { EmbeddingCache(files.path(), digest, kDims); }).code(),
              ErrorCode::kInvalidArgument);
  }
  EXPECT_EQ(error_of([&] { EmbeddingCache(files.path(), "d", 0); }).code(),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(error_of([&] { EmbeddingCache(files / "file", "d", kDims); }).code(), ErrorCode::kIo);
  EmbeddingCache cache(files.path(), "d", kDims);
  const EmbeddingCache::Key key{};
  EXPECT_THROW(cache.append(std::span(&key, 1), std::vector<float>(kDims + 1)), Error);
}

}  // namespace
}  // namespace octavo::eval
