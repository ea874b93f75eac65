// Query and document to a relevance score with a cross-encoder (...ForSequenceClassification).
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/runtime_options.h"
#include "octavo/tokenizer.h"

namespace octavo {

enum class ScoreActivation {
  kDefault,  // sigmoid for one label, none for more, unless the model's files name another
             // (sentence-transformers)
  kNone,
  kSigmoid,
};

struct RerankerOptions {
  RuntimeOptions runtime{};
  std::string tokenizer{};
  std::size_t max_length = 0;  // 0: as the files say
  ScoreActivation activation = ScoreActivation::kDefault;
};

struct RankedDocument {
  std::size_t index;  // position in the input
  float score;
};

struct RerankStats {
  std::size_t pairs = 0, tokens = 0, truncated = 0;
};

class Reranker {
 public:
  static Reranker load(const std::string& model, const RerankerOptions& options = {});
  Reranker(Reranker&&) noexcept;
  Reranker& operator=(Reranker&&) noexcept;
  ~Reranker();

  /// Row-major [documents.size(), labels()] scores after the activation.
  std::vector<float> score(std::string_view query, std::span<const std::string> documents,
                           RerankStats* stats = nullptr);
  /// All documents, best first, ties by position. A model with several labels is ranked by its last
  /// one (the relevant class of two-label cross-encoders).
  std::vector<RankedDocument> rank(std::string_view query, std::span<const std::string> documents,
                                   RerankStats* stats = nullptr);

  std::size_t labels() const;
  std::size_t max_length() const;
  /// The greatest max_length that the model's position table allows; nothing without a table.
  std::optional<std::size_t> max_length_limit() const;
  std::string digest() const;
  std::string precision() const;  // "fp32", "int8": what "auto" came to
  std::string isa() const;
  int threads() const;

 private:
  struct Impl;
  explicit Reranker(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace octavo
