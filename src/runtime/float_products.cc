#include "runtime/float_products.h"

#include <algorithm>

#include "base/buffer.h"

namespace octavo::runtime {
namespace {

/// Below this many multiply-adds packing costs more than it saves.
constexpr std::size_t kSmall = 1u << 15;

bool same_stack(const Tensor& a, const Tensor& b) {
  const std::size_t rank = a.rank();
  return rank >= 3 && b.rank() == rank && a.shape()[rank - 1] == b.shape()[rank - 2] &&
         std::equal(a.shape().begin(), a.shape().end() - 2, b.shape().begin());
}

}  // namespace

bool multiply_stacks(const ops::OpCall& call, const kernels::MatmulKernel& kernel, ThreadPool& pool,
                     std::vector<Tensor>& outputs) {
  if (!call.node.is("MatMul") || call.inputs.size() != 2 || call.inputs[0] == nullptr ||
      call.inputs[1] == nullptr) {
    return false;
  }
  const Tensor &a = *call.inputs[0], &b = *call.inputs[1];
  if (a.dtype() != DType::kFloat32 || b.dtype() != DType::kFloat32 || !same_stack(a, b) ||
      a.elements() == 0 || b.elements() == 0) {
    return false;
  }
  const std::size_t rank = a.rank();
  const auto m = static_cast<std::size_t>(a.shape()[rank - 2]),
             k = static_cast<std::size_t>(a.shape()[rank - 1]),
             n = static_cast<std::size_t>(b.shape()[rank - 1]);
  if (m * n * k < kSmall) return false;
  Shape shape = a.shape();
  shape.back() = b.shape().back();
  Tensor out(DType::kFloat32, std::move(shape));
  const std::size_t panels = kernels::matmul_panels(kernel, n),
                    floats = kernels::matmul_packed_floats(kernel, n, k);
  const Buffer scratch(static_cast<std::size_t>(pool.size()) * floats * sizeof(float));
  auto* const packed = reinterpret_cast<float*>(const_cast<std::byte*>(scratch.data()));
  float* const c = out.mutable_data<float>().data();
  pool.parallel_for(a.elements() / (m * k), [&](std::size_t i, int worker) {
    float* const own = packed + static_cast<std::size_t>(worker) * floats;
    kernel.pack(b.data<float>().data() + i * k * n, n, 1, k, n, own, 0, panels);
    const kernels::MatmulArgs args{.a = a.data<float>().data() + i * m * k,
                                   .lda = k,
                                   .packed_b = own,
                                   .c = c + i * m * n,
                                   .ldc = n,
                                   .m = m,
                                   .n = n,
                                   .k = k};
    kernel.run(args, 0, m, 0, panels);
  });
  outputs.push_back(std::move(out));
  return true;
}

void multiply_streamed(const Tensor& a, const Tensor& b, const kernels::MatmulKernel& kernel,
                       ThreadPool& pool, Tensor& out) {
  const auto k = static_cast<std::size_t>(b.dim(0)), n = static_cast<std::size_t>(b.dim(1));
  const std::size_t floats = kernel.panel * k, m = a.elements() / k;
  Buffer scratch(static_cast<std::size_t>(pool.size()) * floats * sizeof(float));
  auto* const packed = reinterpret_cast<float*>(scratch.data());
  float* const c = out.mutable_data<float>().data();
  pool.parallel_for(kernels::matmul_panels(kernel, n), [&](std::size_t panel, int worker) {
    float* const own = packed + static_cast<std::size_t>(worker) * floats;
    const std::size_t first = panel * kernel.panel, columns = std::min(kernel.panel, n - first);
    kernel.pack(b.data<float>().data() + first, n, 1, k, columns, own, 0, 1);
    const kernels::MatmulArgs args{.a = a.data<float>().data(),
                                   .lda = k,
                                   .packed_b = own,
                                   .c = c + first,
                                   .ldc = n,
                                   .m = m,
                                   .n = columns,
                                   .k = k};
    kernel.run(args, 0, m, 0, 1);
  });
  b.release();
}

}  // namespace octavo::runtime
