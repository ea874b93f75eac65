#include "octavo/reranker.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/build_id.h"
#include "base/file.h"
#include "formats/sha256.h"
#include "octavo/error.h"
#include "tasks/output_choice.h"
#include "tasks/runner.h"
#include "tasks/token_batch.h"

namespace octavo {

struct Reranker::Impl {
  tasks::ModelFiles files;
  Tokenizer tokenizer;
  std::unique_ptr<tasks::Runner> runner{};
  std::vector<std::string> digest_files{};
  std::size_t labels = 0, max_length = 0;
  bool sigmoid = false;
};

namespace {

/// What config.json says of the activation: "Sigmoid", "Identity", or nothing.
/// sentence-transformers writes it as "sentence_transformers": {"activation_fn": ...}, before 4.0
/// as "sbert_ce_default_activation_function".
std::string named_activation(const std::string& directory) {
  const std::string path = (std::filesystem::path(directory) / "config.json").string();
  if (!file_exists(path)) return {};
  const JsonDocument config = JsonDocument::parse_file(path);
  std::string name = config.root().string_or("sbert_ce_default_activation_function", "");
  if (const auto section = config.root().get("sentence_transformers"))
    name = section->string_or("activation_fn", name);
  return name.substr(name.rfind('.') + 1);
}

}  // namespace

Reranker::Reranker(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Reranker::Reranker(Reranker&&) noexcept = default;
Reranker& Reranker::operator=(Reranker&&) noexcept = default;
Reranker::~Reranker() = default;

Reranker Reranker::load(const std::string& model, const RerankerOptions& options) {
  tasks::ModelFiles files = tasks::find_model(model);
  const std::string tokenizer_path = files.tokenizer_path(options.tokenizer);
  auto impl = std::unique_ptr<Impl>(
      new Impl{.files = std::move(files), .tokenizer = Tokenizer::load(tokenizer_path)});
  const tasks::RunnerModel source{
      .files = impl->files, .use = "rerank", .prepare = tasks::keep_logits_output};
  impl->runner = std::make_unique<tasks::Runner>(source, options.runtime);
  impl->digest_files = impl->runner->facts().files;
  for (const char* name : {"tokenizer.json", "vocab.txt", "tokenizer_config.json"}) {
    const std::string path = (std::filesystem::path(impl->files.directory) / name).string();
    if (file_exists(path)) impl->digest_files.push_back(path);
  }
  tasks::add_tokenizer_files(tokenizer_path, impl->digest_files);
  std::size_t limit = impl->runner->max_tokens();
  if (const auto said = impl->files.sentence_transformers.model_max_length; said && *said > 0) {
    limit = std::min(limit, static_cast<std::size_t>(*said));
  }
  constexpr std::size_t kNoLimit = 8192;
  impl->max_length = limit == std::numeric_limits<std::size_t>::max() ? kNoLimit : limit;
  if (options.max_length != 0) {
    if (options.max_length > impl->runner->max_tokens()) {
      throw Error(ErrorCode::kInvalidArgument,
                  {.message = "the maximum length is out of range",
                   .expected = "1 to " + std::to_string(impl->runner->max_tokens()) + " tokens",
                   .found = std::to_string(options.max_length),
                   .fix = "give a smaller --max-length"});
    }
    impl->max_length = options.max_length;
  }
  const tasks::Runner::Rows rows =
      impl->runner->rows_of_output(impl->tokenizer.pad_id().value_or(0));
  if (rows.layout != plan::Layout::kSequence) {
    throw Error(ErrorCode::kUnsupported, {.message = "the model scores tokens, not pairs",
                                          .file = impl->files.path,
                                          .expected = "logits [batch, labels]",
                                          .fix = "use a ...ForSequenceClassification model"});
  }
  impl->labels = rows.width;
  const std::string named = named_activation(impl->files.directory);
  impl->sigmoid = options.activation == ScoreActivation::kSigmoid ||
                  (options.activation == ScoreActivation::kDefault &&
                   (named.empty() ? impl->labels == 1 : named == "Sigmoid"));
  if (options.activation == ScoreActivation::kDefault && !named.empty() && named != "Sigmoid" &&
      named != "Identity") {
    throw Error(ErrorCode::kUnsupported,
                {.message = "the model names a score activation that octavo does not have",
                 .file = impl->files.directory,
                 .expected = "Sigmoid or Identity",
                 .found = "'" + named + "'",
                 .fix = "say it: --activation none or --activation sigmoid"});
  }
  return Reranker(std::move(impl));
}

std::vector<float> Reranker::score(std::string_view query, std::span<const std::string> documents,
                                   RerankStats* stats) {
  const std::size_t labels = impl_->labels;
  std::vector<float> out(documents.size() * labels, 0.0f);
  const tasks::TokenBatch batch = tasks::tokenize_batch(
      documents.size(),
      [&](std::size_t i) {
        return impl_->tokenizer.encode_pair(query, documents[i], {.max_length = impl_->max_length});
      },
      impl_->runner->pool());
  impl_->runner->run(batch.packed(), [&](std::size_t start, const plan::PackedBatch& chunk,
                                         std::span<const plan::Matrix> outputs) {
    for (std::size_t i = 0; i < chunk.sequences(); ++i) {
      const float* logits = outputs[0].data + i * outputs[0].ld;
      float* scores = out.data() + batch.rows[start + i] * labels;
      for (std::size_t l = 0; l < labels; ++l) {
        scores[l] = impl_->sigmoid ? 1.0f / (1.0f + std::exp(-logits[l])) : logits[l];
      }
    }
  });
  if (stats != nullptr)
    *stats = {.pairs = documents.size(), .tokens = batch.ids.size(), .truncated = batch.truncated};
  return out;
}

std::vector<RankedDocument> Reranker::rank(std::string_view query,
                                           std::span<const std::string> documents,
                                           RerankStats* stats) {
  const std::vector<float> scores = score(query, documents, stats);
  std::vector<RankedDocument> out;
  for (std::size_t i = 0; i < documents.size(); ++i)
    out.push_back({i, scores[(i + 1) * impl_->labels - 1]});
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a.score > b.score; });
  return out;
}

std::size_t Reranker::labels() const { return impl_->labels; }
std::size_t Reranker::max_length() const { return impl_->max_length; }
std::optional<std::size_t> Reranker::max_length_limit() const {
  return impl_->runner->token_limit();
}
std::string Reranker::digest() const {
  const std::string text = formats::sha256_files(impl_->digest_files) + " " + build_id() +
                           " sigmoid=" + std::to_string(impl_->sigmoid) +
                           " max_length=" + std::to_string(impl_->max_length) + " " +
                           impl_->runner->arithmetic();
  return formats::sha256(std::as_bytes(std::span<const char>(text.data(), text.size())));
}
std::string Reranker::isa() const { return isa_name(impl_->runner->isa()); }
std::string Reranker::precision() const {
  return std::string(plan::precision_name(impl_->runner->precision()));
}
int Reranker::threads() const { return impl_->runner->pool().size(); }

}  // namespace octavo
