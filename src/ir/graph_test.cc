#include "ir/graph.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "octavo/error.h"

namespace octavo::ir {
namespace {

Tensor ones(std::int64_t count) {
  return Tensor::vector<float>(std::vector<float>(static_cast<std::size_t>(count), 1.0f));
}

TEST(Graph, BuildsAndVerifies) {
  Graph graph;
  const ValueId x = graph.add_input("x", DType::kFloat32, {{2, {}}, {-1, "tokens"}});
  const ValueId w = graph.add_constant("w", ones(2));
  const ValueId y = graph.emit("Add", {x, w});
  graph.add_output(y, "out");
  graph.verify();
  EXPECT_EQ(graph.find_input("x"), x);
  EXPECT_EQ(graph.find_input("w"), kNoValue);
  EXPECT_EQ(graph.producer(y)->op, "Add");
  EXPECT_EQ(graph.producer(x), nullptr);
  EXPECT_EQ(graph.producer(kNoValue), nullptr);
  EXPECT_EQ(graph.constant(w)->elements(), 2u);
  EXPECT_EQ(graph.constant(x), nullptr);
  EXPECT_TRUE(graph.value(x).shape->at(0).known());
  EXPECT_FALSE(graph.value(x).shape->at(1).known());
}

TEST(Graph, TopologicalOrderPutsReadersLast) {
  Graph graph;
  const ValueId x = graph.add_input("x", DType::kFloat32, {});
  const ValueId middle = graph.add_value("middle"), last = graph.add_value("last");
  graph.add_node({.op = "Neg", .domain = "", .name = "b", .inputs = {middle}, .outputs = {last}});
  graph.add_node({.op = "Abs", .domain = "", .name = "a", .inputs = {x}, .outputs = {middle}});
  EXPECT_EQ(graph.topological_order(), (std::vector<NodeId>{1, 0}));
}

TEST(Graph, ALongChainNeedsNoStack) {
  Graph graph;
  ValueId value = graph.add_input("x", DType::kFloat32, {});
  for (int i = 0; i < 200000; ++i) value = graph.emit("Neg", {value});
  graph.add_output(value, "y");
  EXPECT_EQ(graph.topological_order().size(), 200000u);
  EXPECT_EQ(graph.remove_dead(), 0u);
}

TEST(Graph, ACycleIsAnError) {
  Graph graph;
  const ValueId a = graph.add_value("a"), b = graph.add_value("b");
  graph.add_node({.op = "Neg", .domain = "", .name = "n", .inputs = {a}, .outputs = {b}});
  graph.add_node({.op = "Neg", .domain = "", .name = "m", .inputs = {b}, .outputs = {a}});
  try {
    graph.topological_order();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidFile);
  }
}

TEST(Graph, ReplaceUsesReachesNodesAndOutputs) {
  Graph graph;
  const ValueId x = graph.add_input("x", DType::kFloat32, {});
  const ValueId y = graph.emit("Identity", {x});
  const ValueId z = graph.emit("Add", {y, y});
  graph.add_output(z, "z");
  graph.add_output(y, "y");
  graph.replace_uses(y, x);
  EXPECT_EQ(graph.producer(z)->inputs, (std::vector<ValueId>{x, x}));
  EXPECT_EQ(graph.outputs()[1].value, x);
  EXPECT_EQ(graph.remove_dead(), 1u);
  EXPECT_EQ(graph.alive_count(), 1u);
  graph.verify();
}

TEST(Graph, ReadersListEachNodeOnce) {
  Graph graph;
  const ValueId x = graph.add_input("x", DType::kFloat32, {});
  graph.emit("Add", {x, x});
  graph.emit("Clip", {x, kNoValue, x});
  EXPECT_EQ(graph.readers()[static_cast<std::size_t>(x)], (std::vector<NodeId>{0, 1}));
}

TEST(Graph, RemoveDeadDropsWhatNothingReads) {
  Graph graph;
  const ValueId x = graph.add_input("x", DType::kFloat32, {});
  const ValueId w = graph.add_constant("w", ones(2)), v = graph.add_constant("v", ones(3));
  graph.emit("Add", {x, w});
  graph.add_output(graph.emit("Mul", {x, v}), "out");
  EXPECT_EQ(graph.remove_dead(), 1u);
  EXPECT_EQ(graph.constant(w), nullptr);
  EXPECT_NE(graph.constant(v), nullptr);
}

TEST(Graph, VerifyFindsDefects) {
  const auto defect = [](auto build) {
    Graph graph;
    const ValueId x = graph.add_input("x", DType::kFloat32, {});
    build(graph, x);
    EXPECT_THROW(graph.verify(), Error);
  };
  defect([](Graph& g, ValueId) { g.emit("Neg", {77}); });
  defect([](Graph& g, ValueId) { g.add_output(99, "y"); });
  defect([](Graph& g, ValueId x) {
    const ValueId y = g.emit("Neg", {x});
    g.add_node({.op = "Abs", .domain = "", .name = "again", .inputs = {x}, .outputs = {y}});
  });
  defect([](Graph& g, ValueId x) {
    const ValueId y = g.emit("Neg", {x});
    g.emit("Abs", {y});
    g.node(0).alive = false;
  });
  defect([](Graph& g, ValueId x) {
    const ValueId y = g.emit("Neg", {x});
    g.add_output(y, "y");
    g.node(0).alive = false;
  });
}

TEST(Attributes, TypedAccess) {
  Attributes a;
  a.set("axis", std::int64_t{-1});
  a.set("alpha", 0.5f);
  a.set("mode", std::string("x"));
  a.set("pads", std::vector<std::int64_t>{1, 2});
  EXPECT_EQ(a.int_or("axis", 7), -1);
  EXPECT_EQ(a.int_or("other", 7), 7);
  EXPECT_EQ(a.float_or("alpha", 0), 0.5f);
  EXPECT_EQ(a.string_or("mode", ""), "x");
  EXPECT_EQ(a.ints("pads")->size(), 2u);
  EXPECT_FALSE(a.floats("scales").has_value());
  EXPECT_EQ(a.require_int("axis"), -1);
  EXPECT_THROW(a.require_int("other"), Error);
  EXPECT_THROW(a.int_or("alpha", 0), Error);
  EXPECT_THROW(a.tensor("axis"), Error);
  EXPECT_TRUE(a.erase("axis"));
  EXPECT_FALSE(a.erase("axis"));
}

TEST(Attributes, Equality) {
  Attributes a, b;
  a.set("v", ones(2));
  b.set("v", ones(2));
  EXPECT_TRUE(equal(a, b));
  b.set("v", ones(3));
  EXPECT_FALSE(equal(a, b));
  b.set("v", std::int64_t{1});
  EXPECT_FALSE(equal(a, b));
  Attributes c;
  EXPECT_FALSE(equal(a, c));
}

}  // namespace
}  // namespace octavo::ir
