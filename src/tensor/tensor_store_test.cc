// Tensors that lie in files without a name.
#include "tensor/tensor_store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <vector>

#include "octavo/error.h"

namespace octavo {
namespace {

namespace fs = std::filesystem;

class TensorStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = fs::temp_directory_path() / ("octavo-store-" + std::to_string(::getpid()));
    fs::create_directory(directory_);
  }
  void TearDown() override { fs::remove_all(directory_); }

  static Tensor numbers(std::int64_t count) {
    Tensor out(DType::kFloat32, {count});
    for (std::size_t i = 0; i < out.elements(); ++i)
      out.mutable_data<float>()[i] = static_cast<float>(i) * 0.5f;
    return out;
  }

  fs::path directory_;
};

TEST_F(TensorStoreTest, LargeTensorsComeBackAfterRelease) {
  const TensorStore store(directory_.string());
  const Tensor original = numbers(100'001);
  Tensor kept = store.keep(original);
  EXPECT_NE(kept.bytes(), original.bytes());
  EXPECT_TRUE(fs::is_empty(directory_)) << "the files have no names";
  for (int round = 0; round < 2; ++round) {
    EXPECT_TRUE(identical(kept, original));
    kept.release();
  }
}

TEST_F(TensorStoreTest, SmallOnesStay) {
  const TensorStore store(directory_.string());
  const Tensor original = numbers(100);
  EXPECT_EQ(store.keep(original).bytes(), original.bytes());
}

TEST_F(TensorStoreTest, WithoutRoomMemoryHoldsThem) {
  const TensorStore store((directory_ / "missing").string());
  const Tensor original = numbers(100'001);
  EXPECT_EQ(store.keep(original).bytes(), original.bytes());
  const std::vector<std::byte> bytes(original.bytes(), original.bytes() + original.byte_size());
  EXPECT_TRUE(identical(store.keep(DType::kFloat32, {100'001}, bytes), original));
}

TEST_F(TensorStoreTest, BytesNeedNoAlignment) {
  const TensorStore store(directory_.string());
  for (const std::int64_t count : {10, 100'001}) {
    const Tensor original = numbers(count);
    std::vector<std::byte> bytes(original.byte_size() + 1);
    std::copy_n(original.bytes(), original.byte_size(), bytes.begin() + 1);
    const Tensor kept = store.keep(DType::kFloat32, {count}, std::span(bytes).subspan(1));
    EXPECT_TRUE(identical(kept, original)) << count;
    EXPECT_THROW(store.keep(DType::kFloat32, {count + 1}, std::span(bytes).subspan(1)), Error);
  }
}

}  // namespace
}  // namespace octavo
