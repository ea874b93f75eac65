// Operators that changed between opset 11 and 21: written at each opset and read back, a graph
// gives the same, and what an opset cannot say is refused with the opset that can.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "exporters/onnx.h"
#include "importers/onnx.h"
#include "octavo/error.h"
#include "ops/evaluate.h"
#include "ops/four_bits.h"

namespace octavo {
namespace {

using ir::ValueId;

constexpr std::int64_t kOldest = exporters::kOldestExportOpset;
constexpr std::int64_t kNewest = exporters::kNewestExportOpset;

/// A graph of one operator over x [2, 3, 4] and constants.
struct Case {
  std::string name;
  std::string op;
  std::vector<Tensor> constants;  // inputs after x; an empty tensor of rank 1 is left out
  std::vector<std::pair<std::string, ir::Attribute>> attributes;
  std::size_t outputs = 1;
  std::int64_t since = kOldest;  // the first opset that can say it
  DType input = DType::kFloat32;
};

Tensor ints(std::vector<std::int64_t> values) { return Tensor::vector<std::int64_t>(values); }
Tensor floats(std::vector<float> values) { return Tensor::vector<float>(values); }

std::vector<Case> cases() {
  using std::string;
  const auto one = std::int64_t{1};
  std::vector<Case> out{
      {"Squeeze", "Unsqueeze", {ints({0, -1})}, {}},
      {"Softmax_last", "Softmax", {}, {{"axis", std::int64_t{-1}}}},
      {"Softmax_middle", "Softmax", {}, {{"axis", one}}},
      {"LogSoftmax_first", "LogSoftmax", {}, {{"axis", std::int64_t{-3}}}},
      {"Split", "Split", {ints({1, 3})}, {{"axis", std::int64_t{-1}}}, 2},
      {"Split_evenly", "Split", {}, {{"axis", std::int64_t{-1}}}, 2},
      {"ReduceMean", "ReduceMean", {ints({-1, 0})}, {{"keepdims", std::int64_t{0}}}},
      {"ReduceMax_all", "ReduceMax", {}, {}},
      {"ReduceSum", "ReduceSum", {ints({1})}, {}},
      {"ReduceSum_nothing", "ReduceSum", {ints({})}, {{"noop_with_empty_axes", one}}},
      {"ReduceL2_nothing", "ReduceL2", {}, {{"noop_with_empty_axes", one}}},
      {"LayerNormalization",
       "LayerNormalization",
       {floats({1, 2, 3, 4}), floats({0, 1, 0, -1})},
       {{"epsilon", 1e-3f}}},
      {"LayerNormalization_no_bias", "LayerNormalization", {floats({1, 2, 3, 4})}, {}},
      {"RMSNormalization", "RMSNormalization", {floats({1, 2, 3, 4})}, {{"epsilon", 1e-3f}}},
      {"Gelu", "Gelu", {}, {}},
      {"Gelu_tanh", "Gelu", {}, {{"approximate", string("tanh")}}},
      {"Swish", "Swish", {}, {{"alpha", 2.0f}}},
      {"Mish", "Mish", {}, {}},
      {"HardSwish", "HardSwish", {}, {}},
      {"LessOrEqual", "LessOrEqual", {Tensor::scalar(0.25f)}, {}},
      {"GreaterOrEqual", "GreaterOrEqual", {Tensor::scalar(0.25f)}, {}},
      {"Max_ints", "Max", {ints({0, 5, -5, 1})}, {}, 1, kOldest, DType::kInt64},
      {"Clip", "Clip", {Tensor::scalar(-0.5f), Tensor::scalar(0.5f)}, {}},
      {"Shape_part", "Shape", {}, {{"start", one}, {"end", std::int64_t{-1}}}},
      {"Reshape", "Reshape", {ints({0, -1})}, {}},
      {"Reshape_zero", "Reshape", {ints({-1, 4})}, {{"allowzero", one}}},
      {"Dropout", "Dropout", {Tensor::scalar(0.1f)}, {}},
      {"CastLike", "CastLike", {ints({1})}, {}},
      {"ArgMax", "ArgMax", {}, {{"axis", one}}},
      {"QuantizeLinear",
       "QuantizeLinear",
       {Tensor::scalar(0.02f), Tensor::scalar(std::uint8_t{128})},
       {}},
      {"QuantizeLinear_axis",
       "QuantizeLinear",
       {floats({0.02f, 0.03f, 0.01f, 0.05f}),
        Tensor::vector<std::int8_t>(std::vector<std::int8_t>{0, 0, 0, 0})},
       {{"axis", std::int64_t{-1}}},
       1,
       13},
      {"QuantizeLinear_type",
       "QuantizeLinear",
       {Tensor::scalar(0.02f)},
       {{"output_dtype", std::int64_t{3}}}},
      {"Einsum", "Einsum", {}, {{"equation", string("abc->acb")}}, 1, 12},
      {"Trilu", "Trilu", {}, {{"upper", std::int64_t{0}}}, 1, 14},
  };
  return out;
}

ir::Graph build(const Case& c) {
  ir::Graph graph;
  const ValueId x = graph.add_input("x", c.input, {{2}, {3}, {4}});
  ir::Node node{.op = c.op, .domain = "", .name = c.name, .inputs = {x}, .outputs = {}};
  for (const Tensor& constant : c.constants)
    node.inputs.push_back(graph.add_constant("constant", constant));
  for (const auto& [name, value] : c.attributes) node.attributes.set(name, value);
  for (std::size_t i = 0; i < c.outputs; ++i)
    node.outputs.push_back(graph.add_value("y" + std::to_string(i)));
  const std::vector<ValueId> outputs = node.outputs;
  graph.add_node(std::move(node));
  for (std::size_t i = 0; i < c.outputs; ++i) {
    graph.value(outputs[i]).shape.emplace();
    graph.add_output(outputs[i], "out" + std::to_string(i));
  }
  return graph;
}

std::vector<Tensor> run(const ir::Graph& graph, DType dtype) {
  Tensor x(dtype, {2, 3, 4});
  for (std::size_t i = 0; i < 24; ++i) {
    const float value = std::sin(static_cast<float>(i) * 1.7f) * 2;
    if (dtype == DType::kInt64) {
      x.mutable_data<std::int64_t>()[i] = static_cast<std::int64_t>(value * 10);
    } else {
      x.mutable_data<float>()[i] = value;
    }
  }
  std::vector<ValueId> wanted;
  for (const auto& output : graph.outputs()) wanted.push_back(output.value);
  return ops::evaluate(graph, {{graph.inputs()[0], x}}, wanted);
}

class RoundTrip : public testing::TestWithParam<Case> {};

TEST_P(RoundTrip, GivesTheSameAtEveryOpset) {
  const Case& c = GetParam();
  const ir::Graph graph = build(c);
  const std::vector<Tensor> before = run(graph, c.input);
  for (std::int64_t opset = kOldest; opset <= kNewest; ++opset) {
    SCOPED_TRACE("opset " + std::to_string(opset));
    if (opset < c.since) {
      try {
        exporters::export_onnx(graph, {.opset = opset, .metadata = {}});
        ADD_FAILURE() << "was written";
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
        EXPECT_NE(error.info().fix.find(std::to_string(c.since)), std::string::npos)
            << error.what();
      }
      continue;
    }
    const formats::OnnxModel model =
        exporters::export_onnx(graph, {.opset = opset, .metadata = {}});
    ASSERT_EQ(model.opset_imports.size(), 1u);
    EXPECT_EQ(model.opset_imports[0].version, opset);
    const std::vector<Tensor> after = run(importers::import_onnx(model), c.input);
    ASSERT_EQ(after.size(), before.size());
    for (std::size_t i = 0; i < before.size(); ++i) {
      ASSERT_EQ(after[i].shape(), before[i].shape());
      ASSERT_EQ(after[i].dtype(), before[i].dtype());
      if (!dtype_is_float(before[i].dtype())) {
        EXPECT_TRUE(identical(after[i], before[i]));
        continue;
      }
      for (std::size_t e = 0; e < before[i].elements(); ++e)
        EXPECT_NEAR(after[i].data<float>()[e], before[i].data<float>()[e], 2e-6);
    }
  }
}

TEST_P(RoundTrip, IsWrittenAtTheUsualOpsetWhereThatCanSayIt) {
  const formats::OnnxModel model = exporters::export_onnx(build(GetParam()));
  EXPECT_EQ(exporters::opset_of(model), GetParam().since <= 17 ? 17 : 21);
}

INSTANTIATE_TEST_SUITE_P(All, RoundTrip, testing::ValuesIn(cases()),
                         [](const auto& test) { return test.param.name; });

TEST(ExportOnnx, RefusesOpsetsOutOfRangeAndOwnOperators) {
  ir::Graph graph = build(cases()[0]);
  EXPECT_THROW(exporters::export_onnx(graph, {.opset = 10, .metadata = {}}), Error);
  EXPECT_THROW(exporters::export_onnx(graph, {.opset = 22, .metadata = {}}), Error);
  ir::Graph own;
  const ValueId ids = own.add_input("input_ids", DType::kInt64, {{1}, {4}});
  own.add_output(own.emit("PositionIds", {ids}, {}, "ai.octavo"), "y");
  EXPECT_THROW(exporters::export_onnx(own, {}), Error);
}

TEST(ExportOnnx, KeepsNamesOfInputsAndOutputsAndMakesTheOthersUnique) {
  ir::Graph graph;
  const ValueId x = graph.add_input("x", DType::kFloat32, {{.symbol = "batch_size"}, {4}});
  const ValueId a = graph.add_constant("w", floats({1, 2, 3, 4}));
  const ValueId b = graph.add_constant("w", floats({5, 6, 7, 8}));
  const ValueId sum = graph.emit("Add", {x, a}, {}, "", "x");
  const ValueId again = graph.emit("Add", {sum, b}, {}, "", "x");
  graph.add_output(again, "y");
  graph.add_output(again, "same");
  graph.add_output(x, "input_too");
  graph.add_output(a, "weight_too");
  const formats::OnnxModel model = exporters::export_onnx(graph, {});
  EXPECT_EQ(model.graph.inputs[0].name, "x");
  EXPECT_EQ((*model.graph.inputs[0].shape)[0].param, "batch_size");
  std::vector<std::string> outputs, values{"x"}, nodes;
  for (const auto& output : model.graph.outputs) outputs.push_back(output.name);
  EXPECT_EQ(outputs, (std::vector<std::string>{"y", "same", "input_too", "weight_too"}));
  for (const auto& node : model.graph.nodes) {
    nodes.push_back(node.name);
    values.insert(values.end(), node.outputs.begin(), node.outputs.end());
  }
  for (const auto& tensor : model.graph.initializers) values.push_back(tensor.name);
  for (auto* names : {&values, &nodes}) {
    std::sort(names->begin(), names->end());
    EXPECT_EQ(std::adjacent_find(names->begin(), names->end()), names->end());
  }
  EXPECT_EQ(importers::import_onnx(model).outputs().size(), 4u);
}

/// x times weights that a DequantizeLinear makes of `values`, in blocks of two rows.
ir::Graph four_bits(const Tensor& values, const Tensor& zeros) {
  ir::Graph graph;
  const ValueId x = graph.add_input("x", DType::kFloat32, {{2}, {4}});
  const Tensor scales = Tensor::from<float>({2, 3}, std::vector<float>{1, 2, -0.5f, 4, 0.25f, 3});
  ir::Attributes attributes;
  attributes.set("axis", std::int64_t{0});
  attributes.set("block_size", std::int64_t{2});
  attributes.set(ops::kFourBits, std::int64_t{1});
  const ValueId w = graph.emit("DequantizeLinear",
                               {graph.add_constant("w", values), graph.add_constant("s", scales),
                                graph.add_constant("z", zeros)},
                               std::move(attributes));
  graph.add_output(graph.emit("MatMul", {x, w}), "y");
  return graph;
}

/// Two of its tensors are of 4 bits, and nothing else says so.
void expect_two_of_four_bits(const formats::OnnxModel& model) {
  std::size_t marked = 0;
  for (const auto& tensor : model.graph.initializers) marked += tensor.four_bits;
  EXPECT_EQ(marked, 2u);
  for (const auto& node : model.graph.nodes) {
    for (const auto& attribute : node.attributes) EXPECT_NE(attribute.name, ops::kFourBits);
  }
}

TEST(ExportOnnx, WritesIntegersOfFourBits) {
  const Tensor x = Tensor::from<float>({2, 4}, std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8});
  const std::vector<std::int8_t> around{-8, 7, 0, 1, -1, 2, 3, -4, 5, 6, -7, 4},
      z{0, 1, -1, 2, 0, 3};
  const std::vector<std::uint8_t> above{15, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
      zu{8, 0, 15, 1, 2, 3};
  const ir::Graph graphs[] = {
      four_bits(Tensor::from<std::int8_t>({4, 3}, around), Tensor::from<std::int8_t>({2, 3}, z)),
      four_bits(Tensor::from<std::uint8_t>({4, 3}, above), Tensor::from<std::uint8_t>({2, 3}, zu))};
  for (const ir::Graph& graph : graphs) {
    const auto evaluate = [&](const ir::Graph& g) {
      const ValueId wanted[] = {g.outputs()[0].value};
      return ops::evaluate(g, {{g.inputs()[0], x}}, wanted)[0];
    };
    const formats::OnnxModel model = exporters::export_onnx(graph, {.opset = 21, .metadata = {}});
    expect_two_of_four_bits(model);
    const ir::Graph back = importers::import_onnx(model);
    EXPECT_TRUE(identical(evaluate(back), evaluate(graph)));
    // What was read is written with 4 bits again.
    const auto again = exporters::export_onnx(back, {.opset = 21, .metadata = {}});
    EXPECT_TRUE(std::ranges::any_of(again.graph.initializers, [](auto& t) { return t.four_bits; }));
    EXPECT_THROW(exporters::export_onnx(graph, {.opset = 20, .metadata = {}}), Error);
  }
}

// As onnxruntime's tools write them below opset 21, and tables that they always write so.
TEST(ExportOnnx, WritesIntegersOfFourBitsForOperatorsOfMicrosoft) {
  const std::vector<std::int8_t> codes{-8, 7, 0, 1, 2, 3, 4, 5};
  const Tensor table = Tensor::from<std::int8_t>({2, 4}, codes);
  struct Blocks {
    std::int64_t axis;
    Tensor scales;
    std::vector<float> wanted;
  };
  const Blocks all[] = {
      {1,
       Tensor::from<float>({2, 2}, std::vector<float>{0.5f, 2, 1, -1}),
       {2, 3, -4, -5, -4, 3.5f, 0, 2}},
      {0,
       Tensor::from<float>({1, 4}, std::vector<float>{0.5f, 2, 1, -1}),
       {1, 6, 4, -5, -4, 14, 0, -1}},
  };
  for (const Blocks& c : all) {
    ir::Graph graph;
    const ValueId ids = graph.add_input("ids", DType::kInt64, {{2}});
    ir::Attributes attributes;
    attributes.set("block_size", std::int64_t{2});
    attributes.set("quantize_axis", c.axis);
    attributes.set(ops::kFourBits, std::int64_t{1});
    const ValueId rows =
        graph.emit("GatherBlockQuantized",
                   {graph.add_constant("t", table), ids, graph.add_constant("s", c.scales)},
                   std::move(attributes), "com.microsoft");
    ir::Attributes four;
    four.set(ops::kFourBits, std::int64_t{1});
    const ValueId weights =
        graph.emit("DequantizeLinear",
                   {graph.add_constant("w", table), graph.add_constant("ws", Tensor::scalar(1.0f))},
                   std::move(four), "com.microsoft");
    graph.add_output(rows, "rows");
    graph.add_output(weights, "weights");
    const formats::OnnxModel model = exporters::export_onnx(graph, {.opset = 17, .metadata = {}});
    expect_two_of_four_bits(model);
    const ir::Graph back = importers::import_onnx(model);
    const Tensor which = Tensor::vector<std::int64_t>(std::vector<std::int64_t>{1, 0});
    const ValueId wanted[] = {back.outputs()[0].value, back.outputs()[1].value};
    const auto found = ops::evaluate(back, {{back.inputs()[0], which}}, wanted);
    EXPECT_TRUE(identical(found[0], Tensor::from<float>({2, 4}, c.wanted)));
    EXPECT_TRUE(identical(found[1], table.to_float32()));
  }
}

TEST(ExportOnnx, HasTheIrVersionOfTheOpset) {
  for (const auto& [opset, version] :
       {std::pair<std::int64_t, std::int64_t>{11, 6}, {12, 7}, {15, 8}, {17, 8}, {19, 9}, {21, 10}})
    EXPECT_EQ(
        exporters::export_onnx(build(cases()[0]), {.opset = opset, .metadata = {}}).ir_version,
        version);
}

}  // namespace
}  // namespace octavo
