// Packed products on the shapes of small (384), base (768) and large (1024) encoders, one thread:
// operations a second, the share of the peak that the row's instruction set has on this machine,
// and bytes of B a second. With oneDNN found by CMake its int8 product (u8 x s8, a scale a column)
// is beside them: run with OMP_NUM_THREADS=1.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "base/buffer.h"
#include "kernels/bench_support.h"
#include "kernels/gemm/gemm.h"
#include "kernels/peaks/peaks.h"
#if defined(OCTAVO_DNNL)
#include <dnnl.hpp>
#endif

namespace octavo::kernels {
namespace {

struct Shape {
  std::size_t k, n;
  Activation activation = Activation::kNone;
};
constexpr Shape kShapes[] = {
    {384, 384},   {384, 1536},  {1536, 384},  {384, 1536, Activation::kGeluErf},
    {768, 768},   {768, 3072},  {3072, 768},  {768, 3072, Activation::kGeluErf},
    {1024, 1024}, {1024, 4096}, {4096, 1024}, {1024, 4096, Activation::kGeluErf}};
constexpr std::size_t kRowCounts[] = {1, 16, 128, 512};

double peak_for(GemmType type, IsaMask isa) {
  const PeakLoop& loop = choose_peak(type == GemmType::kInt8   ? PeakType::kInt8
                                     : type == GemmType::kBf16 ? PeakType::kBf16
                                                               : PeakType::kFp32,
                                     isa);
  static const PeakLoop* measured = nullptr;
  static double peak = 0;
  if (measured != &loop) peak = measure_peak(loop, nullptr, 0.2);
  measured = &loop;
  return peak;
}

void count(benchmark::State& state, std::size_t m, const Shape& s, std::size_t element,
           double peak) {
  using benchmark::Counter;
  const double runs = double(state.iterations());
  const double ops = 2.0 * double(m) * double(s.n) * double(s.k) * runs;
  state.counters["ops"] = Counter(ops, Counter::kIsRate);
  state.counters["share"] = Counter(ops / peak, Counter::kIsRate);
  state.counters["B_bytes"] = Counter(double(element * s.k * s.n) * runs, Counter::kIsRate);
}

// Bytes that are finite numbers in every type.
void fill(Buffer& buffer) {
  for (std::size_t i = 0; i < buffer.size(); ++i) {
    buffer.data()[i] = static_cast<std::byte>(i * 37 % 64);
  }
}

void bench(benchmark::State& state, const GemmKernel* kernel, std::size_t m, const Shape* s) {
  const std::size_t columns = gemm_groups(s->n) * kTileRows;
  Buffer a((m + 15) / 16 * 16 * gemm_row_bytes(kernel->type, s->k)),
      b(gemm_packed_bytes(kernel->type, s->n, s->k)), c(m * s->n * sizeof(float));
  fill(a);
  fill(b);
  std::memset(c.data(), 0, c.size());
  BenchFloats a_scale(m), b_scale(columns), bias(columns);
  const std::vector<std::int32_t> b_sum(columns, 128);
  const GemmArgs args{.a = a.data(),
                      .a_scale = a_scale.data(),
                      .b = b.data(),
                      .b_scale = b_scale.data(),
                      .b_sum = b_sum.data(),
                      .c = reinterpret_cast<float*>(c.data()),
                      .ldc = s->n,
                      .m = m,
                      .n = s->n,
                      .k = s->k,
                      .bias = bias.data(),
                      .activation = s->activation};
  for (auto _ : state) {
    kernel->run(args, 0, m, 0, gemm_groups(s->n));
    benchmark::ClobberMemory();
  }
  count(state, m, *s, element_bytes(kernel->type), peak_for(kernel->type, kernel->isa));
}

#if defined(OCTAVO_DNNL)
void bench_dnnl(benchmark::State& state, std::size_t m, const Shape* s) {
  using namespace dnnl;
  using Type = memory::data_type;
  using Tag = memory::format_tag;
  const engine cpu(engine::kind::cpu, 0);
  stream queue(cpu);
  const auto rows = memory::dim(m), depth = memory::dim(s->k), width = memory::dim(s->n);
  primitive_attr attributes;
  attributes.set_output_scales(1 << 1, std::vector<float>(s->n, 0.01f));
  if (s->activation == Activation::kGeluErf) {
    post_ops after;
    after.append_eltwise(1.0f, algorithm::eltwise_gelu_erf, 0.0f, 0.0f);
    attributes.set_post_ops(after);
  }
  const matmul::primitive_desc description(
      matmul::desc({{rows, depth}, Type::u8, Tag::ab}, {{depth, width}, Type::s8, Tag::any},
                   {{1, width}, Type::f32, Tag::ab}, {{rows, width}, Type::f32, Tag::ab}),
      attributes, cpu);
  memory a(description.src_desc(), cpu), b(description.weights_desc(), cpu),
      bias(description.bias_desc(), cpu), c(description.dst_desc(), cpu);
  for (const memory& x : {a, b, bias, c}) {
    std::memset(x.get_data_handle(), 0, x.get_desc().get_size());
  }
  matmul product(description);
  for (auto _ : state) {
    product.execute(
        queue,
        {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_BIAS, bias}, {DNNL_ARG_DST, c}});
    queue.wait();
  }
  state.SetLabel(description.impl_info_str());
  count(state, m, *s, 1, peak_for(GemmType::kInt8, detect_isa()));
}
#endif

std::string name_of(std::string_view kernel, std::size_t m, const Shape& s) {
  std::string name = std::string(kernel) + "/" + std::to_string(m) + "x" + std::to_string(s.k) +
                     "x" + std::to_string(s.n);
  if (s.activation == Activation::kGeluErf) name += "/gelu";
  return name;
}

const bool kRegistered = [] {
  const IsaMask isa = detect_isa();
  for (const GemmKernel& kernel : gemm_kernels()) {
    if ((kernel.isa & isa) != kernel.isa) continue;
    for (const Shape& s : kShapes) {
      for (const std::size_t m : kRowCounts) {
        benchmark::RegisterBenchmark(name_of(kernel.name, m, s).c_str(), bench, &kernel, m, &s)
            ->Unit(benchmark::kMicrosecond);
      }
    }
  }
#if defined(OCTAVO_DNNL)
  for (const Shape& s : kShapes) {
    for (const std::size_t m : kRowCounts) {
      benchmark::RegisterBenchmark(name_of("dnnl_int8", m, s).c_str(), bench_dnnl, m, &s)
          ->Unit(benchmark::kMicrosecond);
    }
  }
#endif
  return true;
}();

}  // namespace
}  // namespace octavo::kernels
