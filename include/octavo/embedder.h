// Text to vectors with a sentence-transformers model: tokenizer, transformer, pooling, dense
// layers, normalisation, all as the model's own files say, each overridable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/runtime_options.h"
#include "octavo/tokenizer.h"

namespace octavo {

/// Names as in sentence-transformers' 1_Pooling/config.json ("pooling_mode_...").
enum class Pooling { kCls, kMean, kMax, kLastToken, kMeanSqrtLen, kWeightedMean };

Pooling parse_pooling(
    std::string_view name);  // "cls", "mean", "max", "last_token", "mean_sqrt_len", "weighted_mean"
std::string_view pooling_name(Pooling pooling);
std::string pooling_name(const std::vector<Pooling>& poolings);  // joined with '+'

enum class Similarity { kCosine, kDot, kEuclidean, kManhattan };
std::string_view similarity_name(Similarity similarity);

/// Output types of sentence-transformers' `precision`.
enum class EmbeddingType { kFloat32, kInt8, kUint8, kBinary, kUbinary };
EmbeddingType parse_embedding_type(std::string_view name);

/// What overrides the model's files; an absent value means "as the files say".
struct EmbedderOptions {
  RuntimeOptions runtime{};
  std::string tokenizer{};  // path of a tokenizer file
  std::optional<Pooling> pooling{};
  std::optional<bool> normalize{};
  std::optional<std::size_t> max_length{};  // tokens, special ones included
  std::optional<std::size_t> dimensions{};  // Matryoshka: keep the first D and renormalise
};

/// Progress of a call, a few times a second where texts are not long: texts done, texts in all,
/// tokens done. Return false to stop (Error kCancelled).
using EmbedProgress = std::function<bool(std::size_t done, std::size_t total, std::size_t tokens)>;

struct EmbedStats {
  std::size_t texts = 0, tokens = 0;
  std::size_t truncated = 0;  // texts that were cut to max_length
};

class Embedder {
 public:
  /// MODEL: a directory, a `.onnx`, or a `.safetensors` with its config beside it.
  static Embedder load(const std::string& model, const EmbedderOptions& options = {});
  Embedder(Embedder&&) noexcept;
  Embedder& operator=(Embedder&&) noexcept;
  ~Embedder();

  /// Row-major [texts.size(), dimensions()] float32. `prompt` is put before every text. Not to be
  /// called from several threads at once.
  std::vector<float> embed(std::span<const std::string> texts, std::string_view prompt = {},
                           EmbedStats* stats = nullptr, const EmbedProgress& progress = {});

  std::size_t dimensions() const;
  std::size_t max_length() const;
  /// The greatest max_length that the model's position table allows; nothing without a table.
  std::optional<std::size_t> max_length_limit() const;
  /// In their order; several are concatenated. Empty for a model that pools by itself.
  const std::vector<Pooling>& pooling() const;
  bool normalize() const;
  Similarity similarity() const;
  const Tokenizer& tokenizer() const;
  /// Prompts of config_sentence_transformers.json by name, and the one used when none is asked for.
  const std::map<std::string, std::string>& prompts() const;
  std::optional<std::string> default_prompt_name() const;
  /// The text of a named prompt; kInvalidArgument with the known names otherwise.
  std::string prompt(std::string_view name) const;

  /// SHA-256 over every file that decides the result (weights, config, tokenizer, pooling), over
  /// the options and over the build of octavo, as another one may round otherwise.
  std::string digest() const;
  std::string precision() const;  // "fp32", "int8": what "auto" came to
  /// "avx512+..." that the kernels use.
  std::string isa() const;
  int threads() const;

 private:
  friend struct EmbedderOfGraph;
  struct Impl;
  explicit Embedder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Bytes of a float32 [rows, dims] matrix in another type, as sentence-transformers'
/// quantize_embeddings: int8 and uint8 by the per-dimension range of `calibration` (the rows
/// themselves when empty), binary and ubinary by sign, eight dimensions a byte, first dimension in
/// the highest bit (binary = ubinary - 128).
std::vector<std::byte> convert_embeddings(std::span<const float> rows, std::size_t dims,
                                          EmbeddingType type,
                                          std::span<const float> calibration = {});

}  // namespace octavo
