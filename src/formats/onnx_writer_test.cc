// External data: what is written is read back bit for bit, lies where the format asks, and appears
// in its place only when it is whole.
#include "formats/onnx_writer.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "formats/onnx_reader.h"
#include "octavo/error.h"

namespace octavo::formats {
namespace {

namespace fs = std::filesystem;

class OnnxExternalData : public testing::Test {
 protected:
  OnnxExternalData() {
    folder_ = fs::path(testing::TempDir()) /
              ("octavo-external-" +
               std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~OnnxExternalData() override { fs::remove_all(folder_); }

  std::string file(const std::string& name) const { return (folder_ / name).string(); }

  fs::path folder_;
};

Tensor counted(std::int64_t elements, float first) {
  Tensor out(DType::kFloat32, {elements});
  for (float& value : out.mutable_data<float>()) value = first++;
  return out;
}

OnnxModel three_tensors() {
  OnnxModel model;
  model.ir_version = 8;
  model.opset_imports.push_back({"", 17});
  model.graph.name = "g";
  model.graph.initializers.push_back({"first", counted(1500, 1)});
  model.graph.initializers.push_back({"small", counted(255, 7)});
  model.graph.initializers.push_back({"last", counted(256, -3)});
  return model;
}

TEST_F(OnnxExternalData, IsReadBackAndAligned) {
  const OnnxModel model = three_tensors();
  const OnnxWritten written = write_onnx(model, file("m.onnx"), {.external_data = true});
  EXPECT_EQ(written.data_path, file("m.onnx_data"));
  EXPECT_EQ(written.bytes, fs::file_size(file("m.onnx")));
  EXPECT_EQ(written.data_bytes, fs::file_size(file("m.onnx_data")));
  EXPECT_EQ(written.data_bytes, 8192u + 1024u) << "6000 bytes, then the next multiple of 4096";
  EXPECT_LT(written.bytes, 2048u);

  const OnnxModel back = read_onnx(file("m.onnx"));
  ASSERT_EQ(back.graph.initializers.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(back.graph.initializers[i].name, model.graph.initializers[i].name);
    EXPECT_TRUE(identical(back.graph.initializers[i].tensor, model.graph.initializers[i].tensor));
  }
  ASSERT_EQ(back.external_files.size(), 1u);
  EXPECT_EQ(fs::path(back.external_files[0]).filename(), "m.onnx_data");
}

TEST_F(OnnxExternalData, FourBitIntegersAreTwoAByte) {
  OnnxModel model = three_tensors();
  Tensor odd(DType::kInt8, {2, 1501}), few(DType::kUint8, {3});
  for (std::size_t i = 0; i < odd.elements(); ++i)
    odd.mutable_data<std::int8_t>()[i] = static_cast<std::int8_t>(static_cast<int>(i % 16) - 8);
  for (std::size_t i = 0; i < 3; ++i)
    few.mutable_data<std::uint8_t>()[i] = static_cast<std::uint8_t>(15 - i);
  model.graph.initializers = {{"int4", odd, true}, {"uint4", few, true}};
  for (const bool external : {false, true}) {
    const OnnxWritten written = write_onnx(model, file("m.onnx"), {.external_data = external});
    EXPECT_EQ(written.data_bytes, external ? 1501u : 0u);
    const OnnxModel back = read_onnx(file("m.onnx"));
    ASSERT_EQ(back.graph.initializers.size(), 2u);
    for (std::size_t i = 0; i < 2; ++i) {
      EXPECT_TRUE(back.graph.initializers[i].four_bits);
      EXPECT_TRUE(identical(back.graph.initializers[i].tensor, model.graph.initializers[i].tensor));
    }
  }
}

TEST_F(OnnxExternalData, IsForLargeTensorsOnly) {
  OnnxModel model = three_tensors();
  model.graph.initializers = {{"small", counted(255, 7)}};
  const OnnxWritten written = write_onnx(model, file("m.onnx"), {.external_data = true});
  EXPECT_TRUE(written.data_path.empty());
  EXPECT_FALSE(fs::exists(file("m.onnx_data")));
  EXPECT_EQ(serialize_onnx(read_onnx(file("m.onnx"))), serialize_onnx(model));
}

TEST_F(OnnxExternalData, WithoutItOneFileHoldsAll) {
  const OnnxWritten written = write_onnx(three_tensors(), file("m.onnx"));
  EXPECT_TRUE(written.data_path.empty());
  EXPECT_EQ(written.bytes, serialize_onnx(three_tensors()).size());
}

TEST_F(OnnxExternalData, AFailureLeavesTheOldModel) {
  write_onnx(three_tensors(), file("m.onnx"));
  const std::string before = serialize_onnx(read_onnx(file("m.onnx")));
  fs::create_directory(file("m.onnx_data"));  // its place is taken
  std::ofstream(file("m.onnx_data") + "/x") << "x";
  OnnxModel other = three_tensors();
  other.graph.name = "other";
  EXPECT_THROW(write_onnx(other, file("m.onnx"), {.external_data = true}), Error);
  EXPECT_EQ(serialize_onnx(read_onnx(file("m.onnx"))), before);
  std::size_t entries = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder_)) ++entries;
  EXPECT_EQ(entries, 2u) << "nothing is left lying about";
}

}  // namespace
}  // namespace octavo::formats
