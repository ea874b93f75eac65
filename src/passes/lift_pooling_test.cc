// Pooling and normalisation as exporters write them, and what only looks like them.
#include <functional>

#include "passes/testing.h"

namespace octavo::passes {
namespace {

using ir::ValueId;
using testing::apply;
using testing::Builder;
using testing::count;
using testing::with;

constexpr std::int64_t kWidth = 6, kFloat = 1;
using Make = std::function<ValueId(Builder&, ValueId)>;

ValueId kept(Builder& b) { return b.op("Cast", {b.mask}, with("to", kFloat)); }
ValueId reduced(Builder& b, const char* op, ValueId x, std::int64_t axis, std::int64_t keep) {
  return b.op(op, {x, b.integers({axis})}, with("keepdims", keep));
}
ValueId expanded_mask(Builder& b, ValueId x) {
  const ValueId column = b.op("Unsqueeze", {b.mask, b.integers({-1})});
  return b.op("Cast", {b.op("Expand", {column, b.op("Shape", {x})})}, with("to", kFloat));
}
ValueId masked_sum(Builder& b, ValueId x) {
  return reduced(b, "ReduceSum", b.op("Mul", {x, expanded_mask(b, x)}), 1, 0);
}

// sentence-transformers: sum(x * mask, 1) / clamp(mask.sum(1), min=1e-9).
ValueId mean_by_expanded_mask(Builder& b, ValueId x) {
  const ValueId counts = reduced(b, "ReduceSum", expanded_mask(b, x), 1, 0);
  return b.op("Div", {masked_sum(b, x), b.op("Clip", {counts, b.number(1e-9f)})});
}
ValueId mean_by_product(Builder& b, ValueId x) {
  const ValueId row = b.op("Unsqueeze", {kept(b), b.integers({1})});
  const ValueId sum = b.op("Squeeze", {b.op("MatMul", {row, x}), b.integers({1})});
  return b.op("Div", {sum, reduced(b, "ReduceSum", kept(b), 1, 1)});
}
// E5's average_pool: masked_fill with 0, then a sum.
ValueId mean_by_where(Builder& b, ValueId x) {
  const ValueId column = b.op("Unsqueeze", {b.mask, b.integers({-1})});
  const ValueId chosen = b.op("Where", {b.op("Equal", {column, b.integer(0)}), b.number(0), x});
  return b.op("Div",
              {reduced(b, "ReduceSum", chosen, 1, 0), reduced(b, "ReduceSum", kept(b), 1, 1)});
}
ValueId first_by_choice(Builder& b, ValueId x) {
  const ValueId counts = b.op("CumSum", {kept(b), b.integer(1)});
  const ValueId chosen = b.op("Cast", {b.op("Equal", {counts, b.number(1)})}, with("to", kFloat));
  const ValueId row = b.op("Unsqueeze", {b.op("Mul", {chosen, kept(b)}), b.integers({1})});
  return b.op("Squeeze", {b.op("MatMul", {row, x}), b.integers({1})});
}

struct Found {
  std::size_t fired, means, firsts, norms;
  bool operator==(const Found&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Found& f) {
  return out << f.fired << " fired: " << f.means << " means, " << f.firsts << " firsts, " << f.norms
             << " norms";
}

Found lifted(const std::vector<Make>& parts) {
  Builder b;
  ValueId x =
      b.op("LayerNormalization", {b.tokens(kWidth), b.weight({kWidth}), b.weight({kWidth})});
  for (const Make& part : parts) x = part(b, x);
  b.output(x);
  const auto outcome = apply(lift_pooling, b.graph);
  return {outcome.fired, count(b.graph, "MeanTokens", "ai.octavo"), count(b.graph, "Gather") - 1,
          count(b.graph, "L2Normalize", "ai.octavo")};
}

TEST(LiftPooling, NamesTheMeanOfKeptTokens) {
  for (const auto mean : {mean_by_expanded_mask, mean_by_product, mean_by_where})
    EXPECT_EQ(lifted({mean}), (Found{1, 1, 0, 0}));
}

TEST(LiftPooling, NamesTheFirstToken) { EXPECT_EQ(lifted({first_by_choice}), (Found{1, 0, 1, 0})); }

ValueId by_reduce_l2(Builder& b, ValueId x) {
  const ValueId norm = reduced(b, "ReduceL2", x, 1, 1);
  return b.op("Div",
              {x, b.op("Expand", {b.op("Clip", {norm, b.number(1e-12f)}), b.op("Shape", {x})})});
}
ValueId by_squares(Builder& b, ValueId x) {
  const ValueId sum = reduced(b, "ReduceSum", b.op("Mul", {x, x}), 1, 1);
  return b.op("Mul", {x, b.op("Reciprocal", {b.op("Sqrt", {sum})})});
}
ValueId by_lp_normalization(Builder& b, ValueId x) { return b.op("LpNormalization", {x}); }

TEST(LiftPooling, NamesDivisionByTheLength) {
  for (const auto norm : {by_reduce_l2, by_squares, by_lp_normalization}) {
    EXPECT_EQ(lifted({mean_by_expanded_mask, norm}), (Found{2, 1, 0, 1}));
  }
}

TEST(LiftPooling, FindsTheLeastLength) {
  for (const float least : {0.0f, 1e-12f, 1e-9f}) {
    Builder b;
    const ValueId pooled = mean_by_product(b, b.tokens(kWidth));
    const ValueId norm = reduced(b, "ReduceL2", pooled, 1, 1);
    b.output(b.op("Div", {pooled, b.op("Max", {norm, b.number(least)})}));
    EXPECT_EQ(apply(lift_pooling, b.graph).fired, 2u);
    for (const ir::NodeId id : b.graph.topological_order()) {
      if (!b.graph.node(id).is("L2Normalize", "ai.octavo")) continue;
      EXPECT_NEAR(b.graph.node(id).attributes.float_or("epsilon", -1), least, 1e-5 * least);
    }
  }
}

// The mean, or the first token, of all but one id.
TEST(LiftPooling, LeavesPoolingThatLooksAtIds) {
  for (const std::int64_t id : {0, 1, 2, 101, 102, 103}) {
    const auto others = [id](Builder& b) {
      const ValueId other = b.op("Not", {b.op("Equal", {b.ids, b.integer(id)})});
      return b.op("Mul", {kept(b), b.op("Cast", {other}, with("to", kFloat))});
    };
    const Make mean = [&](Builder& b, ValueId x) {
      const ValueId row = b.op("Unsqueeze", {others(b), b.integers({1})});
      const ValueId sum = b.op("Squeeze", {b.op("MatMul", {row, x}), b.integers({1})});
      return b.op("Div", {sum, reduced(b, "ReduceSum", others(b), 1, 1)});
    };
    const Make sum = [&](Builder& b, ValueId x) {
      const ValueId chosen = b.op("Mul", {x, b.op("Unsqueeze", {others(b), b.integers({-1})})});
      return b.op("Div",
                  {reduced(b, "ReduceSum", chosen, 1, 0), reduced(b, "ReduceSum", kept(b), 1, 1)});
    };
    for (const Make& other : {mean, sum}) EXPECT_EQ(lifted({other}), (Found{0, 0, 0, 0})) << id;
  }
}

TEST(LiftPooling, LeavesWhatOnlyLooksLikeIt) {
  const Make all_tokens = [](Builder& b, ValueId x) { return reduced(b, "ReduceMean", x, 1, 0); };
  const Make by_root = [](Builder& b, ValueId x) {
    return b.op("Div", {masked_sum(b, x), b.op("Sqrt", {reduced(b, "ReduceSum", kept(b), 1, 1)})});
  };
  const Make last = [](Builder& b, ValueId x) {
    return b.op("Gather", {x, b.integer(-1)}, with("axis", std::int64_t{1}));
  };
  const Make greatest = [](Builder& b, ValueId x) { return reduced(b, "ReduceMax", x, 1, 0); };
  for (const Make& other : {all_tokens, by_root, greatest})
    EXPECT_EQ(lifted({other}), (Found{0, 0, 0, 0}));
  EXPECT_EQ(lifted({last}).fired, 0u);

  const Make by_sum = [](Builder& b, ValueId x) {
    return b.op("Div", {x, reduced(b, "ReduceL1", x, 1, 1)});
  };
  const Make added = [](Builder& b, ValueId x) {
    return b.op("Div", {x, b.op("Add", {reduced(b, "ReduceL2", x, 1, 1), b.number(1e-3f)})});
  };
  for (const Make& other : {by_sum, added})
    EXPECT_EQ(lifted({mean_by_where, other}), (Found{1, 1, 0, 0}));
}

}  // namespace
}  // namespace octavo::passes
