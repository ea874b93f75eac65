// Weights that several nodes read are stored once in every mode.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "quant/quantize.h"
#include "quant/targets.h"
#include "tensor/testing.h"

namespace octavo::quant {
namespace {

constexpr std::int64_t kWidth = 32, kRows = 48;

/// Two layers with the same weights, each once read as they are, transposed by a node and
/// transposed by Gemm; and two lookups of one table. Four large constants.
ir::Graph model() {
  ir::Graph graph;
  const auto ids = graph.add_input("ids", DType::kInt64, {{-1, "tokens"}});
  const auto types = graph.add_input("types", DType::kInt64, {{-1, "tokens"}});
  const auto constant = [&](const char* name, Shape shape, std::uint32_t seed) {
    return graph.add_constant(name, random_tensor(std::move(shape), seed, 0.3f));
  };
  const auto table = constant("table", {kRows, kWidth}, 1);
  const auto plain = constant("plain", {kWidth, kWidth}, 2);
  const auto turned = constant("turned", {kWidth, kWidth}, 3);
  const auto gemm = constant("gemm", {kWidth, kWidth}, 4);
  auto x = graph.emit("Add", {graph.emit("Gather", {table, ids}, {}, "", "words"),
                              graph.emit("Gather", {table, types}, {}, "", "types")});
  ir::Attributes swap, transposed;
  swap.set("perm", std::vector<std::int64_t>{1, 0});
  transposed.set("transB", std::int64_t{1});
  for (int i = 0; i < 2; ++i) {
    const std::string name = "layer" + std::to_string(i);
    x = graph.emit("Tanh", {graph.emit("MatMul", {x, plain}, {}, "", name + ".plain")});
    const auto weights = graph.emit("Transpose", {turned}, swap, "", name + ".transpose");
    x = graph.emit("Tanh", {graph.emit("MatMul", {x, weights}, {}, "", name + ".turned")});
    x = graph.emit("Tanh", {graph.emit("Gemm", {x, gemm}, transposed, "", name + ".gemm")});
  }
  graph.add_output(x, "y");
  return graph;
}

/// Names of the constants that nodes read: of 300 bytes and more, scales and zero points are
/// smaller.
std::vector<std::string> large_constants(const ir::Graph& graph, std::size_t bytes = 300) {
  std::set<ir::ValueId> seen;
  std::vector<std::string> out;
  for (const ir::NodeId id : graph.topological_order()) {
    for (const ir::ValueId input : graph.node(id).inputs) {
      const Tensor* tensor = input == ir::kNoValue ? nullptr : graph.constant(input);
      if (tensor != nullptr && tensor->byte_size() >= bytes && seen.insert(input).second)
        out.push_back(graph.value(input).name);
    }
  }
  return out;
}

TEST(SharedWeights, AreStoredOnceInEveryMode) {
  using enum QuantizeMode;
  for (const QuantizeMode mode : {kOctavo, kDynamic, kStatic, kInt8, kInt4, kFloat16, kBFloat16}) {
    for (const QuantizeFormat format : {QuantizeFormat::kQOperator, QuantizeFormat::kQdq}) {
      for (const QuantizedTables tables : {QuantizedTables::kRows, QuantizedTables::kTensor}) {
        QuantizeOptions options;
        options.mode = mode;
        options.format = format;
        options.tables = tables;
        const bool half = mode == kFloat16 || mode == kBFloat16;
        if ((half || mode == kOctavo) && format == QuantizeFormat::kQdq) continue;
        if (half && tables != QuantizedTables::kRows) continue;
        SCOPED_TRACE(std::string(quantize_mode_name(mode)) + " " +
                     std::string(quantize_format_name(format)) + " " +
                     std::string(quantized_tables_name(tables)));
        ir::Graph graph = model();
        prepare(graph, options);
        EXPECT_EQ(large_constants(graph).size(), 4u)
            << testing::PrintToString(large_constants(graph));
        Ranges ranges;
        if (mode == kStatic) {
          for (const std::string& name : quantizable(graph, options).activations)
            ranges[name] = {-1, 1};
        }
        quantize(graph, options, ranges);
        EXPECT_EQ(large_constants(graph).size(), 4u)
            << testing::PrintToString(large_constants(graph));
        const std::vector<std::string> all = large_constants(graph, 1);
        EXPECT_EQ(
            std::ranges::count(all, "table_scale_column"),
            std::ranges::count(all, "table_quantized") != 0 && tables == QuantizedTables::kRows
                ? 1
                : 0);
      }
    }
  }
}

}  // namespace
}  // namespace octavo::quant
