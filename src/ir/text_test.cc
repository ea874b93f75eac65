#include "ir/text.h"

#include <gtest/gtest.h>

#include "octavo/error.h"

namespace octavo::ir {
namespace {

constexpr std::string_view kText = R"(graph "small" {
  input %x: float32[batch, 4, ?]
  input %mask: int64
  const %/w.0: float32[2, 2] = [1.0, -2.5, 1e-05, inf]
  const %"two words": int64[] = -3
  const %big: float16[40] = fill(0.5)
  const %none: bool[0] = []
  %y = MatMul(%x, %/w.0)
  %z, _ = com.microsoft.Norm(%y, _, %big) {axis=-1, empty=ints[], epsilon=1.0, mode="a \"b\"", pads=[1, 2], scales=[0.5, 2.0], value=uint8[2] = [1, 255]} @"norm 1"
  %s = Sub(%z, %"two words")
  %t = Where(%none, %s, %mask)
  output %t "last"
  output %none "none"
}
)";

TEST(GraphText, ReadsBackAsItIsPrinted) {
  const Graph graph = parse(kText);
  EXPECT_EQ(print(graph), kText);
  EXPECT_EQ(graph.inputs().size(), 2u);
  EXPECT_EQ(graph.value(graph.inputs()[0]).shape->at(0).symbol, "batch");
  EXPECT_FALSE(graph.value(graph.inputs()[1]).shape.has_value());
  EXPECT_EQ(graph.node_count(), 4u);
  EXPECT_EQ(graph.node(1).name, "norm 1");
  EXPECT_EQ(graph.node(1).domain, "com.microsoft");
  EXPECT_EQ(graph.node(1).outputs[1], kNoValue);
  EXPECT_EQ(graph.node(1).attributes.float_or("epsilon", 0), 1.0f);
  EXPECT_EQ(graph.node(1).attributes.string_or("mode", ""), "a \"b\"");
  EXPECT_EQ(graph.node(1).attributes.tensor("value")->data<std::uint8_t>()[1], 255);
}

TEST(GraphText, NodesMayComeBeforeWhatTheyRead) {
  const Graph graph =
      parse("graph \"g\" { input %x: float32[2]  %b = Neg(%a)  %a = Abs(%x) # later\n output %b }");
  const std::string text = print(graph);
  EXPECT_LT(text.find("Abs"), text.find("Neg"));
  EXPECT_EQ(graph.outputs()[0].name, "b");
}

TEST(GraphText, LongConstantsAreNotShown) {
  const Graph graph = parse("graph \"g\" { const %c: float32[100] = random(3) output %c }");
  const auto values = graph.constant(graph.outputs()[0].value)->data<float>();
  EXPECT_NE(values[0], values[1]);
  for (const float v : values) {
    EXPECT_GE(v, -1.0f);
    EXPECT_LT(v, 1.0f);
  }
  const std::string text = print(graph);
  EXPECT_NE(text.find("= ..."), std::string::npos);
  EXPECT_THROW(parse(text), Error);
}

TEST(GraphText, ErrorsNameTheLine) {
  const char* const bad[] = {
      "",
      "graph g {}",
      "graph \"g\" {",
      "graph \"g\" { } more",
      "graph \"g\" {\n output %x }",
      "graph \"g\" { input %x: float33[2] }",
      "graph \"g\" { input %x: float32[2] input %x: float32[2] }",
      "graph \"g\" { input %x: float32[2] %x = Abs(%x) }",
      "graph \"g\" { input %x: float32[2] %y = Abs(%x) %y = Abs(%x) }",
      "graph \"g\" { %y = Abs(%z) %z = Abs(%y) output %y }",
      "graph \"g\" { const %c: float32[2] = [1] }",
      "graph \"g\" { const %c: float32[-2] = [1] }",
      "graph \"g\" { const %c: float32[99999999999] = fill(1) }",
      "graph \"g\" { const %c: int8[1] = [300] }",
      "graph \"g\" { input %x: float32[2] %y = Abs(%x) {a=[1, \"b\"]} }",
      "graph \"g\" { input %x: float32[2] %y = Abs(%x) {a=1x} }",
      "graph \"g\" { banana }",
  };
  for (const char* text : bad) EXPECT_THROW(parse(text), Error) << text;
  try {
    parse("graph \"g\" {\n\n  banana\n}");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.info().place, "line 3");
  }
}

}  // namespace
}  // namespace octavo::ir
