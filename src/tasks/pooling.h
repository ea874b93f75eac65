// From the token rows of a sequence to one row: sentence-transformers' pooling modes and the
// modules after them.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "formats/hf_config.h"
#include "octavo/embedder.h"
#include "tensor/tensor.h"

namespace octavo::tasks {

/// Token rows [count, width], row stride ld, to `out` [width]. No rows give zeros. Sums run in
/// token order.
void pool_tokens(Pooling pooling, const float* tokens, std::size_t ld, std::size_t count,
                 std::size_t width, float* out);

/// The modes that are on, in the order in which sentence-transformers concatenates them.
std::vector<Pooling> poolings_of(const formats::PoolingConfig& config);

/// The weights of a Dense module of a model directory: `weight` float32 [out, in], `bias` [out] or
/// empty. Throws Error(kInvalidFile) where they are not of the sizes that the config says.
struct DenseWeights {
  Tensor weight;
  std::vector<float> bias;
  std::string file;
};
DenseWeights read_dense(const std::string& directory, const formats::SentenceModule& module);

/// y = act(W x + b) of a sentence-transformers Dense module.
class DenseLayer {
 public:
  /// `weight` float32 [out, in], `bias` [out] or empty, `activation` a torch class name
  /// ("torch.nn.modules.activation.Tanh").
  DenseLayer(const Tensor& weight, std::vector<float> bias, const std::string& activation);
  std::size_t in() const { return in_; }
  std::size_t out() const { return bias_.size(); }
  void apply(const float* x, float* y) const;

 private:
  std::size_t in_;
  std::vector<float> columns_;  // [in, out]
  std::vector<float> bias_;
  float (*activation_)(float);
};

/// In place: x / max(|x|, 1e-12).
void normalize_l2(std::span<float> x);

}  // namespace octavo::tasks
