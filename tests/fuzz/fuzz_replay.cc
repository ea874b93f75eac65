// Runs every file of tests/fuzz/corpus/<target> through one fuzz target, and every half of every
// file: what once failed stays mended, whatever the compiler.
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

TEST(FuzzReplay, Corpus) {
  const std::filesystem::path corpus =
      std::filesystem::path("tests/fuzz/corpus") / OCTAVO_FUZZ_TARGET;
  ASSERT_TRUE(std::filesystem::is_directory(corpus)) << "run from the repository root";
  int inputs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(corpus)) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
    SCOPED_TRACE(entry.path());
    for (const std::size_t size : {bytes.size(), bytes.size() / 2}) {
      const std::vector<std::uint8_t> exact(bytes.begin(),
                                            bytes.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_EQ(LLVMFuzzerTestOneInput(exact.data(), exact.size()), 0);
    }
    ++inputs;
  }
  EXPECT_GT(inputs, 0) << "the corpus is empty";
}

}  // namespace
