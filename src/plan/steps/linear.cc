#include "plan/steps/linear.h"

#include <algorithm>

#include "base/buffer.h"
#include "plan/steps/linear_parts.h"
#include "plan/steps/reason.h"

namespace octavo::plan {
namespace {

class Linear final : public Step {
 public:
  Linear(LinearSpec spec, IsaMask isa, ThreadPool* pool)
      : kernel_(kernels::choose_matmul(isa)),
        reason_(reason_for(kernels::matmul_kernels(), kernel_, isa)),
        packed_(kernels::matmul_packed_floats(kernel_, spec.y.width, spec.x.width) * sizeof(float)),
        bias_(merge_bias(spec.parts, spec.y.width)) {
    pack(merge_parts(spec.parts), pool);
    spec.parts.clear();
    spec_ = std::move(spec);
  }

  bool row_wise() const override { return spec_.y.layout == Layout::kToken; }
  void run_rows(const RunState& state, std::size_t first,
                std::size_t last) const noexcept override {
    const kernels::MatmulArgs args = arguments(state, first, last);
    kernel_.run(args, 0, args.m, 0, kernels::matmul_panels(kernel_, args.n));
  }
  void run(const RunState& state) const noexcept override {
    const kernels::MatmulArgs args = arguments(state, 0, state.rows(spec_.y.layout));
    const std::size_t panels = kernels::matmul_panels(kernel_, args.n);
    if (state.workers() == 1) return kernel_.run(args, 0, args.m, 0, panels);
    // Chunks of rows keep A in the second-level cache; panels are split further only to give every
    // worker a share.
    constexpr std::size_t kBlocks = 8, kTasksPerWorker = 4;
    const std::size_t chunk = kBlocks * kernel_.rows;
    const std::size_t row_chunks = (args.m + chunk - 1) / chunk;
    const std::size_t wanted = kTasksPerWorker * static_cast<std::size_t>(state.workers());
    const std::size_t panel_chunks = std::min(panels, (wanted + row_chunks - 1) / row_chunks);
    state.parallel_for(row_chunks * panel_chunks, [&](std::size_t task, int) {
      const std::size_t r = task / panel_chunks, p = task % panel_chunks;
      kernel_.run(args, r * chunk, std::min(args.m, (r + 1) * chunk), p * panels / panel_chunks,
                  (p + 1) * panels / panel_chunks);
    });
  }

  StepInfo info() const override {
    StepInfo out = describe_linear(spec_);
    out.kernel = kernel_.name;
    out.reason = reason_;
    return out;
  }
  std::vector<BufferId> reads() const override {
    std::vector<BufferId> out{spec_.x.buffer};
    if (spec_.residual) out.push_back(spec_.residual->buffer);
    return out;
  }
  std::vector<BufferId> writes() const override { return {spec_.y.buffer}; }
  double multiply_adds(const PackedBatch& batch) const override {
    return linear_multiply_adds(spec_, batch);
  }
  std::size_t weight_bytes() const override {
    return packed_.size() + (bias_ != nullptr ? bias_->size() : 0);
  }

 private:
  kernels::MatmulArgs arguments(const RunState& state, std::size_t first,
                                std::size_t last) const noexcept {
    const Matrix x = state.matrix(spec_.x, first, last), y = state.matrix(spec_.y, first, last);
    kernels::MatmulArgs args{
        .a = x.data,
        .lda = x.ld,
        .packed_b = reinterpret_cast<const float*>(packed_.data()),
        .c = y.data,
        .ldc = y.ld,
        .m = x.rows,
        .n = y.width,
        .k = x.width,
        .bias = bias_ != nullptr ? reinterpret_cast<const float*>(bias_->data()) : nullptr,
        .activation = spec_.activation};
    if (spec_.residual) {
      const Matrix residual = state.matrix(*spec_.residual, first, last);
      args.residual = residual.data;
      args.ld_residual = residual.ld;
    }
    return args;
  }

  void pack(const LinearPart& part, ThreadPool* pool) {
    const float* b = part.weight.data<float>().data();
    const std::size_t k = part.k(), n = part.n();
    const std::size_t row_stride = part.transposed ? 1 : n, column_stride = part.transposed ? k : 1;
    auto* packed = reinterpret_cast<float*>(packed_.data());
    const std::size_t panels = kernels::matmul_panels(kernel_, n);
    const auto one = [&](std::size_t panel, int) {
      kernel_.pack(b, row_stride, column_stride, k, n, packed, panel, panel + 1);
    };
    if (pool != nullptr) return pool->parallel_for(panels, one);
    for (std::size_t panel = 0; panel < panels; ++panel) one(panel, 0);
  }

  LinearSpec spec_;
  const kernels::MatmulKernel& kernel_;
  std::string reason_;
  Buffer packed_;
  std::unique_ptr<Buffer> bias_;
};

}  // namespace

std::unique_ptr<Step> make_linear(LinearSpec spec, IsaMask isa, ThreadPool* pool) {
  return std::make_unique<Linear>(std::move(spec), isa, pool);
}

}  // namespace octavo::plan
