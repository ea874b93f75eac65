// The longest sequence of graphs as exporters write them: positions counted in every way, in tables
// of float32 and of 8 bits, and graphs that have none.
#include "passes/position_limit.h"

#include "passes/testing.h"

namespace octavo::passes {
namespace {

using testing::Builder;
using testing::with;

struct Counted : Builder {
  ir::ValueId length() { return op("Gather", {op("Shape", {ids}), integer(1)}); }
  /// A prefix of 0, 1, 2 .. of a row of `count` numbers.
  ir::ValueId sliced(std::int64_t count) {
    std::vector<std::int64_t> row;
    for (std::int64_t i = 0; i < count; ++i) row.push_back(i);
    const ir::ValueId all = graph.add_constant("all", Tensor::from<std::int64_t>({1, count}, row));
    return op("Slice",
              {all, integers({0}), op("Unsqueeze", {length(), integers({0})}), integers({1})});
  }
  /// The same numbers, however many.
  ir::ValueId ranged() { return op("Range", {integer(0), length(), integer(1)}); }
  /// RoBERTa's: ids that are not `padding`, counted from the one after it.
  ir::ValueId counted(std::int64_t padding) {
    const auto kept = op("Cast", {op("Not", {op("Equal", {ids, integer(padding)})})},
                         with("to", std::int64_t{7}));
    const auto count = op("CumSum", {kept, integer(1)});
    return op("Add", {op("Mul", {count, kept}), integer(padding)});
  }
  void finish(ir::ValueId positions) { output(op("Add", {tokens(8), positions})); }
};

TEST(PositionLimit, IsTheLengthOfTheTable) {
  Counted sliced, ranged, counted, shifted;
  sliced.finish(sliced.op("Gather", {sliced.weight({48, 8}), sliced.sliced(48)}));
  EXPECT_EQ(position_limit(sliced.graph), 48u);
  ranged.finish(ranged.op("Gather", {ranged.weight({50, 8}), ranged.ranged()}));
  EXPECT_EQ(position_limit(ranged.graph), 50u);
  counted.finish(counted.op("Gather", {counted.weight({52, 8}), counted.counted(1)}));
  EXPECT_EQ(position_limit(counted.graph), 50u);
  const auto moved = shifted.op("Add", {shifted.ranged(), shifted.integer(2)});
  shifted.finish(shifted.op("Gather", {shifted.weight({42, 8}), moved}));
  EXPECT_EQ(position_limit(shifted.graph), 40u);
}

TEST(PositionLimit, OfTablesInBytes) {
  Counted b;
  const auto table = b.graph.add_constant("table", Tensor(DType::kInt8, {44, 8}));
  const auto rows = b.op("Gather", {table, b.ranged()});
  b.finish(b.op("DequantizeLinear", {rows, b.number(0.5f)}));
  EXPECT_EQ(position_limit(b.graph), 44u);
}

TEST(PositionLimit, OfTheShortestTable) {
  Counted b;
  const auto longer = b.op("Gather", {b.weight({64, 8}), b.ranged()});
  const auto shorter = b.op("Gather", {b.weight({41, 8}), b.ranged()});
  b.finish(b.op("Add", {longer, shorter}));
  EXPECT_EQ(position_limit(b.graph), 41u);
}

TEST(PositionLimit, WithoutPositionsThereIsNone) {
  Counted b;
  b.finish(b.op("Gather", {b.weight({2, 8}), b.types}));
  EXPECT_EQ(position_limit(b.graph), std::nullopt);
  EXPECT_EQ(position_limit({}), std::nullopt);
}

TEST(PositionLimit, LeavesTheGraphAlone) {
  Counted b;
  b.finish(b.op("Gather", {b.weight({50, 8}), b.ranged()}));
  const std::size_t nodes = b.graph.alive_count();
  position_limit(b.graph);
  EXPECT_EQ(b.graph.alive_count(), nodes);
  EXPECT_EQ(testing::count(b.graph, "PositionIds", "ai.octavo"), 0u);
}

}  // namespace
}  // namespace octavo::passes
