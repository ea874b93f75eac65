// Tables, stacks and the flame graph of made-up times; a model that has no plan.
#include "octavo/profile.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <numeric>
#include <utility>

#include "eval/profile/flame.h"
#include "eval/profile/step_names.h"
#include "eval/report/well_formed.h"
#include "formats/onnx_writer.h"
#include "octavo/error.h"

namespace octavo {
namespace {

using eval::place_of_step;

StepTime step(std::string name, std::string op, std::string shape, std::string kernel,
              double seconds, double multiply_adds = 0, std::size_t weight_bytes = 0) {
  return {.step = {std::move(name), std::move(op), std::move(shape), std::move(kernel), {}},
          .seconds = seconds,
          .multiply_adds = multiply_adds,
          .weight_bytes = weight_bytes};
}

/// Two threads, 10 ms a run; steps of 18 thread-milliseconds.
ProfileResult made_up() {
  ProfileResult out;
  out.model = "models/tiny/";
  out.isa = "avx2";
  out.precision = "int8";
  out.threads = 2;
  out.peaks.threads = 2;
  out.peaks.compute = {{"int8_loop", "int8", 2, 4e12}, {"fp32_loop", "fp32", 2, 1e12}};
  out.peaks.memory = {{2, 1e10}};
  CaseProfile profile{{2, 8}, {.seconds = 0.010, .runs = 3, .steps = {}}};
  profile.run.steps = {step("embeddings.sum", "embedding", "sum of 3 tables -> tokens x 4",
                            "embedding_portable", 0.002, 0, 999),
                       step("encoder.layer.0.query", "linear", "tokens x 4 -> 8", "gemm_int8_avx2",
                            0.004, 4e9, 10'000'000),
                       step("encoder.layer.0.attention", "attention", "tokens x 2 heads of 2",
                            "attention_f32_avx2", 0.002, 5e8),
                       step("encoder.layer.1.query", "linear", "tokens x 4 -> 8", "gemm_int8_avx2",
                            0.008, 4e9, 10'000'000),
                       step("encoder.layer.1.attention", "attention", "tokens x 2 heads of 2",
                            "attention_f32_avx2", 0.002, 5e8)};
  out.cases = {std::move(profile)};
  return out;
}

TEST(StepNames, TellTheLayer) {
  const auto expect = [](const char* name, const char* layer, const char* rest) {
    EXPECT_EQ(place_of_step(name).layer, layer) << name;
    EXPECT_EQ(place_of_step(name).name, rest) << name;
  };
  expect("encoder.layer.3.attention.self.query", "layer 3", "attention.self.query");
  expect("layers.12.mlp.0.Wi", "layer 12", "mlp.0.Wi");
  expect("/encoder/layer.7/attention/MatMul", "layer 7", "attention/MatMul");
  expect("bert/layer_._4/output/dense", "layer 4", "output/dense");
  expect("0.auto_model.encoder.layer.5.output", "layer 5", "output");
  expect("encoder.layer.3", "layer 3", "");
  expect("embeddings.LayerNorm", "embeddings", "LayerNorm");
  expect("pooler", "pooler", "");
  expect("layer3.norm2._", "layer3", "norm2._");
  expect("", "", "");
  expect("./", "", "");
}

TEST(StepNames, LabelsAreShort) {
  EXPECT_EQ(eval::step_label({"layers.0.query", "linear", "tokens x 384 -> 1152", "", ""}),
            "query linear 384->1152");
  EXPECT_EQ(eval::step_label({"layers.0", "norm", "", "", ""}), "norm");
}

TEST(StepNames, KernelsTellTheirType) {
  EXPECT_EQ(eval::kernel_precision("gemm_int8_avx512_vnni"), "int8");
  EXPECT_EQ(eval::kernel_precision("matmul_f32_12x32_avx512"), "fp32");
  EXPECT_EQ(eval::kernel_precision("gemm_bf16_avx512_bf16"), "bf16");
  EXPECT_EQ(eval::kernel_precision("gemm_fp16_avx2"), "fp32");
  for (const char* name : {"embedding_portable", "quantize_avx512", "copy_avx512_bf16", "int8", ""})
    EXPECT_EQ(eval::kernel_precision(name), "") << name;
}

TEST(ProfileTable, GathersEqualOps) {
  const ProfileTable table = profile_table(made_up(), 0, ProfileBy::kOp);
  ASSERT_EQ(table.rows.size(), 3u);
  const ProfileRow& linear = table.rows[0];
  EXPECT_EQ(linear.op, "linear");
  EXPECT_EQ(linear.name, "");
  EXPECT_EQ(linear.calls, 2u);
  EXPECT_DOUBLE_EQ(linear.seconds, 0.006);
  EXPECT_DOUBLE_EQ(linear.share, 0.6);
  EXPECT_DOUBLE_EQ(linear.operations_per_second, 16e9 / 0.006);
  EXPECT_DOUBLE_EQ(linear.share_of_peak, 16e9 / 0.006 / 4e12);
  EXPECT_DOUBLE_EQ(linear.bytes_per_second, 2e7 / 0.006);
  EXPECT_DOUBLE_EQ(linear.share_of_memory_peak, 2e7 / 0.006 / 1e10);
  EXPECT_DOUBLE_EQ(table.rows[1].share_of_peak, 2e9 / 0.002 / 1e12) << "held to fp32";
  const ProfileRow& embedding = table.rows[2];
  EXPECT_EQ(embedding.operations_per_second, 0);
  EXPECT_EQ(embedding.weight_bytes, 0u) << "a table is not read as a whole";
  EXPECT_EQ(embedding.share_of_peak, 0);
}

TEST(ProfileTable, AddsUpToTheRunWithTheWaiting) {
  for (const ProfileBy by : {ProfileBy::kOp, ProfileBy::kLayer, ProfileBy::kStep}) {
    for (const std::size_t top : {0, 1, 2, 100}) {
      const ProfileTable table = profile_table(made_up(), 0, by, top);
      double share = table.others.share + table.waiting.share;
      std::size_t calls = table.others.calls;
      for (const ProfileRow& row : table.rows) {
        share += row.share;
        calls += row.calls;
      }
      EXPECT_NEAR(share, 1, 1e-12);
      EXPECT_EQ(calls, 5u);
      EXPECT_NEAR(table.waiting.seconds, 0.001, 1e-12);
      EXPECT_DOUBLE_EQ(table.total.seconds, 0.010);
      EXPECT_EQ(table.total.calls, 5u);
      EXPECT_DOUBLE_EQ(table.total.multiply_adds, 9e9);
      if (top == 1 || top == 2) {
        EXPECT_EQ(table.rows.size(), top);
      }
    }
  }
}

TEST(ProfileTable, ALayerIsHeldToThePeaksOfItsKernels) {
  const ProfileTable table = profile_table(made_up(), 0, ProfileBy::kLayer);
  ASSERT_EQ(table.rows.size(), 3u);
  EXPECT_EQ(table.rows[0].name, "layer 1");
  EXPECT_EQ(table.rows[1].name, "layer 0");
  EXPECT_EQ(table.rows[2].name, "embeddings");
  EXPECT_NEAR(table.rows[0].share_of_peak, (8e9 / 4e12 + 1e9 / 1e12) / 0.005, 1e-12);
  ProfileResult unknown = made_up();
  unknown.peaks.compute.pop_back();
  EXPECT_EQ(profile_table(unknown, 0, ProfileBy::kLayer).rows[0].share_of_peak, 0);
}

TEST(ProfileTable, StepsBeyondTheRunLeaveNoWaiting) {
  ProfileResult result = made_up();
  result.cases[0].run.seconds = 0.008;
  const ProfileTable table = profile_table(result, 0, ProfileBy::kStep);
  EXPECT_EQ(table.waiting.seconds, 0);
  EXPECT_NEAR(table.total.seconds, 0.009, 1e-12);
}

TEST(ProfileTable, KnowsItsRows) {
  EXPECT_EQ(parse_profile_by("layer"), ProfileBy::kLayer);
  EXPECT_THROW(parse_profile_by("head"), Error);
}

TEST(FoldedStacks, HaveALineAStep) {
  EXPECT_EQ(folded_stacks(made_up(), 0),
            "tiny;embeddings;sum embedding sum of 3 tables->tokens x 4 1000\n"
            "tiny;layer 0;query linear 4->8 2000\n"
            "tiny;layer 0;attention attention 2 heads of 2 1000\n"
            "tiny;layer 1;query linear 4->8 4000\n"
            "tiny;layer 1;attention attention 2 heads of 2 1000\n"
            "tiny;waiting 1000\n");
}

TEST(FoldedStacks, NamesCannotBreakLinesAndEqualStacksAreOne) {
  ProfileResult result = made_up();
  result.cases[0].run.steps = {step("layers.0.a;b\nc", "x", "", "", 0.004),
                               step("layers.0.a;b\nc", "x", "", "", 0.006),
                               step("layers.1.d", "x", "", "", 0.0000001)};
  EXPECT_EQ(folded_stacks(result, 0), "tiny;layer 0;a:b c x 5000\ntiny;waiting 5000\n");
}

TEST(FlameGraphOfAProfile, HasEveryStepOnHover) {
  ProfileResult result = made_up();
  result.cases[0].run.steps[0].step.name = "embeddings.<&\"'>";
  const std::string svg = eval::render_flame_graph(eval::flame_graph_of(result, 0));
  EXPECT_TRUE(eval::well_formed(svg));
  for (const char* text : {"encoder.layer.1.query\nlinear, tokens x 4 -&gt; 8, gemm_int8_avx2\n",
                           "linear: 6 ms, 60.0 %", "embeddings.&lt;&amp;&quot;&#39;&gt;", "waiting",
                           "tiny, 2 texts of 8 tokens"})
    EXPECT_NE(svg.find(text), std::string::npos) << text;
}

TEST(RunProfile, SaysThatAModelHasNoPlan) {
  // The sines of the ids: no step of a plan does that.
  formats::OnnxModel model;
  model.ir_version = 8;
  model.opset_imports = {{"", 17}};
  const std::vector<formats::OnnxDimension> shape = {{{}, "batch"}, {{}, "sequence"}};
  formats::OnnxAttribute to;
  to.name = "to";
  to.i = 1;
  model.graph.name = "graph";
  model.graph.nodes = {{.name = "cast",
                        .op_type = "Cast",
                        .domain = "",
                        .overload = "",
                        .inputs = {"input_ids"},
                        .outputs = {"ids"},
                        .attributes = {to}},
                       {.name = "sin",
                        .op_type = "Sin",
                        .domain = "",
                        .overload = "",
                        .inputs = {"ids"},
                        .outputs = {"last_hidden_state"},
                        .attributes = {}}};
  model.graph.inputs = {{"input_ids", 7, true, shape}};
  model.graph.outputs = {{"last_hidden_state", 1, true, shape}};
  const std::string path = testing::TempDir() + "octavo_profile_no_plan.onnx";
  formats::write_onnx(model, path);
  ProfileOptions options;
  options.cases = {{1, 4}};
  options.runtime.threads = 1;
  try {
    run_profile(path, options);
    ADD_FAILURE() << "profiled a model without a plan";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported) << error.what();
    EXPECT_NE(error.info().message.find("no plan to profile"), std::string::npos) << error.what();
    EXPECT_FALSE(error.info().fix.empty());
  }
  std::remove(path.c_str());
}

}  // namespace
}  // namespace octavo
