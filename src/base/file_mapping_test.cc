#include "base/file_mapping.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "octavo/error.h"

namespace octavo {
namespace {

class Mapping : public ::testing::Test {
 protected:
  std::string path_ =
      (std::filesystem::temp_directory_path() / ("octavo-mapping-" + std::to_string(::getpid())))
          .string();
  void TearDown() override { std::filesystem::remove(path_); }

  std::string write(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 31 + (i >> 12));
    std::ofstream(path_, std::ios::binary) << text;
    return text;
  }
};

TEST_F(Mapping, HoldsTheFileFromAnAlignedAddress) {
  for (const std::size_t size : {std::size_t{1}, std::size_t{4096}, std::size_t{5000017}}) {
    const std::string text = write(size);
    const FileMapping mapping(open_file(path_), path_);
    ASSERT_EQ(mapping.bytes().size(), size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(mapping.bytes().data()) % FileMapping::kAlignment,
              0u);
    EXPECT_TRUE(std::equal(text.begin(), text.end(),
                           reinterpret_cast<const char*>(mapping.bytes().data())));
  }
}

TEST_F(Mapping, LoadingAndDroppingChangeNoByte) {
  const std::string text = write(5000017);
  const FileDescriptor file = open_file(path_);
  ASSERT_EQ(::fsync(file.get()), 0);
  drop_from_cache(file, 0, text.size());
  const FileMapping mapping(file, path_);
  mapping.load(0, 3 << 20);
  mapping.load(4 << 20, text.size() - (4 << 20));
  mapping.release(0, 2 << 20);
  EXPECT_TRUE(
      std::equal(text.begin(), text.end(), reinterpret_cast<const char*>(mapping.bytes().data())));
}

TEST_F(Mapping, AnEmptyFileIsAnError) {
  write(0);
  EXPECT_THROW(FileMapping(open_file(path_), path_), Error);
}

TEST_F(Mapping, AViewLivesAsLongAsItsOwner) {
  const auto owner = std::make_shared<Buffer>(100);
  std::fill_n(owner->data(), 100, std::byte{7});
  std::weak_ptr<const Buffer> watch = owner;
  auto view = Buffer::view(owner->bytes().subspan(10, 20), owner);
  EXPECT_EQ(view->data(), owner->data() + 10);
  EXPECT_EQ(view->size(), 20u);
  EXPECT_EQ(watch.use_count(), 2);
  view.reset();
  EXPECT_EQ(watch.use_count(), 1);
}

std::size_t resident_file_bytes() {
  std::ifstream status("/proc/self/smaps_rollup");
  std::size_t rss = 0;
  for (std::string word; status >> word;) {
    if (word == "Rss:") status >> rss;
  }
  return rss * 1024;
}

TEST_F(Mapping, AMappedBufferGivesMemoryBackAndReadsTheSameAgain) {
  constexpr std::size_t kSize = std::size_t{64} << 20;
  const std::string text = write(kSize);
  const auto buffer = map_file(open_file(path_), path_);
  ASSERT_EQ(buffer->size(), kSize);
  const std::size_t before = resident_file_bytes();
  EXPECT_TRUE(std::equal(text.begin(), text.end(), reinterpret_cast<const char*>(buffer->data())));
  EXPECT_GE(resident_file_bytes(), before + kSize / 2);
  buffer->release(100, kSize - 100);
  EXPECT_LE(resident_file_bytes(), before + kSize / 8);
  buffer->release(kSize, 1);  // out of range: nothing
  EXPECT_TRUE(std::equal(text.begin(), text.end(), reinterpret_cast<const char*>(buffer->data())));
}

TEST(Buffers, OfTheirOwnKeepTheirBytesWhenReleased) {
  Buffer buffer(1 << 20);
  for (std::byte& b : buffer.bytes()) b = std::byte{7};
  buffer.release(0, buffer.size());
  EXPECT_TRUE(std::all_of(buffer.bytes().begin(), buffer.bytes().end(),
                          [](std::byte b) { return b == std::byte{7}; }));
}

}  // namespace
}  // namespace octavo
