// Plans against the reference: small graphs in text form are lowered, run packed, and compared with
// evaluate() on each sequence alone; and what the lowering fused is what the steps say.
#include "plan/plan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "ir/text.h"
#include "octavo/error.h"
#include "ops/evaluate.h"

namespace octavo::plan {
namespace {

constexpr const char* kInputs = R"(
  input %input_ids: int64[batch, sequence]
  input %attention_mask: int64[batch, sequence]
  input %token_type_ids: int64[batch, sequence]
  const %words: float32[50, 24] = random(1)
  const %types: float32[2, 24] = random(2)
  const %places: float32[40, 24] = random(3)
  const %gamma: float32[24] = random(4)
  const %beta: float32[24] = random(5)
  const %wq: float32[24, 24] = random(6)
  const %wk: float32[24, 24] = random(7)
  const %wv: float32[24, 24] = random(8)
  const %bq: float32[24] = random(9)
  const %up: float32[40, 24] = random(10)
  const %down: float32[40, 24] = random(11)
  const %bup: float32[40] = random(12)
  %positions = ai.octavo.PositionIds(%input_ids, %attention_mask)
  %w = Gather(%words, %input_ids)
  %t = Gather(%types, %token_type_ids)
  %p = Gather(%places, %positions)
  %wt = Add(%w, %t)
  %sum = Add(%wt, %p)
  %x = LayerNormalization(%sum, %gamma, %beta) {axis=-1, epsilon=1e-06}
)";

struct Run {
  std::unique_ptr<Plan> plan;
  std::vector<std::vector<float>> outputs;  // a row-major matrix an output
};

const std::vector<std::int32_t> kIds = {7, 3,  49, 0,  11, 11, 5,  8,  2,
                                        1, 30, 31, 32, 33, 34, 35, 36, 4};
const std::vector<std::int32_t> kTypes = {0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1, 0};
const std::vector<std::int32_t> kStarts = {0, 4, 5, 17, 18};

Run run_packed(const ir::Graph& graph, IsaMask isa, ThreadPool* pool) {
  Run out{.plan = Plan::build(graph, isa, nullptr), .outputs = {}};
  const PackedBatch batch{.ids = kIds, .type_ids = kTypes, .starts = kStarts};
  out.plan->check(batch);
  const int workers = pool == nullptr ? 1 : pool->size();
  Buffer workspace(out.plan->workspace_floats(batch.tokens(), batch.longest(), workers) *
                   sizeof(float));
  std::vector<Matrix> matrices(out.plan->outputs().size());
  out.plan->run(batch, reinterpret_cast<float*>(workspace.data()), pool, matrices.data());
  for (const Matrix& m : matrices) {
    std::vector<float>& rows = out.outputs.emplace_back();
    for (std::size_t r = 0; r < m.rows; ++r)
      rows.insert(rows.end(), m.data + r * m.ld, m.data + r * m.ld + m.width);
  }
  return out;
}

std::vector<std::vector<float>> run_reference(const ir::Graph& graph) {
  std::vector<std::vector<float>> out(graph.outputs().size());
  for (std::size_t s = 0; s + 1 < kStarts.size(); ++s) {
    ops::Feeds feeds;
    for (const ir::ValueId input : graph.inputs()) {
      std::vector<std::int64_t> row;
      for (std::int32_t t = kStarts[s]; t < kStarts[s + 1]; ++t) {
        const auto at = static_cast<std::size_t>(t);
        const std::string& name = graph.value(input).name;
        row.push_back(name == "input_ids" ? kIds[at] : name == "token_type_ids" ? kTypes[at] : 1);
      }
      feeds.emplace(input,
                    Tensor::from<std::int64_t>({1, static_cast<std::int64_t>(row.size())}, row));
    }
    std::vector<ir::ValueId> wanted;
    for (const auto& output : graph.outputs()) wanted.push_back(output.value);
    const std::vector<Tensor> tensors = ops::evaluate(graph, feeds, wanted);
    for (std::size_t o = 0; o < tensors.size(); ++o) {
      out[o].insert(out[o].end(), tensors[o].data<float>().begin(), tensors[o].data<float>().end());
    }
  }
  return out;
}

ir::Graph graph_of(const std::string& body) {
  return ir::parse("graph \"test\" {" + std::string(kInputs) + body + "\n}");
}

/// Builds and checks the plan of `body` on every instruction set; returns the ops of its steps,
/// joined.
std::string check(const std::string& body) {
  const ir::Graph graph = graph_of(body);
  const auto expected = run_reference(graph);
  ThreadPool pool(3);
  std::string ops;
  for (const char* name : {"portable", "avx2", "native"}) {
    const IsaMask isa = parse_isa(name, detect_isa());
    const Run alone = run_packed(graph, isa, nullptr), together = run_packed(graph, isa, &pool);
    EXPECT_EQ(alone.outputs, together.outputs) << name;
    for (std::size_t o = 0; o < expected.size(); ++o) {
      EXPECT_EQ(alone.outputs[o].size(), expected[o].size());
      for (std::size_t i = 0; i < expected[o].size(); ++i) {
        EXPECT_NEAR(alone.outputs[o][i], expected[o][i], 2e-5 * (1 + std::abs(expected[o][i])))
            << name << " " << o << " " << i;
      }
    }
    ops.clear();
    for (const Step* step : alone.plan->steps()) ops += (ops.empty() ? "" : ", ") + step->info().op;
  }
  return ops;
}

TEST(Plan, EmbeddingSumsAndLayerNormInPlace) {
  EXPECT_EQ(check("output %x \"o\""), "embedding, layer_norm");
}

TEST(Plan, AConstantRowJoinsTheEmbeddingSum) {
  EXPECT_EQ(check("%y = Add(%gamma, %w)\n %z = Add(%y, %p)\n output %z \"o\""), "embedding");
}

TEST(Plan, LinearTakesBiasActivationAndResidual) {
  EXPECT_EQ(check(R"(
    %m = MatMul(%x, %wq)
    %b = Add(%m, %bq)
    %g = Gelu(%b)
    %r = Add(%g, %x)
    output %r "o")"),
            "embedding, layer_norm, linear+gelu+residual");
}

TEST(Plan, TransposedWeightsArePackedAsTheyLie) {
  EXPECT_EQ(check(R"(
    %ut = Transpose(%up) {perm=[1, 0]}
    %u = MatMul(%x, %ut)
    %ub = Add(%bup, %u)
    %a = Gelu(%ub) {approximate="tanh"}
    %d = MatMul(%a, %down)
    %r = Add(%x, %d)
    %n = LayerNormalization(%r, %gamma) {axis=-1, epsilon=1e-05}
    output %n "o")"),
            "embedding, layer_norm, linear+gelu_tanh, linear+residual, layer_norm");
}

constexpr const char* kHeads = R"(
    %qm = MatMul(%x, %wq)
    %q = Add(%qm, %bq)
    %k = MatMul(%x, %wk)
    %v = MatMul(%x, %wv)
)";

TEST(Plan, QueryKeyAndValueAreOneProduct) {
  EXPECT_EQ(check(std::string(kHeads) + R"(
    %c = ai.octavo.Attention(%q, %k, %v, %attention_mask) {num_heads=3, scale=0.35}
    output %c "o")"),
            "embedding, layer_norm, linear, attention");
}

TEST(Plan, TiedWeightsServeEveryReader) {
  EXPECT_EQ(check(R"(
    %tied = Transpose(%wq) {perm=[1, 0]}
    %a = MatMul(%x, %tied)
    %b = Tanh(%a)
    %c = MatMul(%b, %tied)
    %d = MatMul(%c, %wk)
    %e = MatMul(%d, %wk)
    output %e "o")"),
            "embedding, layer_norm, linear+tanh, linear, linear, linear");
}

TEST(Plan, MergedProductsOfTransposedWeights) {
  EXPECT_EQ(check(R"(
    %qt = Transpose(%wq) {perm=[1, 0]}
    %kt = Transpose(%wk) {perm=[1, 0]}
    %q = MatMul(%x, %qt)
    %k = MatMul(%x, %kt)
    %v = MatMul(%x, %wv)
    %c = ai.octavo.Attention(%q, %k, %v, %attention_mask) {num_heads=3, scale=0.35}
    output %c "o")"),
            "embedding, layer_norm, linear, attention");
}

TEST(Plan, AttentionWithWindowAndRelativeBias) {
  EXPECT_EQ(check(std::string(kHeads) + R"(
    const %bias: float32[3, 9] = random(20)
    %c = ai.octavo.Attention(%q, %k, %v, %attention_mask, %bias) {num_heads=3, scale=0.35, local_window=2}
    output %c "o")"),
            "embedding, layer_norm, linear, attention window 2+relative_bias");
}

TEST(Plan, CountsMultiplyAddsOfLayersAndOfPairsInTheWindow) {
  const PackedBatch batch{.ids = kIds, .type_ids = kTypes, .starts = kStarts};
  for (const int window : {0, 1, 2, 11, 12, 40}) {
    const auto plan = Plan::build(graph_of(std::string(kHeads) + R"(
      %c = ai.octavo.Attention(%q, %k, %v, %attention_mask) {num_heads=3, scale=0.35, local_window=)" +
                                           std::to_string(window) + "}\n output %c \"o\""),
                                  0, nullptr);
    double pairs = 0;
    for (std::size_t s = 0; s < batch.sequences(); ++s) {
      for (int i = 0; i < int(batch.length(s)); ++i) {
        for (int j = 0; j < int(batch.length(s)); ++j)
          pairs += window == 0 || std::abs(i - j) <= window;
      }
    }
    EXPECT_EQ(plan->multiply_adds(batch), 18 * 24 * 72 + 2 * pairs * 24) << window;
  }
}

TEST(Plan, RotaryWorksInPlaceOnSlices) {
  EXPECT_EQ(check(std::string(R"(
    const %wqkv: float32[24, 72] = random(21)
    const %freq: float32[4] = [1.0, 0.3, 0.1, 0.03]
    const %sizes: int64[3] = [24, 24, 24]
    %qkv = MatMul(%x, %wqkv)
    %q0, %k0, %v = Split(%qkv, %sizes) {axis=-1}
    %q = ai.octavo.RotaryEmbedding(%q0, %freq, %attention_mask) {num_heads=3}
    %k = ai.octavo.RotaryEmbedding(%k0, %freq, %attention_mask) {num_heads=3}
    %c = ai.octavo.Attention(%q, %k, %v, %attention_mask) {num_heads=3, scale=0.5}
    output %c "o")")),
            "embedding, layer_norm, linear, rotary, rotary, attention");
}

TEST(Plan, RotaryCopiesWhatOthersRead) {
  EXPECT_EQ(check(R"(
    const %freq: float32[4] = [1.0, 0.3, 0.1, 0.03]
    %q = MatMul(%x, %wq)
    %r = ai.octavo.RotaryEmbedding(%q, %freq, %attention_mask) {num_heads=3}
    %s = Sub(%r, %q)
    output %s "o")"),
            "embedding, layer_norm, linear, copy, rotary, sub");
}

TEST(Plan, GatedUnitsAndSilu) {
  EXPECT_EQ(check(R"(
    const %lo: int64[1] = [0]
    const %mid: int64[1] = [12]
    const %hi: int64[1] = [24]
    const %last: int64[1] = [-1]
    %u = MatMul(%x, %wq)
    %a = Slice(%u, %lo, %mid, %last)
    %b = Slice(%u, %mid, %hi, %last)
    %g = Gelu(%a)
    %m = Mul(%g, %b)
    %s = Sigmoid(%m)
    %silu = Mul(%m, %s)
    output %silu "o")"),
            "embedding, layer_norm, linear, gelu+mul, sigmoid+mul");
}

TEST(Plan, FirstTokenPoolerAndClassifier) {
  EXPECT_EQ(check(R"(
    const %zero: int64[] = 0
    const %wc: float32[3, 24] = random(30)
    const %bc: float32[3] = random(31)
    %f = Gather(%x, %zero) {axis=1}
    %d = Gemm(%f, %wk, %bq)
    %h = Tanh(%d)
    %l = Gemm(%h, %wc, %bc) {transB=1}
    output %l "logits"
    output %x "hidden")"),
            "embedding, layer_norm, first_token, linear+tanh, linear");
}

TEST(Plan, MeansAndUnitVectors) {
  EXPECT_EQ(check(R"(
    %m = ai.octavo.MeanTokens(%x, %attention_mask)
    %d = MatMul(%m, %wk)
    %n = ai.octavo.L2Normalize(%d)
    %rows = ai.octavo.L2Normalize(%x) {epsilon=3.0}
    output %n "vector"
    output %rows "tokens")"),
            "embedding, layer_norm, mean_tokens, linear, l2_normalize, l2_normalize");
}

TEST(Plan, ManyLiveValuesDoNotOverlap) {
  // Every intermediate is read again at the end, in another order.
  check(R"(
    %a = MatMul(%x, %wq)
    %b = Relu(%a)
    %c = MatMul(%b, %wk)
    %d = Tanh(%c)
    %e = Mul(%d, %a)
    %f = MatMul(%e, %wv)
    %g = Sub(%f, %b)
    const %three: float32[] = 3
    %h = Div(%g, %three)
    %i = Add(%h, %c)
    %j = Mul(%i, %x)
    output %j "o"
    output %d "p")");
}

TEST(Plan, RoBertaPositionsCountWhatIsNoPadding) {
  const std::string body = R"(
    %rp = ai.octavo.PositionIds(%input_ids, %attention_mask) {padding_idx=11}
    %rg = Gather(%places, %rp)
    output %rg "o")";
  EXPECT_EQ(check(body), "embedding");
}

TEST(Plan, RefusesWhatHasNoPackedForm) {
  for (const char* body :
       {"%y = Softmax(%x) {axis=-1}\n output %y \"o\"", "%y = MatMul(%x, %x)\n output %y \"o\"",
        "%y = Transpose(%x) {perm=[0, 2, 1]}\n output %y \"o\"",
        "%p2 = ai.octavo.PositionIds(%input_ids, %attention_mask) {offset=-5}\n"
        "%y = Gather(%places, %p2)\n output %y \"o\"",
        "const %five: int64[1] = [5]\n const %axis: int64[1] = [2]\n"
        "%y = Slice(%x, %five, %five, %axis)\n output %y \"o\"",
        "%y = ai.octavo.Attention(%x, %x, %x, %attention_mask) {num_heads=5}\n output %y \"o\"",
        "%y = Sub(%gamma, %x)\n output %y \"o\"", "output %positions \"o\""}) {
    try {
      Plan::build(graph_of(body), 0, nullptr);
      ADD_FAILURE() << body;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnsupported) << body;
      EXPECT_NE(error.info().place.find("node"), std::string::npos) << body;
    }
  }
}

TEST(Plan, ChecksIdsAndLengthsBeforeItRuns) {
  const auto plan = Plan::build(graph_of("output %x \"o\""), 0, nullptr);
  EXPECT_EQ(plan->max_tokens(), 40u);
  const auto check_one = [&](std::vector<std::int32_t> ids, std::vector<std::int32_t> types) {
    const std::vector<std::int32_t> starts = {0, static_cast<std::int32_t>(ids.size())};
    plan->check({.ids = ids, .type_ids = types, .starts = starts});
  };
  check_one(std::vector<std::int32_t>(40, 49), {});
  EXPECT_THROW(check_one(std::vector<std::int32_t>(41, 1), {}), Error);
  EXPECT_THROW(check_one({50}, {}), Error);
  EXPECT_THROW(check_one({-1}, {}), Error);
  EXPECT_THROW(check_one({1}, {2}), Error);
}

TEST(Plan, KeepsTheMatricesInFloatThatItIsTold) {
  ir::Graph graph = graph_of(R"(
    %q = MatMul(%x, %wq)
    %k = MatMul(%x, %wk)
    %v = MatMul(%x, %wv)
    %qk = Mul(%q, %k)
    %qkv = Mul(%qk, %v)
    output %qkv "o")");
  std::set<ir::ValueId> kept;
  for (std::size_t i = 0; i < graph.value_count(); ++i) {
    const auto id = static_cast<ir::ValueId>(i);
    if (graph.value(id).name == "wk") kept.insert(id);
  }
  const auto plan = Plan::build(std::move(graph), 0, nullptr, Precision::kInt8, kept);
  std::vector<std::string> kernels;
  for (const Step* step : plan->steps()) {
    const StepInfo info = step->info();
    if (info.op == "linear") kernels.push_back(info.shape + " " + info.kernel.substr(0, 9));
  }
  std::sort(kernels.begin(), kernels.end());
  EXPECT_EQ(kernels, (std::vector<std::string>{"tokens x 24 -> 24 matmul_f3",
                                               "tokens x 24 -> 48 gemm_int8"}));
}

TEST(Plan, SaysWhyNoStrongerKernelWasTaken) {
  const auto plan = Plan::build(graph_of("%y = MatMul(%x, %wq)\n output %y \"o\""), 0, nullptr);
  const StepInfo info = plan->steps().back()->info();
  EXPECT_NE(info.kernel.find("portable"), std::string::npos);
  EXPECT_NE(info.reason.find("needs avx2"), std::string::npos);
}

}  // namespace
}  // namespace octavo::plan
