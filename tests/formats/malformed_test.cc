// Bad input: every file of tests/data/malformed (made by tests/tools/make_malformed.py) gives the
// error it must give, and every prefix of a valid file gives some error; nothing crashes, and the
// heap stays within twice the files and 16 MiB.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "allocation_meter.h"
#include "base/file.h"
#include "base/json.h"
#include "formats/hf_config.h"
#include "formats/onnx_reader.h"
#include "formats/onnx_writer.h"
#include "formats/safetensors.h"
#include "formats/safetensors_writer.h"
#include "formats/sharded_safetensors.h"

namespace octavo::formats {
namespace {

namespace fs = std::filesystem;

const fs::path kData = "tests/data/malformed";

std::size_t bytes_below(const fs::path& path) {
  if (fs::is_regular_file(path)) return fs::file_size(path);
  std::size_t out = 0;
  for (const auto& entry : fs::recursive_directory_iterator(path)) {
    if (entry.is_regular_file() && !entry.is_symlink()) out += entry.file_size();
  }
  return out;
}

// Runs `read` and holds it to the memory bound for files of `bytes` in all.
void within_memory(std::size_t bytes, const std::function<void()>& read) {
  const testing::AllocationMeter meter;
  const auto check = [&] {
    if (testing::AllocationMeter::available()) {
      EXPECT_LE(meter.peak(), 2 * bytes + (std::size_t{16} << 20));
    }
  };
  try {
    read();
  } catch (...) {
    check();
    throw;
  }
  check();
}

void read_all(const TensorSource& source) {
  for (const std::string& name : source.names()) source.read(name);
}

// Reads the path in the way its place says.
void read(const std::string& path) {
  const std::string full = (kData / path).string();
  if (path.starts_with("json/sentence/")) {
    load_sentence_transformers(full);
  } else if (path.starts_with("json/")) {
    JsonDocument::parse_file(full);
  } else if (path.starts_with("safetensors/sharded/")) {
    read_all(TensorSource::open(full));
  } else if (path.starts_with("safetensors/")) {
    read_all(TensorSource::open_file(full));
  } else {
    read_onnx(full);
  }
}

TEST(Malformed, EveryFileGivesItsError) {
  std::ifstream table(kData / "expected.tsv");
  ASSERT_TRUE(table) << "run from the repository root";
  std::string line;
  int cases = 0;
  while (std::getline(table, line)) {
    std::istringstream cells(line);
    std::string path, code, phrase;
    std::getline(cells, path, '\t');
    std::getline(cells, code, '\t');
    std::getline(cells, phrase, '\t');
    SCOPED_TRACE(path);
    ++cases;
    try {
      within_memory(bytes_below(kData / path), [&] { read(path); });
      EXPECT_EQ(code, "ok") << "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error_code_name(error.code()), code) << error.what();
      EXPECT_NE(std::string(error.what()).find(phrase), std::string::npos) << error.what();
      EXPECT_FALSE(error.info().file.empty()) << error.what();
      EXPECT_FALSE(error.info().fix.empty()) << error.what();
    }
  }
  EXPECT_GE(cases, 190);
}

class TemporaryDirectory : public ::testing::Test {
 protected:
  TemporaryDirectory() {
    std::string pattern = (fs::temp_directory_path() / "octavo-malformed-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryDirectory() override { fs::remove_all(root_); }

  std::string path(const std::string& name) const { return (root_ / name).string(); }
  void put(const std::string& name, std::string_view bytes) const {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name, std::ios::binary) << bytes;
  }
  static std::string slurp(const fs::path& name) { return read_text_file(name.string()); }

  // `read` must refuse every proper prefix of the file, and accept it whole.
  void refuses_prefixes(const std::string& name, const std::function<void()>& read,
                        std::size_t others = 0) const {
    const std::string whole = slurp(root_ / name);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      SCOPED_TRACE(name + " cut to " + std::to_string(size));
      put(name, std::string_view(whole).substr(0, size));
      EXPECT_THROW(within_memory(size + others, read), Error);
      if (HasFailure()) return;
    }
    put(name, whole);
    EXPECT_NO_THROW(within_memory(whole.size() + others, read));
  }

  fs::path root_;
};

Tensor floats(Shape shape) {
  Tensor out(DType::kFloat32, std::move(shape));
  float value = 0;
  for (float& element : out.mutable_data<float>()) element = value += 0.5f;
  return out;
}

TEST_F(TemporaryDirectory, SafetensorsCutAnywhere) {
  write_safetensors(path("m.safetensors"), {{"a", floats({3})}, {"b", floats({2, 2})}},
                    {{"format", "pt"}});
  refuses_prefixes("m.safetensors",
                   [&] { read_all(TensorSource::open_file(path("m.safetensors"))); });
}

TEST_F(TemporaryDirectory, ShardsAndTheirIndexCutAnywhere) {
  write_safetensors(path("one.safetensors"), {{"a", floats({3})}});
  write_safetensors(path("two.safetensors"), {{"b", floats({2, 2})}});
  put("model.safetensors.index.json",
      R"({"metadata":{"total_size":28},"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})");
  const auto read = [&] { read_all(TensorSource::open(root_.string())); };
  const std::size_t all = bytes_below(root_);
  refuses_prefixes("model.safetensors.index.json", read, all);
  refuses_prefixes("one.safetensors", read, all);
  refuses_prefixes("two.safetensors", read, all);
}

OnnxModel small_model() {
  OnnxModel model;
  model.ir_version = 8;
  model.producer_name = "octavo";
  model.opset_imports = {{"", 17}};
  model.metadata_props = {{"key", "value"}};
  model.graph.name = "g";
  model.graph.inputs = {
      {"x", 1, true, std::vector<OnnxDimension>{{{}, "batch"}, {2, ""}, {{}, ""}}}};
  model.graph.outputs = {{"y", 1, true, {}}};
  model.graph.initializers.push_back({"w", floats({2, 2})});
  OnnxAttribute body;
  body.name = "body";
  body.type = OnnxAttributeType::kGraph;
  body.graphs.resize(1);
  body.graphs[0].nodes.push_back({"inner", "Relu", "", "", {"x"}, {"z"}, {}});
  OnnxAttribute perm;
  perm.name = "perm";
  perm.type = OnnxAttributeType::kInts;
  perm.ints = {1, 0, -1};
  model.graph.nodes.push_back({"n", "Gemm", "", "", {"x", "w"}, {"y"}, {body, perm}});
  return model;
}

TEST_F(TemporaryDirectory, OnnxCutAnywhereGivesAnErrorOrASmallerModel) {
  // A message that ends between two fields is a valid message, so some prefixes are valid files:
  // without the fields that come after the cut. None may equal the whole.
  const std::string whole = serialize_onnx(small_model());
  int accepted = 0;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    SCOPED_TRACE(size);
    put("m.onnx", std::string_view(whole).substr(0, size));
    try {
      OnnxModel model;
      within_memory(size, [&] { model = read_onnx(path("m.onnx")); });
      EXPECT_NE(serialize_onnx(model), whole);
      ++accepted;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidFile);
      EXPECT_EQ(error.info().file, path("m.onnx"));
    }
  }
  EXPECT_LE(accepted, 2);  // after the graph: no opset yet, no metadata yet
  put("m.onnx", whole);
  EXPECT_EQ(serialize_onnx(read_onnx(path("m.onnx"))), whole);
}

// A protobuf field of bytes, or a message as such.
std::string field(int number, const std::string& value) {
  std::string size;
  std::size_t n = value.size();
  for (; n > 127; n >>= 7) size += static_cast<char>((n & 127) | 128);
  size += static_cast<char>(n);
  return std::string(1, static_cast<char>(number << 3 | 2)) + size + value;
}

std::string repeat(const std::string& piece, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += piece;
  return out;
}

TEST_F(TemporaryDirectory, ManyEmptyMessagesAreRefusedBeforeTheyTakeTheMemory) {
  const std::string opset = field(8, "\x10\x11");
  const std::string attribute = field(5, std::string("\xa0\x01\x02"));
  for (const std::string& graph :
       {repeat(field(1, ""), 150'000), field(1, repeat(attribute, 100'000))}) {
    put("m.onnx", std::string("\x08\x08").append(opset).append(field(7, graph)));
    try {
      within_memory(bytes_below(root_), [&] { read_onnx(path("m.onnx")); });
      ADD_FAILURE() << "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidFile);
      EXPECT_NE(std::string(error.what()).find("more than a file of its size"), std::string::npos)
          << error.what();
    }
  }
}

// A model whose tensor lies in a file.
std::string external_model(const std::string& location, std::int64_t elements) {
  const std::string tensor = std::string("\x08") + static_cast<char>(elements) + "\x10\x01" +
                             field(8, "w") + field(13, field(1, "location") + field(2, location)) +
                             "\x70\x01";
  return "\x08\x08" + field(7, field(5, tensor));
}

TEST_F(TemporaryDirectory, ExternalDataCutAnywhere) {
  put("m.onnx", external_model("w.bin", 4));
  put("w.bin", std::string(16, 'x'));
  refuses_prefixes(
      "w.bin", [&] { read_onnx(path("m.onnx")); }, bytes_below(root_));
  const OnnxModel model = read_onnx(path("m.onnx"));
  EXPECT_EQ(std::memcmp(model.graph.initializers.at(0).tensor.bytes(), "xxxxxxxxxxxxxxxx", 16), 0);
}

TEST_F(TemporaryDirectory, ExternalDataBehindLinksIsRefused) {
  put("secret.bin", std::string(16, 's'));
  put("model/w.bin", std::string(16, 'w'));
  fs::create_symlink("w.bin", root_ / "model/link.bin");
  fs::create_symlink("../secret.bin", root_ / "model/out.bin");
  fs::create_directory_symlink("..", root_ / "model/up");
  fs::create_hard_link(root_ / "secret.bin", root_ / "model/hard.bin");
  ASSERT_EQ(::mkfifo(path("model/fifo").c_str(), 0600), 0);
  fs::create_directory(root_ / "model/folder");
  const auto code = [&](const std::string& location) -> std::string_view {
    put("model/m.onnx", external_model(location, 4));
    try {
      within_memory(1000, [&] { read_onnx(path("model/m.onnx")); });
    } catch (const Error& error) {
      return error_code_name(error.code());
    }
    return "ok";
  };
  EXPECT_EQ(code("w.bin"), "ok");
  for (const char* location :
       {"link.bin", "out.bin", "up/secret.bin", "hard.bin", "fifo", "folder", "../secret.bin"}) {
    EXPECT_EQ(code(location), "invalid_file") << location;
  }
  EXPECT_EQ(code(path("secret.bin")), "invalid_file");
}

TEST_F(TemporaryDirectory, ManyTensorsOverOneExternalFileShareIt) {
  put("w.bin", std::string(4 << 20, 'x'));
  std::string tensors;
  for (int i = 0; i < 100; ++i) {  // every spelling of one name, all of the file
    std::string location = "w.bin";
    for (int n = 0; n < i; ++n) location.insert(0, "./");
    tensors += field(5, std::string("\x08\x80\x80\x40\x10\x01") +
                            field(8, std::string("w").append(std::to_string(i))) +
                            field(13, field(1, "location") + field(2, location)) + "\x70\x01");
  }
  put("m.onnx", std::string("\x08\x08").append(field(7, tensors)));
  within_memory(bytes_below(root_), [&] {
    const OnnxModel model = read_onnx(path("m.onnx"));
    ASSERT_EQ(model.graph.initializers.size(), 100u);
    EXPECT_EQ(model.graph.initializers[0].tensor.bytes(),
              model.graph.initializers[99].tensor.bytes());
  });
}

TEST_F(TemporaryDirectory, ConfigsCutAnywhere) {
  put("modules.json",
      R"([{"idx":0,"name":"0","path":"","type":"sentence_transformers.models.Transformer"},)"
      R"({"idx":1,"name":"1","path":"1_Pooling","type":"sentence_transformers.models.Pooling"},)"
      R"({"idx":2,"name":"2","path":"2_Dense","type":"sentence_transformers.models.Dense"}])");
  put("1_Pooling/config.json", R"({"word_embedding_dimension":4,"pooling_mode_mean_tokens":true})");
  put("2_Dense/config.json",
      R"({"in_features":4,"out_features":2,"bias":true,"activation_function":"torch.nn.Tanh"})");
  put("config.json", R"({"model_type":"bert","hidden_size":4})");
  put("sentence_bert_config.json", R"({"max_seq_length":256,"do_lower_case":false})");
  put("config_sentence_transformers.json",
      R"({"prompts":{"query":"q: "},"default_prompt_name":"query"})");
  put("tokenizer_config.json", R"({"model_max_length":512})");
  const auto read = [&] {
    load_hf_config(root_.string());
    load_sentence_transformers(root_.string());
  };
  for (const char* name : {"modules.json", "1_Pooling/config.json", "2_Dense/config.json",
                           "config.json", "sentence_bert_config.json",
                           "config_sentence_transformers.json", "tokenizer_config.json"}) {
    refuses_prefixes(name, read, bytes_below(root_));
  }
}

TEST_F(TemporaryDirectory, DenseDocumentsStayWithinMemory) {
  std::string keys = "{\"prompts\":{";
  for (int i = 0; i < 150000; ++i) keys += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":\"\"";
  std::string header = "{";
  for (int i = 0; i < 60000; ++i) {
    header += (i == 0 ? "\"" : ",\"") + std::to_string(i) +
              R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  }
  header += "}";
  std::string file(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) file[i] = static_cast<char>(header.size() >> 8 * i & 0xff);
  put("m.safetensors", file + header);
  put("strings.json", "\"" + std::string(20 << 20, 'x') + "\"");
  put("spaces.json", std::string(20 << 20, ' ') + "1");
  put("digits.json", std::string(20 << 20, '1'));
  put("escapes.json", "[\"" + repeat("\\u4e2d", 3 << 20) + "\"]");
  put("zeros.json", "[" + repeat("0,", 8 << 20) + "0]");
  put("empty.json", "[" + repeat("\"\",", 4 << 20) + "0]");
  put("objects.json", "[" + repeat("{},", 3 << 20) + "0]");
  put("keys/config_sentence_transformers.json", keys + "}}");
  for (const char* name : {"strings.json", "spaces.json", "digits.json", "escapes.json",
                           "zeros.json", "empty.json", "objects.json"}) {
    SCOPED_TRACE(name);
    within_memory(fs::file_size(root_ / name), [&] {
      try {
        JsonDocument::parse_file(path(name));
      } catch (const Error&) {  // either is right; the memory is what counts
      }
    });
  }
  within_memory(bytes_below(root_ / "keys"), [&] {
    try {
      load_sentence_transformers(path("keys"));
    } catch (const Error&) {
    }
  });
  within_memory(fs::file_size(root_ / "m.safetensors"), [&] {
    try {
      TensorSource::open_file(path("m.safetensors"));
    } catch (const Error&) {
    }
  });
}

TEST(AllocationMeter, SeesWhatIsAllocated) {
  if (!testing::AllocationMeter::available())
    GTEST_SKIP() << "left out: no meter for this allocator";
  const testing::AllocationMeter meter;
  { const Buffer buffer(5 << 20); }
  { const std::string text(3 << 20, 'x'); }
  EXPECT_GE(meter.peak(), std::size_t{5} << 20);
  EXPECT_LT(meter.peak(), std::size_t{8} << 20);
}

}  // namespace
}  // namespace octavo::formats
