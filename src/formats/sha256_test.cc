// SHA-256 against the examples of FIPS 180-4.
#include "formats/sha256.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "octavo/error.h"

namespace octavo::formats {
namespace {

std::string of(std::string_view text) { return sha256(std::as_bytes(std::span(text))); }

TEST(Sha256, KnownAnswers) {
  EXPECT_EQ(of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(of(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, OfFiles) {
  const auto folder = std::filesystem::temp_directory_path();
  const std::string a = (folder / "octavo-sha256-a").string(),
                    b = (folder / "octavo-sha256-b").string();
  std::ofstream(a) << std::string(1000000, 'a') << std::string(2000000, 'b');
  std::ofstream(b) << "abc";
  EXPECT_EQ(sha256_file(b), of("abc"));
  EXPECT_EQ(sha256_file(a), of(std::string(1000000, 'a') + std::string(2000000, 'b')));
  EXPECT_EQ(sha256_files({a, b}), of(sha256_file(a) + "\n" + sha256_file(b) + "\n"));
  EXPECT_NE(sha256_files({a, b}), sha256_files({b, a}));
  std::filesystem::remove(a);
  std::filesystem::remove(b);
  EXPECT_THROW(sha256_file(b), Error);
}

}  // namespace
}  // namespace octavo::formats
