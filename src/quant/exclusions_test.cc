// Nodes that are excluded stay what they were, also those that preparing a graph would open up.
#include "quant/exclusions.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "octavo/error.h"
#include "quant/quantize.h"
#include "quant/sensitivity.h"
#include "quant/targets.h"
#include "tensor/testing.h"

namespace octavo::quant {
namespace {

constexpr std::int64_t kWidth = 32, kRows = 50;

/// Rows of a table, a fused attention over them, a product and a Gemm of the first row.
ir::Graph model() {
  ir::Graph graph;
  const auto ids = graph.add_input("input_ids", DType::kInt64, {{1}, {-1, "sequence"}});
  const auto constant = [&](const char* name, Shape shape, std::uint32_t seed) {
    return graph.add_constant(name, random_tensor(std::move(shape), seed, 0.3f));
  };
  const auto rows =
      graph.emit("Gather", {constant("table", {kRows, kWidth}, 1), ids}, {}, "", "rows");
  ir::Attributes heads;
  heads.set("num_heads", std::int64_t{4});
  const auto mixed = graph.emit(
      "Attention",
      {rows, constant("qkv", {kWidth, 3 * kWidth}, 2), constant("qkv_bias", {3 * kWidth}, 3)},
      heads, "com.microsoft", "mix");
  const auto product =
      graph.emit("MatMul", {mixed, constant("w", {kWidth, kWidth}, 4)}, {}, "", "product");
  ir::Attributes first;
  first.set("axis", std::int64_t{1});
  const std::vector<std::int64_t> at{0}, axes{1};
  const auto row = graph.emit(
      "Squeeze",
      {graph.emit("Gather", {product, graph.add_constant("at", Tensor::vector<std::int64_t>(at))},
                  first),
       graph.add_constant("axes", Tensor::vector<std::int64_t>(axes))});
  ir::Attributes transposed;
  transposed.set("transB", std::int64_t{1});
  graph.add_output(
      graph.emit("Gemm", {row, constant("c", {kWidth, kWidth}, 5), constant("c_bias", {kWidth}, 6)},
                 transposed, "", "classifier"),
      "y");
  return graph;
}

using Set = std::function<void(QuantizeOptions&)>;

const std::vector<std::pair<const char*, Set>>& modes() {
  static const std::vector<std::pair<const char*, Set>> kModes = {
      {"octavo", [](auto&) {}},
      {"dynamic", [](auto& o) { o.mode = QuantizeMode::kDynamic; }},
      {"dynamic QDQ",
       [](auto& o) {
         o.mode = QuantizeMode::kDynamic;
         o.format = QuantizeFormat::kQdq;
       }},
      {"int8", [](auto& o) { o.mode = QuantizeMode::kInt8; }},
      {"int4 QDQ",
       [](auto& o) {
         o.mode = QuantizeMode::kInt4;
         o.format = QuantizeFormat::kQdq;
       }},
      {"float16", [](auto& o) { o.mode = QuantizeMode::kFloat16; }},
      {"bfloat16", [](auto& o) { o.mode = QuantizeMode::kBFloat16; }}};
  return kModes;
}

const ir::Node* find(const ir::Graph& graph, const std::string& name) {
  for (const ir::NodeId id : graph.topological_order()) {
    if (graph.node(id).name == name) return &graph.node(id);
  }
  return nullptr;
}

TEST(Exclusions, GemmAndAttentionStayWhole) {
  for (const auto& [mode, set] : modes()) {
    for (const auto& [name, op] :
         {std::pair{"classifier", "Gemm"}, std::pair{"mix", "Attention"}}) {
      for (const bool by_operator : {false, true}) {
        SCOPED_TRACE(std::string(mode) + (by_operator ? ", operator " : ", node ") + name);
        QuantizeOptions options;
        set(options);
        (by_operator ? options.exclude_ops : options.exclude) = {by_operator ? op : name};
        ir::Graph graph = model();
        QuantizeReport report;
        ASSERT_NO_THROW(report = quantize(graph, options));
        const auto line = std::ranges::find(report.nodes, std::string(name), &QuantizedNode::name);
        ASSERT_NE(line, report.nodes.end());
        EXPECT_FALSE(line->quantized) << line->note;
        const ir::Node* node = find(graph, name);
        ASSERT_NE(node, nullptr);
        EXPECT_EQ(node->op, op);
        ASSERT_NE(graph.constant(node->input(1)), nullptr);
        EXPECT_EQ(graph.constant(node->input(1))->dtype(), DType::kFloat32);
      }
    }
  }
}

TEST(Exclusions, OperatorsThatAreNotThereAreRefused) {
  for (const auto& [mode, set] : modes()) {
    QuantizeOptions options;
    set(options);
    options.exclude_ops = {"MatMull"};
    ir::Graph graph = model();
    try {
      quantize(graph, options);
      ADD_FAILURE() << mode << ": no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      EXPECT_NE(std::string(error.what()).find("MatMull"), std::string::npos) << error.what();
    }
  }
}

// A scaled Gemm has no quantised form: nobody excluded it.
TEST(Exclusions, WhatKeepsAllNodesIsSaid) {
  for (const bool asked : {false, true}) {
    ir::Graph graph;
    const auto x = graph.add_input("x", DType::kFloat32, {{-1, "rows"}, {kWidth}});
    ir::Attributes scaled;
    scaled.set("alpha", 0.5f);
    const ir::ValueId weight = graph.add_constant("w", random_tensor({kWidth, kWidth}, 1, 0.3f));
    graph.add_output(graph.emit("Gemm", {x, weight}, scaled, "", "head"), "y");
    QuantizeOptions options;
    if (asked) options.exclude = {"head"};
    try {
      quantize(graph, options);
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      const std::string found = error.info().found;
      EXPECT_NE(found.find("Gemm 'head': "), std::string::npos) << found;
      EXPECT_EQ(found.find("excluded") != std::string::npos, asked) << found;
      EXPECT_EQ(found.find("scales") != std::string::npos, !asked) << found;
      EXPECT_EQ(error.info().fix.find("exclude") != std::string::npos, asked) << error.info().fix;
    }
  }
}

// Without Attention among the targets a QDQ graph is measured: it must not open what is excluded.
TEST(Exclusions, HoldWhereLayersAreMeasured) {
  const auto pool = std::make_shared<ThreadPool>(1);
  std::vector<Sample> samples(4);
  for (std::int32_t i = 0; i < 4; ++i)
    samples[static_cast<std::size_t>(i)].ids = {3 * i, 7, 40 + i};
  for (const auto mode : {QuantizeMode::kStatic, QuantizeMode::kDynamic}) {
    QuantizeOptions options;
    options.mode = mode;
    options.exclude_ops = {"Attention"};
    ir::Graph graph = model();
    prepare(graph, options);
    Ranges ranges;
    if (mode == QuantizeMode::kStatic) {
      ranges = calibrate(graph, samples, {.values = quantizable(graph, options).activations},
                         detect_isa(), pool)
                   .ranges;
    }
    std::vector<LayerSensitivity> found;
    ASSERT_NO_THROW(found =
                        measure_sensitivity(graph, options, ranges, samples, detect_isa(), pool));
    ASSERT_EQ(found.size(), 2u);
    // A product alone costs what it costs with the attention's weights as they are.
    QuantizeOptions alone = measurable(graph, options);
    alone.exclude = {found[1].node};
    ir::Graph candidate = graph;
    for (const QuantizedNode& node : quantize(candidate, alone, ranges).nodes)
      EXPECT_EQ(node.quantized, node.name == "product" || node.name == "rows") << node.name;
  }
}

}  // namespace
}  // namespace octavo::quant
