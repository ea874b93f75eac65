// The tiny models of every family, through the packed plan, from safetensors and from ONNX, against
// what transformers computed for them.
#include <algorithm>

#include "fixtures.h"
#include "octavo/error.h"

namespace octavo::parity {
namespace {

constexpr double kBound = 2e-5;
const char* const kFamilies[] = {
    "bert",       "bert-classifier",           "distilbert",
    "roberta",    "xlm-roberta-classifier",    "mpnet",
    "modernbert", "modernbert-classifier-cls", "modernbert-classifier-mean"};
const char* const kIsas[] = {"portable", "avx2", "native"};

formats::SafetensorsFile golden(const std::string& family) {
  return formats::SafetensorsFile::open(data_folder() + "/models/" + family +
                                        "/expected.safetensors");
}

class Families : public testing::TestWithParam<std::tuple<const char*, const char*>> {};

TEST_P(Families, SafetensorsGiveTheReferenceOutputs) {
  const auto [family, isa] = GetParam();
  Model model = Model::load(data_folder() + "/models/" + family, {.threads = 2, .isa = isa});
  EXPECT_TRUE(model.summary().packed) << model.summary().plan_note;
  const auto expected = golden(family);
  EXPECT_LE(golden_error(model.run(golden_inputs(expected)), expected), kBound);
}

INSTANTIATE_TEST_SUITE_P(All, Families,
                         testing::Combine(testing::ValuesIn(kFamilies), testing::ValuesIn(kIsas)),
                         [](const auto& test) {
                           std::string name =
                               std::string(std::get<0>(test.param)) + "_" + std::get<1>(test.param);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

/// |got - expected| / |expected| over the rows where attention_mask is 1.
double relative_error(const std::vector<NamedTensor>& outputs,
                      const formats::SafetensorsFile& expected) {
  const std::string name = expected.find("logits") != nullptr ? "logits" : "last_hidden_state";
  const Tensor wanted = expected.read(name).to_float32();
  const std::vector<std::int64_t> mask = expected.read("attention_mask").to_int64s();
  const auto output = std::find_if(outputs.begin(), outputs.end(),
                                   [&](const NamedTensor& t) { return t.name == name; });
  if (output == outputs.end() || output->shape != wanted.shape()) return 1e9;
  const std::vector<float> got = floats(*output);
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < wanted.elements(); ++i) {
    if (wanted.rank() == 3 && mask[i / static_cast<std::size_t>(wanted.dim(2))] == 0) continue;
    const double x = wanted.data<float>()[i], d = static_cast<double>(got[i]) - x;
    difference += d * d;
    norm += x * x;
  }
  return std::isfinite(difference) ? std::sqrt(difference / norm) : 1e9;
}

// Bounds of what rounding costs these models of 2 to 4 layers, at about twice what it does.
class Precisions : public testing::TestWithParam<std::tuple<const char*, const char*>> {};

TEST_P(Precisions, StayNearTheReferenceOutputs) {
  const auto [family, isa] = GetParam();
  const auto expected = golden(family);
  for (const auto& [precision, bound] :
       {std::pair{"bf16", 0.02}, {"fp16", 0.003}, {"int8", 0.06}}) {
    Model model = Model::load(data_folder() + "/models/" + family,
                              {.threads = 2, .isa = isa, .precision = precision});
    EXPECT_TRUE(model.summary().packed) << model.summary().plan_note;
    EXPECT_LE(relative_error(model.run(golden_inputs(expected)), expected), bound) << precision;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Precisions,
                         testing::Combine(testing::ValuesIn(kFamilies), testing::ValuesIn(kIsas)),
                         [](const auto& test) {
                           std::string name =
                               std::string(std::get<0>(test.param)) + "_" + std::get<1>(test.param);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

/// Row `b` of a padded batch, cut to its kept tokens, with `left` and `right` rows of padding
/// around them.
std::vector<NamedTensor> padded_row(const std::vector<NamedTensor>& inputs, std::size_t b,
                                    std::size_t left, std::size_t right) {
  const auto length = static_cast<std::size_t>(inputs[0].shape[1]);
  const auto values = [&](const NamedTensor& t) {
    std::vector<std::int64_t> out(t.data.size() / sizeof(std::int64_t));
    std::memcpy(out.data(), t.data.data(), t.data.size());
    return out;
  };
  const std::vector<std::int64_t> mask = values(inputs[1]);
  std::vector<NamedTensor> out;
  for (const NamedTensor& input : inputs) {
    const std::vector<std::int64_t> all = values(input);
    std::vector<std::int64_t> row(left, 0);
    for (std::size_t t = 0; t < length; ++t) {
      if (mask[b * length + t] != 0) row.push_back(all[b * length + t]);
    }
    row.insert(row.end(), right, 0);
    NamedTensor tensor{.name = input.name,
                       .dtype = "int64",
                       .shape = {1, static_cast<std::int64_t>(row.size())},
                       .data = {}};
    tensor.data.resize(row.size() * sizeof(std::int64_t));
    std::memcpy(tensor.data.data(), row.data(), tensor.data.size());
    out.push_back(std::move(tensor));
  }
  return out;
}

class Invariance : public testing::TestWithParam<std::tuple<const char*, const char*>> {};

TEST_P(Invariance, TheSameSequenceGivesTheSameBits) {
  const std::string family = std::get<0>(GetParam()), precision = std::get<1>(GetParam());
  const auto expected = golden(family);
  std::vector<NamedTensor> inputs = golden_inputs(expected);
  for (NamedTensor& input : inputs) {  // int64, whatever the golden stores
    if (input.dtype == "int64") continue;
    ASSERT_EQ(input.dtype, "int32");
    std::vector<std::int32_t> narrow(input.data.size() / 4);
    std::memcpy(narrow.data(), input.data.data(), input.data.size());
    const std::vector<std::int64_t> wide(narrow.begin(), narrow.end());
    input.data.resize(wide.size() * 8);
    std::memcpy(input.data.data(), wide.data(), input.data.size());
    input.dtype = "int64";
  }
  const auto load = [&](int threads) {
    return Model::load(data_folder() + "/models/" + family,
                       {.threads = threads, .precision = precision});
  };
  Model one = load(1), two = load(2);
  const NamedTensor batch = one.run(inputs)[0];
  for (const int threads : {2, 3, 5, 8}) {
    EXPECT_EQ(batch.data, load(threads).run(inputs)[0].data) << threads << " threads";
  }
  const auto rows = static_cast<std::size_t>(batch.shape[0]);
  const std::size_t row_bytes = batch.data.size() / rows;
  const bool tokens = batch.shape.size() == 3;
  const std::size_t token_bytes =
      tokens ? row_bytes / static_cast<std::size_t>(batch.shape[1]) : row_bytes;
  for (std::size_t b = 0; b < rows; ++b) {
    for (const auto& [left, right] :
         {std::pair<std::size_t, std::size_t>{0, 0}, {5, 0}, {0, 9}, {3, 2}}) {
      for (Model* model : {&one, &two}) {
        const NamedTensor alone = model->run(padded_row(inputs, b, left, right))[0];
        const std::size_t skip = tokens ? left * token_bytes : 0;
        const std::size_t kept = alone.data.size() - (tokens ? (left + right) * token_bytes : 0);
        EXPECT_EQ(std::memcmp(alone.data.data() + skip, batch.data.data() + b * row_bytes, kept), 0)
            << "row " << b << ", padding " << left << " left and " << right << " right";
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Invariance,
                         testing::Combine(testing::ValuesIn(kFamilies),
                                          testing::Values("fp32", "bf16", "fp16", "int8")),
                         [](const auto& test) {
                           std::string name =
                               std::string(std::get<0>(test.param)) + "_" + std::get<1>(test.param);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

std::string family_of(const std::string& file) {
  std::string best;
  for (const char* family : kFamilies) {
    if (file.starts_with(std::string(family) + "-") && std::string(family).size() > best.size())
      best = family;
  }
  return best;
}

void check_onnx_folder(const std::string& folder, std::size_t at_least) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".onnx") continue;
    SCOPED_TRACE(entry.path().filename().string());
    Model model = Model::load(entry.path().string(), {.threads = 2});
    EXPECT_TRUE(model.summary().packed) << model.summary().plan_note;
    const auto expected = golden(family_of(entry.path().filename().string()));
    EXPECT_LE(golden_error(model.run(golden_inputs(expected)), expected), kBound);
    ++count;
  }
  EXPECT_GE(count, at_least);
}

TEST(Goldens, CopiedOnnxFilesRunPacked) { check_onnx_folder(data_folder() + "/onnx", 4); }

TEST(Goldens, AllOnnxFilesRunPacked) {
  const std::string folder = shared_folder() + "/goldens/onnx";
  OCTAVO_NEED(folder);
  check_onnx_folder(folder, 26);
}

TEST(Goldens, IdsOutsideTheTableAreRefused) {
  Model model = Model::load(data_folder() + "/models/bert", {.threads = 1});
  std::vector<NamedTensor> inputs = golden_inputs(golden("bert"));
  for (const std::int64_t bad : {std::int64_t{-1}, std::int64_t{1000}, std::int64_t{1} << 40}) {
    std::vector<NamedTensor> changed = inputs;
    std::memcpy(changed[0].data.data(), &bad, changed[0].dtype == "int64" ? 8 : 4);
    if (changed[0].dtype != "int64" && bad > 1000) continue;
    EXPECT_THROW(model.run(changed), Error);
  }
}

}  // namespace
}  // namespace octavo::parity
