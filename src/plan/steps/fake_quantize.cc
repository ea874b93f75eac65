#include "plan/steps/fake_quantize.h"

#include <algorithm>
#include <cmath>

#include "plan/steps/row_step.h"

namespace octavo::plan {
namespace {

class FakeQuantize final : public RowStep {
 public:
  explicit FakeQuantize(FakeQuantizeSpec spec) : RowStep(spec.y), spec_(std::move(spec)) {}

  void run_rows(const RunState& state, std::size_t first,
                std::size_t last) const noexcept override {
    const Matrix x = state.matrix(spec_.x, first, last), y = state.matrix(spec_.y, first, last);
    // Adding and taking away 1.5 * 2^23 rounds to nearest even; the limits are whole, so that what
    // is cut before need not be cut after.
    constexpr float kRound = 12582912.0f;
    const float scale = spec_.scale, low = spec_.low, high = spec_.high;
    for (std::size_t r = 0; r < x.rows; ++r) {
      const float* from = x.data + r * x.ld;
      float* to = y.data + r * y.ld;
      for (std::size_t i = 0; i < x.width; ++i) {
        const float steps = std::min(std::max(from[i] / scale, low), high);
        to[i] = ((steps + kRound) - kRound) * scale;
      }
    }
  }
  StepInfo info() const override {
    return {spec_.name, "fake_quantize", "tokens x " + std::to_string(spec_.x.width), "portable",
            ""};
  }
  std::string_view kind() const override { return "fake_quantize"; }
  void save(PlanWriter& writer) const override { fields(writer, spec_); }
  static void fields(auto& archive, auto& spec) {
    archive(spec.name, spec.x, spec.y, spec.scale, spec.low, spec.high);
  }
  std::vector<BufferId> reads() const override { return {spec_.x.buffer}; }
  std::vector<BufferId> writes() const override { return {spec_.y.buffer}; }

 private:
  FakeQuantizeSpec spec_;
};

}  // namespace

std::unique_ptr<Step> make_fake_quantize(FakeQuantizeSpec spec) {
  return std::make_unique<FakeQuantize>(std::move(spec));
}

std::unique_ptr<Step> load_fake_quantize(PlanReader& reader, IsaMask) {
  FakeQuantizeSpec spec{};
  FakeQuantize::fields(reader, spec);
  reader.require(spec.x.layout == spec.y.layout && spec.x.width == spec.y.width,
                 "views of different shapes");
  reader.require(spec.scale > 0 && std::isfinite(spec.scale) && spec.low <= 0 && spec.high >= 0,
                 "the grid of a rounding");
  return make_fake_quantize(std::move(spec));
}

}  // namespace octavo::plan
