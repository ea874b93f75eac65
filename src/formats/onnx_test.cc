// ONNX bytes written by hand from the schema, and round trips. The onnx package is the oracle in
// tests/formats.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

#include "formats/onnx_reader.h"
#include "formats/onnx_scan.h"
#include "formats/onnx_writer.h"
#include "octavo/error.h"

namespace octavo::formats {
namespace {

std::string varint(std::uint64_t value) {
  std::string out;
  do {
    out += static_cast<char>((value & 127) | (value > 127 ? 128 : 0));
    value >>= 7;
  } while (value != 0);
  return out;
}
std::string number(int field, std::int64_t value) {
  return varint(static_cast<std::uint64_t>(field) << 3) + varint(static_cast<std::uint64_t>(value));
}
std::string sub(int field, const std::string& bytes) {
  return varint(static_cast<std::uint64_t>(field) << 3 | 2) + varint(bytes.size()) + bytes;
}
template <typename T>
std::string raw(std::initializer_list<T> values) {
  std::string out;
  for (const T value : values) out.append(reinterpret_cast<const char*>(&value), sizeof value);
  return out;
}

std::shared_ptr<const Buffer> buffer(const std::string& bytes) {
  auto out = std::make_shared<Buffer>(bytes.size());
  std::memcpy(out->data(), bytes.data(), bytes.size());
  return out;
}

Tensor tensor(const std::string& bytes) { return parse_onnx_tensor(buffer(bytes), "t").tensor; }
OnnxModel model(const std::string& graph) {
  return parse_onnx(buffer(number(1, 8) + sub(8, number(2, 17)) + sub(7, graph)), "m");
}

template <typename T>
std::vector<T> values(const Tensor& t) {
  return {t.data<T>().begin(), t.data<T>().end()};
}

// The first of two elements is in the lower half of a byte (onnx.proto, TensorProto.DataType).
TEST(OnnxTensor, UnpacksFourBits) {
  const std::string dims = number(1, 5), bytes = "\x8f\x70\x03";
  const OnnxTensor wide = parse_onnx_tensor(buffer(dims + number(2, 22) + sub(9, bytes)), "t");
  EXPECT_TRUE(wide.four_bits);
  EXPECT_EQ(values<std::int8_t>(wide.tensor), (std::vector<std::int8_t>{-1, -8, 0, 7, 3}));
  EXPECT_EQ(values<std::uint8_t>(tensor(dims + number(2, 21) + sub(9, bytes))),
            (std::vector<std::uint8_t>{15, 8, 0, 7, 3}));
  const std::string list = varint(0x8f) + varint(0x70) + varint(3);
  EXPECT_EQ(values<std::int8_t>(tensor(dims + number(2, 22) + sub(5, list))),
            (std::vector<std::int8_t>{-1, -8, 0, 7, 3}));
  EXPECT_FALSE(parse_onnx_tensor(buffer(number(1, 1) + number(2, 3) + sub(9, "1")), "t").four_bits);
}

TEST(OnnxModel, NewerIrVersionsAreReadForward) {
  for (const std::int64_t version : {3, 13, 14, 15, 99}) {
    const std::string unknown = sub(77, "what a newer version adds");
    const OnnxModel model =
        parse_onnx(buffer(number(1, version) + sub(8, number(2, 17)) + sub(7, "") + unknown), "m");
    EXPECT_EQ(model.ir_version, version);
  }
  EXPECT_THROW(parse_onnx(buffer(number(1, 2) + sub(7, "")), "m"), Error);
}

TEST(OnnxTensor, ReadsPackedAndUnpackedLists) {
  EXPECT_EQ(values<float>(tensor(number(1, 2) + number(2, 1) + sub(4, raw<float>({1.5f, -2.f})))),
            (std::vector<float>{1.5f, -2.f}));
  const std::string unpacked = varint(4 << 3 | 5) + raw<float>({3.f});
  EXPECT_EQ(values<float>(tensor(sub(1, varint(3)) + number(2, 1) + unpacked +
                                 sub(4, raw<float>({4.f, 5.f})))),
            (std::vector<float>{3.f, 4.f, 5.f}));
  EXPECT_EQ(
      values<std::int64_t>(tensor(number(1, 2) + number(2, 7) + number(7, -5) + number(7, 6))),
      (std::vector<std::int64_t>{-5, 6}));
  EXPECT_EQ(values<double>(tensor(number(2, 11) + sub(10, raw<double>({0.25})))),
            std::vector<double>{0.25});
  EXPECT_EQ(values<std::uint64_t>(tensor(number(2, 13) + number(11, -1))),
            std::vector<std::uint64_t>{~std::uint64_t{0}});
  EXPECT_EQ(values<std::uint32_t>(tensor(number(2, 12) + number(11, 4294967295))),
            std::vector<std::uint32_t>{4294967295u});
}

TEST(OnnxTensor, NarrowTypesLieInInt32Data) {
  const auto one = [](int dtype, std::int64_t value) {
    return tensor(number(2, dtype) + number(5, value));
  };
  EXPECT_EQ(values<std::int8_t>(one(3, -128)), std::vector<std::int8_t>{-128});
  EXPECT_EQ(values<std::uint8_t>(one(2, 255)), std::vector<std::uint8_t>{255});
  EXPECT_EQ(values<std::int16_t>(one(5, -32768)), std::vector<std::int16_t>{-32768});
  EXPECT_EQ(values<std::uint16_t>(one(4, 65535)), std::vector<std::uint16_t>{65535});
  EXPECT_EQ(values<std::int32_t>(one(6, -1)), std::vector<std::int32_t>{-1});
  EXPECT_EQ(one(10, 0x3c00).to_float32().data<float>()[0], 1.0f);
  EXPECT_EQ(one(16, 0x4000).to_float32().data<float>()[0], 2.0f);
  EXPECT_EQ(values<std::uint8_t>(one(9, 7)), std::vector<std::uint8_t>{1});
  EXPECT_EQ(values<std::uint8_t>(
                tensor(number(1, 2) + number(2, 9) + sub(9, "\x02" + std::string(1, '\0')))),
            (std::vector<std::uint8_t>{1, 0}));
}

TEST(OnnxTensor, RawDataIsAViewWhereAligned) {
  const std::string head = number(1, 4) + number(2, 3);
  const auto source = buffer(head + sub(9, "abcd"));
  const Tensor view = parse_onnx_tensor(source, "t").tensor;
  EXPECT_EQ(view.bytes(), source->data() + source->size() - 4);
  EXPECT_EQ(tensor(number(1, 0) + number(2, 1)).shape(), Shape{0});
  EXPECT_EQ(tensor(number(2, 1) + sub(9, raw<float>({2.f}))).rank(), 0u);
}

TEST(OnnxReader, SkipsUnknownFieldsOfEveryWireType) {
  const std::string unknown = number(500, 7) + sub(501, "text") + varint(502 << 3 | 5) + "abcd" +
                              varint(503 << 3 | 1) + "abcdefgh";
  const OnnxModel m =
      model(unknown + sub(1, unknown + sub(4, "Relu") + sub(6, "documentation")) + sub(2, "g"));
  EXPECT_EQ(m.graph.name, "g");
  ASSERT_EQ(m.graph.nodes.size(), 1u);
  EXPECT_EQ(m.graph.nodes[0].op_type, "Relu");
}

TEST(OnnxReader, KeepsEmptyInputNamesAndUnknownDimensions) {
  const std::string shape = sub(1, number(1, 3)) + sub(1, sub(2, "n")) + sub(1, "");
  const OnnxModel m = model(sub(1, sub(1, "a") + sub(1, "") + sub(1, "c")) +
                            sub(11, sub(1, "x") + sub(2, sub(1, number(1, 7) + sub(2, shape)))) +
                            sub(12, sub(1, "y")) + sub(12, sub(1, "s") + sub(2, sub(4, ""))));
  EXPECT_EQ(m.graph.nodes[0].inputs, (std::vector<std::string>{"a", "", "c"}));
  const OnnxValueInfo& x = m.graph.inputs[0];
  EXPECT_EQ(x.elem_type, 7);
  ASSERT_EQ(x.shape->size(), 3u);
  EXPECT_EQ((*x.shape)[0].value, 3);
  EXPECT_EQ((*x.shape)[1].param, "n");
  EXPECT_FALSE((*x.shape)[2].value.has_value());
  EXPECT_FALSE(m.graph.outputs[0].is_tensor);
  EXPECT_FALSE(m.graph.outputs[1].is_tensor);
}

TEST(OnnxReader, FindsTheTypeOfAnAttributeWithoutOne) {
  const auto attribute = [](const std::string& bytes) {
    return model(sub(1, sub(5, bytes))).graph.nodes[0].attributes[0];
  };
  EXPECT_EQ(attribute(number(3, -1)).type, OnnxAttributeType::kInt);
  EXPECT_EQ(attribute(number(3, -1)).i, -1);
  EXPECT_EQ(attribute(sub(8, varint(1) + varint(300))).ints, (std::vector<std::int64_t>{1, 300}));
  EXPECT_EQ(attribute(sub(4, "\xff\x01")).s, "\xff\x01");  // bytes, not text
  EXPECT_EQ(attribute(number(20, 1)).f, 0.0f);             // a default that the writer left out
  EXPECT_EQ(attribute(number(20, 2) + sub(21, "outer")).ref_attr_name, "outer");
}

TEST(OnnxReader, ErrorsSayWhere) {
  try {
    model(sub(5, number(1, 3) + number(2, 1) + sub(8, "weight") + sub(9, "abc")));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidFile);
    EXPECT_EQ(error.info().file, "m");
    EXPECT_NE(error.info().place.find("tensor 'weight'"), std::string::npos);
    EXPECT_EQ(error.info().expected, "12 bytes for float32 [3]");
    EXPECT_EQ(error.info().found, "3 bytes");
  }
}

TEST(OnnxReader, ReadsExternalDataBesideTheModel) {
  std::string pattern = (std::filesystem::temp_directory_path() / "octavo-onnx-XXXXXX").string();
  const std::filesystem::path root = ::mkdtemp(pattern.data());
  std::filesystem::create_directory(root / "data");
  std::ofstream(root / "data/w.bin", std::ios::binary) << "xxx" << raw<float>({1.f, 2.f}) << "yy";
  const auto entry = [](const std::string& key, const std::string& value) {
    return sub(13, sub(1, key) + sub(2, value));
  };
  const std::string w = number(1, 2) + number(2, 1) + sub(8, "w") +
                        entry("location", "data/w.bin") + entry("offset", "3") +
                        entry("length", "8") + entry("checksum", "ignored") + number(14, 1);
  std::ofstream(root / "m.onnx", std::ios::binary) << number(1, 8) + sub(7, sub(5, w));
  const OnnxModel m = read_onnx((root / "m.onnx").string());
  EXPECT_EQ(values<float>(m.graph.initializers[0].tensor), (std::vector<float>{1.f, 2.f}));
  EXPECT_THROW(parse_onnx(buffer(number(1, 8) + sub(7, sub(5, w))), "m"),
               Error);  // without a directory
  std::filesystem::remove_all(root);
}

TEST(OnnxWriter, RoundTripsEveryKindOfField) {
  OnnxModel m;
  m.ir_version = 10;
  m.producer_name = "p";
  m.producer_version = "1";
  m.domain = "d";
  m.model_version = 3;
  m.opset_imports = {{"", 21}, {"com.microsoft", 1}};
  m.metadata_props = {{"a", ""}, {"b", "2"}};
  OnnxAttribute a;
  const auto add = [&](OnnxAttributeType type) {
    a.name = "a" + std::to_string(static_cast<int>(type));
    a.type = type;
    m.graph.nodes[0].attributes.push_back(a);
    a = {};
  };
  m.graph.nodes.push_back({"n", "Op", "com.microsoft", "", {"x", ""}, {"y"}, {}});
  a.f = 1.5f, add(OnnxAttributeType::kFloat);
  a.i = -7, add(OnnxAttributeType::kInt);
  a.s = "text", add(OnnxAttributeType::kString);
  a.floats = {1, 2}, add(OnnxAttributeType::kFloats);
  a.ints = {-1, 1 << 20}, add(OnnxAttributeType::kInts);
  a.strings = {"", "b"}, add(OnnxAttributeType::kStrings);
  a.tensors.push_back({"t", Tensor::scalar<std::int64_t>(4)}), add(OnnxAttributeType::kTensor);
  a.graphs.resize(2), add(OnnxAttributeType::kGraphs);
  a.ref_attr_name = "outer", add(OnnxAttributeType::kFloat);
  m.functions.push_back({"F", "d", "", {"i"}, {"o"}, {"alpha"}, {}, m.graph.nodes, {{"", 21}}, {}});
  const std::string first = serialize_onnx(m);
  const OnnxModel back = parse_onnx(buffer(first), "m");
  EXPECT_EQ(serialize_onnx(back), first);
  const auto& attributes = back.graph.nodes[0].attributes;
  ASSERT_EQ(attributes.size(), 9u);
  EXPECT_EQ(attributes[0].f, 1.5f);
  EXPECT_EQ(attributes[1].i, -7);
  EXPECT_EQ(attributes[2].s, "text");
  EXPECT_EQ(attributes[3].floats, (std::vector<float>{1, 2}));
  EXPECT_EQ(attributes[4].ints, (std::vector<std::int64_t>{-1, 1 << 20}));
  EXPECT_EQ(attributes[5].strings, (std::vector<std::string>{"", "b"}));
  EXPECT_EQ(attributes[6].tensors[0].tensor.to_int64s(), std::vector<std::int64_t>{4});
  EXPECT_EQ(attributes[7].graphs.size(), 2u);
  EXPECT_EQ(attributes[8].ref_attr_name, "outer");
  EXPECT_EQ(back.metadata_props, m.metadata_props);
  EXPECT_EQ(back.functions[0].nodes[0].op_type, "Op");
  EXPECT_EQ(back.opset_imports[1].domain, "com.microsoft");
}

class OnnxScan : public testing::Test {
 protected:
  const std::string& write(const std::string& bytes) const {
    std::ofstream(path_, std::ios::binary) << bytes;
    return path_;
  }
  std::map<std::string, std::string> read(const std::string& bytes) const {
    return read_onnx_metadata(write(bytes));
  }
  ~OnnxScan() override { std::filesystem::remove(path_); }

  std::string path_ = testing::TempDir() + "octavo-scan-" + std::to_string(::getpid()) +
                      testing::UnitTest::GetInstance()->current_test_info()->name() + ".onnx";
};

std::string property(const std::string& key, const std::string& value) {
  return sub(14, sub(1, key) + sub(2, value));
}

TEST_F(OnnxScan, MetadataIsThatOfTheWholeReaderWhereverItStands) {
  // Longer than what is read at a time, on either side of the graph.
  const std::string long_name(5000, 'n'), long_value(9000, 'v');
  const std::string model = property("first", "1") + number(1, 8) + sub(2, long_name) +
                            sub(7, sub(2, std::string(20000, 'g'))) + property("big", long_value) +
                            sub(8, number(2, 17)) + property("last", "");
  const auto expected = parse_onnx(buffer(model), "m").metadata_props;
  ASSERT_EQ(expected.size(), 3u);
  EXPECT_EQ(read(model), expected);
  EXPECT_TRUE(read(number(1, 8) + sub(7, "")).empty());
}

TEST_F(OnnxScan, OutlineIsOfWhatIsNoWeightWhereverItStands) {
  const auto node = [](const std::string& op, std::size_t weight = 0) {
    return sub(1, sub(1, op + ".x") + sub(1, "") + sub(4, op) +
                      (weight == 0 ? "" : sub(5, sub(1, "w") + sub(20, std::string(weight, 'w')))) +
                      sub(5, sub(1, "axis") + number(3, -1)) + sub(5, sub(1, "f") + number(20, 1)));
  };
  const auto initializer = [](const std::string& name, std::int64_t type) {
    return sub(5, number(2, type) + sub(9, std::string(9000, 'w')) + sub(8, name));
  };
  const std::string graph = node("First") + initializer("a", 2) + node("Middle", 6000) +
                            initializer("b", 10) + node("Constant", 2 << 20) + node("Last");
  const std::string model = number(1, 8) + sub(7, graph) + property("Not", "one");
  const OnnxOutline outline = read_onnx_outline(write(model));
  ASSERT_EQ(outline.nodes.size(), 3u);
  for (std::size_t i : {0, 1, 2}) {
    const std::string op = std::vector<std::string>{"First", "Middle", "Last"}[i];
    EXPECT_EQ(outline.nodes[i].op_type, op);
    EXPECT_EQ(outline.nodes[i].inputs, (std::vector<std::string>{op + ".x", ""}));
    EXPECT_EQ(outline.nodes[i].numbers, (std::map<std::string, std::int64_t>{{"axis", -1}}));
  }
  EXPECT_EQ(outline.initializers, (std::map<std::string, std::int32_t>{{"a", 2}, {"b", 10}}));
  const std::string small = number(1, 8) + sub(7, node("A") + initializer("b", 1));
  for (std::size_t cut = 3; cut < small.size(); cut += cut < 100 ? 1 : 97) {
    EXPECT_THROW(read_onnx_outline(write(small.substr(0, cut))), Error) << cut;
  }
  // What goes on past the end of its graph.
  EXPECT_THROW(read_onnx_outline(write(sub(7, node("A").substr(0, 4)) + node("B"))), Error);
  EXPECT_THROW(read_onnx_outline(write(sub(7, initializer("b", 1).substr(0, 20)))), Error);
  EXPECT_TRUE(
      read_onnx_outline(write(number(7, 1) + sub(7, number(1, 1) + number(5, 1)))).nodes.empty());
}

TEST_F(OnnxScan, RefusesWhatEndsEarlyAndWhatIsNoMessage) {
  const std::string model = number(1, 8) + sub(7, std::string(100, 'g')) + property("a", "b");
  for (std::size_t cut = 3; cut < model.size(); ++cut) {
    if (cut == 2 + 2 + 100) continue;  // between two fields
    EXPECT_THROW(read(model.substr(0, cut)), Error) << cut;
  }
  EXPECT_THROW(read("\x0b" + model), Error) << "a group";
  EXPECT_THROW(read(std::string(11, '\xff')), Error) << "a number of more than 64 bits";
}

}  // namespace
}  // namespace octavo::formats
