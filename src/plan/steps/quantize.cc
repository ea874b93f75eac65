#include "plan/steps/quantize.h"

#include "kernels/quantize/quantize.h"
#include "plan/steps/reason.h"
#include "plan/steps/row_step.h"

namespace octavo::plan {
namespace {

void fields(auto& archive, auto& spec) { archive(spec.name, spec.x, spec.y, spec.type); }

class Quantize final : public RowStep {
 public:
  Quantize(QuantizeSpec spec, IsaMask isa)
      : RowStep(spec.x),
        spec_(std::move(spec)),
        kernel_(kernels::choose_quantize(isa)),
        reason_(reason_for(kernels::quantize_kernels(), kernel_, isa)) {}

  void run_rows(const RunState& state, std::size_t first,
                std::size_t last) const noexcept override {
    const Matrix x = state.matrix(spec_.x, first, last);
    const kernels::QuantizeArgs args{.x = x.data,
                                     .ld_x = x.ld,
                                     .width = x.width,
                                     .out = state.tiles(spec_.y, first),
                                     .scale = int8() ? state.row(spec_.y.scale, first) : nullptr};
    kernel_.run(spec_.type)(args, 0, x.rows);
  }
  StepInfo info() const override {
    const bool bf16 = spec_.type == kernels::GemmType::kBf16;
    return {spec_.name,
            int8() ? "quantize int8"
            : bf16 ? "round bf16"
                   : "round fp16",
            "tokens x " + std::to_string(spec_.x.width), std::string(kernel_.name), reason_};
  }
  std::string_view kind() const override { return "quantize"; }
  void save(PlanWriter& writer) const override { fields(writer, spec_); }
  std::vector<BufferId> reads() const override { return {spec_.x.buffer}; }
  std::vector<BufferId> writes() const override {
    if (!int8()) return {spec_.y.tiles};
    return {spec_.y.tiles, spec_.y.scale};
  }

 private:
  bool int8() const { return spec_.type == kernels::GemmType::kInt8; }

  QuantizeSpec spec_;
  const kernels::QuantizeKernel& kernel_;
  std::string reason_;
};

}  // namespace

std::unique_ptr<Step> make_quantize(QuantizeSpec spec, IsaMask isa) {
  return std::make_unique<Quantize>(std::move(spec), isa);
}

std::unique_ptr<Step> load_quantize(PlanReader& reader, IsaMask isa) {
  QuantizeSpec spec{};
  fields(reader, spec);
  reader.require(spec.x.layout == Layout::kToken && tiles_fit(spec.y, spec.x.width, spec.type),
                 "views of rows to quantize");
  return make_quantize(std::move(spec), isa);
}

}  // namespace octavo::plan
