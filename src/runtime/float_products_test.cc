// Products by weights that are packed anew each time have the bits of those that are held packed.
#include "runtime/float_products.h"

#include <gtest/gtest.h>

#include "runtime/graph_runner.h"
#include "tensor/testing.h"

namespace octavo::runtime {
namespace {

Tensor product(const Shape& a, std::int64_t columns, IsaMask isa, int threads,
               WeightMemory memory) {
  ir::Graph graph;
  const ir::ValueId x = graph.add_input("x", DType::kFloat32, {});
  const ir::ValueId w = graph.add_constant("w", random_tensor({a.back(), columns}, 2));
  graph.add_output(graph.emit("MatMul", {x, w}), "y");
  GraphRunner runner(std::move(graph), isa, std::make_shared<ThreadPool>(threads), memory);
  return std::move(runner.run({{"x", random_tensor(a, 1)}}).front());
}

TEST(FloatProducts, StreamedWeightsHaveTheBitsOfHeldOnes) {
  for (const IsaMask isa : {IsaMask{0}, detect_isa()}) {
    for (const Shape& a : {Shape{1, 7}, Shape{3, 64}, Shape{2, 13, 40}}) {
      for (const std::int64_t columns : {1, 31, 32, 33, 200}) {
        const Tensor held = product(a, columns, isa, 1, WeightMemory::kHeld);
        for (const int threads : {1, 3}) {
          const Tensor got = product(a, columns, isa, threads, WeightMemory::kStreamed);
          EXPECT_TRUE(identical(got, held)) << columns << " columns, " << threads << " threads";
        }
      }
    }
  }
}

}  // namespace
}  // namespace octavo::runtime
