// Lifting of positions and attention from small graphs: each variant that exporters write fires and
// keeps the outputs; what only looks like attention is refused by the numeric check.
#include "passes/lift.h"

#include <array>
#include <functional>

#include "passes/testing.h"

namespace octavo::passes {
namespace {

using testing::apply;
using testing::Builder;
using testing::count;
using testing::with;

constexpr std::int64_t kHeads = 2, kSize = 4, kWidth = kHeads * kSize;

enum class MaskForm { kNone, kSubMul, kWhere, kWhereOnScores, kBool };

struct Form {
  MaskForm mask = MaskForm::kSubMul;
  bool fused_qkv = false, scaled_operands = false, nan_guard = false, rotary = false;
  bool transposed_angles = false;
  std::int64_t window = 0;
  bool window_on_last_head = false;  // no attention then
  float scale = 0.5f;
  // What only looks like attention:
  bool causal = false, mask_queries = false, lost_transpose = false, swapped_heads = false;
  bool alibi = false, weak_mask = false, scaled_values = false, interleaved_rotary = false;
  bool softmax_over_queries = false, rotary_on_query_only = false, shared_weights = false;
  bool clipped = false, first_row_mask = false;
  std::int64_t refused_id = -1;  // keys of this id get no weight, whatever attention_mask says
  bool no_mask_input = false;
  std::int64_t bias_radius = 0;  // a learned number for each head and distance, as MPNet has
  bool uneven_bias = false;
};

class AttentionBuilder : public Builder {
 public:
  explicit AttentionBuilder(Form form) : Builder(!form.no_mask_input), f(form) {}

  void build() {
    const auto x = tokens(kWidth);
    ir::ValueId q, k, v;
    if (f.fused_qkv) {
      const auto qkv = op("MatMul", {x, weight({kWidth, 3 * kWidth}, 0.4f)});
      const auto split = op("Reshape", {qkv, integers({0, 0, 3, kHeads, kSize})});
      const auto moved =
          op("Transpose", {split}, with("perm", std::vector<std::int64_t>{2, 0, 3, 1, 4}));
      const auto part = [&](std::int64_t i) { return op("Gather", {moved, integer(i)}); };
      q = part(0), k = part(1), v = part(2);
    } else {
      q = heads(project(x)), k = heads(project(x)), v = heads(project(x));
    }
    if (f.rotary) {
      q = rotate(q);
      if (!f.rotary_on_query_only) k = rotate(k);
    }
    if (f.scaled_values) v = op("Mul", {v, number(2)});
    auto kt = op("Transpose", {k}, with("perm", std::vector<std::int64_t>{0, 1, 3, 2}));
    ir::ValueId scores;
    if (f.scaled_operands) {
      q = op("Mul", {q, number(std::sqrt(f.scale))});
      kt = op("Mul", {kt, number(std::sqrt(f.scale))});
      scores = op("MatMul", {q, kt});
    } else {
      scores = op("Mul", {op("MatMul", {q, kt}), number(f.scale)});
    }
    if (f.clipped) scores = op("Clip", {scores, number(-0.1f), number(0.1f)});
    scores = masked(scores);
    const std::int64_t axis = f.softmax_over_queries ? 2 : -1;
    auto p = op("Softmax", {scores}, with("axis", axis));
    if (f.nan_guard) p = op("Where", {op("IsNaN", {p}), number(0), p});
    auto out = op("MatMul", {p, v});
    if (!f.lost_transpose) {
      out = op("Transpose", {out}, with("perm", std::vector<std::int64_t>{0, 2, 1, 3}));
    }
    if (f.swapped_heads) {
      out = op("Transpose", {out}, with("perm", std::vector<std::int64_t>{0, 1, 3, 2}));
    }
    out = op("Reshape", {out, op("Concat", {size(0), size(1), integers({kWidth})},
                                 with("axis", std::int64_t{0}))});
    output(op("Add", {out, x}));
    if (f.shared_weights) graph.add_output(p, "weights");
  }

 private:
  ir::ValueId size(std::int64_t dim) { return op("Gather", {op("Shape", {ids}), integers({dim})}); }
  ir::ValueId project(ir::ValueId x) {
    return op("Add", {op("MatMul", {x, weight({kWidth, kWidth}, 0.4f)}), weight({kWidth})});
  }
  ir::ValueId heads(ir::ValueId x) {
    const auto split = op("Reshape", {x, integers({0, 0, kHeads, kSize})});
    return op("Transpose", {split}, with("perm", std::vector<std::int64_t>{0, 2, 1, 3}));
  }
  ir::ValueId arange() {  // [S] int64
    const auto length = op("Squeeze", {size(1)});
    return op("Range", {integer(0), length, integer(1)});
  }
  ir::ValueId floats(ir::ValueId x) { return op("Cast", {x}, with("to", std::int64_t{1})); }

  ir::ValueId rotate(ir::ValueId x) {
    const std::int64_t half = kSize / 2;
    const auto position = op("Unsqueeze", {floats(arange()), integers({1})});
    const auto freq = graph.add_constant(
        "inv_freq", Tensor::from<float>({1, half}, std::vector<float>{1.0f, 0.03f}));
    const auto angle = op("MatMul", {position, freq});
    auto both = op("Concat", {angle, angle}, with("axis", std::int64_t{-1}));
    if (f.transposed_angles) both = op("Transpose", {both});
    const auto table = [&](const char* name) {
      const auto out = op(name, {both});
      return f.transposed_angles ? op("Transpose", {out}) : out;
    };
    const auto x1 = op("Slice", {x, integers({0}), integers({half}), integers({3})});
    const auto x2 = op("Slice", {x, integers({half}), integers({kSize}), integers({3})});
    const auto turned = op("Concat", {f.interleaved_rotary ? x2 : op("Neg", {x2}), x1},
                           with("axis", std::int64_t{-1}));
    return op("Add", {op("Mul", {x, table("Cos")}), op("Mul", {turned, table("Sin")})});
  }

  /// 1 where attention is refused: [B, 1, 1 or S, S].
  ir::ValueId refused() {
    if (f.refused_id >= 0) {
      const auto equal = op("Equal", {ids, integer(f.refused_id)});
      auto out = op("Unsqueeze", {floats(equal), integers({1, 2})});
      if (f.no_mask_input) return out;
      const auto masked = op("Sub", {number(1), floats(mask)});
      return op("Max", {out, op("Unsqueeze", {masked, integers({1, 2})})});
    }
    const auto rows =
        f.first_row_mask ? op("Slice", {mask, integers({0}), integers({1}), integers({0})}) : mask;
    const auto spread =
        op("Unsqueeze", {rows, integers(f.mask_queries ? std::vector<std::int64_t>{1, 3}
                                                       : std::vector<std::int64_t>{1, 2})});
    auto out = op("Sub", {number(1), floats(spread)});
    const auto i = op("Unsqueeze", {arange(), integers({1})});
    const auto j = op("Unsqueeze", {arange(), integers({0})});
    const auto add = [&](ir::ValueId bad) { out = op("Max", {out, floats(bad)}); };
    if (f.causal) add(op("Greater", {j, i}));
    if (f.window > 0) {
      auto far = op("Greater", {op("Abs", {op("Sub", {j, i})}), integer(f.window)});
      if (f.window_on_last_head) {
        const auto head = graph.add_constant(
            "head", Tensor::from<bool>({1, 2, 1, 1}, std::array<bool, 2>{false, true}));
        far = op("And", {far, head});
      }
      add(far);
    }
    return out;
  }

  ir::ValueId masked(ir::ValueId scores) {
    if (f.alibi) {
      const auto distance = op("Abs", {op("Sub", {op("Unsqueeze", {arange(), integers({0})}),
                                                  op("Unsqueeze", {arange(), integers({1})})})});
      scores = op("Add", {scores, op("Mul", {floats(distance), number(-0.3f)})});
    }
    if (f.bias_radius > 0) {
      const auto rows = op("Unsqueeze", {arange(), integers({1})});
      auto distance = op("Sub", {op("Unsqueeze", {arange(), integers({0})}), rows});
      if (f.uneven_bias) distance = op("Mul", {distance, op("Mod", {rows, integer(2)})});
      const auto entry =
          op("Add", {op("Clip", {distance, integer(-f.bias_radius), integer(f.bias_radius)}),
                     integer(f.bias_radius)});
      const auto bias = op("Gather", {weight({2 * f.bias_radius + 1, kHeads}), entry});
      const auto moved = op("Transpose", {bias}, with("perm", std::vector<std::int64_t>{2, 0, 1}));
      scores = op("Add", {scores, op("Unsqueeze", {moved, integers({0})})});
    }
    const float low = f.weak_mask ? -2.0f : -10000.0f;
    const auto as_bool = [&](ir::ValueId x) {
      return op("Cast", {x}, with("to", std::int64_t{9}));
    };
    switch (f.mask) {
      case MaskForm::kNone: return scores;
      case MaskForm::kSubMul: return op("Add", {scores, op("Mul", {refused(), number(low)})});
      case MaskForm::kWhere: {
        const auto bad = refused();
        return op("Add", {op("Where", {as_bool(bad), number(-3.4028235e38f), bad}), scores});
      }
      case MaskForm::kWhereOnScores:
        return op("Where", {op("Expand", {as_bool(refused()), op("Shape", {scores})}),
                            number(-INFINITY), scores});
      case MaskForm::kBool:
        return op("Where", {op("Not", {as_bool(refused())}), scores, number(-3.4028235e38f)});
    }
    return scores;
  }

  Form f;
};

testing::Outcome lifted(Form form, ir::Graph* graph = nullptr) {
  AttentionBuilder b(form);
  b.build();
  const auto outcome = apply(lift_attention, b.graph);
  EXPECT_EQ(count(b.graph, "Attention", "ai.octavo"), outcome.fired);
  EXPECT_EQ(count(b.graph, "Softmax"), 1 - outcome.fired);
  if (graph != nullptr) *graph = std::move(b.graph);
  return outcome;
}

TEST(LiftAttention, LiftsEveryMaskForm) {
  for (const MaskForm mask :
       {MaskForm::kSubMul, MaskForm::kWhere, MaskForm::kWhereOnScores, MaskForm::kBool}) {
    for (int bits = 0; bits < 8; ++bits) {
      const Form form{.mask = mask,
                      .fused_qkv = (bits & 1) != 0,
                      .scaled_operands = (bits & 2) != 0,
                      .nan_guard = (bits & 4) != 0,
                      .scale = 0.3f};
      const auto outcome = lifted(form);
      EXPECT_EQ(outcome.fired, 1u) << static_cast<int>(mask) << " " << bits << " "
                                   << (outcome.notes.empty() ? "" : outcome.notes[0]);
    }
  }
}

const ir::Node& attention_of(const ir::Graph& graph) {
  for (const ir::NodeId id : graph.topological_order()) {
    if (graph.node(id).is("Attention", "ai.octavo")) return graph.node(id);
  }
  throw std::runtime_error("no Attention");
}

TEST(LiftAttention, FindsScaleWindowAndMask) {
  ir::Graph graph;
  ASSERT_EQ(lifted({.window = 3, .scale = 0.3f}, &graph).fired, 1u);
  const ir::Node node = attention_of(graph);
  EXPECT_EQ(node.attributes.int_or("local_window", -1), 3);
  EXPECT_EQ(node.attributes.int_or("num_heads", -1), kHeads);
  EXPECT_NEAR(node.attributes.float_or("scale", 0), 0.3f, 1e-6f);
  EXPECT_EQ(node.input(3), graph.find_input("attention_mask"));
  ASSERT_EQ(lifted({.mask = MaskForm::kNone, .scale = 0.3f}, &graph).fired, 1u);
  EXPECT_EQ(attention_of(graph).input(3), ir::kNoValue);
}

TEST(LiftAttention, LiftsAWindowWiderThanTheChecks) {
  ir::Graph graph;
  ASSERT_EQ(lifted({.window = 64}, &graph).fired, 1u);
  EXPECT_EQ(attention_of(graph).attributes.int_or("local_window", -1), 64);
}

TEST(LiftAttention, LiftsARelativeBias) {
  for (const MaskForm mask : {MaskForm::kNone, MaskForm::kSubMul, MaskForm::kBool}) {
    ir::Graph graph;
    const auto outcome = lifted({.mask = mask, .bias_radius = 7}, &graph);
    ASSERT_EQ(outcome.fired, 1u) << (outcome.notes.empty() ? "" : outcome.notes[0]);
    const Tensor* bias = graph.constant(attention_of(graph).input(4));
    ASSERT_NE(bias, nullptr);
    EXPECT_EQ(bias->shape(), (Shape{kHeads, 15}));
    EXPECT_EQ(attention_of(graph).input(3) == ir::kNoValue, mask == MaskForm::kNone);
  }
}

TEST(LiftAttention, LiftsRotaryEmbedding) {
  for (const bool fused : {false, true}) {
    for (const bool transposed : {false, true}) {
      ir::Graph graph;
      const Form form{.fused_qkv = fused, .rotary = true, .transposed_angles = transposed};
      ASSERT_EQ(lifted(form, &graph).fired, 1u);
      EXPECT_EQ(count(graph, "RotaryEmbedding", "ai.octavo"), 2u);
      EXPECT_EQ(count(graph, "Cos"), 0u);
      EXPECT_EQ(count(graph, "Split"), fused ? 1u : 0u);
    }
  }
}

TEST(LiftAttention, RefusesWhatOnlyLooksLikeIt) {
  const std::vector<std::pair<const char*, Form>> forms = {
      {"a causal mask", {.causal = true}},
      {"the mask of the first row for all rows", {.first_row_mask = true}},
      {"heads that are not moved back", {.lost_transpose = true}},
      {"heads and elements swapped", {.swapped_heads = true}},
      {"a bias by distance", {.alibi = true}},
      {"a bias that is not of distances", {.bias_radius = 7, .uneven_bias = true}},
      {"masked keys that keep weight", {.weak_mask = true}},
      {"scaled values", {.scaled_values = true}},
      {"another rotation", {.rotary = true, .interleaved_rotary = true}},
      {"another rotation, angles by column",
       {.rotary = true, .transposed_angles = true, .interleaved_rotary = true}},
      {"rotated queries, plain keys", {.rotary = true, .rotary_on_query_only = true}},
      {"a Softmax over queries", {.softmax_over_queries = true}},
      {"clipped scores", {.clipped = true}},
      {"weights that are an output", {.shared_weights = true}},
  };
  for (const auto& [what, form] : forms) {
    const auto outcome = lifted(form);
    EXPECT_EQ(outcome.fired, 0u) << what;
    EXPECT_EQ(outcome.notes.size(), 1u) << what;
  }
}

TEST(LiftAttention, RefusesMasksMadeOfIds) {
  for (const std::int64_t id : {0, 1, 2, 102}) {
    for (const MaskForm mask : {MaskForm::kSubMul, MaskForm::kBool}) {
      for (const bool no_input : {false, true}) {
        const auto outcome = lifted({.mask = mask, .refused_id = id, .no_mask_input = no_input});
        EXPECT_EQ(outcome.fired, 0u) << "id " << id << ", without attention_mask: " << no_input;
        EXPECT_EQ(outcome.notes.size(), 1u);
      }
    }
  }
}

TEST(LiftAttention, LiftsWithoutAMaskInput) {
  ir::Graph graph;
  ASSERT_EQ(lifted({.mask = MaskForm::kNone, .no_mask_input = true}, &graph).fired, 1u);
  EXPECT_EQ(attention_of(graph).input(3), ir::kNoValue);
}

TEST(LiftAttention, RefusesAWindowOfOneHead) {
  for (const MaskForm mask : {MaskForm::kSubMul, MaskForm::kBool}) {
    EXPECT_EQ(lifted({.mask = mask, .window = 16, .window_on_last_head = true}).fired, 0u);
  }
}

TEST(LiftAttention, TakesAMaskOfQueriesForNoMask) {
  // Adding one number to all scores of a query changes none of its weights.
  ir::Graph graph;
  ASSERT_EQ(lifted({.mask_queries = true}, &graph).fired, 1u);
  EXPECT_EQ(attention_of(graph).input(3), ir::kNoValue);
}

// A quantised table of two rows (token types) that all tokens read the first of.
TEST(LiftPositions, LeavesTablesThatAreTooShortToTell) {
  Builder b;
  const std::vector<std::int8_t> bytes{1, 2, 3, 4, -5, -6, -7, -8};
  const auto table = b.graph.add_constant("types", Tensor::from<std::int8_t>({2, 4}, bytes));
  const auto zeros = b.op("Expand", {b.integers({0}), b.op("Shape", {b.ids})});
  const auto rows = b.op("Cast", {b.op("Gather", {table, zeros})}, with("to", std::int64_t{1}));
  b.output(b.op("Add", {b.tokens(4), b.op("Mul", {rows, b.number(0.5f)})}));
  for (const auto pass : {lift_positions, lift_exact_positions})
    EXPECT_EQ(apply(pass, b.graph).fired, 0u);
}

TEST(LiftAttention, LeavesASoftmaxOfTokens) {
  Builder b;
  b.output(b.op("Softmax", {b.tokens(8)}, with("axis", std::int64_t{-1})));
  EXPECT_EQ(apply(lift_attention, b.graph).fired, 0u);
}

/// Gather from a table of `rows` rows by what `indices` builds.
testing::Outcome positions(const std::function<ir::ValueId(Builder&)>& indices, ir::Graph* graph,
                           std::int64_t rows = 64, PassFunction pass = lift_positions) {
  Builder b;
  const auto row = b.op("Gather", {b.weight({rows, 8}), indices(b)});
  b.output(b.op("Add", {b.tokens(8), row}));
  const auto outcome = apply(pass, b.graph);
  *graph = std::move(b.graph);
  return outcome;
}

ir::ValueId sequence(Builder& b) {
  return b.op("Gather", {b.op("Shape", {b.ids}), b.integers({1})});
}

ir::ValueId counted(Builder& b, std::int64_t padding, std::int64_t shift) {
  const auto pad = b.op("Equal", {b.ids, b.integer(padding)});
  const auto real = b.op("Cast", {b.op("Not", {pad})}, with("to", std::int64_t{7}));
  const auto counts = b.op("Mul", {b.op("CumSum", {real, b.integer(1)}), real});
  return b.op("Add", {counts, b.integer(shift)});
}

TEST(LiftPositions, NamesPlainPositions) {
  for (const std::int64_t offset : {0, 2}) {
    ir::Graph graph;
    std::vector<std::int64_t> all(60);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i) + offset;
    const auto outcome = positions(
        [&](Builder& b) {
          const auto table =
              b.graph.add_constant("positions", Tensor::from<std::int64_t>({1, 60}, all));
          return b.op("Slice", {table, b.integers({0}), sequence(b), b.integers({1})});
        },
        &graph);
    EXPECT_EQ(outcome.fired, 1u);
    ASSERT_EQ(count(graph, "PositionIds", "ai.octavo"), 1u);
    for (const ir::NodeId id : graph.topological_order()) {
      if (!graph.node(id).is("PositionIds", "ai.octavo")) continue;
      EXPECT_EQ(graph.node(id).attributes.int_or("offset", -1), offset);
      EXPECT_EQ(graph.node(id).attributes.int_or("padding_idx", 0), -1);
    }
  }
}

TEST(LiftPositions, NamesThemForTheScalesOfATableToo) {
  Builder b;
  const std::vector<std::int8_t> codes(64 * 8, 5);
  const auto table = b.graph.add_constant("rows", Tensor::from<std::int8_t>({64, 8}, codes));
  const auto indices = counted(b, 0, 0);
  const auto rows = b.op("Cast", {b.op("Gather", {table, indices})}, with("to", std::int64_t{1}));
  const auto scales = b.op("Gather", {b.weight({64, 1}), indices});
  b.output(b.op("Add", {b.tokens(8), b.op("Mul", {rows, scales})}));
  EXPECT_EQ(apply(lift_positions, b.graph).fired, 2u);
  EXPECT_EQ(count(b.graph, "PositionIds", "ai.octavo"), 2u);
}

TEST(LiftPositions, NamesPositionsThatSkipPadding) {
  for (const std::int64_t padding : {0, 1}) {
    ir::Graph graph;
    const auto outcome =
        positions([&](Builder& b) { return counted(b, padding, padding); }, &graph);
    EXPECT_EQ(outcome.fired, 1u);
    for (const ir::NodeId id : graph.topological_order()) {
      if (!graph.node(id).is("PositionIds", "ai.octavo")) continue;
      EXPECT_EQ(graph.node(id).attributes.int_or("padding_idx", -1), padding);
    }
  }
}

TEST(LiftPositions, MakesOneRowAConstant) {
  ir::Graph graph;
  const auto outcome = positions(
      [](Builder& b) {
        const auto zeros = b.op("Sub", {b.ids, b.ids});
        return b.op("Add", {zeros, b.integer(3)});
      },
      &graph);
  EXPECT_EQ(outcome.fired, 1u);
  EXPECT_EQ(count(graph, "Gather"), 1u);
}

TEST(LiftPositions, ReadsInputsDirectly) {
  ir::Graph graph;
  const auto cast = [](Builder& b, ir::ValueId x) {
    return b.op("Cast", {b.op("Cast", {x}, with("to", std::int64_t{6}))},
                with("to", std::int64_t{7}));
  };
  EXPECT_EQ(positions([&](Builder& b) { return cast(b, b.types); }, &graph).fired, 1u);
  EXPECT_EQ(count(graph, "Cast"), 0u);
  EXPECT_EQ(positions([&](Builder& b) { return cast(b, b.ids); }, &graph).fired, 1u);
  EXPECT_EQ(count(graph, "Cast"), 0u);
}

TEST(LiftPositions, RefusesComputedSegments) {
  const auto integers = [](Builder& b, ir::ValueId x) {
    return b.op("Cast", {x}, with("to", std::int64_t{7}));
  };
  const auto after_the_first = [&](Builder& b) {
    const auto length = b.op("Squeeze", {sequence(b)});
    const auto arange = b.op("Range", {b.integer(0), length, b.integer(1)});
    return b.op("Unsqueeze",
                {integers(b, b.op("Greater", {arange, b.integer(0)})), b.integers({0})});
  };
  const auto separators = [&](Builder& b) {
    return integers(b, b.op("Equal", {b.ids, b.integer(102)}));
  };
  const auto after_a_separator = [&](Builder& b) {
    return b.op("CumSum", {separators(b), b.integer(1)});
  };
  ir::Graph graph;
  for (const PassFunction pass : {lift_positions, lift_exact_positions}) {
    for (const std::int64_t rows : {2, 64}) {
      EXPECT_EQ(positions(after_the_first, &graph, rows, pass).fired, 0u) << rows;
      EXPECT_EQ(positions(separators, &graph, rows, pass).fired, 0u) << rows;
      EXPECT_EQ(positions(after_a_separator, &graph, rows, pass).fired, 0u) << rows;
    }
  }
}

// The table of two rows is read by zeros: one row whatever the sequence.
TEST(LiftPositions, MakesOneRowOfAShortTableAConstant) {
  ir::Graph graph;
  const auto zeros = [](Builder& b) {
    return b.op("Expand", {b.integers({0}), b.op("Shape", {b.ids})});
  };
  EXPECT_EQ(positions(zeros, &graph, 2).fired, 1u);
  EXPECT_EQ(count(graph, "Gather"), 1u);
}

TEST(LiftPositions, RefusesOtherRules) {
  ir::Graph graph;
  const auto reversed = [](Builder& b) {
    const auto length = b.op("Squeeze", {sequence(b)});
    const auto up =
        b.op("Range", {b.integer(1), b.op("Add", {length, b.integer(1)}), b.integer(1)});
    return b.op("Unsqueeze", {b.op("Sub", {length, up}), b.integers({0})});
  };
  const auto outcome = positions(reversed, &graph);
  EXPECT_EQ(outcome.fired, 0u);
  EXPECT_EQ(outcome.notes.size(), 1u);
  EXPECT_EQ(positions([](Builder& b) { return counted(b, 1, 5); }, &graph).fired, 0u);
}

}  // namespace
}  // namespace octavo::passes
