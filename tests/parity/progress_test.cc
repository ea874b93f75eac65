// The progress of Embedder::embed: it moves within a call, changes no bit, and stops the call.
#include "fixtures.h"
#include "octavo/embedder.h"
#include "octavo/error.h"

namespace octavo::parity {
namespace {

/// tests/data/tiny-embedder with the weights of tests/data/models/bert beside it.
class Progress : public testing::Test {
 protected:
  Progress() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "octavo-progress-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
    std::filesystem::copy(data_folder() + "/tiny-embedder", root_,
                          std::filesystem::copy_options::recursive);
    for (const char* name : {"config.json", "model.safetensors"})
      std::filesystem::copy_file(data_folder() + "/models/bert/" + name, root_ / name);
    for (int i = 0; i < 300; ++i)
      texts_.push_back("the fire and the water of day " + std::to_string(i));
  }
  ~Progress() override { std::filesystem::remove_all(root_); }

  std::filesystem::path root_;
  std::vector<std::string> texts_;
};

TEST_F(Progress, MovesWithinACallAndChangesNoBit) {
  Embedder embedder = Embedder::load(root_.string(), {.runtime = {.threads = 2}});
  std::vector<std::size_t> dones;
  std::size_t last_tokens = 0;
  EmbedStats stats;
  const std::vector<float> rows =
      embedder.embed(texts_, "", &stats, [&](std::size_t done, std::size_t total, std::size_t n) {
        EXPECT_EQ(total, texts_.size());
        EXPECT_GT(done, dones.empty() ? 0 : dones.back());
        EXPECT_GT(n, last_tokens);
        dones.push_back(done);
        last_tokens = n;
        return true;
      });
  EXPECT_GE(dones.size(), 2u);
  EXPECT_EQ(dones.back(), texts_.size());
  EXPECT_EQ(last_tokens, stats.tokens);
  EXPECT_EQ(rows, embedder.embed(texts_));
}

TEST_F(Progress, StopsTheCall) {
  Embedder embedder = Embedder::load(root_.string());
  std::size_t calls = 0;
  try {
    embedder.embed(texts_, "", nullptr, [&](std::size_t, std::size_t, std::size_t) {
      ++calls;
      return false;
    });
    FAIL() << "not stopped";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCancelled);
  }
  EXPECT_EQ(calls, 1u);
}

TEST_F(Progress, TheLimitIsThatOfThePositionTable) {
  const Embedder embedder = Embedder::load(root_.string());
  EXPECT_EQ(embedder.max_length(), 32u);
  EXPECT_EQ(embedder.max_length_limit(), 128u);
  EXPECT_EQ(Embedder::load(root_.string(), {.max_length = 128}).max_length(), 128u);
  EXPECT_THROW(Embedder::load(root_.string(), {.max_length = 129}), Error);
}

}  // namespace
}  // namespace octavo::parity
