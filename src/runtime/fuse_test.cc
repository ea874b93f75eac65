// Joined nodes against the graph that they were: bits of products and what follows them, attention
// within the bound of its kernel, in every form that fires, and what must not.
#include "runtime/fuse.h"

#include <gtest/gtest.h>

#include <cmath>

#include "runtime/graph_runner.h"
#include "tensor/testing.h"

namespace octavo::runtime {
namespace {

constexpr std::int64_t kHeads = 3, kSize = 20, kWidth = kHeads * kSize;

struct Builder {
  ir::Graph graph;
  std::map<std::string, Tensor> feeds;

  ir::ValueId input(const std::string& name, Tensor tensor) {
    const ir::ValueId id = graph.add_input(name, tensor.dtype(), {});
    feeds.emplace(name, std::move(tensor));
    return id;
  }
  ir::ValueId constant(Tensor tensor) { return graph.add_constant("c", std::move(tensor)); }
  ir::ValueId op(std::string name, std::vector<ir::ValueId> inputs, std::string domain = "") {
    return graph.emit(std::move(name), std::move(inputs), {}, std::move(domain));
  }
  ir::ValueId turned(ir::ValueId x, std::vector<std::int64_t> perm) {
    ir::Attributes attributes;
    attributes.set("perm", std::move(perm));
    return graph.emit("Transpose", {x}, std::move(attributes));
  }
  void output(ir::ValueId value) {
    graph.add_output(value, "y" + std::to_string(graph.outputs().size()));
  }
};

std::size_t joined(const ir::Graph& graph, std::string_view op) {
  std::size_t out = 0;
  for (const ir::NodeId id : graph.topological_order()) out += graph.node(id).is(op, kFusedDomain);
  return out;
}

struct Runs {
  std::vector<Tensor> joined, apart, reference;
};

/// As a runner runs it, as it does while somebody looks, and by the references alone.
Runs run(const Builder& b, IsaMask isa = detect_isa()) {
  GraphRunner runner(b.graph, isa, std::make_shared<ThreadPool>(2));
  Runs out{.joined = runner.run(b.feeds), .apart = {}, .reference = {}};
  out.apart = runner.run(b.feeds, [](ir::ValueId, const Tensor&) {});
  ops::Feeds feeds;
  for (const auto& [name, tensor] : b.feeds) feeds[b.graph.find_input(name)] = tensor;
  std::vector<ir::ValueId> wanted;
  for (const auto& output : b.graph.outputs()) wanted.push_back(output.value);
  out.reference = ops::evaluate(b.graph, feeds, wanted);
  return out;
}

void expect_near(const Tensor& got, const Tensor& wanted, float bound) {
  ASSERT_EQ(got.shape(), wanted.shape());
  for (std::size_t i = 0; i < got.elements(); ++i) {
    ASSERT_NEAR(got.data<float>()[i], wanted.data<float>()[i], bound) << i;
  }
}

struct Form {
  bool divided = true, masked = true, hiding = false, mask_first = false;
  bool tokens_first = true, turned_back = true, keys_in_two = false;
  std::int64_t batch = 1, queries = 37, keys = 37;
  std::size_t fires = 1;
};

void attention(const Form& f) {
  Builder b;
  const auto heads = [&](const char* name, std::int64_t tokens, unsigned seed) {
    const Shape shape = f.tokens_first ? Shape{f.batch, tokens, kHeads, kSize}
                                       : Shape{f.batch, kHeads, tokens, kSize};
    const ir::ValueId x = b.input(name, random_tensor(shape, seed));
    return f.tokens_first ? x : b.op("Relu", {x});
  };
  const auto first = [&](ir::ValueId x) { return f.tokens_first ? b.turned(x, {0, 2, 1, 3}) : x; };
  const auto q = heads("q", f.queries, 1), k = heads("k", f.keys, 2), v = heads("v", f.keys, 3);
  const auto kt = f.tokens_first && !f.keys_in_two ? b.turned(k, {0, 2, 3, 1})
                                                   : b.turned(first(k), {0, 1, 3, 2});
  ir::ValueId x = b.op("MatMul", {first(q), kt});
  const auto number = b.constant(Tensor::scalar(f.divided ? 4.5f : 0.22f));
  x = f.divided ? b.op("Div", {x, number}) : b.op("Mul", {number, x});
  if (f.masked) {
    Tensor mask(DType::kFloat32, {f.batch, 1, 1, f.keys});
    std::ranges::fill(mask.mutable_data<float>(), -0.0f);
    if (f.hiding) mask.mutable_data<float>()[5] = -10000;
    const auto m = b.input("mask", mask);
    x = f.mask_first ? b.op("Add", {m, x}) : b.op("Add", {x, m});
  }
  x = b.op("MatMul", {b.op("Softmax", {x}), first(v)});
  b.output(f.turned_back ? b.turned(x, {0, 2, 1, 3}) : x);
  EXPECT_EQ(joined(fuse_nodes(b.graph), "Attend"), f.fires);
  for (const IsaMask isa : {IsaMask{0}, detect_isa()}) {
    const Runs runs = run(b, isa);
    expect_near(runs.joined[0], runs.reference[0], 5e-6f);
    expect_near(runs.apart[0], runs.reference[0], 5e-6f);
  }
}

TEST(Fuse, AttentionInEveryForm) {
  attention({});
  attention({.divided = false, .mask_first = true});
  attention({.masked = false, .batch = 2});
  attention({.tokens_first = false, .turned_back = false});
  attention({.keys_in_two = true, .batch = 2});
  attention({.queries = 1, .keys = 1});
  // What the kernel does not have is run in steps.
  attention({.hiding = true});
  attention({.hiding = true, .tokens_first = false, .batch = 2});
  attention({.queries = 5, .keys = 40});
  attention({.masked = false, .turned_back = false, .queries = 40, .keys = 5});
}

TEST(Fuse, OtherAttentionStays) {
  Builder seen, other;
  const auto build = [](Builder& b, std::int64_t axis, bool look) {
    const auto q = b.input("q", random_tensor({1, kHeads, 6, kSize}, 1));
    const auto kt = b.turned(q, {0, 1, 3, 2});
    const auto scores = b.op("MatMul", {q, kt});
    ir::Attributes attributes;
    attributes.set("axis", axis);
    const auto shares = b.graph.emit("Softmax", {scores}, std::move(attributes));
    if (look) b.output(scores);
    b.output(b.op("MatMul", {shares, q}));
    EXPECT_EQ(joined(fuse_nodes(b.graph), "Attend"), 0u);
    const Runs runs = run(b);
    expect_near(runs.joined.back(), runs.reference.back(), 5e-6f);
  };
  build(seen, -1, true);
  build(other, 2, false);
}

struct Products : Builder {
  ir::ValueId x, scale = constant(Tensor::scalar(0.03f)), y_scale = constant(Tensor::scalar(0.4f));
  ir::ValueId zero, y_zero, residual;
  const std::int64_t n;

  Products(DType dtype, std::int64_t columns)
      : x(input("x", random_bytes(dtype, {2, 45, kWidth}, 1))),
        zero(constant(random_bytes(dtype, {}, 2))),
        y_zero(constant(random_bytes(dtype, {}, 3))),
        residual(input("residual", random_tensor({2, 45, columns}, 4))),
        n(columns) {}

  ir::ValueId linear(ir::ValueId a) {
    const auto w =
        constant(random_bytes(DType::kInt8, {graph.value(a).name == "x" ? kWidth : n, n}, 5));
    const auto w_scale = constant(random_tensor({n}, 6, 0.01f)),
               w_zero = constant(random_bytes(DType::kInt8, {n}, 7));
    return op("QLinearMatMul", {a, scale, zero, w, w_scale, w_zero, y_scale, y_zero});
  }
  ir::ValueId widened(ir::ValueId a) {
    const auto w = constant(random_bytes(DType::kUint8, {kWidth, n}, 5));
    const auto w_scale = constant(random_tensor({n}, 6, 0.001f));
    return op("MatMulIntegerToFloat", {a, w, scale, w_scale, zero}, "com.microsoft");
  }
  ir::ValueId row(unsigned seed) { return constant(random_tensor({n}, seed)); }
};

void expect_same(const Products& b, std::size_t products) {
  EXPECT_EQ(joined(fuse_nodes(b.graph), "Product"), products);
  for (const IsaMask isa : {IsaMask{0}, detect_isa()}) {
    const Runs runs = run(b, isa);
    for (std::size_t i = 0; i < runs.joined.size(); ++i) {
      EXPECT_TRUE(identical(runs.joined[i], runs.apart[i])) << "output " << i;
    }
  }
}

TEST(Fuse, WhatFollowsAProductKeepsItsBits) {
  for (const DType dtype : {DType::kUint8, DType::kInt8}) {
    for (const std::int64_t n : {std::int64_t{60}, std::int64_t{500}}) {
      Products b(dtype, n);
      const auto back = [&](ir::ValueId y) {
        return b.op("DequantizeLinear", {y, b.y_scale, b.y_zero});
      };
      const auto sums = b.op("Add", {b.row(8), back(b.linear(b.x))});
      const auto small = b.constant(Tensor::scalar(0.02f));
      b.output(b.op("QuantizeLinear", {b.op("Gelu", {sums}), small, b.y_zero}));
      b.output(b.op("Add", {b.op("Add", {back(b.linear(b.x)), b.row(9)}), b.residual}));
      b.output(b.op("Add", {b.op("Add", {b.residual, b.widened(b.x)}), b.row(10)}));
      b.output(b.op("Gelu", {b.widened(b.x)}));
      b.output(b.op("Add", {back(b.linear(b.x)), b.widened(b.x)}));
      b.output(back(b.linear(b.x)));
      expect_same(b, 6);
    }
  }
}

TEST(Fuse, SeveralThreadsGetTheBitsOfOne) {
  Products b(DType::kUint8, 120);
  const auto back = b.op("DequantizeLinear", {b.linear(b.x), b.y_scale, b.y_zero});
  b.output(b.op("Add", {back, b.residual}));
  b.output(b.op("MatMul", {b.residual, b.constant(random_tensor({120, 50}, 9))}));
  GraphRunner runner(b.graph, detect_isa(), std::make_shared<ThreadPool>(1));
  std::vector<std::vector<Tensor>> got(24);
  ThreadPool pool(4);
  pool.parallel_for(got.size(), [&](std::size_t i, int) {
    ThreadPool alone(1);
    got[i] = runner.run(b.feeds, alone);
  });
  const std::vector<Tensor> wanted = runner.run(b.feeds);
  for (const std::vector<Tensor>& tensors : got) {
    for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_TRUE(identical(tensors[i], wanted[i]));
  }
}

TEST(Fuse, OtherOperandsAreRunInSteps) {
  Products b(DType::kUint8, 60);
  const auto column = b.input("column", random_tensor({45, 1}, 11));
  b.output(b.op("Add", {b.widened(b.x), column}));
  b.output(b.op("Add", {b.widened(b.x), b.constant(Tensor::scalar(0.5f))}));
  const auto back = b.op("DequantizeLinear", {b.linear(b.x), b.y_scale, b.y_zero});
  b.output(b.op("QuantizeLinear", {b.op("Add", {back, column}), b.row(3),
                                   b.constant(random_bytes(DType::kUint8, {60}, 3))}));
  b.graph.node(b.graph.value(b.graph.outputs().back().value).producer)
      .attributes.set("axis", std::int64_t{2});
  expect_same(b, 3);
}

TEST(Fuse, ValuesThatOthersReadStay) {
  Products b(DType::kUint8, 60);
  const auto y = b.linear(b.x);
  const auto back = b.op("DequantizeLinear", {y, b.y_scale, b.y_zero});
  b.output(y);
  b.output(b.op("Add", {back, b.row(8)}));
  const auto sums = b.widened(b.x);
  b.output(b.op("Add", {sums, sums}));
  const auto other = b.constant(Tensor::scalar(0.5f));
  b.output(b.op("DequantizeLinear", {b.linear(b.x), other, b.y_zero}));
  expect_same(b, 0);
}

}  // namespace
}  // namespace octavo::runtime
