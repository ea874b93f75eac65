// Scales, zero points and blocks against what onnxruntime's quantiser makes of the same arrays:
// tests/data/quantize/vectors.json, by tests/tools/make_quantize_vectors.py.
#include "quant/scale.h"

#include <gtest/gtest.h>

#include <bit>
#include <limits>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "octavo/error.h"
#include "ops/evaluate.h"
#include "quant/quantize.h"
#include "quant/weight_only.h"

namespace octavo::quant {
namespace {

JsonDocument vectors() { return JsonDocument::parse_file("tests/data/quantize/vectors.json"); }

std::vector<float> floats(JsonValue list) {
  std::vector<float> out;
  for (const JsonValue bits : list.elements())
    out.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits.as_int())));
  return out;
}

std::vector<std::int64_t> integers(JsonValue list) {
  std::vector<std::int64_t> out;
  for (const JsonValue value : list.elements()) out.push_back(value.as_int());
  return out;
}

TEST(Scale, EqualsOnnxruntime) {
  const JsonDocument document = vectors();
  std::size_t cases = 0;
  for (const JsonValue c : document.root().at("tensors").elements()) {
    const std::vector<float> x = floats(c.at("x"));
    const IntegerScheme scheme{parse_quantized_type(c.at("type").as_string()),
                               c.at("symmetric").as_bool(), c.at("reduced").as_bool()};
    const QuantizedTensor q = quantize_tensor(Tensor::vector<float>(x), scheme, std::nullopt, "x");
    SCOPED_TRACE("case " + std::to_string(cases++));
    EXPECT_EQ(std::bit_cast<std::uint32_t>(q.scale.data<float>()[0]), c.at("scale").as_int());
    EXPECT_EQ(q.zero.to_int64s()[0], c.at("zero").as_int());
    EXPECT_EQ(q.values.to_int64s(), integers(c.at("q")));
  }
  EXPECT_EQ(cases, 64u);
}

TEST(Scale, ColumnsAndRowsHaveScalesOfTheirOwn) {
  const std::vector<float> x{1, 20, -2, 4, -40, 8};  // [3, 2]
  const Tensor matrix = Tensor::from<float>({3, 2}, std::span<const float>(x));
  const IntegerScheme scheme{QuantizedType::kInt8, true, false};
  const QuantizedTensor columns = quantize_tensor(matrix, scheme, std::size_t{1}, "x");
  EXPECT_EQ(columns.scale.shape(), (Shape{2}));
  EXPECT_FLOAT_EQ(columns.scale.data<float>()[0], 40.0f / 127);
  EXPECT_FLOAT_EQ(columns.scale.data<float>()[1], 20.0f / 127);
  EXPECT_EQ(columns.values.to_int64s(), (std::vector<std::int64_t>{3, 127, -6, 25, -127, 51}));
  const QuantizedTensor rows = quantize_tensor(matrix, scheme, std::size_t{0}, "x");
  EXPECT_EQ(rows.scale.shape(), (Shape{3}));
  EXPECT_EQ(rows.values.to_int64s(), (std::vector<std::int64_t>{6, 127, -64, 127, -127, 25}));
}

TEST(Scale, RefusesWhatIsNotFinite) {
  const std::vector<float> x{1, std::numeric_limits<float>::infinity()};
  try {
    quantize_tensor(Tensor::vector<float>(x), {}, std::nullopt, "encoder.weight");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
    EXPECT_NE(std::string(error.what()).find("encoder.weight"), std::string::npos);
  }
}

/// A graph of one product with these weights [32, 1], in a weight-only mode.
ir::Graph product(const std::vector<float>& weights) {
  ir::Graph graph;
  const auto x = graph.add_input("x", DType::kFloat32, {{-1, "rows"}, {32}});
  const auto w = graph.add_constant("encoder.weight", Tensor::from<float>({32, 1}, weights));
  graph.add_output(graph.emit("MatMul", {x, w}, {}, "", "product"), "y");
  return graph;
}

TEST(Blocks, RefuseWhatIsNotFinite) {
  for (const auto mode : {QuantizeMode::kInt8, QuantizeMode::kInt4}) {
    for (const auto format : {QuantizeFormat::kQOperator, QuantizeFormat::kQdq}) {
      for (const float bad :
           {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
        std::vector<float> weights(32, 1.0f);
        weights[7] = bad;
        ir::Graph graph = product(weights);
        QuantizeOptions options;
        options.mode = mode;
        options.format = format;
        try {
          quantize(graph, options);
          ADD_FAILURE() << "no error";
        } catch (const Error& error) {
          EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
          EXPECT_NE(std::string(error.what()).find("encoder.weight"), std::string::npos);
        }
      }
    }
  }
}

// Their scales have no finite reciprocal: they are zero, and so is what a zero stands for.
TEST(Blocks, OfTheSmallestNumbersAreZero) {
  std::vector<float> weights(32, 0.0f);
  weights[3] = 1e-39f;
  weights[9] = -4e-39f;
  for (const auto mode : {QuantizeMode::kInt8, QuantizeMode::kInt4}) {
    for (const auto format : {QuantizeFormat::kQOperator, QuantizeFormat::kQdq}) {
      for (const bool symmetric : {true, false}) {
        ir::Graph graph = product(weights);
        QuantizeOptions options;
        options.mode = mode;
        options.format = format;
        options.weight_symmetric = symmetric;
        quantize(graph, options);
        std::vector<float> ones(32, 1.0f);
        const ops::Feeds feeds{{graph.inputs()[0], Tensor::from<float>({1, 32}, ones)}};
        const ir::ValueId wanted[] = {graph.outputs()[0].value};
        const float y = ops::evaluate(graph, feeds, wanted)[0].data<float>()[0];
        EXPECT_NEAR(y, 0.0f, 1e-38f) << quantize_mode_name(mode) << quantize_format_name(format);
      }
    }
  }
}

TEST(Blocks, EqualOnnxruntime) {
  const JsonDocument document = vectors();
  std::size_t cases = 0;
  for (const JsonValue c : document.root().at("blocks").elements()) {
    const std::vector<float> x = floats(c.at("x"));
    const Tensor matrix = Tensor::from<float>({c.at("rows").as_int(), c.at("columns").as_int()},
                                              std::span<const float>(x));
    const bool symmetric = c.at("symmetric").as_bool();
    const Blocks blocks = make_blocks(matrix, static_cast<int>(c.at("bits").as_int()),
                                      static_cast<std::size_t>(c.at("block").as_int()), symmetric);
    SCOPED_TRACE("case " + std::to_string(cases++));
    const std::vector<float> scales = floats(c.at("scales"));
    ASSERT_EQ(blocks.scales.elements(), scales.size());
    for (std::size_t i = 0; i < scales.size(); ++i)
      EXPECT_EQ(blocks.scales.data<float>()[i], scales[i]) << i;
    EXPECT_EQ(blocks.values.to_int64s(), integers(c.at("values")));
    if (!symmetric) {
      EXPECT_EQ(blocks.zeros.to_int64s(), integers(c.at("zeros")));
    }
  }
  EXPECT_EQ(cases, 12u);
}

}  // namespace
}  // namespace octavo::quant
