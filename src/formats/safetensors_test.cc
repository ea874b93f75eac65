// Safetensors against files that the reference implementation wrote.
#include "formats/safetensors.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "formats/safetensors_writer.h"
#include "formats/sha256.h"
#include "formats/sharded_safetensors.h"
#include "octavo/error.h"

namespace octavo::formats {
namespace {

namespace fs = std::filesystem;

class SafetensorsTest : public ::testing::Test {
 protected:
  SafetensorsTest() {
    std::string pattern = (fs::temp_directory_path() / "octavo-safetensors-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
  }
  ~SafetensorsTest() override { fs::remove_all(root_); }
  std::string path(const std::string& name) const { return (root_ / name).string(); }

  fs::path root_;
};

Tensor bytes_of(DType dtype, Shape shape) {
  Tensor out(dtype, std::move(shape));
  for (std::size_t i = 0; i < out.byte_size(); ++i) {
    out.mutable_bytes()[i] = static_cast<std::byte>(dtype == DType::kBool ? i % 2 : i * 7 + 1);
  }
  return out;
}

TEST_F(SafetensorsTest, WritesTheBytesOfTheReference) {
  // safetensors.numpy.save of the same tensors, version 0.8; most element types in one file.
  std::vector<NamedTensor> tensors;
  for (const auto& [name, dtype] :
       std::initializer_list<std::pair<const char*, DType>>{{"f64", DType::kFloat64},
                                                            {"f32", DType::kFloat32},
                                                            {"f16", DType::kFloat16},
                                                            {"i64", DType::kInt64},
                                                            {"i32", DType::kInt32},
                                                            {"i16", DType::kInt16},
                                                            {"i8", DType::kInt8},
                                                            {"u64", DType::kUint64},
                                                            {"u32", DType::kUint32},
                                                            {"u16", DType::kUint16},
                                                            {"u8", DType::kUint8},
                                                            {"bool", DType::kBool},
                                                            {"z f32", DType::kFloat32}}) {
    tensors.push_back({name, bytes_of(dtype, {2, 3})});
  }
  tensors.push_back({"empty", bytes_of(DType::kFloat32, {0, 4})});
  tensors.push_back({"scalar \u00e9", bytes_of(DType::kInt32, {})});
  write_safetensors(path("m.safetensors"), tensors, {{"format", "pt"}});
  EXPECT_EQ(sha256_file(path("m.safetensors")),
            "6c6f163654ce0666a518e446e3f4d4055a0bab68a8c112664a65f9f8e9bafc4c");
}

TEST_F(SafetensorsTest, ReadsWhatItWrites) {
  std::vector<NamedTensor> tensors = {{"b", bytes_of(DType::kBFloat16, {5})},
                                      {"a", bytes_of(DType::kUint8, {3, 1})}};
  write_safetensors(path("m.safetensors"), tensors, {{"k", "v"}});
  const SafetensorsFile file = SafetensorsFile::open(path("m.safetensors"));
  EXPECT_EQ(file.metadata(), (std::map<std::string, std::string>{{"k", "v"}}));
  ASSERT_EQ(file.tensors().size(), 2u);
  EXPECT_EQ(file.tensors()[0].name, "b");
  for (const NamedTensor& t : tensors)
    EXPECT_TRUE(identical(file.read(t.name), t.tensor)) << t.name;
  EXPECT_EQ(file.find("c"), nullptr);
  EXPECT_THROW(file.read("c"), Error);
  tensors.push_back(tensors[0]);
  EXPECT_THROW(write_safetensors(path("m.safetensors"), tensors), Error);
  EXPECT_TRUE(identical(SafetensorsFile::open(path("m.safetensors")).read("b"), tensors[0].tensor));
}

TEST_F(SafetensorsTest, ATensorOutlivesItsFile) {
  write_safetensors(path("m.safetensors"), {{"a", bytes_of(DType::kInt32, {100})}});
  Tensor kept;
  {
    const SafetensorsFile file = SafetensorsFile::open(path("m.safetensors"));
    kept = file.read("a");
  }
  fs::resize_file(path("m.safetensors"), 0);
  EXPECT_TRUE(identical(kept, bytes_of(DType::kInt32, {100})));
}

TEST_F(SafetensorsTest, AFileThatShrinksAfterOpeningIsAnError) {
  write_safetensors(path("m.safetensors"), {{"a", bytes_of(DType::kInt32, {100})}});
  const SafetensorsFile file = SafetensorsFile::open(path("m.safetensors"));
  fs::resize_file(path("m.safetensors"), fs::file_size(path("m.safetensors")) - 1);
  EXPECT_THROW(file.read("a"), Error);
}

TEST_F(SafetensorsTest, ShardsAreOneSource) {
  write_safetensors(path("one.safetensors"),
                    {{"a", bytes_of(DType::kInt8, {4})}, {"extra", bytes_of(DType::kInt8, {1})}});
  write_safetensors(path("two.safetensors"), {{"b", bytes_of(DType::kFloat32, {2, 2})}});
  std::ofstream(path("model.safetensors.index.json"))
      << R"({"metadata":{"total_size":20},"weight_map":{"b":"two.safetensors","a":"one.safetensors"}})";
  const TensorSource source = TensorSource::open(root_.string());
  EXPECT_EQ(source.names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(source.has("a"));
  EXPECT_FALSE(source.has("extra"));
  EXPECT_EQ(source.info("b").shape, (Shape{2, 2}));
  EXPECT_TRUE(identical(source.read("b"), bytes_of(DType::kFloat32, {2, 2})));
  EXPECT_EQ(source.files().size(), 2u);
  try {
    source.read("extra");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
  }
  write_safetensors(path("model.safetensors"), {{"whole", bytes_of(DType::kInt8, {1})}});
  EXPECT_EQ(TensorSource::open(root_.string()).names(), std::vector<std::string>{"whole"});
}

TEST_F(SafetensorsTest, LinkedShardsOfADownloadCacheAreRead) {
  fs::create_directories(root_ / "blobs");
  fs::create_directories(root_ / "snapshots/rev");
  write_safetensors(path("blobs/0a"), {{"a", bytes_of(DType::kInt8, {4})}});
  write_safetensors(path("blobs/0b"), {{"b", bytes_of(DType::kFloat32, {2, 2})}});
  std::ofstream(path("blobs/0c"))
      << R"({"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}})";
  const auto link = [&](const char* blob, const char* name) {
    fs::create_symlink(fs::path("../../blobs") / blob, root_ / "snapshots/rev" / name);
  };
  link("0a", "model-00001-of-00002.safetensors");
  link("0b", "model-00002-of-00002.safetensors");
  link("0c", "model.safetensors.index.json");
  const TensorSource source = TensorSource::open(path("snapshots/rev"));
  EXPECT_TRUE(identical(source.read("a"), bytes_of(DType::kInt8, {4})));
  EXPECT_TRUE(identical(source.read("b"), bytes_of(DType::kFloat32, {2, 2})));
  fs::remove(path("blobs/0b"));
  EXPECT_THROW(TensorSource::open(path("snapshots/rev")), Error);
}

TEST_F(SafetensorsTest, RewritesTheGoldenModelsByteForByte) {
  const char* const given = std::getenv("OCTAVO_SHARED");
  const fs::path models = fs::path(given != nullptr ? given : "../shared") / "goldens/models";
  if (!fs::is_directory(models)) {
    std::cout << "left out: no golden models in " << models << '\n';
    EXPECT_EQ(std::getenv("CI"), nullptr) << "they must be there in CI";
    return;
  }
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(models)) {
    if (entry.path().extension() != ".safetensors") continue;
    SCOPED_TRACE(entry.path());
    const SafetensorsFile file = SafetensorsFile::open(entry.path().string());
    std::vector<NamedTensor> tensors;
    for (const TensorInfo& info : file.tensors())
      tensors.push_back({info.name, file.read(info.name)});
    write_safetensors(path("again.safetensors"), tensors, file.metadata());
    EXPECT_EQ(sha256_file(path("again.safetensors")), sha256_file(entry.path().string()));
    ++files;
  }
  EXPECT_GE(files, 6);
}

TEST_F(SafetensorsTest, MappedTensorsAreThoseThatAreRead) {
  std::vector<NamedTensor> tensors;
  for (const DType dtype : {DType::kFloat32, DType::kFloat16, DType::kBool, DType::kInt64}) {
    tensors.push_back({std::string(dtype_name(dtype)), bytes_of(dtype, {3, 5})});
  }
  write_safetensors(path("mapped.safetensors"), tensors, {});
  TensorSource source = TensorSource::open_file(path("mapped.safetensors"));
  source.map();
  for (const NamedTensor& tensor : tensors) {
    const Tensor mapped = source.read(tensor.name);
    mapped.release();
    EXPECT_TRUE(identical(mapped, tensor.tensor)) << tensor.name;
  }
}

}  // namespace
}  // namespace octavo::formats
