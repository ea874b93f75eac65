#include "importers/onnx.h"

#include <gtest/gtest.h>

#include "octavo/error.h"
#include "ops/evaluate.h"

namespace octavo::importers {
namespace {

using formats::OnnxAttribute;
using formats::OnnxAttributeType;
using formats::OnnxFunction;
using formats::OnnxModel;
using formats::OnnxNode;
using formats::OnnxValueInfo;

OnnxNode node(std::string op, std::vector<std::string> inputs, std::vector<std::string> outputs,
              std::vector<OnnxAttribute> attributes = {}) {
  OnnxNode out;
  out.op_type = std::move(op);
  out.inputs = std::move(inputs);
  out.outputs = std::move(outputs);
  out.attributes = std::move(attributes);
  return out;
}

OnnxAttribute ints(std::string name, std::vector<std::int64_t> values) {
  OnnxAttribute out;
  out.name = std::move(name);
  out.type = OnnxAttributeType::kInts;
  out.ints = std::move(values);
  return out;
}

OnnxAttribute integer(std::string name, std::int64_t value) {
  OnnxAttribute out;
  out.name = std::move(name);
  out.type = OnnxAttributeType::kInt;
  out.i = value;
  return out;
}

OnnxValueInfo info(std::string name, std::size_t rank = 2) {
  OnnxValueInfo out;
  out.name = std::move(name);
  out.elem_type = 1;
  out.is_tensor = true;
  out.shape.emplace(rank);
  return out;
}

// x -> y through the given nodes.
OnnxModel model(std::vector<OnnxNode> nodes, std::int64_t opset = 17) {
  OnnxModel out;
  out.ir_version = 8;
  out.opset_imports = {{"", opset}};
  out.graph.nodes = std::move(nodes);
  out.graph.inputs = {info("x")};
  out.graph.outputs = {info("y")};
  return out;
}

Tensor run(const OnnxModel& source, const Tensor& x) {
  const ir::Graph graph = import_onnx(source);
  graph.verify();
  return ops::evaluate(graph, {{graph.find_input("x"), x}},
                       std::vector{graph.outputs()[0].value})[0];
}

Tensor matrix(std::vector<float> values) {
  return Tensor::from<float>({2, static_cast<std::int64_t>(values.size() / 2)}, values);
}

void refuse(const OnnxModel& source, ErrorCode code, std::string_view part) {
  try {
    import_onnx(source);
    ADD_FAILURE() << "imported, but should mention: " << part;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_NE(std::string_view(error.what()).find(part), std::string_view::npos) << error.what();
  }
}

TEST(OnnxImport, ConstantsInAllForms) {
  OnnxAttribute value, value_float, value_floats;
  value.name = "value";
  value.type = OnnxAttributeType::kTensor;
  value.tensors.push_back({"", matrix({1, 2, 3, 4})});
  value_float.name = "value_float";
  value_float.type = OnnxAttributeType::kFloat;
  value_float.f = 10;
  value_floats.name = "value_floats";
  value_floats.type = OnnxAttributeType::kFloats;
  value_floats.floats = {100, 200};
  const OnnxModel source = model(
      {node("Constant", {}, {"a"}, {value}), node("Constant", {}, {"b"}, {value_float}),
       node("Constant", {}, {"c"}, {value_floats}),
       node("Constant", {}, {"d"}, {ints("value_ints", {4})}),
       node("Constant", {}, {"e"}, {integer("value_int", -1)}), node("Add", {"x", "a"}, {"1"}),
       node("Add", {"1", "b"}, {"2"}), node("Add", {"2", "c"}, {"3"}),
       node("Add", {"d", "e"}, {"shape"}), node("Reshape", {"3", "d"}, {"y"})});
  const ir::Graph graph = import_onnx(source);
  EXPECT_EQ(graph.node_count(), 5u);
  const Tensor y = run(source, matrix({0, 0, 0, 0}));
  EXPECT_TRUE(identical(y, Tensor::vector<float>(std::vector<float>{111, 212, 113, 214})));
}

TEST(OnnxImport, InitializersListedAsInputsAreConstants) {
  OnnxModel source = model({node("Add", {"x", "w"}, {"y"})});
  source.graph.inputs.push_back(info("w"));
  source.graph.initializers.push_back({"w", matrix({1, 1, 1, 1})});
  EXPECT_EQ(import_onnx(source).inputs().size(), 1u);
}

TEST(OnnxImport, NodesMayComeInAnyOrder) {
  const OnnxModel source = model({node("Neg", {"a"}, {"y"}), node("Abs", {"x"}, {"a"})});
  EXPECT_TRUE(identical(run(source, matrix({1, -2})), matrix({-1, -2})));
}

// The flattening Softmax of before opset 13 sums over rows and columns together.
TEST(OnnxImport, OldSoftmaxFlattens) {
  OnnxModel source = model({node("Softmax", {"x"}, {"y"}, {integer("axis", 0)})}, 11);
  const Tensor flat = run(source, matrix({0, 0, 0, 0}));
  EXPECT_EQ(flat.data<float>()[0], 0.25f);
  source.opset_imports[0].version = 13;
  EXPECT_EQ(run(source, matrix({0, 0, 0, 0})).data<float>()[0], 0.5f);
  // On the last axis both are the same, and the old one stays one node.
  const OnnxModel last = model({node("Softmax", {"x"}, {"y"}, {integer("axis", 1)})}, 11);
  EXPECT_EQ(import_onnx(last).node_count(), 1u);
}

TEST(OnnxImport, FunctionsAreInlined) {
  OnnxFunction twice;  // twice(a) = a + a, then the axis of the call is squeezed in
  twice.name = "Twice";
  twice.domain = "local";
  twice.inputs = {"a"};
  twice.outputs = {"out"};
  twice.opset_imports = {{"", 11}};
  OnnxAttribute axes = ints("axes", {});
  axes.ref_attr_name = "where";
  twice.nodes = {node("Add", {"a", "a"}, {"sum"}), node("Unsqueeze", {"sum"}, {"out"}, {axes})};
  OnnxModel source = model({node("Twice", {"x"}, {"m"}, {ints("where", {0})}),
                            node("Twice", {"m"}, {"y"}, {ints("where", {3})})});
  for (OnnxNode& call : source.graph.nodes) call.domain = "local";
  source.functions = {twice};
  const Tensor y = run(source, matrix({1, 2}));
  EXPECT_EQ(y.shape(), (Shape{1, 2, 1, 1}));
  EXPECT_EQ(y.data<float>()[1], 8.0f);
}

TEST(OnnxImport, AFunctionMayPassItsInputThrough) {
  OnnxFunction same;
  same.name = "Same";
  same.domain = "local";
  same.inputs = {"a"};
  same.outputs = {"a"};
  OnnxModel source = model({node("Same", {"x"}, {"y"})});
  source.graph.nodes[0].domain = "local";
  source.functions = {same};
  EXPECT_TRUE(identical(run(source, matrix({1, 2})), matrix({1, 2})));
}

TEST(OnnxImport, UnknownOperatorsAreAllNamed) {
  OnnxModel source = model({node("Banana", {"x"}, {"a"}), node("LSTM", {"a"}, {"b"}),
                            node("Banana", {"b"}, {"c"}), node("Fused", {"c"}, {"y"})});
  source.graph.nodes[3].domain = "com.example";
  refuse(source, ErrorCode::kUnsupported, "Banana, LSTM, com.example.Fused");
}

TEST(OnnxImport, ControlFlowIsNamed) {
  OnnxAttribute branch;
  branch.name = "then_branch";
  branch.type = OnnxAttributeType::kGraph;
  branch.graphs.resize(1);
  refuse(model({node("If", {"x"}, {"y"}, {branch})}), ErrorCode::kUnsupported, "control flow");
  refuse(model({node("Abs", {"x"}, {"y"}, {branch})}), ErrorCode::kUnsupported, "then_branch");
}

TEST(OnnxImport, BrokenGraphs) {
  const auto invalid = ErrorCode::kInvalidFile;
  refuse(model({node("Abs", {"z"}, {"y"})}), invalid, "'z'");
  refuse(model({node("Abs", {"x"}, {"z"})}), invalid, "'y'");
  refuse(model({node("Abs", {"x"}, {"y"}), node("Neg", {"x"}, {"y"})}), invalid, "same name");
  refuse(model({node("Abs", {"x"}, {"x"})}), invalid, "same name");
  refuse(
      model({node("Add", {"x", "b"}, {"a"}), node("Neg", {"a"}, {"b"}), node("Neg", {"a"}, {"y"})}),
      invalid, "cycle");
  refuse(model({node("Constant", {}, {"y", "z"})}), invalid, "Constant");
  refuse(model({node("Constant", {}, {"y"})}), ErrorCode::kUnsupported, "constant");
  OnnxModel source = model({node("Abs", {"x"}, {"y"})});
  source.graph.outputs.clear();
  refuse(source, invalid, "no outputs");
  source = model({node("Abs", {"x"}, {"y"})});
  source.graph.inputs.push_back(info("x"));
  refuse(source, invalid, "same name");
  source.graph.inputs[1] = info("");
  refuse(source, invalid, "no name");
  source.graph.inputs = {info("x")};
  source.graph.inputs[0].elem_type = 8;
  refuse(source, ErrorCode::kUnsupported, "element type 8");
  source.graph.inputs[0].is_tensor = false;
  refuse(source, ErrorCode::kUnsupported, "no tensor");
  source.graph.inputs = {info("x")};
  source.graph.inputs[0].shape->at(0).value = -5;
  refuse(source, invalid, "-5");
  OnnxAttribute reference = integer("axis", 0);
  reference.ref_attr_name = "outer";
  refuse(model({node("Softmax", {"x"}, {"y"}, {reference})}), invalid, "function");
  refuse(model({node("Squeeze", {"x", "x"}, {"y"}, {ints("axes", {0})})}, 11), invalid, "twice");
  refuse(model({node("Split", {"x"}, {"y"}, {integer("num_outputs", 2)})}, 18), invalid, "Split");
}

TEST(OnnxImport, Opsets) {
  const auto nodes = {node("Abs", {"x"}, {"y"})};
  refuse(model(nodes, 6), ErrorCode::kUnsupported, "opset");
  refuse(model(nodes, 99), ErrorCode::kUnsupported, "opset");
  OnnxModel source = model(nodes);
  source.opset_imports = {{"com.microsoft", 1}};
  refuse(source, ErrorCode::kInvalidFile, "opset");
  source.opset_imports = {{"ai.onnx", 17}};
  EXPECT_EQ(import_onnx(source).node_count(), 1u);
}

TEST(OnnxImport, FunctionsWithoutEnd) {
  OnnxFunction loop;
  loop.name = "Loop2";
  loop.domain = "local";
  loop.inputs = {"a"};
  loop.outputs = {"b"};
  loop.opset_imports = {{"", 17}};
  loop.nodes = {node("Loop2", {"a"}, {"b"})};
  loop.nodes[0].domain = "local";
  OnnxModel source = model({node("Loop2", {"x"}, {"y"})});
  source.graph.nodes[0].domain = "local";
  source.functions = {loop};
  refuse(source, ErrorCode::kInvalidFile, "without end");
  // Thirty functions that each call the next one twice.
  source.functions.clear();
  for (int i = 0; i < 30; ++i) {
    OnnxFunction function = loop;
    function.name = "Loop" + std::to_string(2 + i);
    const std::string next = "Loop" + std::to_string(3 + i);
    function.nodes = {node(next, {"a"}, {"c"}), node(next, {"c"}, {"b"})};
    for (OnnxNode& call : function.nodes) call.domain = i == 29 ? "" : "local";
    source.functions.push_back(function);
  }
  refuse(source, ErrorCode::kInvalidFile, "too many");
  source.functions.push_back(source.functions[0]);
  refuse(source, ErrorCode::kInvalidFile, "twice");
}

TEST(OnnxImport, WrongShapesErrWhileRunning) {
  OnnxModel source = model({node("MatMul", {"x", "x"}, {"y"})});
  source.graph.nodes[0].name = "the product";
  try {
    run(source, matrix({1, 2, 3, 4, 5, 6}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string_view(error.what()).find("the product"), std::string_view::npos);
    EXPECT_NE(std::string_view(error.what()).find("[2, 3]"), std::string_view::npos);
  }
}

// y = x + (w - zero) * scale by blocks of two columns; w and zero are int4 in the file.
TEST(OnnxImport, FourBitWeightsAreDequantized) {
  OnnxAttribute block = integer("block_size", 2), axis = integer("axis", 1);
  OnnxModel source = model({node("DequantizeLinear", {"w", "scale", "zero"}, {"d"}, {block, axis}),
                            node("Add", {"x", "d"}, {"y"})},
                           21);
  const auto constant = [&](const char* name, Tensor tensor, bool four_bits) {
    source.graph.initializers.push_back({name, std::move(tensor), four_bits});
  };
  constant("w",
           Tensor::from<std::int8_t>({2, 4}, std::vector<std::int8_t>{-8, 7, 0, 1, 2, 3, 4, 5}),
           true);
  constant("scale", matrix({0.5f, 2.0f, 1.0f, -1.0f}), false);
  constant("zero", Tensor::from<std::int8_t>({2, 2}, std::vector<std::int8_t>{0, 1, -1, 0}), true);
  const Tensor y = run(source, matrix(std::vector<float>(8, 0.0f)));
  EXPECT_EQ(std::vector<float>(y.data<float>().begin(), y.data<float>().end()),
            (std::vector<float>{-4, 3.5f, -2, 0, 3, 4, -4, -5}));
  source.graph.nodes[1].inputs[1] = "w";
  refuse(source, ErrorCode::kUnsupported, "4-bit");
}

}  // namespace
}  // namespace octavo::importers
