// Matmul rows on the shapes of small (384), base (768) and large (1024) encoders: floating-point
// operations a second and the share of the thread's measured peak; bytes of B a second for m <= 4.
#include <benchmark/benchmark.h>

#include <string>

#include "kernels/bench_support.h"
#include "kernels/matmul/matmul.h"

namespace octavo::kernels {
namespace {

void bench(benchmark::State& state, const MatmulKernel* kernel, std::size_t m, std::size_t k,
           std::size_t n, Activation activation) {
  BenchFloats a(m * k), b(k * n), bias(n), c(m * n), packed(matmul_packed_floats(*kernel, n, k));
  const std::size_t panels = matmul_panels(*kernel, n);
  kernel->pack(b.data(), n, 1, k, n, packed.data(), 0, panels);
  MatmulArgs args{.a = a.data(),
                  .lda = k,
                  .packed_b = packed.data(),
                  .c = c.data(),
                  .ldc = n,
                  .m = m,
                  .n = n,
                  .k = k};
  args.bias = bias.data();
  args.activation = activation;
  for (auto _ : state) {
    kernel->run(args, 0, m, 0, panels);
    benchmark::ClobberMemory();
  }
  using benchmark::Counter;
  const double flops = 2.0 * double(m) * double(n) * double(k);
  const double runs = double(state.iterations());
  state.counters["flops"] = Counter(flops * runs, Counter::kIsRate);
  state.counters["share"] = Counter(flops * runs / peak_of(kernel->isa), Counter::kIsRate);
  state.counters["B_bytes"] = Counter(4.0 * double(k) * double(n) * runs, Counter::kIsRate);
}

struct Shape {
  std::size_t m, k, n;
  Activation activation = Activation::kNone;
};

const bool kRegistered = [] {
  const Shape shapes[] = {{128, 384, 384},
                          {128, 384, 1536, Activation::kGeluErf},
                          {128, 1536, 384},
                          {128, 768, 768},
                          {128, 768, 2304},
                          {128, 768, 3072},
                          {128, 768, 3072, Activation::kGeluErf},
                          {128, 768, 3072, Activation::kGeluTanh},
                          {128, 3072, 768},
                          {128, 1024, 1024},
                          {128, 1024, 4096},
                          {128, 4096, 1024},
                          {16, 768, 768},
                          {1, 768, 3072},
                          {2, 768, 3072},
                          {4, 768, 3072},
                          {1, 4096, 4096},
                          {4, 4096, 4096}};
  const IsaMask isa = detect_isa();
  for (const MatmulKernel& kernel : matmul_kernels()) {
    if ((kernel.isa & isa) != kernel.isa) continue;
    for (const Shape& s : shapes) {
      std::string name = std::string(kernel.name) + "/" + std::to_string(s.m) + "x" +
                         std::to_string(s.k) + "x" + std::to_string(s.n);
      if (s.activation == Activation::kGeluErf) name += "/gelu";
      if (s.activation == Activation::kGeluTanh) name += "/gelu_tanh";
      benchmark::RegisterBenchmark(name.c_str(), bench, &kernel, s.m, s.k, s.n, s.activation)
          ->Unit(benchmark::kMicrosecond);
    }
  }
  return true;
}();

}  // namespace
}  // namespace octavo::kernels
