// Quantised graphs run by the reference operators beside the graph they were made from, and the
// nodes that each mode emits.
#include "quant/quantize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "octavo/error.h"
#include "ops/evaluate.h"
#include "quant/exclusions.h"
#include "quant/scale.h"
#include "quant/sensitivity.h"
#include "quant/targets.h"
#include "tensor/testing.h"

namespace octavo::quant {
namespace {

// Table lookup, two products of the same rows, a Gemm behind them; outputs "y" and "z".
struct Model {
  ir::Graph graph;
  ir::ValueId ids, y, z;

  Model() {
    ids = graph.add_input("ids", DType::kInt64, {{-1, "tokens"}});
    const ir::ValueId table = graph.add_constant("table", random_tensor({11, 32}, 1, 0.5f));
    const ir::ValueId x = graph.emit("Gather", {table, ids}, {}, "", "lookup");
    graph.value(x).name = "x";
    const ir::ValueId w1 = graph.add_constant("w1", random_tensor({32, 24}, 2, 0.5f));
    const ir::ValueId w2 = graph.add_constant("w2", random_tensor({32, 16}, 3, 0.5f));
    const ir::ValueId b1 = graph.add_constant("b1", random_tensor({24}, 4, 0.5f));
    const ir::ValueId p1 = graph.emit("MatMul", {x, w1}, {}, "", "first");
    const ir::ValueId h = graph.emit("Tanh", {graph.emit("Add", {p1, b1}, {}, "", "bias")});
    y = graph.emit("MatMul", {x, w2}, {}, "", "second");
    ir::Attributes transposed;
    transposed.set("transB", std::int64_t{1});
    z = graph.emit("Gemm",
                   {h, graph.add_constant("w3", random_tensor({20, 24}, 5, 0.5f)),
                    graph.add_constant("b3", random_tensor({20}, 6, 0.5f))},
                   transposed, "", "third");
    graph.add_output(y, "y");
    graph.add_output(z, "z");
  }

  std::vector<Tensor> run() const {
    const std::vector<std::int64_t> tokens{3, 10, 0, 7, 3};
    const ops::Feeds feeds{{ids, Tensor::vector<std::int64_t>(tokens)}};
    const ir::ValueId wanted[] = {graph.outputs()[0].value, graph.outputs()[1].value};
    return ops::evaluate(graph, feeds, wanted);
  }
};

std::map<std::string, int> count_ops(const ir::Graph& graph) {
  std::map<std::string, int> out;
  for (const ir::NodeId id : graph.topological_order()) ++out[graph.node(id).op];
  return out;
}

double cosine(const Tensor& a, const Tensor& b) {
  const Tensor af = a.to_float32(), bf = b.to_float32();
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < af.elements(); ++i) {
    const double x = af.data<float>()[i], y = bf.data<float>()[i];
    ab += x * y, aa += x * x, bb += y * y;
  }
  return ab / std::sqrt(aa * bb);
}

/// The ranges that a run of the model itself shows.
Ranges observed(Model model, const QuantizeOptions& options) {
  prepare(model.graph, options);
  Ranges out;
  const std::vector<std::int64_t> tokens{3, 10, 0, 7, 3};
  const ops::Feeds feeds{{model.ids, Tensor::vector<std::int64_t>(tokens)}};
  ops::EvaluateOptions watch;
  watch.observe = [&](ir::ValueId id, const Tensor& tensor) {
    if (tensor.dtype() != DType::kFloat32) return;
    TensorRange& range = out[model.graph.value(id).name];
    for (const float v : tensor.data<float>()) {
      range.min = std::min(range.min, v);
      range.max = std::max(range.max, v);
    }
  };
  const ir::ValueId wanted[] = {model.graph.outputs()[0].value, model.graph.outputs()[1].value};
  ops::evaluate(model.graph, feeds, wanted, watch);
  return out;
}

struct Case {
  std::string name;
  std::function<void(QuantizeOptions&)> set;
  double cosine;
  std::map<std::string, int> ops;  // how many of these
};

class QuantizeCase : public testing::TestWithParam<Case> {};

TEST_P(QuantizeCase, StaysNearTheFloatGraph) {
  Model model;
  const std::vector<Tensor> before = model.run();
  QuantizeOptions options;
  GetParam().set(options);
  const Ranges ranges =
      options.mode == QuantizeMode::kStatic ? observed(Model(), options) : Ranges{};
  const QuantizeReport report = quantize(model.graph, options, ranges);
  EXPECT_GE(report.quantized, 4u);
  const std::vector<Tensor> after = model.run();
  for (std::size_t i = 0; i < 2; ++i) {
    ASSERT_EQ(before[i].shape(), after[i].shape());
    EXPECT_GE(cosine(before[i], after[i]), GetParam().cosine) << "output " << i;
    EXPECT_LT(cosine(before[i], after[i]), 1 - 1e-12) << "nothing was rounded";
  }
  const std::map<std::string, int> ops = count_ops(model.graph);
  for (const auto& [op, count] : GetParam().ops) {
    EXPECT_EQ(ops.contains(op) ? ops.at(op) : 0, count) << op;
  }
  EXPECT_EQ(model.graph.outputs()[0].name, "y");
}

INSTANTIATE_TEST_SUITE_P(
    Modes, QuantizeCase,
    testing::Values(
        Case{"octavo", [](auto&) {}, 0.9995, {{"MatMulInteger", 3}, {"MatMul", 0}, {"Round", 2}}},
        Case{"dynamic",
             [](auto& o) { o.mode = QuantizeMode::kDynamic; },
             0.999,
             {{"MatMulInteger", 3}, {"DynamicQuantizeLinear", 2}, {"Gemm", 0}}},
        Case{"dynamic_int8",
             [](auto& o) {
               o.mode = QuantizeMode::kDynamic;
               o.activation_type = QuantizedType::kInt8;
             },
             0.999,
             {{"MatMulInteger", 3}, {"QuantizeLinear", 2}, {"DynamicQuantizeLinear", 0}}},
        Case{"dynamic_qdq",
             [](auto& o) {
               o.mode = QuantizeMode::kDynamic;
               o.format = QuantizeFormat::kQdq;
             },
             0.999,
             {{"MatMul", 3}, {"DequantizeLinear", 6}}},
        Case{"dynamic_table",
             [](auto& o) {
               o.mode = QuantizeMode::kDynamic;
               o.tables = QuantizedTables::kTensor;
               o.weight_type = QuantizedType::kUInt8;
               o.per_channel = true;
             },
             0.999,
             {{"DequantizeLinear", 1}, {"MatMulInteger", 3}}},
        Case{"static",
             [](auto& o) { o.mode = QuantizeMode::kStatic; },
             0.999,
             {{"QLinearMatMul", 3}, {"QuantizeLinear", 2}, {"DequantizeLinear", 3}}},
        Case{"static_qdq",
             [](auto& o) {
               o.mode = QuantizeMode::kStatic;
               o.format = QuantizeFormat::kQdq;
               o.activation_type = QuantizedType::kInt8;
               o.per_channel = true;
             },
             0.999,
             {{"MatMul", 3}, {"QuantizeLinear", 2}, {"DequantizeLinear", 5}}},
        Case{"int8_blocks",
             [](auto& o) {
               o.mode = QuantizeMode::kInt8;
               o.block_size = 16;
             },
             0.9995,
             {{"MatMulNBits", 3}}},
        Case{"int8_blocks_qdq",
             [](auto& o) {
               o.mode = QuantizeMode::kInt8;
               o.format = QuantizeFormat::kQdq;
               o.block_size = 16;
             },
             0.9995,
             {{"MatMul", 3}, {"DequantizeLinear", 3}}},
        Case{"int4_blocks",
             [](auto& o) {
               o.mode = QuantizeMode::kInt4;
               o.block_size = 16;
             },
             0.98,
             {{"MatMulNBits", 3}}},
        Case{"int4_blocks_qdq",
             [](auto& o) {
               o.mode = QuantizeMode::kInt4;
               o.format = QuantizeFormat::kQdq;
               o.block_size = 16;
             },
             0.98,
             {{"MatMul", 3}, {"DequantizeLinear", 3}}},
        Case{"float16", [](auto& o) { o.mode = QuantizeMode::kFloat16; }, 0.99999, {{"Cast", 2}}},
        Case{"bfloat16", [](auto& o) { o.mode = QuantizeMode::kBFloat16; }, 0.9999, {}}),
    [](const auto& test) { return test.param.name; });

// Two ways to write one rounding.
TEST(Quantize, FourBitsAreTheSameInEitherFormat) {
  for (const bool symmetric : {true, false}) {
    std::vector<Tensor> outputs[2];
    for (const auto format : {QuantizeFormat::kQOperator, QuantizeFormat::kQdq}) {
      Model model;
      QuantizeOptions options;
      options.mode = QuantizeMode::kInt4;
      options.format = format;
      options.block_size = 16;
      options.weight_symmetric = symmetric;
      quantize(model.graph, options);
      outputs[format == QuantizeFormat::kQdq] = model.run();
    }
    ASSERT_EQ(outputs[0].size(), outputs[1].size());
    for (std::size_t o = 0; o < outputs[0].size(); ++o) {
      const auto a = outputs[0][o].data<float>(), b = outputs[1][o].data<float>();
      ASSERT_EQ(a.size(), b.size());
      for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-5f);
    }
  }
}

TEST(Quantize, NamesAreThoseOfOnnxruntimesQuantiser) {
  Model model;
  QuantizeOptions options;
  options.mode = QuantizeMode::kDynamic;
  quantize(model.graph, options);
  std::set<std::string> nodes, values;
  for (const ir::NodeId id : model.graph.topological_order()) {
    nodes.insert(model.graph.node(id).name);
    for (const ir::ValueId input : model.graph.node(id).inputs)
      values.insert(model.graph.value(input).name);
  }
  for (const char* name : {"x_QuantizeLinear", "first_quant", "first_quant_scales_mul",
                           "first_quant_output_scale_mul"}) {
    EXPECT_TRUE(nodes.contains(name)) << name;
  }
  for (const char* name : {"x_quantized", "x_scale", "x_zero_point", "w1_quantized", "w1_scale",
                           "w1_zero_point", "first_quant_scales_mul:0"}) {
    EXPECT_TRUE(values.contains(name)) << name;
  }
}

/// Integers, or zero points, that a quantised graph reads under a name.
std::vector<std::int64_t> constant_of(const ir::Graph& graph, const std::string& name) {
  for (const ir::NodeId id : graph.topological_order()) {
    for (const ir::ValueId input : graph.node(id).inputs) {
      if (graph.value(input).name == name && graph.constant(input) != nullptr)
        return graph.constant(input)->to_int64s();
    }
  }
  ADD_FAILURE() << "no constant " << name;
  return {};
}

/// The graph of Model in static mode with uint8 weights and a scale a column.
ir::Graph static_per_channel(QuantizeOptions options) {
  options.mode = QuantizeMode::kStatic;
  options.weight_type = QuantizedType::kUInt8;
  options.per_channel = true;
  const Ranges ranges = observed(Model(), options);
  Model model;
  quantize(model.graph, options, ranges);
  return model.graph;
}

// onnxruntime's QDQQuantizer takes every initialiser with an axis as symmetric; QOperator does not.
TEST(Quantize, StaticQdqPerChannelHasOneZeroPoint) {
  QuantizeOptions qdq, qoperator;
  qdq.format = QuantizeFormat::kQdq;
  const std::vector<std::int64_t> zeros = constant_of(static_per_channel(qdq), "w1_zero_point");
  EXPECT_EQ(zeros, std::vector<std::int64_t>(24, 128));
  const std::vector<std::int64_t> own = constant_of(static_per_channel(qoperator), "w1_zero_point");
  EXPECT_NE(own, zeros);
}

TEST(Quantize, WhatIsMeasuredHasTheIntegersOfTheFile) {
  QuantizeOptions options;
  options.mode = QuantizeMode::kStatic;
  options.weight_type = QuantizedType::kUInt8;
  options.per_channel = true;
  Model model;
  prepare(model.graph, options);
  const QuantizeOptions measured = measurable(model.graph, options);
  ASSERT_EQ(measured.format, QuantizeFormat::kQdq);
  const ir::Graph file = static_per_channel(options), twin = static_per_channel(measured);
  for (const char* name : {"w1_quantized", "w1_zero_point", "w2_quantized", "w2_zero_point"})
    EXPECT_EQ(constant_of(file, name), constant_of(twin, name)) << name;
}

// Tables are what onnxruntime's quantiser quantises as activations: symmetric as weights of the
// same type are.
TEST(Quantize, TableOfOneScaleIsSymmetricWhereUnsignedWeightsAre) {
  for (const auto type : {QuantizedType::kUInt8, QuantizedType::kInt8}) {
    for (const bool symmetric : {true, false}) {
      QuantizeOptions options;
      options.mode = QuantizeMode::kDynamic;
      options.tables = QuantizedTables::kTensor;
      options.weight_type = type;
      options.weight_symmetric = symmetric;
      Model model;
      quantize(model.graph, options);
      const Tensor floats = random_tensor({11, 32}, 1, 0.5f);
      const auto [low, high] = std::ranges::minmax(floats.data<float>());
      const bool around_zero = type == QuantizedType::kUInt8 && symmetric;
      const Scale wanted = choose_scale(low, high, {QuantizedType::kUInt8, around_zero, false});
      EXPECT_EQ(constant_of(model.graph, "table_zero_point"),
                std::vector<std::int64_t>{wanted.zero});
      EXPECT_EQ(wanted.zero == 128, around_zero) << "the table proves nothing";
    }
  }
}

TEST(Quantize, ExclusionsByNameGlobAndOperator) {
  for (const auto& [exclude, ops, left] :
       std::vector<std::tuple<std::vector<std::string>, std::vector<std::string>, int>>{
           {{"first"}, {}, 1}, {{"*ir*"}, {}, 2}, {{"secon?"}, {"Gather"}, 2}}) {
    Model model;
    QuantizeOptions options;
    options.exclude = exclude;
    options.exclude_ops = ops;
    const QuantizeReport report = quantize(model.graph, options);
    int found = 0;
    for (const QuantizedNode& node : report.nodes) found += node.quantized ? 0 : 1;
    EXPECT_EQ(found, left) << exclude[0];
  }
}

void expect_refusal(const std::function<void(QuantizeOptions&)>& set, ErrorCode code,
                    const std::string& words, bool twice = false) {
  Model model;
  QuantizeOptions options;
  if (twice) quantize(model.graph, options);
  set(options);
  try {
    quantize(model.graph, options);
    ADD_FAILURE() << "no error; expected one about " << words;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    EXPECT_FALSE(error.info().fix.empty()) << error.what();
  }
}

TEST(Quantize, RefusesWhatMakesNoSense) {
  using enum ErrorCode;
  const auto nothing = [](QuantizeOptions&) {};
  expect_refusal(nothing, kUnsupported, "quantised already", true);
  expect_refusal([](auto& o) { o.exclude = {"encoder*"}; }, kInvalidArgument, "encoder*");
  expect_refusal([](auto& o) { o.exclude = {"*"}; }, kInvalidArgument, "nothing is left");
  expect_refusal([](auto& o) { o.mode = QuantizeMode::kStatic; }, kInvalidArgument, "ranges");
  expect_refusal([](auto& o) { o.per_channel = true; }, kInvalidArgument, "--per-channel");
  expect_refusal(
      [](auto& o) {
        o.mode = QuantizeMode::kInt4;
        o.block_size = 48;
      },
      kInvalidArgument, "block size");
  expect_refusal(
      [](auto& o) {
        o.mode = QuantizeMode::kDynamic;
        o.weight_type = QuantizedType::kUInt8;
        o.activation_type = QuantizedType::kInt8;
      },
      kInvalidArgument, "signed activations");
  for (const QuantizeMode mode : {QuantizeMode::kFloat16, QuantizeMode::kBFloat16}) {
    expect_refusal([&](auto& o) { o.mode = mode; }, kUnsupported, "quantised already", true);
    for (const char* glob : {"encoder*", "*"}) {
      expect_refusal(
          [&](auto& o) {
            o.mode = mode;
            o.exclude = {glob};
          },
          kInvalidArgument, glob == std::string("*") ? "nothing is left" : "encoder*");
    }
  }
}

TEST(Quantize, BFloat16KeepsWhatIsBlocked) {
  Model model;
  QuantizeOptions options;
  options.mode = QuantizeMode::kBFloat16;
  options.blocked_ops = {"Gather"};
  std::map<std::string, std::set<bool>> quantized;  // by operator
  const QuantizeReport report = quantize(model.graph, options);
  for (const QuantizedNode& node : report.nodes) {
    quantized[node.op].insert(node.quantized);
  }
  EXPECT_EQ(quantized["Gather"], std::set<bool>{false});
  EXPECT_EQ(quantized["MatMul"], std::set<bool>{true});
}

TEST(Quantize, Float16ClampsAndKeepsWhatIsBlocked) {
  ir::Graph graph;
  const ir::ValueId x = graph.add_input("x", DType::kFloat32, {{2, ""}});
  const std::vector<float> extremes{3e38f, 1e-9f};
  const ir::ValueId sum =
      graph.emit("Add", {x, graph.add_constant("extremes", Tensor::vector<float>(extremes))});
  const ir::ValueId low = graph.emit(
      "Min", {sum, graph.add_constant("limit", random_tensor({2}, 1, 0.5f))}, {}, "", "limit");
  graph.add_output(low, "y");
  QuantizeOptions options;
  options.mode = QuantizeMode::kFloat16;
  quantize(graph, options);
  const std::map<std::string, int> ops = count_ops(graph);
  EXPECT_EQ(ops.at("Cast"), 2);  // x down, the sum up; Min stays float32 and so does y
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node& node = graph.node(id);
    if (node.op == "Min") {
      EXPECT_EQ(graph.constant(node.input(1))->dtype(), DType::kFloat32);
    } else if (node.op == "Add") {
      const Tensor constant = graph.constant(node.input(1))->to_float32();
      EXPECT_EQ(constant.data<float>()[0], 65504.0f);
      EXPECT_GT(constant.data<float>()[1], 0.0f);
    }
  }
}

/// Rows of a product with the weights, of which one is `odd`.
ir::Graph product_with(float odd) {
  ir::Graph graph;
  const ir::ValueId x = graph.add_input("x", DType::kFloat32, {{-1, "rows"}, {32, ""}});
  Tensor weights = random_tensor({32, 16}, 1, 0.5f);
  weights.mutable_data<float>()[37] = odd;
  weights.mutable_data<float>()[38] = -70000.0f;
  graph.add_output(
      graph.emit("MatMul", {x, graph.add_constant("w", std::move(weights))}, {}, "", "product"),
      "y");
  return graph;
}

TEST(Quantize, Float16SaysWhatItClamps) {
  for (const auto mode : {QuantizeMode::kFloat16, QuantizeMode::kBFloat16}) {
    QuantizeOptions options;
    options.mode = mode;
    ir::Graph graph = product_with(1e6f), within = product_with(1.0f);
    const ClampedWeights clamped = quantize(graph, options).clamped;
    const bool half = mode == QuantizeMode::kFloat16;
    EXPECT_EQ(clamped.count, half ? 2u : 0u);
    EXPECT_EQ(clamped.largest, half ? 1e6f : 0.0f);
    EXPECT_EQ(clamped.tensor, half ? "w" : "");
    EXPECT_EQ(clamped.op, half ? "MatMul" : "");
    EXPECT_EQ(quantize(within, options).clamped.count, half ? 1u : 0u);
  }
}

TEST(Quantize, RefusesWeightsThatAreNotFiniteInEveryMode) {
  for (const auto mode : {QuantizeMode::kOctavo, QuantizeMode::kDynamic, QuantizeMode::kFloat16,
                          QuantizeMode::kBFloat16, QuantizeMode::kInt8, QuantizeMode::kInt4}) {
    for (const float odd : {std::nanf(""), INFINITY, -INFINITY}) {
      QuantizeOptions options;
      options.mode = mode;
      ir::Graph graph = product_with(odd);
      try {
        quantize(graph, options);
        ADD_FAILURE() << quantize_mode_name(mode) << " took " << odd;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
        EXPECT_NE(std::string(error.what()).find("not finite"), std::string::npos) << error.what();
      }
    }
  }
}

// A mask of infinities is no weight.
TEST(Quantize, HalvesKeepInfiniteMasks) {
  for (const auto mode : {QuantizeMode::kFloat16, QuantizeMode::kBFloat16}) {
    ir::Graph graph = product_with(1.0f);
    Tensor mask(DType::kFloat32, {32, 16});
    std::ranges::fill(mask.mutable_data<float>(), -INFINITY);
    const ir::ValueId y = graph.outputs()[0].value;
    const ir::ValueId masked =
        graph.emit("Add", {y, graph.add_constant("mask", std::move(mask))}, {}, "", "masked");
    graph.set_outputs({{"y", masked}});
    QuantizeOptions options;
    options.mode = mode;
    EXPECT_NO_THROW(quantize(graph, options)) << quantize_mode_name(mode);
  }
}

TEST(Quantize, RefusesModelsInSixteenBits) {
  for (const auto made : {QuantizeMode::kFloat16, QuantizeMode::kBFloat16}) {
    for (const auto mode : {QuantizeMode::kOctavo, QuantizeMode::kDynamic, QuantizeMode::kFloat16,
                            QuantizeMode::kBFloat16, QuantizeMode::kInt8, QuantizeMode::kInt4}) {
      Model model;
      QuantizeOptions options;
      options.mode = made;
      quantize(model.graph, options);
      options = {};
      options.mode = mode;
      try {
        quantize(model.graph, options);
        ADD_FAILURE() << quantize_mode_name(mode) << " took " << quantize_mode_name(made);
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
        const std::string wanted = "in " + std::string(quantize_mode_name(made)) + " already";
        EXPECT_NE(std::string(error.what()).find(wanted), std::string::npos) << error.what();
        EXPECT_FALSE(error.info().fix.empty());
      }
    }
  }
}

TEST(Glob, MatchesAsShellsDo) {
  EXPECT_TRUE(matches_glob("*", ""));
  EXPECT_TRUE(matches_glob("/encoder/layer.?/*", "/encoder/layer.3/MatMul"));
  EXPECT_FALSE(matches_glob("/encoder/layer.?/*", "/encoder/layer.11/MatMul"));
  EXPECT_TRUE(matches_glob("*a*b", "xaybzb"));
  EXPECT_FALSE(matches_glob("a*b", "abc"));
}

}  // namespace
}  // namespace octavo::quant
