// Smoothed graphs compute what they did, with factors in the normalisation where it may be and in a
// Mul where it may not, and quantise better where channels differ.
#include "quant/smooth.h"

#include <gtest/gtest.h>

#include <cmath>

#include "octavo/error.h"
#include "ops/evaluate.h"
#include "quant/loss.h"
#include "quant/quantize.h"

namespace octavo::quant {
namespace {

constexpr std::int64_t kWidth = 16;

Tensor noise(Shape shape, std::uint32_t seed, float scale) {
  Tensor out(DType::kFloat32, std::move(shape));
  std::uint32_t state = seed;
  for (float& x : out.mutable_data<float>()) {
    state = state * 1664525u + 1013904223u;
    x = scale * (static_cast<float>(state >> 8) / (1 << 23) - 1.0f);
  }
  return out;
}

/// x -> a normalisation with one large channel, which weighs little -> two products, added up;
/// `residual` reads the normalised value as well.
ir::Graph graph_with(std::string_view op, bool residual) {
  ir::Graph graph;
  const auto x = graph.add_input("x", DType::kFloat32, {{1}, {4}, {kWidth}});
  Tensor gamma = noise({kWidth}, 1, 0.2f);
  for (float& value : gamma.mutable_data<float>()) value += 1;
  gamma.mutable_data<float>()[5] = 60.0f;
  const auto scale = graph.add_constant("gamma", gamma);
  const auto bias = graph.add_constant("beta", noise({kWidth}, 2, 0.5f));
  ir::ValueId normal = ir::kNoValue;
  if (op == "LayerNormalization") normal = graph.emit("LayerNormalization", {x, scale, bias});
  if (op == "SkipLayerNormalization") {
    const auto skip = graph.emit("Tanh", {x});
    normal = graph.emit("SkipLayerNormalization", {x, skip, scale, bias}, {}, "com.microsoft");
  }
  if (op == "SimplifiedLayerNormalization")
    normal = graph.emit("SimplifiedLayerNormalization", {x, scale});
  if (op == "Tanh") normal = graph.emit("Mul", {graph.emit("Tanh", {x}), scale});
  const auto product = [&](const char* name, std::uint32_t seed) {
    Tensor w = noise({kWidth, kWidth}, seed, 0.3f);
    for (std::size_t i = 0; i < 16; ++i) w.mutable_data<float>()[5 * 16 + i] *= 0.01f;
    return graph.emit("MatMul", {normal, graph.add_constant(std::string(name) + ".w", w)}, {}, "",
                      name);
  };
  auto y = graph.emit("Add", {product("first", 3), product("second", 4)});
  if (residual) y = graph.emit("Add", {y, normal});
  graph.add_output(y, "y");
  return graph;
}

Tensor output_of(const ir::Graph& graph) {
  const ops::Feeds feeds{{graph.inputs()[0], noise({1, 4, kWidth}, 9, 2.0f)}};
  const ir::ValueId wanted[] = {graph.outputs()[0].value};
  return ops::evaluate(graph, feeds, wanted)[0];
}

QuantizeOptions options_of() {
  QuantizeOptions options;
  options.mode = QuantizeMode::kDynamic;
  return options;
}

/// Largest magnitude a channel of the value, for the input of output_of().
std::map<std::string, std::vector<float>> maxima_of(const ir::Graph& graph,
                                                    const Targets& targets) {
  std::map<std::string, std::vector<float>> out;
  const ops::Feeds feeds{{graph.inputs()[0], noise({1, 4, kWidth}, 9, 2.0f)}};
  for (const Target& target : targets.nodes) {
    const ir::ValueId wanted[] = {target.activation};
    const Tensor value = ops::evaluate(graph, feeds, wanted)[0];
    auto& maxima = out[graph.value(target.activation).name];
    maxima.assign(kWidth, 0.0f);
    for (std::size_t i = 0; i < value.elements(); ++i) {
      float& most = maxima[i % static_cast<std::size_t>(kWidth)];
      most = std::max(most, std::abs(value.data<float>()[i]));
    }
  }
  return out;
}

TEST(Smooth, LeavesTheOutputAsItWas) {
  for (const char* op :
       {"LayerNormalization", "SkipLayerNormalization", "SimplifiedLayerNormalization", "Tanh"}) {
    for (const bool residual : {false, true}) {
      for (const double alpha : {0.0, 0.5, 1.0}) {
        SCOPED_TRACE(std::string(op) + (residual ? " residual " : " ") + std::to_string(alpha));
        ir::Graph graph = graph_with(op, residual);
        prepare(graph, options_of());
        const Targets targets = quantizable(graph, options_of());
        EXPECT_EQ(smoothable_values(graph, targets).size(), 1u);
        const Tensor before = output_of(graph);
        const SmoothReport report = smooth(graph, targets, maxima_of(graph, targets), alpha);
        graph.verify();
        EXPECT_EQ(report.activations, 1u);
        EXPECT_EQ(report.folded, std::string(op) != "Tanh" && !residual ? 1u : 0u);
        const Tensor after = output_of(graph);
        float most = 0;
        for (const float x : before.data<float>()) most = std::max(most, std::abs(x));
        for (std::size_t i = 0; i < before.elements(); ++i)
          EXPECT_NEAR(before.data<float>()[i], after.data<float>()[i], 1e-5 * most);
      }
    }
  }
}

TEST(Smooth, MakesAScaleATensorFitBetter) {
  ir::Graph graph = graph_with("LayerNormalization", false);
  const QuantizeOptions options = options_of();
  prepare(graph, options);
  const Targets targets = quantizable(graph, options);
  ir::Graph smoothed = graph;
  smooth(smoothed, targets, maxima_of(graph, targets), 0.5);
  const Tensor exact = output_of(graph);
  OutputLoss plain, better;
  ir::Graph quantized = graph;
  quantize(quantized, options);
  plain.add(exact, output_of(quantized));
  quantize(smoothed, options);
  better.add(exact, output_of(smoothed));
  EXPECT_GT(better.sqnr_db(), plain.sqnr_db() + 6);
}

TEST(Smooth, RefusesWhatMakesNoSense) {
  ir::Graph graph = graph_with("LayerNormalization", false);
  prepare(graph, options_of());
  const Targets targets = quantizable(graph, options_of());
  auto maxima = maxima_of(graph, targets);
  EXPECT_THROW(smooth(graph, targets, maxima, 1.5), Error);
  EXPECT_THROW(smooth(graph, targets, maxima, std::nan("")), Error);
  maxima.begin()->second.pop_back();
  EXPECT_THROW(smooth(graph, targets, maxima, 0.5), Error);
  EXPECT_EQ(smooth(graph, targets, {}, 0.5).activations, 0u);
}

}  // namespace
}  // namespace octavo::quant
