#include "plan/steps/pooling.h"

#include <algorithm>
#include <cmath>

#include "plan/steps/row_step.h"

namespace octavo::plan {
namespace {

class MeanTokens final : public Step {
 public:
  explicit MeanTokens(MeanTokensSpec spec) : spec_(std::move(spec)) {}

  void run(const RunState& state) const noexcept override {
    const Matrix x = state.matrix(spec_.x), y = state.matrix(spec_.y);
    state.parallel_for(y.rows, [&](std::size_t i, int) {
      const float* first = x.data + state.batch.begin(i) * x.ld;
      const std::size_t tokens = state.batch.length(i);
      double sums[kColumns];
      for (std::size_t c = 0; c < y.width; c += kColumns) {
        const std::size_t columns = std::min(kColumns, y.width - c);
        std::fill_n(sums, columns, 0.0);
        for (std::size_t t = 0; t < tokens; ++t) {
          const float* row = first + t * x.ld + c;
          for (std::size_t k = 0; k < columns; ++k) sums[k] += double{row[k]};
        }
        float* to = y.data + i * y.ld + c;
        for (std::size_t k = 0; k < columns; ++k)
          to[k] = static_cast<float>(sums[k] / static_cast<double>(tokens));
      }
    });
  }
  StepInfo info() const override {
    return {spec_.name, "mean_tokens",
            "tokens x " + std::to_string(spec_.x.width) + " -> sequences", "portable",
            "sums, bound by memory"};
  }
  std::string_view kind() const override { return "mean_tokens"; }
  void save(PlanWriter& writer) const override { fields(writer, spec_); }
  static void fields(auto& archive, auto& spec) { archive(spec.name, spec.x, spec.y); }
  std::vector<BufferId> reads() const override { return {spec_.x.buffer}; }
  std::vector<BufferId> writes() const override { return {spec_.y.buffer}; }

 private:
  static constexpr std::size_t kColumns = 256;
  MeanTokensSpec spec_;
};

class L2Normalize final : public RowStep {
 public:
  explicit L2Normalize(L2NormalizeSpec spec) : RowStep(spec.y), spec_(std::move(spec)) {}

  void run_rows(const RunState& state, std::size_t first,
                std::size_t last) const noexcept override {
    const Matrix x = state.matrix(spec_.x, first, last), y = state.matrix(spec_.y, first, last);
    for (std::size_t r = 0; r < x.rows; ++r) {
      const float* from = x.data + r * x.ld;
      float* to = y.data + r * y.ld;
      double sum = 0;
      for (std::size_t i = 0; i < x.width; ++i) sum += double{from[i]} * double{from[i]};
      const double norm = std::max(std::sqrt(sum), double{spec_.epsilon});
      for (std::size_t i = 0; i < x.width; ++i) to[i] = static_cast<float>(double{from[i]} / norm);
    }
  }
  StepInfo info() const override {
    return {spec_.name, "l2_normalize", "rows x " + std::to_string(spec_.x.width), "portable", ""};
  }
  std::string_view kind() const override { return "l2_normalize"; }
  void save(PlanWriter& writer) const override { fields(writer, spec_); }
  static void fields(auto& archive, auto& spec) {
    archive(spec.name, spec.x, spec.y, spec.epsilon);
  }
  std::vector<BufferId> reads() const override { return {spec_.x.buffer}; }
  std::vector<BufferId> writes() const override { return {spec_.y.buffer}; }

 private:
  L2NormalizeSpec spec_;
};

}  // namespace

std::unique_ptr<Step> make_mean_tokens(MeanTokensSpec spec) {
  return std::make_unique<MeanTokens>(std::move(spec));
}

std::unique_ptr<Step> load_mean_tokens(PlanReader& reader, IsaMask) {
  MeanTokensSpec spec{};
  MeanTokens::fields(reader, spec);
  reader.require(spec.x.layout == Layout::kToken && spec.y.layout == Layout::kSequence &&
                     spec.x.width == spec.y.width,
                 "views of a mean over tokens");
  return make_mean_tokens(std::move(spec));
}

std::unique_ptr<Step> make_l2_normalize(L2NormalizeSpec spec) {
  return std::make_unique<L2Normalize>(std::move(spec));
}

std::unique_ptr<Step> load_l2_normalize(PlanReader& reader, IsaMask) {
  L2NormalizeSpec spec{};
  L2Normalize::fields(reader, spec);
  reader.require(spec.x.layout == spec.y.layout && spec.x.width == spec.y.width,
                 "views of different shapes");
  reader.require(spec.epsilon >= 0 && std::isfinite(spec.epsilon), "the least length of a vector");
  return make_l2_normalize(std::move(spec));
}

}  // namespace octavo::plan
