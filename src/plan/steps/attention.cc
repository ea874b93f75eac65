#include "plan/steps/attention.h"

#include <algorithm>

#include "plan/steps/reason.h"

namespace octavo::plan {
namespace {

void fields(auto& archive, auto& spec) {
  archive(spec.name, spec.q, spec.k, spec.v, spec.y, spec.heads, spec.scale, spec.local_window,
          spec.relative_bias, spec.type);
}

class Attention final : public Step {
 public:
  Attention(AttentionSpec spec, IsaMask isa)
      : spec_(std::move(spec)),
        head_size_(spec_.q.width / spec_.heads),
        kernel_(kernels::choose_attention(spec_.type, isa)),
        float_kernel_(kernels::choose_attention(kernels::AttentionType::kFloat32, isa)),
        reason_(reason_for(kernels::attention_kernels(kernel_.type), kernel_, isa)) {
    if (kernel_.type != spec_.type) {
      const bool int8 = spec_.type == kernels::AttentionType::kInt8;
      const std::string wanted = int8 ? "int8" : "bfloat16";
      reason_ = "this instruction set has no " + wanted + " row; " + reason_;
    }
  }

  void run(const RunState& state) const noexcept override {
    const Matrix q = state.matrix(spec_.q), k = state.matrix(spec_.k), v = state.matrix(spec_.v);
    const Matrix y = state.matrix(spec_.y);
    const std::size_t distances =
        spec_.relative_bias ? static_cast<std::size_t>(spec_.relative_bias->dim(1)) : 0;
    state.parallel_for(state.batch.sequences() * spec_.heads, [&](std::size_t task, int worker) {
      const std::size_t sequence = task / spec_.heads, head = task % spec_.heads;
      const std::size_t row = state.batch.begin(sequence), column = head * head_size_;
      kernels::AttentionArgs args{.q = q.data + row * q.ld + column,
                                  .k = k.data + row * k.ld + column,
                                  .v = v.data + row * v.ld + column,
                                  .ld_q = q.ld,
                                  .ld_k = k.ld,
                                  .ld_v = v.ld,
                                  .out = y.data + row * y.ld + column,
                                  .ld_out = y.ld,
                                  .tokens = state.batch.length(sequence),
                                  .head_size = head_size_,
                                  .scale = spec_.scale,
                                  .scratch = state.scratch[worker]};
      if (spec_.local_window > 0) args.window = spec_.local_window;
      if (spec_.relative_bias) {
        args.relative_bias = spec_.relative_bias->data<float>().data() + head * distances;
        args.radius = distances / 2;
      }
      (args.tokens > kernels::kMaxInt8Tokens ? float_kernel_ : kernel_).run(args);
    });
  }
  StepInfo info() const override {
    std::string op = "attention";
    if (spec_.local_window > 0) op += " window " + std::to_string(spec_.local_window);
    if (spec_.relative_bias) op += "+relative_bias";
    return {spec_.name, op,
            "tokens x " + std::to_string(spec_.heads) + " heads of " + std::to_string(head_size_),
            std::string(kernel_.name), reason_};
  }
  std::string_view kind() const override { return "attention"; }
  void save(PlanWriter& writer) const override { fields(writer, spec_); }
  std::vector<BufferId> reads() const override {
    return {spec_.q.buffer, spec_.k.buffer, spec_.v.buffer};
  }
  std::vector<BufferId> writes() const override { return {spec_.y.buffer}; }
  double multiply_adds(const PackedBatch& batch) const override {
    double pairs = 0;  // of a query and a key that it sees
    for (std::size_t i = 0; i < batch.sequences(); ++i) {
      const auto tokens = static_cast<double>(batch.length(i));
      const auto window = static_cast<double>(spec_.local_window);
      const bool all = spec_.local_window == 0 || window >= tokens;
      pairs += all ? tokens * tokens : tokens * (2 * window + 1) - window * (window + 1);
    }
    return 2 * pairs * static_cast<double>(spec_.q.width);
  }
  std::size_t scratch_floats(std::size_t longest) const noexcept override {
    const std::size_t usual = kernel_.scratch_floats(longest, head_size_);
    if (longest <= kernels::kMaxInt8Tokens) return usual;
    return std::max(usual, float_kernel_.scratch_floats(longest, head_size_));
  }

 private:
  AttentionSpec spec_;
  std::size_t head_size_;
  const kernels::AttentionKernel &kernel_, &float_kernel_;
  std::string reason_;
};

}  // namespace

std::unique_ptr<Step> make_attention(AttentionSpec spec, IsaMask isa) {
  return std::make_unique<Attention>(std::move(spec), isa);
}

std::unique_ptr<Step> load_attention(PlanReader& reader, IsaMask isa) {
  constexpr std::size_t kMostTokens = std::size_t{1} << 31;
  AttentionSpec spec{};
  fields(reader, spec);
  for (const View& view : {spec.q, spec.k, spec.v, spec.y}) {
    reader.require(view.layout == Layout::kToken && view.width == spec.q.width,
                   "views of attention");
  }
  reader.require(spec.heads > 0 && spec.q.width % spec.heads == 0, "heads of attention");
  reader.require(spec.local_window <= kMostTokens, "the window of attention");
  reader.require(!spec.relative_bias ||
                     (spec.relative_bias->rank() == 2 && spec.relative_bias->dim(1) % 2 == 1 &&
                      static_cast<std::size_t>(spec.relative_bias->dim(0)) == spec.heads),
                 "the bias of attention");
  return make_attention(std::move(spec), isa);
}

}  // namespace octavo::plan
