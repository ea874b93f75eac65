#include "ops/evaluate.h"

#include <gtest/gtest.h>

#include <set>

#include "ir/text.h"
#include "octavo/error.h"

namespace octavo::ops {
namespace {

Tensor floats(std::vector<float> values) { return Tensor::vector<float>(values); }

ir::ValueId value_named(const ir::Graph& graph, std::string_view name) {
  for (std::size_t i = 0; i < graph.value_count(); ++i) {
    if (graph.value(static_cast<ir::ValueId>(i)).name == name) return static_cast<ir::ValueId>(i);
  }
  return ir::kNoValue;
}

const char* const kChain = R"(graph "g" {
  input %x: float32[n]
  const %two: float32[] = 2.0
  %a = Mul(%x, %two)
  %b = Neg(%a)
  %c = Add(%a, %b)
  %unused = Exp(%x)
  output %c
})";

TEST(Evaluate, RunsWhatIsWanted) {
  const ir::Graph graph = ir::parse(kChain);
  std::set<std::string> made;
  EvaluateOptions options;
  options.observe = [&](ir::ValueId id, const Tensor&) { made.insert(graph.value(id).name); };
  const Feeds feeds{{graph.find_input("x"), floats({1, -3})}};
  const std::vector<ir::ValueId> wanted{value_named(graph, "b"), value_named(graph, "c"),
                                        value_named(graph, "two")};
  const auto out = evaluate(graph, feeds, wanted, options);
  EXPECT_TRUE(identical(out[0], floats({-2, 6})));
  EXPECT_TRUE(identical(out[1], floats({0, 0})));
  EXPECT_EQ(out[2].rank(), 0u);
  EXPECT_EQ(made, (std::set<std::string>{"a", "b", "c"}));
}

TEST(Evaluate, AnyValueCanBeGiven) {
  const ir::Graph graph = ir::parse(kChain);
  const Feeds feeds{{value_named(graph, "a"), floats({5})}};
  const auto out = evaluate(graph, feeds, std::vector{value_named(graph, "b")});
  EXPECT_TRUE(identical(out[0], floats({-5})));
}

TEST(Evaluate, AFasterKernelMayTakeANode) {
  const ir::Graph graph = ir::parse(kChain);
  std::size_t asked = 0;
  EvaluateOptions options;
  options.accelerate = [&](const OpCall& call, std::vector<Tensor>& outputs) {
    ++asked;
    if (call.node.op != "Neg") return false;
    outputs.push_back(floats({100}));
    return true;
  };
  const Feeds feeds{{graph.find_input("x"), floats({1})}};
  const auto out = evaluate(graph, feeds, std::vector{value_named(graph, "c")}, options);
  EXPECT_TRUE(identical(out[0], floats({102})));
  EXPECT_EQ(asked, 3u);
}

ErrorCode code_of(const char* text, Feeds feeds = {}) {
  const ir::Graph graph = ir::parse(text);
  try {
    evaluate(graph, feeds, std::vector{graph.outputs()[0].value});
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::kCancelled;
}

TEST(Evaluate, Errors) {
  EXPECT_EQ(code_of(kChain), ErrorCode::kInvalidArgument);  // nothing given for x
  EXPECT_EQ(code_of(kChain, {{0, Tensor::scalar<std::int64_t>(1)}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of(kChain, {{1000, floats({1})}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of("graph \"g\" { const %c: float32[1] = [1] %y = Banana(%c) output %y }"),
            ErrorCode::kUnsupported);
  const ir::Graph graph = ir::parse(
      "graph \"g\" { const %c: float32[1] = [1] %y = MatMul(%c) @\"the node\" output %y }");
  try {
    evaluate(graph, {}, std::vector{graph.outputs()[0].value});
    FAIL();
  } catch (const Error& error) {
    ASSERT_EQ(error.frames().size(), 1u);
    EXPECT_EQ(error.frames()[0], "running node 'the node' (MatMul)");
  }
}

TEST(Table, NamesAreUniqueAndFound) {
  std::set<std::pair<std::string_view, std::string_view>> names;
  for (const OpDef& op : all_ops()) {
    EXPECT_TRUE(names.emplace(op.domain, op.name).second) << op.name;
    EXPECT_EQ(find_op(op.name, op.domain), &op);
    EXPECT_NE(op.reference, nullptr);
  }
  EXPECT_EQ(find_op("MatMul", "com.microsoft"), nullptr);
  EXPECT_EQ(find_op("matmul", ""), nullptr);
}

}  // namespace
}  // namespace octavo::ops
