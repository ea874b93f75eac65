#include "plan/steps/linear_parts.h"

#include <algorithm>
#include <cstring>

#include "plan/steps/reason.h"

namespace octavo::plan {

LinearPart merge_parts(const std::vector<LinearPart>& parts) {
  if (parts.size() == 1) return parts.front();
  // Merged layers meet inside panels: gather them as one [n, k] matrix first.
  const std::size_t k = parts.front().k();
  std::size_t width = 0;
  for (const LinearPart& part : parts) width += part.n();
  Tensor merged(DType::kFloat32, {static_cast<std::int64_t>(width), static_cast<std::int64_t>(k)});
  float* out = merged.mutable_data<float>().data();
  for (const LinearPart& part : parts) {
    const float* in = part.weight.data<float>().data();
    const std::size_t n = part.n();
    if (part.transposed) {
      std::memcpy(out, in, k * n * sizeof(float));
    } else {
      for (std::size_t j = 0; j < n; ++j) {
        for (std::size_t p = 0; p < k; ++p) out[j * k + p] = in[p * n + j];
      }
    }
    out += k * n;
  }
  return {.weight = std::move(merged), .transposed = true, .bias = std::nullopt};
}

std::shared_ptr<const Buffer> merge_bias(const std::vector<LinearPart>& parts, std::size_t padded) {
  if (std::none_of(parts.begin(), parts.end(), [](const auto& part) { return part.bias; })) {
    return nullptr;
  }
  auto out = std::make_shared<Buffer>(padded * sizeof(float));
  auto* bias = reinterpret_cast<float*>(out->data());
  std::fill_n(bias, padded, 0.0f);
  for (const LinearPart& part : parts) {
    if (part.bias) std::memcpy(bias, part.bias->bytes(), part.n() * sizeof(float));
    bias += part.n();
  }
  return out;
}

LinearSpec load_linear_spec(PlanReader& reader) {
  LinearSpec spec{};
  linear_fields(reader, spec);
  reader.require(spec.x.layout == spec.y.layout, "views of a product");
  reader.require(!spec.residual || (spec.residual->layout == spec.y.layout &&
                                    spec.residual->width == spec.y.width),
                 "the residual of a product");
  return spec;
}

void save_bias(PlanWriter& writer, const std::shared_ptr<const Buffer>& bias) {
  writer(bias != nullptr);
  if (bias != nullptr) writer.blob(bias->bytes());
}

std::shared_ptr<const Buffer> load_bias(PlanReader& reader, std::size_t floats) {
  bool there = false;
  reader(there);
  return there ? reader.blob(floats * sizeof(float)) : nullptr;
}

StepInfo describe_linear(const LinearSpec& spec) {
  const std::string rows = spec.y.layout == Layout::kToken ? "tokens" : "sequences";
  std::string op = "linear";
  if (spec.activation != kernels::Activation::kNone) {
    op += std::string("+") + activation_name(spec.activation);
  }
  if (spec.residual) op += "+residual";
  return {
      .name = spec.name,
      .op = std::move(op),
      .shape = rows + " x " + std::to_string(spec.x.width) + " -> " + std::to_string(spec.y.width),
      .kernel = {},
      .reason = {}};
}

double linear_multiply_adds(const LinearSpec& spec, const PackedBatch& batch) {
  const std::size_t rows = spec.y.layout == Layout::kToken ? batch.tokens() : batch.sequences();
  return static_cast<double>(rows) * static_cast<double>(spec.x.width) *
         static_cast<double>(spec.y.width);
}

}  // namespace octavo::plan
