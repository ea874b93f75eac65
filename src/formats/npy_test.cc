// .npy files against the bytes that numpy.save writes.
#include "formats/npy.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/file.h"
#include "octavo/error.h"

namespace octavo::formats {
namespace {

namespace fs = std::filesystem;

class NpyTest : public ::testing::Test {
 protected:
  NpyTest() {
    std::string pattern = (fs::temp_directory_path() / "octavo-npy-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
  }
  ~NpyTest() override { fs::remove_all(root_); }
  std::string path(const std::string& name) const { return (root_ / name).string(); }
  std::string put(const std::string& bytes) const {
    std::ofstream(path("in.npy"), std::ios::binary) << bytes;
    return path("in.npy");
  }

  fs::path root_;
};

// numpy.save of float32 [[1, 2, 3], [4, 5, 6]], numpy 2.4.
std::string numpy_file() {
  std::string out("\x93NUMPY\x01\x00\x76\x00", 10);
  out += "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
  out.resize(127, ' ');
  out += '\n';
  for (const float value : {1.f, 2.f, 3.f, 4.f, 5.f, 6.f})
    out.append(reinterpret_cast<const char*>(&value), 4);
  return out;
}

TEST_F(NpyTest, WritesWhatNumpyWrites) {
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  write_npy(path("whole.npy"), Tensor::from<float>({2, 3}, values));
  EXPECT_EQ(read_text_file(path("whole.npy")), numpy_file());
  NpyWriter writer(path("rows.npy"), DType::kFloat32, {3});
  writer.append<float>(std::span(values).first(3));
  EXPECT_FALSE(file_exists(path("rows.npy")));
  writer.append<float>(std::span(values).last(3));
  writer.finish();
  EXPECT_EQ(read_text_file(path("rows.npy")), numpy_file());
  EXPECT_TRUE(identical(read_npy(path("rows.npy")), Tensor::from<float>({2, 3}, values)));
}

TEST_F(NpyTest, WritesVectorsScalarsAndBytes) {
  write_npy(path("v.npy"), Tensor::vector<std::int8_t>(std::vector<std::int8_t>{1, -1}));
  EXPECT_NE(read_text_file(path("v.npy"))
                .find("{'descr': '|i1', 'fortran_order': False, 'shape': (2,), }"),
            std::string::npos);
  write_npy(path("s.npy"), Tensor::scalar<std::int64_t>(9));
  EXPECT_NE(read_text_file(path("s.npy")).find("'shape': (), }"), std::string::npos);
  for (const char* name : {"v.npy", "s.npy"}) {
    EXPECT_EQ((read_text_file(path(name)).find('\n') + 1) % 64, 0u);
    EXPECT_NO_THROW(read_npy(path(name)));
  }
}

TEST_F(NpyTest, AWriterThatIsNotFinishedLeavesNothing) {
  {
    NpyWriter writer(path("rows.npy"), DType::kUint8, {4});
    writer.append<std::uint8_t>(std::vector<std::uint8_t>(8));
    EXPECT_THROW(writer.append<std::uint8_t>(std::vector<std::uint8_t>(7)), Error);
    EXPECT_EQ(writer.rows(), 2u);
  }
  EXPECT_TRUE(fs::is_empty(root_));
  EXPECT_THROW(NpyWriter(path("missing/rows.npy"), DType::kUint8, {4}), Error);
}

TEST_F(NpyTest, RefusesBrokenFiles) {
  const std::string good = numpy_file();
  EXPECT_EQ(read_npy(put(good)).shape(), (Shape{2, 3}));
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_THROW(read_npy(put(good.substr(0, size))), Error) << size;
  }
  EXPECT_THROW(read_npy(put(good + "x")), Error);
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string out = good;
    out.replace(out.find(from), from.size(), to);
    return out;
  };
  for (const auto& bad :
       {with("(2, 3)", "(2, 4)"), with("(2, 3)", "(-2,3"), with("False", "True "),
        with("<f4", ">f4"), with("<f4", "|O8"), with("descr", "descs"), with("NUMPY", "NUMPX"),
        with("\x01", "\x07"), with("{'descr'", "['descr'"),
        with("(2, 3)", "(999999999999999999, 9)")}) {
    EXPECT_THROW(read_npy(put(bad)), Error);
  }
}

}  // namespace
}  // namespace octavo::formats
