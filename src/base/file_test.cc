// Files: bounded reads, a directory that cannot be left, writes that are whole or absent.
#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "octavo/error.h"

namespace octavo {
namespace {

namespace fs = std::filesystem;

class FileTest : public ::testing::Test {
 protected:
  FileTest() {
    std::string pattern = (fs::temp_directory_path() / "octavo-file-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
    fs::create_directories(root_ / "model" / "sub");
    put("model/a.bin", "0123456789");
    put("model/sub/b.bin", "b");
    put("secret.bin", "secret");
  }
  ~FileTest() override { fs::remove_all(root_); }

  void put(const std::string& name, const std::string& text) {
    std::ofstream(root_ / name) << text;
  }
  std::string path(const std::string& name) const { return (root_ / name).string(); }

  ErrorCode beneath(const std::string& name) {
    try {
      open_file_beneath(path("model"), name);
    } catch (const Error& error) {
      EXPECT_FALSE(error.info().message.empty());
      EXPECT_FALSE(error.info().fix.empty());
      return error.code();
    }
    return ErrorCode::kCancelled;  // stands for success: nothing here throws it
  }

  fs::path root_;
};

constexpr ErrorCode kOpened = ErrorCode::kCancelled;

TEST_F(FileTest, ReadsRangesWithinTheFile) {
  const std::string name = path("model/a.bin");
  const FileDescriptor file = open_file(name);
  EXPECT_EQ(file_size(file, name), 10u);
  const auto part = read_range(file, name, 3, 4);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(part->data()), part->size()), "3456");
  EXPECT_EQ(read_range(file, name, 10, 0)->size(), 0u);
  EXPECT_THROW(read_range(file, name, 7, 4), Error);
  EXPECT_THROW(read_range(file, name, 11, 0), Error);
  EXPECT_THROW(read_range(file, name, 1, ~std::size_t{0}), Error);
  EXPECT_EQ(read_text_file(name), "0123456789");
}

TEST_F(FileTest, OpensRegularFilesOnly) {
  EXPECT_THROW(open_file(path("model")), Error);
  ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
  EXPECT_THROW(open_file(path("fifo")), Error);  // and does not wait for a writer
  try {
    open_file(path("missing"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
    EXPECT_EQ(error.info().file, path("missing"));
  }
}

TEST_F(FileTest, StaysBeneathTheDirectory) {
  fs::create_symlink("a.bin", root_ / "model/link.bin");
  fs::create_symlink("../secret.bin", root_ / "model/out.bin");
  fs::create_directory_symlink("..", root_ / "model/up");
  fs::create_directory_symlink("sub", root_ / "model/linked");
  fs::create_hard_link(root_ / "secret.bin", root_ / "model/hard.bin");
  ASSERT_EQ(::mkfifo(path("model/fifo").c_str(), 0600), 0);
  EXPECT_EQ(beneath("a.bin"), kOpened);
  EXPECT_EQ(beneath("sub/b.bin"), kOpened);
  EXPECT_EQ(beneath("./sub/b.bin"), kOpened);
  for (const std::string& name :
       {std::string("../secret.bin"), std::string("sub/../../secret.bin"),
        std::string("sub/../a.bin"), path("secret.bin"), std::string("link.bin"),
        std::string("out.bin"), std::string("up/secret.bin"), std::string("linked/b.bin"),
        std::string("hard.bin"), std::string("fifo"), std::string("sub"), std::string(),
        std::string(".."), std::string("a.bin\0x", 7)}) {
    EXPECT_EQ(beneath(name), ErrorCode::kInvalidFile) << name;
  }
  EXPECT_EQ(beneath("missing.bin"), ErrorCode::kNotFound);
}

TEST_F(FileTest, WritesWholeFilesOrNone) {
  const std::string name = path("out.txt");
  write_file_atomically(name, [](std::ostream& out) { out << "first"; });
  EXPECT_EQ(read_text_file(name), "first");
  EXPECT_THROW(write_file_atomically(name,
                                     [](std::ostream& out) {
                                       out << "second";
                                       throw std::runtime_error("stop");
                                     }),
               std::runtime_error);
  EXPECT_EQ(read_text_file(name), "first");
  EXPECT_THROW(write_file_atomically(path("missing/out.txt"), [](std::ostream&) {}), Error);
  EXPECT_THROW(
      write_file_atomically(name, [](std::ostream& out) { out.setstate(std::ios::badbit); }),
      Error);
  EXPECT_EQ(read_text_file(name), "first");
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(root_)) ++files;
  EXPECT_EQ(files, 3u);  // model, secret.bin, out.txt: no temporary is left
}

}  // namespace
}  // namespace octavo
