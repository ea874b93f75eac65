// Plans written and read again: the same bits come out, and no file, whatever it holds, does more
// than be rejected or give other numbers.
#include "plan/plan_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <tuple>

#include "ir/text.h"
#include "octavo/error.h"
#include "plan/plan.h"
#include "plan/plan_test_graph.h"

namespace octavo::plan {
namespace {

const std::vector<std::int32_t> kIds = {7, 3, 49, 1, 11, 11, 5, 8, 2, 1, 30, 31, 32, 33, 34, 35};
const std::vector<std::int32_t> kTypes = {0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1, 0};
const std::vector<std::int32_t> kStarts = {0, 4, 5, 16};

std::vector<std::vector<float>> run(const Plan& plan) {
  const PackedBatch batch{.ids = kIds, .type_ids = kTypes, .starts = kStarts};
  plan.check(batch);
  const std::size_t floats = plan.workspace_floats(batch.tokens(), batch.longest(), 1);
  constexpr std::size_t kMostFloats = std::size_t{1} << 24;  // what damage may ask of a test
  if (floats > kMostFloats) return {};
  Buffer workspace(floats * sizeof(float));
  std::memset(workspace.data(), 0, workspace.size());
  std::vector<Matrix> matrices(plan.outputs().size());
  plan.run(batch, reinterpret_cast<float*>(workspace.data()), nullptr, matrices.data());
  std::vector<std::vector<float>> out;
  for (const Matrix& m : matrices) {
    std::vector<float>& rows = out.emplace_back();
    for (std::size_t r = 0; r < m.rows; ++r)
      rows.insert(rows.end(), m.data + r * m.ld, m.data + r * m.ld + m.width);
  }
  return out;
}

std::unique_ptr<Plan> build(IsaMask isa, Precision precision) {
  return Plan::build(ir::parse(kPlanTestGraph), isa, nullptr, precision);
}

class PlanFile : public ::testing::Test {
 protected:
  std::string path_ = (std::filesystem::temp_directory_path() /
                       ("octavo-plan-" + std::to_string(::getpid()) + ".plan"))
                          .string();
  void TearDown() override { std::filesystem::remove(path_); }

  void save(const Plan& plan) {
    PlanWriter writer;
    plan.save(writer);
    std::ofstream out(path_, std::ios::binary | std::ios::trunc);
    writer.write(out);
    ASSERT_TRUE(out.good());
  }
  std::shared_ptr<const FileMapping> map() const {
    return std::make_shared<FileMapping>(open_file(path_), path_);
  }
  std::unique_ptr<Plan> load(IsaMask isa, std::shared_ptr<const FileMapping> mapping) const {
    PlanReader reader(std::move(mapping), path_);
    reader.load_weights(nullptr);
    return Plan::load(reader, isa);
  }
  std::uint64_t header(std::size_t at) const {
    std::uint64_t out = 0;
    std::ifstream in(path_, std::ios::binary);
    in.seekg(static_cast<std::streamoff>(at));
    in.read(reinterpret_cast<char*>(&out), sizeof out);
    return out;
  }
};

TEST_F(PlanFile, GivesTheSameBits) {
  for (const Precision precision :
       {Precision::kFp32, Precision::kBf16, Precision::kFp16, Precision::kInt8}) {
    for (const char* name : {"portable", "avx2", "native"}) {
      const IsaMask isa = parse_isa(name, detect_isa());
      const auto built = build(isa, precision);
      save(*built);
      const auto loaded = load(isa, map());
      std::string kinds;
      ASSERT_EQ(loaded->steps().size(), built->steps().size());
      for (std::size_t i = 0; i < built->steps().size(); ++i) {
        const StepInfo a = built->steps()[i]->info(), b = loaded->steps()[i]->info();
        EXPECT_EQ(std::tie(a.name, a.op, a.shape, a.kernel, a.reason),
                  std::tie(b.name, b.op, b.shape, b.kernel, b.reason));
        kinds += std::string(built->steps()[i]->kind()) + " ";
      }
      for (const char* kind : {"attention", "binary", "embedding", "first_token", "l2_normalize",
                               "layer_norm", "linear", "mean_tokens", "rotary", "unary"}) {
        EXPECT_NE(kinds.find(kind), std::string::npos) << kind << " is not in " << kinds;
      }
      EXPECT_EQ(kinds.find("packed_linear") != std::string::npos, precision != Precision::kFp32);
      EXPECT_EQ(run(*loaded), run(*built)) << name << " " << precision_name(precision);
      EXPECT_EQ(loaded->weight_bytes(), built->weight_bytes());
      EXPECT_EQ(loaded->max_tokens(), built->max_tokens());
      EXPECT_EQ(loaded->vocabulary(), built->vocabulary());
      EXPECT_EQ(loaded->precision(), precision);
      EXPECT_EQ(loaded->arena_floats_per_token(), built->arena_floats_per_token());
      EXPECT_EQ(loaded->outputs()[0].name, "tokens");
    }
  }
}

TEST_F(PlanFile, AnotherKernelsPanelsAreRefused) {
  const IsaMask all = detect_isa();
  save(*build(0, Precision::kFp32));
  if (kernels::choose_matmul(all).panel == kernels::choose_matmul(0).panel)
    GTEST_SKIP() << "all kernels here have the same panels";
  EXPECT_THROW(load(all, map()), Error);
}

TEST_F(PlanFile, EveryTruncationIsRefused) {
  save(*build(0, Precision::kInt8));
  const std::size_t whole = std::filesystem::file_size(path_), metadata = header(24);
  const std::size_t end = header(48) + header(56);  // of the cold section, which is the last
  ASSERT_LE(end, whole);
  std::vector<std::size_t> lengths;
  for (std::size_t n = 1; n < 64 + metadata; n += 7) lengths.push_back(n);
  for (std::size_t n = 64 + metadata; n < end; n += 100003) lengths.push_back(n);
  lengths.push_back(end - 1);
  std::reverse(lengths.begin(), lengths.end());
  for (const std::size_t length : lengths) {
    std::filesystem::resize_file(path_, length);
    EXPECT_THROW(load(0, map()), Error) << length;
  }
}

TEST_F(PlanFile, DamageToTheMetadataIsSeen) {
  save(*build(0, Precision::kInt8));
  const std::size_t metadata = header(24);
  const auto mapping = map();
  const FileDescriptor file(::open(path_.c_str(), O_RDWR));
  for (std::size_t at = 0; at < 64 + metadata; at += at < 64 ? 1 : 13) {
    const auto good = std::to_integer<unsigned char>(mapping->bytes()[at]);
    const unsigned char bad = good ^ static_cast<unsigned char>(1u << at % 8);
    ASSERT_EQ(::pwrite(file.get(), &bad, 1, static_cast<off_t>(at)), 1);
    EXPECT_THROW(load(0, mapping), Error) << at;
    ASSERT_EQ(::pwrite(file.get(), &good, 1, static_cast<off_t>(at)), 1);
  }
  EXPECT_NO_THROW(load(0, mapping));
}

std::uint64_t fnv1a(std::span<const std::byte> bytes) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const std::byte byte : bytes)
    hash = (hash ^ static_cast<std::uint64_t>(byte)) * 0x100000001b3u;
  return hash;
}

// As above with a digest that fits: the checks of the steps alone stand between the file and the
// kernels. What is not rejected must run within its memory (the sanitizers look on).
TEST_F(PlanFile, NoMetadataBreaksARun) {
  for (const Precision precision : {Precision::kFp32, Precision::kInt8}) {
    save(*build(0, precision));
    const std::size_t metadata = header(24);
    const auto mapping = map();
    const FileDescriptor file(::open(path_.c_str(), O_RDWR));
    std::size_t rejected = 0, accepted = 0;
    const auto attempt = [&](std::size_t at, std::span<const unsigned char> bad) {
      std::vector<std::byte> good(
          mapping->bytes().begin() + static_cast<std::ptrdiff_t>(at),
          mapping->bytes().begin() + static_cast<std::ptrdiff_t>(at + bad.size()));
      ASSERT_EQ(::pwrite(file.get(), bad.data(), bad.size(), static_cast<off_t>(at)),
                static_cast<ssize_t>(bad.size()));
      const std::uint64_t digest = fnv1a(mapping->bytes().subspan(16, 48 + metadata));
      ASSERT_EQ(::pwrite(file.get(), &digest, sizeof digest, 8), 8);
      try {
        const auto plan = load(0, mapping);
        run(*plan);
        ++accepted;
      } catch (const Error& error) {
        const bool expected = error.code() == ErrorCode::kInvalidFile ||
                              error.code() == ErrorCode::kInvalidArgument;  // an id past its table
        EXPECT_TRUE(expected) << error.what();
        ++rejected;
      }
      ASSERT_EQ(::pwrite(file.get(), good.data(), good.size(), static_cast<off_t>(at)),
                static_cast<ssize_t>(good.size()));
    };
    for (std::size_t at = 64; at < 64 + metadata; ++at) {
      const unsigned char flipped = std::to_integer<unsigned char>(mapping->bytes()[at]) ^
                                    static_cast<unsigned char>(1u << at % 8);
      attempt(at, std::span(&flipped, 1));
    }
    for (const std::uint64_t value :
         {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{0x80000000u},
          std::numeric_limits<std::uint64_t>::max(), std::uint64_t{1} << 63}) {
      unsigned char bytes[sizeof value];
      std::memcpy(bytes, &value, sizeof value);
      for (std::size_t at = 64; at + 8 <= 64 + metadata; at += 4) attempt(at, bytes);
    }
    EXPECT_GT(rejected, 0u);
    EXPECT_GT(accepted, 0u);  // names, and bits that only change numbers
  }
}

}  // namespace
}  // namespace octavo::plan
