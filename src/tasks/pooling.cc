#include "tasks/pooling.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "formats/sharded_safetensors.h"
#include "octavo/error.h"

namespace octavo {

namespace {
constexpr std::pair<Pooling, std::string_view> kPoolings[] = {
    {Pooling::kCls, "cls"},
    {Pooling::kMean, "mean"},
    {Pooling::kMax, "max"},
    {Pooling::kLastToken, "last_token"},
    {Pooling::kMeanSqrtLen, "mean_sqrt_len"},
    {Pooling::kWeightedMean, "weighted_mean"},
};
}

Pooling parse_pooling(std::string_view name) {
  std::string known;
  for (const auto& [pooling, text] : kPoolings) {
    if (text == name) return pooling;
    known += (known.empty() ? "" : ", ") + std::string(text);
  }
  throw Error(ErrorCode::kInvalidArgument, {.message = "unknown pooling",
                                            .expected = known,
                                            .found = "'" + std::string(name) + "'",
                                            .fix = "give one of the known names to --pooling"});
}

std::string_view pooling_name(Pooling pooling) {
  for (const auto& [value, text] : kPoolings) {
    if (value == pooling) return text;
  }
  return "";
}

std::string pooling_name(const std::vector<Pooling>& poolings) {
  std::string out;
  for (const Pooling pooling : poolings) {
    out += (out.empty() ? "" : "+") + std::string(pooling_name(pooling));
  }
  return out;
}

namespace tasks {

void pool_tokens(Pooling pooling, const float* tokens, std::size_t ld, std::size_t count,
                 std::size_t width, float* out) {
  std::fill_n(out, width, 0.0f);
  if (count == 0) return;
  switch (pooling) {
    case Pooling::kCls: std::copy_n(tokens, width, out); return;
    case Pooling::kLastToken: std::copy_n(tokens + (count - 1) * ld, width, out); return;
    case Pooling::kMax:
      std::copy_n(tokens, width, out);
      for (std::size_t t = 1; t < count; ++t) {
        for (std::size_t i = 0; i < width; ++i) out[i] = std::max(out[i], tokens[t * ld + i]);
      }
      return;
    case Pooling::kMean:
    case Pooling::kMeanSqrtLen:
    case Pooling::kWeightedMean: break;
  }
  const bool weighted = pooling == Pooling::kWeightedMean;
  for (std::size_t t = 0; t < count; ++t) {
    const float weight = weighted ? static_cast<float>(t + 1) : 1.0f;
    for (std::size_t i = 0; i < width; ++i) out[i] += weight * tokens[t * ld + i];
  }
  float divisor = static_cast<float>(count);
  if (pooling == Pooling::kMeanSqrtLen) divisor = std::sqrt(divisor);
  if (weighted) divisor = static_cast<float>(count) * static_cast<float>(count + 1) / 2.0f;
  for (std::size_t i = 0; i < width; ++i) out[i] /= divisor;
}

std::vector<Pooling> poolings_of(const formats::PoolingConfig& config) {
  std::vector<Pooling> out;
  if (config.cls_token) out.push_back(Pooling::kCls);
  if (config.max_tokens) out.push_back(Pooling::kMax);
  if (config.mean_tokens) out.push_back(Pooling::kMean);
  if (config.mean_sqrt_len_tokens) out.push_back(Pooling::kMeanSqrtLen);
  if (config.weighted_mean_tokens) out.push_back(Pooling::kWeightedMean);
  if (config.last_token) out.push_back(Pooling::kLastToken);
  return out;
}

DenseWeights read_dense(const std::string& directory, const formats::SentenceModule& module) {
  DenseWeights out;
  out.file = (std::filesystem::path(directory) / module.path / "model.safetensors").string();
  const auto source = formats::TensorSource::open_file(out.file);
  out.weight = source.read("linear.weight").to_float32();
  const Shape expected{module.dense->out_features, module.dense->in_features};
  if (out.weight.shape() != expected) {
    throw Error(ErrorCode::kInvalidFile,
                {.message = "a Dense module's weight has another shape than its config says",
                 .file = out.file,
                 .place = "tensor 'linear.weight'",
                 .expected = shape_to_string(expected),
                 .found = shape_to_string(out.weight.shape())});
  }
  if (module.dense->bias) {
    const Tensor values = source.read("linear.bias").to_float32();
    if (values.elements() != static_cast<std::size_t>(expected[0])) {
      throw Error(ErrorCode::kInvalidFile,
                  {.message = "a Dense module's bias has another shape than its config says",
                   .file = out.file,
                   .place = "tensor 'linear.bias'",
                   .expected = "[" + std::to_string(expected[0]) + "]",
                   .found = shape_to_string(values.shape())});
    }
    out.bias.assign(values.data<float>().begin(), values.data<float>().end());
  }
  return out;
}

DenseLayer::DenseLayer(const Tensor& weight, std::vector<float> bias, const std::string& activation)
    : in_(static_cast<std::size_t>(weight.dim(1))), bias_(std::move(bias)) {
  const auto rows = static_cast<std::size_t>(weight.dim(0));
  bias_.resize(rows, 0.0f);
  columns_.resize(in_ * rows);
  const auto values = weight.data<float>();
  for (std::size_t o = 0; o < rows; ++o) {
    for (std::size_t i = 0; i < in_; ++i) columns_[i * rows + o] = values[o * in_ + i];
  }
  const std::string name = activation.substr(activation.rfind('.') + 1);
  if (name == "Identity") {
    activation_ = [](float x) { return x; };
  } else if (name == "Tanh") {
    activation_ = [](float x) { return std::tanh(x); };
  } else if (name == "ReLU") {
    activation_ = [](float x) { return std::max(x, 0.0f); };
  } else if (name == "Sigmoid") {
    activation_ = [](float x) { return 1.0f / (1.0f + std::exp(-x)); };
  } else if (name == "GELU") {
    activation_ = [](float x) { return 0.5f * x * (1.0f + std::erf(x * 0.70710678f)); };
  } else if (name == "SiLU") {
    activation_ = [](float x) { return x / (1.0f + std::exp(-x)); };
  } else {
    throw Error(ErrorCode::kUnsupported,
                {.message = "a Dense module uses an activation that octavo does not have",
                 .expected = "Identity, Tanh, ReLU, Sigmoid, GELU or SiLU",
                 .found = "'" + activation + "'"});
  }
}

void DenseLayer::apply(const float* x, float* y) const {
  const std::size_t rows = bias_.size();
  std::copy(bias_.begin(), bias_.end(), y);
  for (std::size_t i = 0; i < in_; ++i) {
    for (std::size_t o = 0; o < rows; ++o) y[o] += columns_[i * rows + o] * x[i];
  }
  for (std::size_t o = 0; o < rows; ++o) y[o] = activation_(y[o]);
}

void normalize_l2(std::span<float> x) {
  double sum = 0;
  for (const float value : x) sum += static_cast<double>(value) * static_cast<double>(value);
  const auto norm = static_cast<float>(std::max(std::sqrt(sum), 1e-12));
  for (float& value : x) value /= norm;
}

}  // namespace tasks
}  // namespace octavo
