// The structural passes: each fires on the forms it names, leaves others alone, and keeps outputs.
#include <functional>

#include "octavo/error.h"
#include "passes/fusions.h"
#include "passes/lift.h"
#include "passes/testing.h"

namespace octavo::passes {
namespace {

using testing::apply;
using testing::Builder;
using testing::count;
using testing::with;

TEST(FoldConstants, ComputesWeightsStoredAsInt8) {
  Builder b;
  const std::vector<std::int8_t> bytes{1, -2, 3, -4, 5, -6};
  const auto stored = b.graph.add_constant("w", Tensor::from<std::int8_t>({2, 3}, bytes));
  const auto floats = b.op("Cast", {stored}, with("to", std::int64_t{1}));
  const auto weight = b.op("Mul", {floats, b.weight({1, 3})});
  b.output(b.op("MatMul", {b.tokens(2), weight}));
  EXPECT_EQ(apply(fold_constants, b.graph).fired, 2u);
  EXPECT_EQ(count(b.graph, "Cast"), 0u);
  EXPECT_EQ(count(b.graph, "MatMul"), 1u);
}

TEST(FoldConstants, LeavesQuantizedWeightsWhereTheyAreWritten) {
  for (const bool written : {false, true}) {
    for (const char* domain : {"", "com.microsoft"}) {
      Builder b;
      const std::vector<std::int8_t> bytes(600, 3);
      const auto stored = b.graph.add_constant("w", Tensor::from<std::int8_t>({2, 300}, bytes));
      const auto weight =
          b.graph.emit("DequantizeLinear", {stored, b.number(0.5f)}, {}, domain, "dequantize");
      b.output(b.op("MatMul", {b.tokens(2), weight}));
      const auto outcome = apply(written ? fold_unquantized : fold_constants, b.graph);
      EXPECT_EQ(outcome.fired, written ? 0u : 1u);
      EXPECT_EQ(count(b.graph, "DequantizeLinear", domain), written ? 1u : 0u);
    }
  }
}

TEST(FoldConstants, RefusesWhatASmallFileCouldExplodeWith) {
  for (const char* op : {"ConstantOfShape", "Expand", "Tile"}) {
    Builder b;
    const auto sizes = b.integers({100000, 100000});
    const auto huge = std::string(op) == "ConstantOfShape" ? b.op(op, {sizes})
                                                           : b.op(op, {b.weight({1, 1}), sizes});
    b.output(huge);
    PassContext context(b.graph);
    fold_constants(b.graph, context);
    EXPECT_EQ(context.fired(), 0u) << op;
    EXPECT_EQ(context.take_notes().size(), 1u) << op;
  }
  Builder b;
  b.output(b.op("Add", {b.weight({20000, 1}), b.weight({1, 20000})}));
  PassContext context(b.graph);
  fold_constants(b.graph, context);
  EXPECT_EQ(context.fired(), 0u);
}

TEST(FoldConstants, RefusesProductsThatAreLargerThanTheirFactors) {
  const auto folded = [](const std::function<ir::ValueId(Builder&)>& make) {
    Builder b;
    b.output(make(b));
    PassContext context(b.graph);
    fold_constants(b.graph, context);
    return context.fired();
  };
  const auto gemm = [](const char* a, const char* b, Shape x, Shape y) {
    return [=](Builder& builder) {
      ir::Attributes attributes = with(a, std::int64_t{1});
      attributes.set(b, std::int64_t{1});
      return builder.op("Gemm", {builder.weight(x), builder.weight(y)}, attributes);
    };
  };
  const auto einsum = [](const char* equation, Shape x, Shape y) {
    return [=](Builder& builder) {
      return builder.op("Einsum", {builder.weight(x), builder.weight(y)},
                        with("equation", std::string(equation)));
    };
  };
  constexpr std::int64_t kLong = 20000;
  EXPECT_EQ(folded(gemm("transA", "transA", {1, kLong}, {1, kLong})), 0u);
  EXPECT_EQ(folded(gemm("transA", "transB", {1, kLong}, {kLong, 1})), 0u);
  EXPECT_EQ(folded(gemm("transB", "transB", {kLong, 1}, {kLong, 1})), 0u);
  EXPECT_EQ(folded(einsum("i,j->ij", {kLong}, {kLong})), 0u);
  EXPECT_EQ(folded(einsum("j, i", {kLong}, {kLong})), 0u);
  EXPECT_EQ(folded(einsum("...i,...j->...ij", {1, kLong}, {1, kLong})), 0u);
  const auto fused = [](const char* turned, Shape x, Shape y) {
    return [=](Builder& builder) {
      return builder.graph.emit("FusedMatMul", {builder.weight(x), builder.weight(y)},
                                with(turned, std::int64_t{1}), "com.microsoft");
    };
  };
  EXPECT_EQ(folded(fused("transA", {1, kLong}, {1, kLong})), 0u);
  EXPECT_EQ(folded(fused("transB", {kLong, 1}, {kLong, 1})), 0u);
  EXPECT_EQ(folded(fused("transBatchA", {kLong, 1, 1}, {1, 1, kLong})), 0u);
  EXPECT_EQ(folded(fused("transB", {2, 30, 7}, {2, 40, 7})), 1u);
  EXPECT_EQ(folded(gemm("transA", "transA", {3, 40}, {3, 50})), 1u);
  EXPECT_EQ(folded(einsum("ik,kj->ij", {300, 3}, {3, 300})), 1u);
  EXPECT_EQ(folded(einsum("i,i->", {kLong}, {kLong})), 1u);
}

TEST(FoldConstants, RefusesLookupsThatAreLargerThanTheirTables) {
  constexpr std::int64_t kLong = 20000;
  const auto near_misses = [](Builder& b, const char* op, std::vector<ir::ValueId> inputs,
                              ir::Attributes attributes = {}) {
    b.output(b.graph.emit(op, std::move(inputs), std::move(attributes), "com.microsoft"));
    PassContext context(b.graph);
    fold_constants(b.graph, context);
    EXPECT_EQ(context.fired(), 0u) << op;
    return context.take_notes();
  };
  const auto expect_too_large = [](const std::vector<std::string>& notes) {
    ASSERT_EQ(notes.size(), 1u);
    EXPECT_NE(notes[0].find("too large"), std::string::npos) << notes[0];
  };
  Builder rows;
  const ir::ValueId ids =
      rows.graph.add_constant("ids", Tensor::from<std::int32_t>({kLong, 1}, std::vector(kLong, 0)));
  const auto row = [&] { return rows.weight({1, kLong}); };
  expect_too_large(near_misses(
      rows, "EmbedLayerNormalization",
      {ids, ir::kNoValue, row(), row(), ir::kNoValue, rows.weight({kLong}), rows.weight({kLong})}));
  Builder blocks;
  const std::vector<std::uint8_t> codes(kLong / 2, 1);
  const std::vector<std::int64_t> zeros(kLong, 0);
  const ir::ValueId table =
      blocks.graph.add_constant("codes", Tensor::from<std::uint8_t>({1, kLong / 2}, codes));
  expect_too_large(
      near_misses(blocks, "GatherBlockQuantized",
                  {table, blocks.integers(zeros), blocks.weight({1, (kLong + 127) / 128})},
                  with("quantize_axis", std::int64_t{1})));
  Builder product;
  ir::Attributes attributes = with("K", std::int64_t{1});
  attributes.set("N", kLong);
  attributes.set("block_size", std::int64_t{16});
  attributes.set("quant_type", std::int64_t{1});
  const ir::ValueId weight =
      product.graph.add_constant("codes", Tensor::from<std::uint8_t>({kLong / 2, 1}, codes));
  expect_too_large(near_misses(product, "MatMulBnb4",
                               {product.weight({kLong, 1}), weight, product.weight({kLong / 16})},
                               std::move(attributes)));
}

TEST(FoldConstants, LeavesANodeThatFails) {
  Builder b;
  b.output(b.op("Add", {b.weight({2, 3}), b.weight({4, 5})}));
  PassContext context(b.graph);
  fold_constants(b.graph, context);
  EXPECT_EQ(context.fired(), 0u);
  EXPECT_EQ(context.take_notes().size(), 1u);
}

TEST(RemoveIdentities, RemovesEachKind) {
  Builder b;
  auto x = b.tokens(4);
  x = b.op("Identity", {x});
  x = b.op("Dropout", {x});
  x = b.op("Cast", {x}, with("to", std::int64_t{1}));
  x = b.op("Mul", {x, b.number(1)});
  x = b.op("Mul", {b.number(1), x});
  x = b.op("Add", {b.number(0), x});
  x = b.op("Sub", {x, b.number(0)});
  x = b.op("Div", {x, b.number(1)});
  x = b.op("Reshape", {x, b.integers({0, -1, 4})});
  x = b.op("Expand", {x, b.integers({1, 1, 1})});
  b.output(x);
  EXPECT_EQ(apply(remove_identities, b.graph).fired, 10u);
  EXPECT_EQ(b.graph.alive_count(), 1u);
}

TEST(RemoveIdentities, KeepsWhatChangesSomething) {
  Builder b;
  auto x = b.tokens(4);
  x = b.op("Sub", {b.number(0), x});
  x = b.op("Div", {b.number(1), x});
  x = b.op("Mul", {x, b.number(2)});
  x = b.op("Add", {x, b.weight({4})});
  x = b.op("Reshape", {x, b.integers({0, 0, 2, 2})});
  b.output(x);
  EXPECT_EQ(apply(remove_identities, b.graph).fired, 0u);
  Builder wider;  // the neutral element repeats the rest
  const ir::ValueId ones =
      wider.graph.add_constant("ones", Tensor::from<float>({2, 1, 1, 1}, std::vector<float>{1, 1}));
  wider.output(wider.op("Mul", {wider.tokens(4), ones}));
  EXPECT_EQ(apply(remove_identities, wider.graph).fired, 0u);
}

struct LayerNormForm {
  bool multiply = false, twice = false, swap = false, gamma = true, beta = true;
  bool axes_input = true;
  float exponent = 2;
};

ir::ValueId mean(Builder& b, ir::ValueId x, const LayerNormForm& form) {
  if (form.axes_input) return b.op("ReduceMean", {x, b.integers({-1})});
  return b.op("ReduceMean", {x, b.integers({2})});
}

ir::ValueId layer_norm(Builder& b, ir::ValueId x, const LayerNormForm& form) {
  const auto pair = [&](const char* op, ir::ValueId p, ir::ValueId q) {
    return form.swap ? b.op(op, {q, p}) : b.op(op, {p, q});
  };
  const auto d = b.op("Sub", {x, mean(b, x, form)});
  const auto e = form.twice ? b.op("Sub", {x, mean(b, x, form)}) : d;
  const auto square =
      form.multiply ? b.op("Mul", {e, e}) : b.op("Pow", {e, b.number(form.exponent)});
  const auto variance = pair("Add", mean(b, square, form), b.number(1e-5f));
  auto out = b.op("Div", {d, b.op("Sqrt", {variance})});
  if (form.gamma) out = pair("Mul", out, b.weight({8}));
  if (form.beta) out = pair("Add", out, b.weight({8}));
  return out;
}

TEST(FuseLayerNorm, FiresOnEveryForm) {
  for (int bits = 0; bits < 64; ++bits) {
    Builder b;
    const LayerNormForm form{(bits & 1) != 0, (bits & 2) != 0,  (bits & 4) != 0,
                             (bits & 8) != 0, (bits & 16) != 0, (bits & 32) != 0};
    b.output(b.op("Relu", {layer_norm(b, b.tokens(8), form)}));
    EXPECT_EQ(apply(fuse_layer_norm, b.graph).fired, 1u) << bits;
    EXPECT_EQ(count(b.graph, "LayerNormalization"), 1u) << bits;
    EXPECT_EQ(count(b.graph, "ReduceMean"), 0u) << bits;
  }
}

// The operator's scale has the type of its input.
TEST(FuseLayerNorm, MakesAScaleOfTheType) {
  for (const DType type : {DType::kFloat16, DType::kFloat64}) {
    Builder b;
    const auto to = [&](ir::ValueId x, DType wanted) {
      return b.op("Cast", {x}, with("to", static_cast<std::int64_t>(wanted)));
    };
    const auto epsilon = to(b.number(1e-4f), type);
    const auto x = to(b.tokens(8), type);
    const auto d = b.op("Sub", {x, mean(b, x, {})});
    const auto variance = b.op("Add", {mean(b, b.op("Mul", {d, d}), {}), epsilon});
    b.output(to(b.op("Div", {d, b.op("Sqrt", {variance})}), DType::kFloat32));
    PassContext folding(b.graph);
    fold_constants(b.graph, folding);
    PassContext context(b.graph);
    fuse_layer_norm(b.graph, context);
    EXPECT_EQ(context.fired(), 1u);
    for (const ir::NodeId id : b.graph.topological_order()) {
      const ir::Node& node = b.graph.node(id);
      if (!node.is("LayerNormalization")) continue;
      const Tensor* scale = b.graph.constant(node.input(1));
      ASSERT_NE(scale, nullptr);
      EXPECT_EQ(scale->dtype(), type);
      EXPECT_EQ(scale->to_float32().data<float>()[7], 1.0f);
    }
  }
}

TEST(FuseLayerNorm, LeavesOtherFunctions) {
  {
    Builder b;
    b.output(layer_norm(b, b.tokens(8), {.exponent = 4}));
    EXPECT_EQ(apply(fuse_layer_norm, b.graph).fired, 0u);
  }
  Builder b;  // the numerator is not centered
  const auto x = b.tokens(8);
  const auto d = b.op("Sub", {x, mean(b, x, {})});
  const auto variance = b.op("Add", {mean(b, b.op("Mul", {d, d}), {}), b.number(1e-5f)});
  b.output(b.op("Div", {x, b.op("Sqrt", {variance})}));
  const auto outcome = apply(fuse_layer_norm, b.graph);
  EXPECT_EQ(outcome.fired, 0u);
  EXPECT_EQ(outcome.notes.size(), 1u);
}

/// RMSNormalization of x less its mean.
ir::ValueId centered_norm(Builder& b, ir::ValueId x, ir::ValueId mean_of, bool axes_input,
                          std::int64_t axis) {
  ir::Attributes attributes = with("axis", axis);
  attributes.set("epsilon", 0.25f);
  const auto d = b.op("Sub", {x, mean(b, mean_of, {.axes_input = axes_input})});
  const Shape shape = axis == 1 ? Shape{1, 8} : Shape{8};
  return b.op("RMSNormalization", {d, b.weight(shape)}, std::move(attributes));
}

TEST(FuseLayerNorm, TakesRmsNormOfCenteredValues) {
  for (int bits = 0; bits < 4; ++bits) {
    Builder b;
    const auto x = b.tokens(8);
    b.output(b.op("Relu", {centered_norm(b, x, x, (bits & 1) != 0, (bits & 2) != 0 ? 2 : -1)}));
    EXPECT_EQ(apply(fuse_layer_norm, b.graph).fired, 1u) << bits;
    EXPECT_EQ(count(b.graph, "LayerNormalization"), 1u) << bits;
    EXPECT_EQ(count(b.graph, "RMSNormalization"), 0u) << bits;
    EXPECT_EQ(count(b.graph, "ReduceMean"), 0u) << bits;
  }
}

TEST(FuseLayerNorm, LeavesOtherRmsNorms) {
  Builder b;  // less the mean of something else
  b.output(centered_norm(b, b.tokens(8), b.tokens(8), true, -1));
  EXPECT_EQ(apply(fuse_layer_norm, b.graph).fired, 0u);
  Builder plain;
  plain.output(plain.op("RMSNormalization", {plain.tokens(8), plain.weight({8})},
                        with("axis", std::int64_t{-1})));
  EXPECT_EQ(apply(fuse_layer_norm, plain.graph).fired, 0u);
  Builder wide;  // over tokens too
  const auto x = wide.tokens(8);
  wide.output(centered_norm(wide, x, x, true, 1));
  const auto outcome = apply(fuse_layer_norm, wide.graph);
  EXPECT_EQ(outcome.fired, 0u);
  EXPECT_EQ(outcome.notes.size(), 1u);
}

/// Erf Gelu in eight associations, tanh Gelu in four.
ir::ValueId gelu(Builder& b, ir::ValueId x, int form, float half = 0.5f) {
  const auto product = [&](ir::ValueId p, ir::ValueId q) {
    return (form & 1) != 0 ? b.op("Mul", {p, q}) : b.op("Mul", {q, p});
  };
  ir::ValueId bracket;
  if (form < 8) {
    const auto inner = (form & 2) != 0 ? b.op("Div", {x, b.number(std::sqrt(2.0f))})
                                       : product(x, b.number(1 / std::sqrt(2.0f)));
    bracket = b.op("Add", {b.number(1), b.op("Erf", {inner})});
  } else {
    const auto cube =
        (form & 2) != 0 ? b.op("Pow", {x, b.number(3)}) : b.op("Mul", {b.op("Mul", {x, x}), x});
    const auto sum = b.op("Add", {x, product(b.number(0.044715f), cube)});
    bracket = b.op("Add", {b.op("Tanh", {product(sum, b.number(0.7978845608f))}), b.number(1)});
  }
  if (form % 3 == 0) return product(product(x, b.number(half)), bracket);
  if (form % 3 == 1) return product(x, product(bracket, b.number(half)));
  return product(product(x, bracket), b.number(half));
}

TEST(FuseGelu, FiresOnEveryForm) {
  for (int form = 0; form < 12; ++form) {
    Builder b;
    b.output(b.op("Neg", {gelu(b, b.tokens(8), form)}));
    EXPECT_EQ(apply(fuse_gelu, b.graph).fired, 1u) << form;
    EXPECT_EQ(b.graph.alive_count(), 3u) << form;
    for (const ir::NodeId id : b.graph.topological_order()) {
      if (!b.graph.node(id).is("Gelu")) continue;
      EXPECT_EQ(b.graph.node(id).attributes.string_or("approximate", ""),
                form < 8 ? "none" : "tanh");
    }
  }
}

TEST(FuseGelu, LeavesOtherFunctions) {
  for (int form = 0; form < 12; ++form) {
    Builder b;
    b.output(gelu(b, b.tokens(8), form, 0.51f));
    EXPECT_EQ(apply(fuse_gelu, b.graph).fired, 0u) << form;
  }
  Builder b;  // a gate that is another value
  const auto x = b.tokens(8), gate = b.tokens(8);
  const auto inner = b.op("Erf", {b.op("Div", {x, b.number(std::sqrt(2.0f))})});
  const auto bracket = b.op("Add", {inner, b.number(1)});
  b.output(b.op("Mul", {b.op("Mul", {gate, b.number(0.5f)}), bracket}));
  EXPECT_EQ(apply(fuse_gelu, b.graph).fired, 0u);
}

TEST(FuseGelu, LeavesAnIntermediateThatIsRead) {
  Builder b;
  const auto x = b.tokens(8);
  const auto inner = b.op("Erf", {b.op("Div", {x, b.number(std::sqrt(2.0f))})});
  const auto bracket = b.op("Add", {inner, b.number(1)});
  const auto out = b.op("Mul", {b.op("Mul", {x, b.number(0.5f)}), bracket});
  b.output(b.op("Add", {out, bracket}));
  EXPECT_EQ(apply(fuse_gelu, b.graph).fired, 0u);
}

TEST(FreezeSizes, MakesBoundsConstant) {
  Builder b;
  const auto x = b.tokens(8);
  const auto shape = b.op("Shape", {x});
  const auto last = b.op("Gather", {shape, b.integers({2})});
  const auto half = b.op("Div", {last, b.integers({2})});
  b.output(b.op("Slice", {x, half, last, b.integers({2})}));
  EXPECT_EQ(apply(freeze_sizes, b.graph).fired, 2u);
  EXPECT_EQ(count(b.graph, "Shape"), 0u);
}

TEST(FreezeSizes, LeavesWhatFollowsTheSequence) {
  Builder b;
  const auto x = b.tokens(8);
  const auto sequence = b.op("Gather", {b.op("Shape", {x}), b.integers({1})});
  b.output(b.op("Slice", {x, b.op("Sub", {sequence, b.integers({1})}), sequence, b.integers({1})}));
  EXPECT_EQ(apply(freeze_sizes, b.graph).fired, 0u);
}

// Positions padded to whole blocks, of which the longest texts alone need a second.
TEST(FreezeSizes, LeavesBlocksOfTheSequence) {
  for (const std::int64_t block : {8, 128, 512, 1024}) {
    for (const bool of_data : {false, true}) {
      if (of_data && block > 128) continue;  // what is looked up runs at shorter sequences
      Builder b;
      const auto x = b.tokens(8);
      const auto sequence = b.op("Gather", {b.op("Shape", {of_data ? x : b.ids}), b.integers({1})});
      const auto length = b.integers({block});
      const auto rounded = b.op(
          "Mul", {b.op("Div", {b.op("Add", {sequence, b.integers({block - 1})}), length}), length});
      auto more = rounded;
      if (of_data) {
        const auto pads = b.op(
            "Concat", {b.integers({0, 0, 0, 0}), b.op("Sub", {rounded, sequence}), b.integers({0})},
            with("axis", std::int64_t{0}));
        const auto padded = b.op("Tanh", {b.op("Pad", {x, pads})});
        more = b.op("Gather", {b.op("Shape", {padded}), b.integers({1})});
      }
      const auto start = b.op("Sub", {more, length});
      b.output(b.op("Slice", {x, start, b.integers({100000}), b.integers({1})}));
      PassContext context(b.graph);
      freeze_sizes(b.graph, context);
      EXPECT_EQ(context.fired(), 0u) << block << (of_data ? " of data" : "");
    }
  }
}

TEST(LiftFirstToken, JoinsSliceAndSqueeze) {
  Builder b;
  const auto slice =
      b.op("Slice", {b.tokens(8), b.integers({0}), b.integers({1}), b.integers({1})});
  b.output(b.op("Squeeze", {slice, b.integers({1})}));
  EXPECT_EQ(apply(lift_first_token, b.graph).fired, 1u);
  EXPECT_EQ(count(b.graph, "Slice"), 0u);
}

TEST(LiftFirstToken, LeavesOtherTokens) {
  Builder b;
  const auto slice =
      b.op("Slice", {b.tokens(8), b.integers({1}), b.integers({2}), b.integers({1})});
  b.output(b.op("Squeeze", {slice, b.integers({1})}));
  EXPECT_EQ(apply(lift_first_token, b.graph).fired, 0u);
}

TEST(RestoreSoftmax, RestoresTheLastAxisOnly) {
  for (const std::int64_t axis : {2, 1}) {
    Builder b;
    const auto x = b.tokens(8);
    const auto flat = b.op("Flatten", {x}, with("axis", axis));
    const auto softmax = b.op("Softmax", {flat}, with("axis", std::int64_t{-1}));
    b.output(b.op("Reshape", {softmax, b.op("Shape", {x})}));
    EXPECT_EQ(apply(restore_softmax, b.graph).fired, axis == 2 ? 1u : 0u);
  }
}

TEST(Pipeline, DisablesByNameAndReports) {
  Builder b;
  b.output(gelu(b, b.tokens(8), 0));
  const auto reports = run_pipeline(b.graph, {.disabled = {"fuse_gelu"}});
  EXPECT_EQ(reports.size(), all_passes().size() - 1);
  EXPECT_EQ(count(b.graph, "Gelu"), 0u);
  EXPECT_EQ(run_pipeline(b.graph, {.level = 0}).size(), 0u);
  EXPECT_THROW(run_pipeline(b.graph, {.disabled = {"fuse_gelo"}}), Error);
  const LiftReport report = lift(b.graph);
  EXPECT_TRUE(report.lifted);
  EXPECT_EQ(count(b.graph, "Gelu"), 1u);
}

TEST(Lift, RefusesATrialRunThatTakesTooMuchMemory) {
  Builder b;
  const auto sizes = b.op("Mul", {b.op("Shape", {b.ids}), b.integer(100000)});
  const auto ones = b.op("Expand", {b.number(1), sizes});
  b.output(b.op("ReduceSum", {ones, b.integers({1})}));
  const Probe probe(b.graph);
  EXPECT_FALSE(probe.usable());
  EXPECT_NE(probe.reason().find("too large"), std::string::npos) << probe.reason();
  EXPECT_FALSE(lift(b.graph).lifted);
}

TEST(Lift, SaysWhatStandsInTheWay) {
  Builder b;
  b.output(b.op("ReduceSum", {b.tokens(8), b.integers({1})}));
  const LiftReport report = lift(b.graph);
  EXPECT_FALSE(report.lifted);
  ASSERT_FALSE(report.notes.empty());
  EXPECT_NE(report.notes.back().find("ReduceSum"), std::string::npos);
}

TEST(Lift, KeepsTheNamedOutputs) {
  Builder b;
  const auto x = b.tokens(8);
  b.graph.add_output(b.op("ReduceSum", {x, b.integers({1})}), "pooled");
  b.graph.add_output(b.op("Relu", {x}), "hidden");
  EXPECT_THROW(keep_outputs(b.graph, {"other"}), Error);
  keep_outputs(b.graph, {"hidden"});
  EXPECT_EQ(b.graph.outputs().size(), 1u);
  EXPECT_TRUE(lift(b.graph).lifted);
}

TEST(Lift, LeavesGraphsWithoutTokensAlone) {
  ir::Graph graph;
  const auto x = graph.add_input("x", DType::kFloat32, {{.value = 2}, {.value = 3}});
  graph.add_output(graph.emit("Softmax", {x}, with("axis", std::int64_t{-1})), "y");
  const LiftReport report = lift(graph);
  EXPECT_FALSE(report.lifted);
  EXPECT_EQ(graph.alive_count(), 1u);
}

}  // namespace
}  // namespace octavo::passes
