// Activations over [128, 3072], LayerNormalization over [128, 768]: elements a second.
#include <benchmark/benchmark.h>

#include <string>

#include "kernels/bench_support.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/norm/norm.h"

namespace octavo::kernels {
namespace {

constexpr std::size_t kRows = 128, kWide = 3072, kHidden = 768;

void bench_unary(benchmark::State& state, const ElementwiseKernel* kernel, Activation activation) {
  BenchFloats x(kRows * kWide), y(kRows * kWide);
  UnaryArgs args{};
  args.x = x.data();
  args.y = y.data();
  args.ld_x = args.ld_y = args.width = kWide;
  args.rows = kRows;
  args.activation = activation;
  for (auto _ : state) {
    kernel->unary(args);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * std::int64_t{kRows * kWide});
}

void bench_norm(benchmark::State& state, const NormKernel* kernel) {
  BenchFloats x(kRows * kHidden), y(kRows * kHidden), scale(kHidden), bias(kHidden);
  LayerNormArgs args{};
  args.x = x.data();
  args.y = y.data();
  args.ld_x = args.ld_y = args.width = kHidden;
  args.rows = kRows;
  args.scale = scale.data();
  args.bias = bias.data();
  args.epsilon = 1e-12f;
  for (auto _ : state) {
    kernel->layer_norm(args);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * std::int64_t{kRows * kHidden});
}

const bool kRegistered = [] {
  const IsaMask isa = detect_isa();
  for (const ElementwiseKernel& kernel : elementwise_kernels()) {
    if ((kernel.isa & isa) != kernel.isa) continue;
    const char* names[] = {"none", "gelu_erf", "gelu_tanh", "relu", "silu", "tanh", "sigmoid"};
    for (int a = 0; a < 7; ++a) {
      benchmark::RegisterBenchmark((std::string(kernel.name) + "/" + names[a]).c_str(), bench_unary,
                                   &kernel, static_cast<Activation>(a))
          ->Unit(benchmark::kMicrosecond);
    }
  }
  for (const NormKernel& kernel : norm_kernels()) {
    if ((kernel.isa & isa) != kernel.isa) continue;
    benchmark::RegisterBenchmark((std::string(kernel.name) + "/layer_norm").c_str(), bench_norm,
                                 &kernel)
        ->Unit(benchmark::kMicrosecond);
  }
  return true;
}();

}  // namespace
}  // namespace octavo::kernels
