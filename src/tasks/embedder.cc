#include "octavo/embedder.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "base/build_id.h"
#include "base/file.h"
#include "formats/sha256.h"
#include "octavo/error.h"
#include "tasks/embedder_of_graph.h"
#include "tasks/output_choice.h"
#include "tasks/pooling.h"
#include "tasks/runner.h"
#include "tasks/token_batch.h"

namespace octavo {

namespace {

// Texts that run together: more of them keep all threads busy, fewer let progress move.
constexpr std::size_t kFirstGroup = 64, kLeastGroup = 16, kMostGroup = 1024;

using tasks::DenseLayer;

/// What happens to the pooled row: dense layers and normalisations in their order.
struct PostModule {
  std::optional<DenseLayer> dense{};  // else: normalise
};

Similarity similarity_of(const formats::SentenceTransformersConfig& config) {
  const std::string name = config.similarity_fn_name.value_or("cosine");
  for (const Similarity s :
       {Similarity::kCosine, Similarity::kDot, Similarity::kEuclidean, Similarity::kManhattan}) {
    if (similarity_name(s) == name) return s;
  }
  throw Error(ErrorCode::kUnsupported,
              {.message = "the model names an unknown similarity function",
               .place = "config_sentence_transformers.json, key 'similarity_fn_name'",
               .expected = "cosine, dot, euclidean or manhattan",
               .found = "'" + name + "'"});
}

}  // namespace

std::string_view similarity_name(Similarity similarity) {
  switch (similarity) {
    case Similarity::kCosine: return "cosine";
    case Similarity::kDot: return "dot";
    case Similarity::kEuclidean: return "euclidean";
    case Similarity::kManhattan: return "manhattan";
  }
  return "cosine";
}

struct Embedder::Impl {
  tasks::ModelFiles files;
  Tokenizer tokenizer;
  std::unique_ptr<tasks::Runner> runner{};
  std::vector<std::string> digest_files{};
  std::vector<Pooling> poolings{};
  bool pooled_output = false;
  bool include_prompt = true;
  std::vector<PostModule> modules{};
  bool normalize = false;
  std::size_t max_length = 0;
  std::optional<std::size_t> keep_dimensions{};
  std::size_t width = 0;       // of a token row
  std::size_t full_width = 0;  // after pooling and dense layers
  Similarity similarity = Similarity::kCosine;

  std::size_t pooled_width() const { return pooled_output ? width : width * poolings.size(); }
  std::size_t dimensions() const { return keep_dimensions.value_or(full_width); }
  void configure(const EmbedderOptions& options);
  void load_dense(const formats::SentenceModule& module);
  std::size_t prompt_tokens(std::string_view prompt) const;
  void finish(const float* tokens, std::size_t ld, std::size_t rows, std::size_t skip,
              float* out) const;
};

void Embedder::Impl::load_dense(const formats::SentenceModule& module) {
  tasks::DenseWeights dense = tasks::read_dense(files.directory, module);
  modules.push_back(
      {DenseLayer(dense.weight, std::move(dense.bias), module.dense->activation_function)});
  digest_files.push_back(std::move(dense.file));
}

void Embedder::Impl::configure(const EmbedderOptions& options) {
  const formats::SentenceTransformersConfig& st = files.sentence_transformers;
  bool normalize_listed = false;
  for (const formats::SentenceModule& module : st.modules) {
    if (module.kind == formats::ModuleKind::kPooling && module.pooling) {
      poolings = tasks::poolings_of(*module.pooling);
      include_prompt = module.pooling->include_prompt;
    }
    if (module.kind == formats::ModuleKind::kDense && module.dense) load_dense(module);
    if (module.kind == formats::ModuleKind::kNormalize) {
      normalize_listed = true;
      if (options.normalize.value_or(true)) modules.push_back({});
    }
  }
  if (options.pooling) poolings = {*options.pooling};
  // A bare export says nothing of normalisation; search by cosine is what such models are for.
  normalize = options.normalize.value_or(normalize_listed || !st.has_modules);
  if (normalize && !normalize_listed) modules.push_back({});
  similarity = similarity_of(st);

  std::size_t limit = runner->max_tokens();
  for (const auto& said : {st.max_seq_length, st.model_max_length}) {
    if (said && *said > 0) {
      limit = std::min(limit, static_cast<std::size_t>(*said));
      break;  // sentence_bert_config.json goes before tokenizer_config.json
    }
  }
  constexpr std::size_t kNoLimit = 8192;  // neither the files nor the position table name one
  max_length = limit == std::numeric_limits<std::size_t>::max() ? kNoLimit : limit;
  if (options.max_length) {
    if (*options.max_length == 0 || *options.max_length > runner->max_tokens()) {
      throw Error(ErrorCode::kInvalidArgument,
                  {.message = "the maximum length is out of range",
                   .expected = "1 to " + std::to_string(runner->max_tokens()) + " tokens",
                   .found = std::to_string(*options.max_length),
                   .fix = "give a smaller --max-length"});
    }
    max_length = *options.max_length;
  }
  if (st.do_lower_case.value_or(false) &&
      tokenizer.encode("AÉ").ids != tokenizer.encode("aé").ids) {
    throw Error(ErrorCode::kUnsupported,
                {.message = "the model asks for lower-casing that its tokenizer does not do",
                 .file = files.directory,
                 .place = "sentence_bert_config.json, key 'do_lower_case'",
                 .fix = "set it to false, or add a Lowercase normalizer to tokenizer.json"});
  }
}

std::size_t Embedder::Impl::prompt_tokens(std::string_view prompt) const {
  if (include_prompt || prompt.empty()) return 0;
  // As sentence-transformers counts: the prompt's tokens without a closing special token.
  const Encoding with = tokenizer.encode(prompt);
  const Encoding without = tokenizer.encode(prompt, {.add_special_tokens = false});
  const bool closed =
      !with.ids.empty() && (without.ids.empty() || with.ids.back() != without.ids.back());
  return with.ids.size() - (closed ? 1 : 0);
}

void Embedder::Impl::finish(const float* tokens, std::size_t ld, std::size_t rows, std::size_t skip,
                            float* out) const {
  std::vector<float> row(pooled_width());
  if (pooled_output) {
    std::copy_n(tokens, width, row.begin());
  } else {
    skip = std::min(skip, rows);
    for (std::size_t i = 0; i < poolings.size(); ++i) {
      tasks::pool_tokens(poolings[i], tokens + skip * ld, ld, rows - skip, width,
                         row.data() + i * width);
    }
  }
  for (const PostModule& module : modules) {
    if (module.dense) {
      std::vector<float> next(module.dense->out());
      module.dense->apply(row.data(), next.data());
      row = std::move(next);
    } else {
      tasks::normalize_l2(row);
    }
  }
  row.resize(dimensions());
  if (keep_dimensions && normalize) tasks::normalize_l2(row);
  std::copy(row.begin(), row.end(), out);
}

Embedder::Embedder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Embedder::Embedder(Embedder&&) noexcept = default;
Embedder& Embedder::operator=(Embedder&&) noexcept = default;
Embedder::~Embedder() = default;

Embedder Embedder::load(const std::string& model, const EmbedderOptions& options) {
  return EmbedderOfGraph::load(model, options, {});
}

Embedder EmbedderOfGraph::load(const std::string& model, const EmbedderOptions& options,
                               const std::function<void(ir::Graph&)>& edit) {
  tasks::ModelFiles files = tasks::find_model(model);
  const std::string tokenizer_path = files.tokenizer_path(options.tokenizer);
  auto impl = std::unique_ptr<Embedder::Impl>(
      new Embedder::Impl{.files = std::move(files), .tokenizer = Tokenizer::load(tokenizer_path)});
  const bool asked = options.pooling.has_value() || impl->files.sentence_transformers.has_modules;
  const tasks::RunnerModel source{.files = impl->files,
                                  .use = asked ? "embed tokens" : "embed",
                                  .prepare = [&](ir::Graph& graph) {
                                    if (edit) edit(graph);
                                    return tasks::keep_embedding_output(graph, !asked);
                                  }};
  impl->runner = std::make_unique<tasks::Runner>(source, options.runtime);
  const tasks::OutputChoice& output = impl->runner->facts().output;
  impl->pooled_output = output.pooled;
  impl->digest_files = impl->runner->facts().files;
  impl->configure(options);
  for (const char* name : {"tokenizer.json", "vocab.txt", "tokenizer_config.json", "modules.json",
                           "sentence_bert_config.json", "config_sentence_transformers.json",
                           "1_Pooling/config.json"}) {
    const std::string path = (std::filesystem::path(impl->files.directory) / name).string();
    if (file_exists(path)) impl->digest_files.push_back(path);
  }
  tasks::add_tokenizer_files(tokenizer_path, impl->digest_files);
  if (!impl->pooled_output && impl->poolings.empty()) {
    throw Error(ErrorCode::kInvalidArgument,
                {.message = "the model does not say how its token vectors become one vector",
                 .file = impl->files.directory,
                 .expected = "modules.json with 1_Pooling/config.json, or --pooling",
                 .found = "neither",
                 .fix = "say it: --pooling mean (MiniLM, E5, GTE) or --pooling cls (BGE, Arctic, "
                        "mxbai); the model's page knows"});
  }
  const tasks::Runner::Rows rows =
      impl->runner->rows_of_output(impl->tokenizer.pad_id().value_or(0));
  if ((rows.layout == plan::Layout::kSequence) != impl->pooled_output) {
    throw Error(ErrorCode::kUnsupported,
                {.message = "the output of the model has another rank than it declares",
                 .file = impl->files.path,
                 .place = "output '" + output.name + "'",
                 .expected = impl->pooled_output ? "a row a sequence" : "a row a token",
                 .found = impl->pooled_output ? "a row a token" : "a row a sequence",
                 .fix = "export the model again"});
  }
  impl->width = rows.width;
  impl->full_width = impl->pooled_width();
  for (const PostModule& module : impl->modules) {
    if (!module.dense) continue;
    if (module.dense->in() != impl->full_width) {
      throw Error(ErrorCode::kInvalidFile,
                  {.message = "a Dense module takes another width than it is given",
                   .file = impl->files.directory,
                   .expected = std::to_string(impl->full_width),
                   .found = std::to_string(module.dense->in())});
    }
    impl->full_width = module.dense->out();
  }
  if (options.dimensions) {
    if (*options.dimensions == 0 || *options.dimensions > impl->full_width) {
      throw Error(ErrorCode::kInvalidArgument,
                  {.message = "the number of dimensions is out of range",
                   .expected = "1 to " + std::to_string(impl->full_width),
                   .found = std::to_string(*options.dimensions),
                   .fix = "give a smaller --dimensions"});
    }
    impl->keep_dimensions = options.dimensions;
  }
  return Embedder(std::move(impl));
}

std::vector<float> Embedder::embed(std::span<const std::string> texts, std::string_view prompt,
                                   EmbedStats* stats, const EmbedProgress& progress) {
  const std::size_t dims = impl_->dimensions(), skip = impl_->prompt_tokens(prompt);
  std::vector<float> out(texts.size() * dims, 0.0f);
  EmbedStats total;
  std::size_t group = progress ? kFirstGroup : kMostGroup;
  for (std::size_t first = 0, count = 0; first < texts.size(); first += count) {
    const auto start_time = std::chrono::steady_clock::now();
    count = std::min(group, texts.size() - first);
    const tasks::TokenBatch batch = tasks::tokenize_batch(
        count,
        [&](std::size_t i) {
          const EncodeOptions options{.max_length = impl_->max_length};
          const std::string& text = texts[first + i];
          return prompt.empty() ? impl_->tokenizer.encode(text, options)
                                : impl_->tokenizer.encode(std::string(prompt) + text, options);
        },
        impl_->runner->pool());
    impl_->runner->run(batch.packed(), [&](std::size_t start, const plan::PackedBatch& chunk,
                                           std::span<const plan::Matrix> outputs) {
      const plan::Matrix& rows = outputs[0];
      for (std::size_t i = 0; i < chunk.sequences(); ++i) {
        const std::size_t row = impl_->pooled_output ? i : chunk.begin(i);
        impl_->finish(rows.data + row * rows.ld, rows.ld,
                      impl_->pooled_output ? 1 : chunk.length(i), skip,
                      out.data() + (first + batch.rows[start + i]) * dims);
      }
    });
    total.texts += count;
    total.tokens += batch.ids.size();
    total.truncated += batch.truncated;
    if (!progress) continue;
    if (!progress(first + count, texts.size(), total.tokens))
      throw Error(ErrorCode::kCancelled, "embedding was stopped");
    const auto took = std::chrono::steady_clock::now() - start_time;
    if (took < std::chrono::milliseconds(150)) group = std::min(2 * group, kMostGroup);
    if (took > std::chrono::milliseconds(500)) group = std::max(group / 2, kLeastGroup);
  }
  if (stats != nullptr) *stats = total;
  return out;
}

std::size_t Embedder::dimensions() const { return impl_->dimensions(); }
std::size_t Embedder::max_length() const { return impl_->max_length; }
std::optional<std::size_t> Embedder::max_length_limit() const {
  return impl_->runner->token_limit();
}
const std::vector<Pooling>& Embedder::pooling() const { return impl_->poolings; }
bool Embedder::normalize() const { return impl_->normalize; }
Similarity Embedder::similarity() const { return impl_->similarity; }
const Tokenizer& Embedder::tokenizer() const { return impl_->tokenizer; }
const std::map<std::string, std::string>& Embedder::prompts() const {
  return impl_->files.sentence_transformers.prompts;
}
std::optional<std::string> Embedder::default_prompt_name() const {
  return impl_->files.sentence_transformers.default_prompt_name;
}

std::string Embedder::prompt(std::string_view name) const {
  const auto& all = prompts();
  const auto it = all.find(std::string(name));
  if (it != all.end()) return it->second;
  std::string known;
  for (const auto& [key, text] : all) known += (known.empty() ? "" : ", ") + key;
  throw Error(ErrorCode::kInvalidArgument,
              {.message = "the model has no prompt of this name",
               .expected = known.empty() ? "none: the model names no prompts" : known,
               .found = "'" + std::string(name) + "'",
               .fix = "give the text itself with --prompt"});
}

std::string Embedder::digest() const {
  std::string text = formats::sha256_files(impl_->digest_files) + " " + build_id();
  for (const Pooling pooling : impl_->poolings) text += " " + std::string(pooling_name(pooling));
  text += " normalize=" + std::to_string(impl_->normalize) +
          " max_length=" + std::to_string(impl_->max_length) +
          " dimensions=" + std::to_string(dimensions()) + " " + impl_->runner->arithmetic();
  return formats::sha256(std::as_bytes(std::span<const char>(text.data(), text.size())));
}

std::string Embedder::isa() const { return isa_name(impl_->runner->isa()); }
std::string Embedder::precision() const {
  return std::string(plan::precision_name(impl_->runner->precision()));
}
int Embedder::threads() const { return impl_->runner->pool().size(); }

}  // namespace octavo
