#include "plan/steps/packed_linear.h"

#include <algorithm>

#include "base/buffer.h"
#include "kernels/gemm/gemm.h"
#include "plan/steps/linear_parts.h"
#include "plan/steps/reason.h"

namespace octavo::plan {
namespace {

using kernels::GemmType;
using kernels::kTileRows;

class PackedLinear final : public Step {
 public:
  PackedLinear(LinearSpec spec, TileView tiles, GemmType type, IsaMask isa, ThreadPool* pool)
      : tiles_(tiles),
        kernel_(kernels::choose_gemm(type, isa)),
        reason_(reason_for(kernels::gemm_kernels(type), kernel_, isa)),
        groups_(kernels::gemm_groups(spec.y.width)),
        bias_(merge_bias(spec.parts, groups_ * kTileRows)) {
    pack(merge_parts(spec.parts), pool);
    spec.parts.clear();
    spec_ = std::move(spec);
  }
  PackedLinear(LinearSpec spec, TileView tiles, GemmType type, PlanReader& reader, IsaMask isa)
      : spec_(std::move(spec)),
        tiles_(tiles),
        kernel_(kernels::choose_gemm(type, isa)),
        reason_(reason_for(kernels::gemm_kernels(type), kernel_, isa)),
        groups_(kernels::gemm_groups(spec_.y.width)),
        packed_(reader.blob(kernels::gemm_packed_bytes(type, spec_.y.width, tiles_.width))),
        scale_(reader.blob(column_bytes())),
        sum_(reader.blob(column_bytes())),
        bias_(load_bias(reader, groups_ * kTileRows)) {}

  bool row_wise() const override { return true; }
  void run_rows(const RunState& state, std::size_t first,
                std::size_t last) const noexcept override {
    const kernels::GemmArgs args = arguments(state, first, last);
    kernel_.run(args, 0, args.m, 0, groups_);
  }
  void run(const RunState& state) const noexcept override {
    const kernels::GemmArgs args = arguments(state, 0, state.rows(spec_.y.layout));
    if (state.workers() == 1) return kernel_.run(args, 0, args.m, 0, groups_);
    // Few rows: every worker takes some columns. Parts are even multiples of what a block takes.
    constexpr std::size_t kRowChunk = 128, kGroupChunk = 6, kTasksPerWorker = 2;
    const std::size_t row_chunks = (args.m + kRowChunk - 1) / kRowChunk;
    const std::size_t wanted = kTasksPerWorker * static_cast<std::size_t>(state.workers());
    const std::size_t units = (groups_ + kGroupChunk - 1) / kGroupChunk;
    const std::size_t parts = std::min(units, (wanted + row_chunks - 1) / row_chunks);
    state.parallel_for(row_chunks * parts, [&](std::size_t task, int) {
      const std::size_t r = task / parts * kRowChunk, part = task % parts;
      kernel_.run(args, r, std::min(args.m, r + kRowChunk), part * units / parts * kGroupChunk,
                  std::min(groups_, (part + 1) * units / parts * kGroupChunk));
    });
  }

  StepInfo info() const override {
    StepInfo out = describe_linear(spec_);
    out.kernel = kernel_.name;
    out.reason = reason_;
    return out;
  }
  std::string_view kind() const override { return "packed_linear"; }
  void save(PlanWriter& writer) const override {
    linear_fields(writer, spec_);
    writer(tiles_, kernel_.type);
    for (const auto& blob : {packed_, scale_, sum_}) writer.blob(blob->bytes());
    save_bias(writer, bias_);
  }
  std::vector<BufferId> reads() const override {
    std::vector<BufferId> out{tiles_.tiles};
    if (int8()) out.push_back(tiles_.scale);
    if (spec_.residual) out.push_back(spec_.residual->buffer);
    return out;
  }
  std::vector<BufferId> writes() const override { return {spec_.y.buffer}; }
  double multiply_adds(const PackedBatch& batch) const override {
    return linear_multiply_adds(spec_, batch);
  }
  std::size_t weight_bytes() const override {
    return packed_->size() + scale_->size() + sum_->size() + (bias_ != nullptr ? bias_->size() : 0);
  }

 private:
  bool int8() const { return kernel_.type == GemmType::kInt8; }
  std::size_t column_bytes() const { return int8() ? groups_ * kTileRows * sizeof(float) : 0; }

  kernels::GemmArgs arguments(const RunState& state, std::size_t first,
                              std::size_t last) const noexcept {
    const Matrix y = state.matrix(spec_.y, first, last);
    kernels::GemmArgs args{
        .a = state.tiles(tiles_, first),
        .b = packed_->data(),
        .c = y.data,
        .ldc = y.ld,
        .m = y.rows,
        .n = y.width,
        .k = tiles_.width,
        .bias = bias_ != nullptr ? reinterpret_cast<const float*>(bias_->data()) : nullptr,
        .activation = spec_.activation};
    if (int8()) {
      args.a_scale = state.row(tiles_.scale, first);
      args.b_scale = reinterpret_cast<const float*>(scale_->data());
      args.b_sum = reinterpret_cast<const std::int32_t*>(sum_->data());
    }
    if (spec_.residual) {
      const Matrix residual = state.matrix(*spec_.residual, first, last);
      args.residual = residual.data;
      args.ld_residual = residual.ld;
    }
    return args;
  }

  void pack(const LinearPart& part, ThreadPool* pool) {
    const kernels::GemmWeights weights{.b = part.weight.data<float>().data(),
                                       .row_stride = part.transposed ? 1 : part.n(),
                                       .column_stride = part.transposed ? part.k() : 1,
                                       .k = part.k(),
                                       .n = part.n()};
    const auto packed =
        std::make_shared<Buffer>(kernels::gemm_packed_bytes(kernel_.type, weights.n, weights.k));
    const auto scale = std::make_shared<Buffer>(column_bytes());
    const auto sum = std::make_shared<Buffer>(column_bytes());
    const auto one = [&](std::size_t group, int) {
      if (int8()) {
        kernels::gemm_pack_int8(weights, group, group + 1, packed->data(),
                                reinterpret_cast<float*>(scale->data()),
                                reinterpret_cast<std::int32_t*>(sum->data()));
      } else if (kernel_.type == GemmType::kBf16) {
        kernels::gemm_pack_bf16(weights, group, group + 1, packed->data());
      } else {
        kernels::gemm_pack_fp16(weights, group, group + 1, packed->data());
      }
    };
    if (pool != nullptr) {
      pool->parallel_for(groups_, one);
    } else {
      for (std::size_t group = 0; group < groups_; ++group) one(group, 0);
    }
    packed_ = packed;
    scale_ = scale;
    sum_ = sum;
  }

  LinearSpec spec_;
  TileView tiles_;
  const kernels::GemmKernel& kernel_;
  std::string reason_;
  std::size_t groups_;
  std::shared_ptr<const Buffer> packed_, scale_, sum_, bias_;
};

}  // namespace

std::unique_ptr<Step> make_packed_linear(LinearSpec spec, TileView tiles, GemmType type,
                                         IsaMask isa, ThreadPool* pool) {
  return std::make_unique<PackedLinear>(std::move(spec), tiles, type, isa, pool);
}

std::unique_ptr<Step> load_packed_linear(PlanReader& reader, IsaMask isa) {
  LinearSpec spec = load_linear_spec(reader);
  TileView tiles;
  GemmType type{};
  reader(tiles, type);
  reader.require(spec.y.layout == Layout::kToken && spec.x.width <= kernels::kMaxInt8K &&
                     tiles_fit(tiles, spec.x.width, type),
                 "tiles of a product");
  return std::make_unique<PackedLinear>(std::move(spec), tiles, type, reader, isa);
}

}  // namespace octavo::plan
