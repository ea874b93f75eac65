// Layers ranked by what quantising them alone costs, the search of the gate, and graphs that are
// measured instead of quantised ones.
#include "quant/sensitivity.h"

#include <gtest/gtest.h>

#include <cmath>

#include "octavo/error.h"
#include "ops/evaluate.h"
#include "quant/loss.h"
#include "quant/simulate.h"
#include "quant/targets.h"

namespace octavo::quant {
namespace {

constexpr std::int64_t kWidth = 32, kRows = 50;

Tensor noise(Shape shape, std::uint32_t seed, float scale) {
  Tensor out(DType::kFloat32, std::move(shape));
  std::uint32_t state = seed;
  for (float& x : out.mutable_data<float>()) {
    state = state * 1664525u + 1013904223u;
    x = scale * (static_cast<float>(state >> 8) / (1 << 23) - 1.0f);
  }
  return out;
}

/// Three residual layers; the middle one has a column far larger than the others, which costs a
/// scale a tensor dear.
ir::Graph layers() {
  ir::Graph graph;
  const auto ids = graph.add_input("input_ids", DType::kInt64, {{1}, {-1, "sequence"}});
  auto x = graph.emit("Gather", {graph.add_constant("table", noise({kRows, kWidth}, 1, 1.0f)), ids},
                      {}, "", "rows");
  for (int i = 0; i < 3; ++i) {
    Tensor w = noise({kWidth, kWidth}, static_cast<std::uint32_t>(i) + 2, 0.1f);
    if (i == 1) w.mutable_data<float>()[3] = 40.0f;
    const std::string name = "layer" + std::to_string(i);
    const auto product =
        graph.emit("MatMul", {x, graph.add_constant(name + ".w", w)}, {}, "", name);
    const auto bounded = graph.emit("Tanh", {product}, {}, "", name + "/tanh");
    x = graph.emit("Add", {x, bounded}, {}, "", name + "/sum");
  }
  graph.add_output(x, "y");
  return graph;
}

std::vector<Sample> some_samples() {
  std::vector<Sample> out;
  for (std::int32_t i = 0; i < 6; ++i) {
    Sample sample;
    for (std::int32_t t = 0; t < 3 + i; ++t) sample.ids.push_back((7 * i + 5 * t) % kRows);
    out.push_back(sample);
  }
  return out;
}

QuantizeOptions static_options() {
  QuantizeOptions options;
  options.mode = QuantizeMode::kStatic;
  options.format = QuantizeFormat::kQOperator;
  options.tables = QuantizedTables::kFloat;
  return options;
}

Ranges ranges_of(const ir::Graph& graph, const QuantizeOptions& options,
                 const std::shared_ptr<ThreadPool>& pool) {
  return calibrate(graph, some_samples(), {.values = quantizable(graph, options).activations},
                   detect_isa(), pool)
      .ranges;
}

Tensor output_of(const ir::Graph& graph, const Sample& sample) {
  ops::Feeds feeds;
  for (const auto& [name, tensor] : sample_feeds(graph, sample))
    feeds.emplace(graph.find_input(name), tensor);
  const ir::ValueId wanted[] = {graph.outputs()[0].value};
  return ops::evaluate(graph, feeds, wanted)[0];
}

TEST(Simulate, GivesTheNumbersOfTheIntegers) {
  const auto pool = std::make_shared<ThreadPool>(1);
  for (const auto format : {QuantizeFormat::kQOperator, QuantizeFormat::kQdq}) {
    for (const auto type : {QuantizedType::kUInt8, QuantizedType::kInt8}) {
      QuantizeOptions options = static_options();
      options.format = format;
      options.activation_type = type;
      options.per_channel = type == QuantizedType::kInt8;
      ir::Graph graph = layers();
      prepare(graph, options);
      const Ranges ranges = ranges_of(graph, options, pool);
      ir::Graph integers = graph, floats = graph;
      quantize(integers, options, ranges);
      quantize(floats, measurable(graph, options), ranges);
      simulate(floats);
      for (std::size_t i = 0; i < floats.node_count(); ++i) {
        const ir::Node& node = floats.node(static_cast<ir::NodeId>(i));
        EXPECT_FALSE(node.alive && node.op.ends_with("Linear")) << node.name;
      }
      OutputLoss apart, lost;
      for (const Sample& sample : some_samples()) {
        apart.add(output_of(integers, sample), output_of(floats, sample));
        lost.add(output_of(graph, sample), output_of(integers, sample));
      }
      // Sums of another order move a value over the edge of a step now and then.
      EXPECT_GT(apart.sqnr_db(), lost.sqnr_db() + 15) << quantize_format_name(format);
      EXPECT_LT(lost.sqnr_db(), 60);
    }
  }
}

TEST(Sensitivity, RanksTheLayerThatCostsMost) {
  const auto pool = std::make_shared<ThreadPool>(2);
  const QuantizeOptions options = static_options();
  ir::Graph graph = layers();
  prepare(graph, options);
  const Ranges ranges = ranges_of(graph, options, pool);
  auto found = measure_sensitivity(graph, options, ranges, some_samples(), detect_isa(), pool);
  ASSERT_EQ(found.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(found[i].node, "layer" + std::to_string(i));
    EXPECT_EQ(found[i].place, i);
  }
  EXPECT_EQ(quantized_layers(graph, options).products,
            (std::vector<std::string>{"layer0", "layer1", "layer2"}));
  rank_layers(found, SensitivityMetric::kSqnr);
  EXPECT_EQ(found[0].node, "layer1");
  EXPECT_LT(found[0].sqnr_db + 6, found[1].sqnr_db);
  // Measured anew, whole graph and reference operators: the same figures.
  for (const LayerSensitivity& layer : found) {
    QuantizeOptions alone = options;
    for (const LayerSensitivity& other : found) {
      if (other.node != layer.node) alone.exclude.push_back(other.node);
    }
    ir::Graph quantized = graph;
    quantize(quantized, alone, ranges);
    OutputLoss loss;
    for (const Sample& sample : some_samples())
      loss.add(output_of(graph, sample), output_of(quantized, sample));
    EXPECT_NEAR(layer.sqnr_db, loss.sqnr_db(), 0.5) << layer.node;
    EXPECT_NEAR(layer.cosine, loss.cosine(), 1e-3) << layer.node;
  }
}

std::vector<LayerSensitivity> ranked(std::size_t count) {
  std::vector<LayerSensitivity> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back({.node = "n" + std::to_string(i)});
  return out;
}

TEST(Sensitivity, RanksByTheMetricThatIsAskedFor) {
  const std::vector<LayerSensitivity> layers = {
      {.node = "a", .cosine = 0.9, .sqnr_db = 30, .score_loss = 0.0},
      {.node = "b", .cosine = 0.8, .sqnr_db = 40, .score_loss = -0.01},
      {.node = "d", .cosine = 0.95, .sqnr_db = 20, .score_loss = 0.02},
      {.node = "c", .cosine = 0.95, .sqnr_db = 20, .score_loss = 0.0}};
  const auto order = [&](SensitivityMetric metric) {
    auto sorted = layers;
    rank_layers(sorted, metric);
    std::string out;
    for (const LayerSensitivity& layer : sorted) out += layer.node;
    return out;
  };
  EXPECT_EQ(order(SensitivityMetric::kSqnr), "cdab");
  EXPECT_EQ(order(SensitivityMetric::kCosine), "bacd");
  EXPECT_EQ(order(SensitivityMetric::kNdcg), "dcab");
}

TEST(QualityGate, ExcludesTheFewestThatHold) {
  for (std::size_t count : {1u, 2u, 5u, 72u}) {
    for (std::size_t needed = 0; needed <= count; ++needed) {
      const auto all = ranked(count);
      std::size_t told = 0;
      const QualityGate gate{
          .max_loss = 0.005,
          .baseline = 0.4,
          .score = [&](const auto& excluded) { return excluded.size() >= needed ? 0.399 : 0.39; },
          .evaluated = [&](QualityStep&) { ++told; }};
      const GateResult found = find_exclusions(all, gate);
      ASSERT_EQ(found.excluded.size(), needed);
      for (std::size_t i = 0; i < needed; ++i) EXPECT_EQ(found.excluded[i], all[i].node);
      EXPECT_DOUBLE_EQ(found.score, 0.399);
      EXPECT_NEAR(found.loss, 0.0025, 1e-12);
      EXPECT_LE(found.steps.size(), most_gate_evaluations(count));
      EXPECT_EQ(found.steps.size(), told);
    }
  }
}

TEST(QualityGate, SaysWhenItCannotBeMet) {
  const QualityGate never{
      .max_loss = 0.01, .baseline = 1, .score = [](const auto&) { return 0.5; }};
  EXPECT_THROW(find_exclusions(ranked(4), never), Error);
  EXPECT_THROW(find_exclusions({}, never), Error);
  QualityGate nonsense = never;
  nonsense.max_loss = -1;
  EXPECT_THROW(find_exclusions(ranked(4), nonsense), Error);
  nonsense = never;
  nonsense.baseline = 0;
  EXPECT_THROW(find_exclusions(ranked(4), nonsense), Error);
}

TEST(OutputLoss, ComparesRowsOfTokens) {
  const Tensor ids(DType::kInt64, {1, 2}), pooled(DType::kFloat32, {1, 4}),
      rows(DType::kFloat32, {1, 2, 4});
  EXPECT_EQ(compared_output({ids, pooled, rows}).rank(), 3u);
  EXPECT_EQ(compared_output({ids, pooled}).dtype(), DType::kFloat32);
  EXPECT_THROW(compared_output({ids}), Error);
}

TEST(OutputLoss, IsWhatItsFormulaSays) {
  OutputLoss loss;
  const float x[] = {3, 4, 0, 1}, y[] = {3, 4.5f, 0, 1};
  loss.add(Tensor::from<float>({2, 2}, x), Tensor::from<float>({2, 2}, y));
  EXPECT_NEAR(loss.sqnr_db(), 20 * std::log10(std::sqrt(26.0) / 0.5), 1e-6);
  EXPECT_NEAR(loss.cosine(), (27.0 / (5 * std::hypot(3, 4.5)) + 1) / 2, 1e-9);
  EXPECT_THROW(loss.add(Tensor::from<float>({2, 2}, x), Tensor::from<float>({4}, y)), Error);
}

}  // namespace
}  // namespace octavo::quant
