#include "plan/steps/rowwise.h"

#include <cstring>

#include "kernels/norm/norm.h"
#include "plan/steps/reason.h"
#include "plan/steps/row_step.h"

namespace octavo::plan {
namespace {

std::string rows_text(Layout layout) { return layout == Layout::kToken ? "tokens" : "sequences"; }

bool is_row(const Tensor& tensor, std::size_t width) {
  return tensor.rank() == 1 && tensor.elements() == width;
}

void require_same_rows(const PlanReader& reader, const View& x, const View& y) {
  reader.require(x.layout == y.layout && x.width == y.width, "views of different shapes");
}

/// Every index that Plan::check() lets pass must have a row.
void require_rows(const PlanReader& reader, const EmbeddingTerm& term, std::size_t width) {
  using enum EmbeddingTerm::Index;
  if (term.index == kRow) return reader.require(is_row(term.table, width), "a row of an embedding");
  reader.require(term.table.rank() == 2 && static_cast<std::size_t>(term.table.dim(1)) == width,
                 "the shape of a table");
  const std::int64_t rows = term.table.dim(0);
  const PlanLimits& limits = reader.limits;
  if (term.index == kPositions) {
    return reader.require(term.position_set < limits.last_positions.size() &&
                              limits.last_positions[term.position_set] < rows,
                          "positions past the end of their table");
  }
  const std::int64_t ids = term.index == kIds ? limits.vocabulary : limits.type_rows;
  reader.require(ids > 0 && ids <= rows, "ids past the end of their table");
}

class LayerNorm final : public RowStep {
 public:
  LayerNorm(LayerNormSpec spec, IsaMask isa)
      : RowStep(spec.y),
        spec_(std::move(spec)),
        kernel_(kernels::choose_norm(isa)),
        reason_(reason_for(kernels::norm_kernels(), kernel_, isa)) {}

  void run_rows(const RunState& state, std::size_t first,
                std::size_t last) const noexcept override {
    const Matrix x = state.matrix(spec_.x, first, last), y = state.matrix(spec_.y, first, last);
    kernel_.layer_norm({.x = x.data,
                        .ld_x = x.ld,
                        .y = y.data,
                        .ld_y = y.ld,
                        .rows = x.rows,
                        .width = x.width,
                        .scale = spec_.scale.data<float>().data(),
                        .bias = spec_.bias ? spec_.bias->data<float>().data() : nullptr,
                        .epsilon = spec_.epsilon});
  }
  StepInfo info() const override {
    return {spec_.name, "layer_norm",
            rows_text(spec_.x.layout) + " x " + std::to_string(spec_.x.width),
            std::string(kernel_.name), reason_};
  }
  std::string_view kind() const override { return "layer_norm"; }
  void save(PlanWriter& writer) const override { fields(writer, spec_); }
  static void fields(auto& archive, auto& spec) {
    archive(spec.name, spec.x, spec.y, spec.scale, spec.bias, spec.epsilon);
  }
  std::vector<BufferId> reads() const override { return {spec_.x.buffer}; }
  std::vector<BufferId> writes() const override { return {spec_.y.buffer}; }
  std::size_t weight_bytes() const override {
    return spec_.scale.byte_size() + (spec_.bias ? spec_.bias->byte_size() : 0);
  }

 private:
  LayerNormSpec spec_;
  const kernels::NormKernel& kernel_;
  std::string reason_;
};

class Unary final : public RowStep {
 public:
  Unary(UnarySpec spec, IsaMask isa)
      : RowStep(spec.y),
        spec_(std::move(spec)),
        kernel_(kernels::choose_elementwise(isa)),
        reason_(reason_for(kernels::elementwise_kernels(), kernel_, isa)) {}

  void run_rows(const RunState& state, std::size_t first,
                std::size_t last) const noexcept override {
    const Matrix x = state.matrix(spec_.x, first, last), y = state.matrix(spec_.y, first, last);
    kernel_.unary({.x = x.data,
                   .ld_x = x.ld,
                   .y = y.data,
                   .ld_y = y.ld,
                   .rows = x.rows,
                   .width = x.width,
                   .activation = spec_.activation});
  }
  StepInfo info() const override {
    const bool copy = spec_.activation == kernels::Activation::kNone;
    return {spec_.name, copy ? "copy" : activation_name(spec_.activation),
            rows_text(spec_.x.layout) + " x " + std::to_string(spec_.x.width),
            std::string(kernel_.name), reason_};
  }
  std::string_view kind() const override { return "unary"; }
  void save(PlanWriter& writer) const override { fields(writer, spec_); }
  static void fields(auto& archive, auto& spec) {
    archive(spec.name, spec.x, spec.y, spec.activation);
  }
  std::vector<BufferId> reads() const override { return {spec_.x.buffer}; }
  std::vector<BufferId> writes() const override { return {spec_.y.buffer}; }

 private:
  UnarySpec spec_;
  const kernels::ElementwiseKernel& kernel_;
  std::string reason_;
};

class Binary final : public RowStep {
 public:
  Binary(BinarySpec spec, IsaMask isa)
      : RowStep(spec.y),
        spec_(std::move(spec)),
        kernel_(kernels::choose_elementwise(isa)),
        reason_(reason_for(kernels::elementwise_kernels(), kernel_, isa)) {}

  void run_rows(const RunState& state, std::size_t first,
                std::size_t last) const noexcept override {
    const Matrix a = state.matrix(spec_.a, first, last), y = state.matrix(spec_.y, first, last);
    const Matrix b = spec_.row ? Matrix{} : state.matrix(*spec_.b, first, last);
    kernel_.binary({.a = a.data,
                    .b = spec_.row ? spec_.row->data<float>().data() : b.data,
                    .ld_a = a.ld,
                    .ld_b = b.ld,
                    .y = y.data,
                    .ld_y = y.ld,
                    .rows = a.rows,
                    .width = a.width,
                    .op = spec_.op,
                    .activation = spec_.activation});
  }
  StepInfo info() const override {
    static constexpr const char* kNames[] = {"add", "sub", "mul", "div"};
    std::string op = kNames[static_cast<int>(spec_.op)];
    if (spec_.activation != kernels::Activation::kNone)
      op = std::string(activation_name(spec_.activation)) + "+" + op;
    return {spec_.name, op, rows_text(spec_.a.layout) + " x " + std::to_string(spec_.a.width),
            std::string(kernel_.name), reason_};
  }
  std::string_view kind() const override { return "binary"; }
  void save(PlanWriter& writer) const override { fields(writer, spec_); }
  static void fields(auto& archive, auto& spec) {
    archive(spec.name, spec.a, spec.y, spec.b, spec.row, spec.op, spec.activation);
  }
  std::vector<BufferId> reads() const override {
    if (spec_.b) return {spec_.a.buffer, spec_.b->buffer};
    return {spec_.a.buffer};
  }
  std::vector<BufferId> writes() const override { return {spec_.y.buffer}; }

 private:
  BinarySpec spec_;
  const kernels::ElementwiseKernel& kernel_;
  std::string reason_;
};

class Embedding final : public RowStep {
 public:
  explicit Embedding(EmbeddingSpec spec) : RowStep(spec.y), spec_(std::move(spec)) {}

  void run_rows(const RunState& state, std::size_t first,
                std::size_t last) const noexcept override {
    const Matrix y = state.matrix(spec_.y, first, last);
    for (std::size_t r = 0; r < y.rows; ++r) {
      float* out = y.data + r * y.ld;
      std::memcpy(out, row(state, spec_.terms[0], first + r), y.width * sizeof(float));
      for (std::size_t t = 1; t < spec_.terms.size(); ++t) {
        const float* in = row(state, spec_.terms[t], first + r);
        for (std::size_t i = 0; i < y.width; ++i) out[i] += in[i];
      }
    }
  }
  StepInfo info() const override {
    return {spec_.name, "embedding",
            "sum of " + std::to_string(spec_.terms.size()) + " tables -> tokens x " +
                std::to_string(spec_.y.width),
            "embedding_portable", "a copy, bound by memory"};
  }
  std::string_view kind() const override { return "embedding"; }
  void save(PlanWriter& writer) const override {
    writer(spec_.name, spec_.y, spec_.terms.size());
    for (const EmbeddingTerm& term : spec_.terms) fields(writer, term);
  }
  static void fields(auto& archive, auto& term) {
    archive(term.index, term.position_set);
    archive.cold(term.table);
  }
  std::vector<BufferId> reads() const override { return {}; }
  std::vector<BufferId> writes() const override { return {spec_.y.buffer}; }
  std::size_t weight_bytes() const override {
    std::size_t out = 0;
    for (const EmbeddingTerm& term : spec_.terms) out += term.table.byte_size();
    return out;
  }

 private:
  static const float* row(const RunState& state, const EmbeddingTerm& term, std::size_t token) {
    std::int32_t index = 0;
    switch (term.index) {
      case EmbeddingTerm::Index::kIds: index = state.batch.ids[token]; break;
      case EmbeddingTerm::Index::kTypeIds:
        index = state.batch.type_ids.empty() ? 0 : state.batch.type_ids[token];
        break;
      case EmbeddingTerm::Index::kPositions:
        index = state.positions[term.position_set][token];
        break;
      case EmbeddingTerm::Index::kRow: break;
    }
    const std::size_t width = static_cast<std::size_t>(term.table.shape().back());
    return term.table.data<float>().data() + static_cast<std::size_t>(index) * width;
  }

  EmbeddingSpec spec_;
};

class FirstToken final : public Step {
 public:
  explicit FirstToken(FirstTokenSpec spec) : spec_(std::move(spec)) {}

  void run(const RunState& state) const noexcept override {
    Matrix x = state.matrix(spec_.x), y = state.matrix(spec_.y);
    for (std::size_t i = 0; i < y.rows; ++i) {
      std::memcpy(y.data + i * y.ld, x.data + state.batch.begin(i) * x.ld, y.width * sizeof(float));
    }
  }
  StepInfo info() const override {
    return {spec_.name, "first_token",
            "tokens x " + std::to_string(spec_.x.width) + " -> sequences", "copy",
            "a copy, bound by memory"};
  }
  std::string_view kind() const override { return "first_token"; }
  void save(PlanWriter& writer) const override { fields(writer, spec_); }
  static void fields(auto& archive, auto& spec) { archive(spec.name, spec.x, spec.y); }
  std::vector<BufferId> reads() const override { return {spec_.x.buffer}; }
  std::vector<BufferId> writes() const override { return {spec_.y.buffer}; }

 private:
  FirstTokenSpec spec_;
};

class Rotary final : public Step {
 public:
  Rotary(RotarySpec spec, IsaMask isa)
      : spec_(std::move(spec)),
        kernel_(kernels::choose_elementwise(isa)),
        reason_(reason_for(kernels::elementwise_kernels(), kernel_, isa)) {}

  void run(const RunState& state) const noexcept override {
    const Matrix x = state.matrix(spec_.x);
    const std::size_t half = spec_.head_size / 2, longest = state.batch.longest();
    const float* cosine = state.rotary[spec_.table];
    state.parallel_for(state.batch.sequences(), [&](std::size_t i, int) {
      kernel_.rotary({.x = x.data + state.batch.begin(i) * x.ld,
                      .ld_x = x.ld,
                      .rows = state.batch.length(i),
                      .heads = spec_.heads,
                      .head_size = spec_.head_size,
                      .cosine = cosine,
                      .sine = cosine + longest * half});
    });
  }
  StepInfo info() const override {
    return {
        spec_.name, "rotary",
        "tokens x " + std::to_string(spec_.heads) + " heads of " + std::to_string(spec_.head_size),
        std::string(kernel_.name), reason_};
  }
  std::string_view kind() const override { return "rotary"; }
  void save(PlanWriter& writer) const override { fields(writer, spec_); }
  static void fields(auto& archive, auto& spec) {
    archive(spec.name, spec.x, spec.heads, spec.head_size, spec.table);
  }
  std::vector<BufferId> reads() const override { return {spec_.x.buffer}; }
  std::vector<BufferId> writes() const override { return {spec_.x.buffer}; }

 private:
  RotarySpec spec_;
  const kernels::ElementwiseKernel& kernel_;
  std::string reason_;
};

}  // namespace

std::unique_ptr<Step> make_layer_norm(LayerNormSpec spec, IsaMask isa) {
  return std::make_unique<LayerNorm>(std::move(spec), isa);
}

std::unique_ptr<Step> load_layer_norm(PlanReader& reader, IsaMask isa) {
  LayerNormSpec spec{};
  LayerNorm::fields(reader, spec);
  require_same_rows(reader, spec.x, spec.y);
  reader.require(is_row(spec.scale, spec.x.width), "the scale of a layer norm");
  reader.require(!spec.bias || is_row(*spec.bias, spec.x.width), "the bias of a layer norm");
  return make_layer_norm(std::move(spec), isa);
}
std::unique_ptr<Step> make_unary(UnarySpec spec, IsaMask isa) {
  return std::make_unique<Unary>(std::move(spec), isa);
}

std::unique_ptr<Step> load_unary(PlanReader& reader, IsaMask isa) {
  UnarySpec spec{};
  Unary::fields(reader, spec);
  require_same_rows(reader, spec.x, spec.y);
  return make_unary(std::move(spec), isa);
}
std::unique_ptr<Step> make_binary(BinarySpec spec, IsaMask isa) {
  return std::make_unique<Binary>(std::move(spec), isa);
}

std::unique_ptr<Step> load_binary(PlanReader& reader, IsaMask isa) {
  BinarySpec spec{};
  Binary::fields(reader, spec);
  require_same_rows(reader, spec.a, spec.y);
  reader.require(spec.b.has_value() != spec.row.has_value(), "the second operand");
  if (spec.b) require_same_rows(reader, *spec.b, spec.y);
  reader.require(!spec.row || is_row(*spec.row, spec.y.width), "the constant row");
  return make_binary(std::move(spec), isa);
}
std::unique_ptr<Step> make_embedding(EmbeddingSpec spec) {
  return std::make_unique<Embedding>(std::move(spec));
}

std::unique_ptr<Step> load_embedding(PlanReader& reader, IsaMask) {
  EmbeddingSpec spec{};
  reader(spec.name, spec.y);
  reader.require(spec.y.layout == Layout::kToken, "the view of an embedding");
  for (std::size_t left = reader.count(); left > 0; --left) {
    EmbeddingTerm& term = spec.terms.emplace_back();
    Embedding::fields(reader, term);
    require_rows(reader, term, spec.y.width);
  }
  reader.require(!spec.terms.empty(), "an embedding without tables");
  return make_embedding(std::move(spec));
}
std::unique_ptr<Step> make_first_token(FirstTokenSpec spec) {
  return std::make_unique<FirstToken>(std::move(spec));
}

std::unique_ptr<Step> load_first_token(PlanReader& reader, IsaMask) {
  FirstTokenSpec spec{};
  FirstToken::fields(reader, spec);
  reader.require(spec.x.layout == Layout::kToken && spec.y.layout == Layout::kSequence &&
                     spec.x.width == spec.y.width,
                 "views of the first token");
  return make_first_token(std::move(spec));
}
std::unique_ptr<Step> make_rotary(RotarySpec spec, IsaMask isa) {
  return std::make_unique<Rotary>(std::move(spec), isa);
}

std::unique_ptr<Step> load_rotary(PlanReader& reader, IsaMask isa) {
  RotarySpec spec{};
  Rotary::fields(reader, spec);
  reader.require(spec.x.layout == Layout::kToken && spec.heads > 0 && spec.heads <= spec.x.width &&
                     spec.x.width % spec.heads == 0 && spec.head_size == spec.x.width / spec.heads,
                 "heads of rotary positions");
  reader.require(spec.table < reader.limits.rotary.size() &&
                     2 * reader.limits.rotary[spec.table] == spec.head_size,
                 "the table of rotary positions");
  return make_rotary(std::move(spec), isa);
}

}  // namespace octavo::plan
