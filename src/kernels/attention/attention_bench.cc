// Attention rows over all heads of one sequence, small (12 heads of 32) and base (12 of 64).
#include <benchmark/benchmark.h>

#include <cmath>
#include <string>

#include "kernels/attention/attention.h"
#include "kernels/bench_support.h"

namespace octavo::kernels {
namespace {

struct Shape {
  const char* model;
  std::size_t tokens, heads, head_size;
  std::size_t window = std::numeric_limits<std::size_t>::max();
};

void bench(benchmark::State& state, const AttentionKernel* kernel, Shape s) {
  const std::size_t hidden = s.heads * s.head_size, ld = 3 * hidden;
  BenchFloats qkv(s.tokens * ld), out(s.tokens * hidden);
  BenchFloats scratch(kernel->scratch_floats(s.tokens, s.head_size));
  for (auto _ : state) {
    for (std::size_t head = 0; head < s.heads; ++head) {
      AttentionArgs args{};
      args.q = qkv.data() + head * s.head_size;
      args.k = args.q + hidden;
      args.v = args.k + hidden;
      args.ld_q = args.ld_k = args.ld_v = ld;
      args.out = out.data() + head * s.head_size;
      args.ld_out = hidden;
      args.tokens = s.tokens;
      args.head_size = s.head_size;
      args.scale = 1.0f / std::sqrt(float(s.head_size));
      args.window = s.window;
      args.scratch = scratch.data();
      kernel->run(args);
    }
    benchmark::ClobberMemory();
  }
  using benchmark::Counter;
  const double flops = 4.0 * double(s.tokens) * double(s.tokens) * double(hidden);
  const double runs = double(state.iterations());
  state.counters["flops"] = Counter(flops * runs, Counter::kIsRate);
  state.counters["share"] = Counter(flops * runs / peak_of(kernel->isa), Counter::kIsRate);
}

const bool kRegistered = [] {
  const Shape shapes[] = {
      {"small", 16, 12, 32},  {"small", 128, 12, 32},        {"small", 256, 12, 32},
      {"small", 512, 12, 32}, {"base", 16, 12, 64},          {"base", 128, 12, 64},
      {"base", 256, 12, 64},  {"base", 512, 12, 64},         {"base", 2048, 12, 64},
      {"base", 8192, 12, 64}, {"window64", 2048, 12, 64, 64}};
  const IsaMask isa = detect_isa();
  for (const AttentionKernel& kernel : attention_kernels()) {
    if ((kernel.isa & isa) != kernel.isa) continue;
    for (const Shape& s : shapes) {
      const std::string name =
          std::string(kernel.name) + "/" + s.model + "/1x" + std::to_string(s.tokens);
      benchmark::RegisterBenchmark(name.c_str(), bench, &kernel, s)->Unit(benchmark::kMicrosecond);
    }
  }
  return true;
}();

}  // namespace
}  // namespace octavo::kernels
