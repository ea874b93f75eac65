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
        packed_(pack(kernel_, merge_parts(spec.parts), pool)),
        bias_(merge_bias(spec.parts, spec.y.width)) {
    spec.parts.clear();
    spec_ = std::move(spec);
  }
  Linear(PlanReader& reader, IsaMask isa)
      : spec_(load_linear_spec(reader)),
        kernel_(kernels::choose_matmul(isa)),
        reason_(reason_for(kernels::matmul_kernels(), kernel_, isa)) {
    std::size_t panel = 0;
    reader(panel);
    reader.require(panel == kernel_.panel, "panels of another kernel");
    packed_ = reader.blob(packed_bytes(kernel_, spec_.x.width, spec_.y.width));
    bias_ = load_bias(reader, spec_.y.width);
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
  std::string_view kind() const override { return "linear"; }
  void save(PlanWriter& writer) const override {
    linear_fields(writer, spec_);
    writer(kernel_.panel);
    writer.blob(packed_->bytes());
    save_bias(writer, bias_);
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
    return packed_->size() + (bias_ != nullptr ? bias_->size() : 0);
  }

 private:
  kernels::MatmulArgs arguments(const RunState& state, std::size_t first,
                                std::size_t last) const noexcept {
    const Matrix x = state.matrix(spec_.x, first, last), y = state.matrix(spec_.y, first, last);
    kernels::MatmulArgs args{
        .a = x.data,
        .lda = x.ld,
        .packed_b = reinterpret_cast<const float*>(packed_->data()),
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

  static std::size_t packed_bytes(const kernels::MatmulKernel& kernel, std::size_t k,
                                  std::size_t n) {
    return kernels::matmul_packed_floats(kernel, n, k) * sizeof(float);
  }

  static std::shared_ptr<const Buffer> pack(const kernels::MatmulKernel& kernel,
                                            const LinearPart& part, ThreadPool* pool) {
    const float* b = part.weight.data<float>().data();
    const std::size_t k = part.k(), n = part.n();
    const std::size_t row_stride = part.transposed ? 1 : n, column_stride = part.transposed ? k : 1;
    auto out = std::make_shared<Buffer>(packed_bytes(kernel, k, n));
    auto* packed = reinterpret_cast<float*>(out->data());
    const std::size_t panels = kernels::matmul_panels(kernel, n);
    const auto one = [&](std::size_t panel, int) {
      kernel.pack(b, row_stride, column_stride, k, n, packed, panel, panel + 1);
    };
    if (pool != nullptr) {
      pool->parallel_for(panels, one);
    } else {
      for (std::size_t panel = 0; panel < panels; ++panel) one(panel, 0);
    }
    return out;
  }

  LinearSpec spec_;
  const kernels::MatmulKernel& kernel_;
  std::string reason_;
  std::shared_ptr<const Buffer> packed_, bias_;
};

}  // namespace

std::unique_ptr<Step> make_linear(LinearSpec spec, IsaMask isa, ThreadPool* pool) {
  return std::make_unique<Linear>(std::move(spec), isa, pool);
}

std::unique_ptr<Step> load_linear(PlanReader& reader, IsaMask isa) {
  return std::make_unique<Linear>(reader, isa);
}

}  // namespace octavo::plan
