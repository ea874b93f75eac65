#include "plan/steps/linear.h"

#include <algorithm>
#include <cstring>

#include "plan/steps/reason.h"

namespace octavo::plan {
namespace {

class Linear final : public Step {
 public:
  Linear(LinearSpec spec, IsaMask isa, ThreadPool* pool)
      : name_(std::move(spec.name)),
        x_(spec.x),
        y_(spec.y),
        residual_(spec.residual),
        activation_(spec.activation),
        kernel_(kernels::choose_matmul(isa)),
        reason_(reason_for(kernels::matmul_kernels(), kernel_, isa)),
        packed_(kernels::matmul_packed_floats(kernel_, spec.y.width, spec.x.width) * sizeof(float)),
        bias_(spec.y.width * sizeof(float)) {
    pack(spec.parts, pool);
  }

  void run(const RunState& state) const noexcept override {
    const Matrix x = state.matrix(x_), y = state.matrix(y_);
    kernels::MatmulArgs args{
        .a = x.data,
        .lda = x.ld,
        .packed_b = reinterpret_cast<const float*>(packed_.data()),
        .c = y.data,
        .ldc = y.ld,
        .m = x.rows,
        .n = y.width,
        .k = x.width,
        .bias = has_bias_ ? reinterpret_cast<const float*>(bias_.data()) : nullptr,
        .activation = activation_};
    if (residual_) {
      const Matrix residual = state.matrix(*residual_);
      args.residual = residual.data;
      args.ld_residual = residual.ld;
    }
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
    const std::string rows = x_.layout == Layout::kToken ? "tokens" : "sequences";
    std::string op = "linear";
    if (activation_ != kernels::Activation::kNone)
      op += std::string("+") + activation_name(activation_);
    if (residual_) op += "+residual";
    return {.name = name_,
            .op = std::move(op),
            .shape = rows + " x " + std::to_string(x_.width) + " -> " + std::to_string(y_.width),
            .kernel = std::string(kernel_.name),
            .reason = reason_};
  }
  std::vector<BufferId> reads() const override {
    std::vector<BufferId> out{x_.buffer};
    if (residual_) out.push_back(residual_->buffer);
    return out;
  }
  BufferId writes() const override { return y_.buffer; }
  double multiply_adds(const PackedBatch& batch) const override {
    const std::size_t rows = x_.layout == Layout::kToken ? batch.tokens() : batch.sequences();
    return static_cast<double>(rows) * static_cast<double>(x_.width) *
           static_cast<double>(y_.width);
  }
  std::size_t weight_bytes() const override {
    return packed_.size() + (has_bias_ ? bias_.size() : 0);
  }

 private:
  void pack(const std::vector<LinearPart>& parts, ThreadPool* pool) {
    auto* bias = reinterpret_cast<float*>(bias_.data());
    std::fill_n(bias, y_.width, 0.0f);
    std::size_t column = 0;
    for (const LinearPart& part : parts) {
      if (part.bias) {
        has_bias_ = true;
        std::memcpy(bias + column, part.bias->bytes(), part.n() * sizeof(float));
      }
      column += part.n();
    }
    if (parts.size() == 1) return pack_whole(parts.front(), pool);
    // Merged layers meet inside panels: gather them as one [n, k] matrix first.
    Tensor merged(DType::kFloat32,
                  {static_cast<std::int64_t>(y_.width), static_cast<std::int64_t>(x_.width)});
    float* out = merged.mutable_data<float>().data();
    for (const LinearPart& part : parts) {
      const float* in = part.weight.data<float>().data();
      const std::size_t k = part.k(), n = part.n();
      if (part.transposed) {
        std::memcpy(out, in, k * n * sizeof(float));
      } else {
        for (std::size_t j = 0; j < n; ++j) {
          for (std::size_t p = 0; p < k; ++p) out[j * k + p] = in[p * n + j];
        }
      }
      out += k * n;
    }
    pack_whole({.weight = std::move(merged), .transposed = true, .bias = std::nullopt}, pool);
  }

  void pack_whole(const LinearPart& part, ThreadPool* pool) {
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

  std::string name_;
  View x_, y_;
  std::optional<View> residual_;
  kernels::Activation activation_;
  const kernels::MatmulKernel& kernel_;
  std::string reason_;
  Buffer packed_, bias_;
  bool has_bias_ = false;
};

}  // namespace

std::unique_ptr<Step> make_linear(LinearSpec spec, IsaMask isa, ThreadPool* pool) {
  return std::make_unique<Linear>(std::move(spec), isa, pool);
}

}  // namespace octavo::plan
