// The small files of Hugging Face and sentence-transformers directories, as plain data: what each
// says and which were there. What they mean for a graph is the importers' and tasks' business.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace octavo::formats {

/// `config.json`, which must be an object. Throws Error(kNotFound) when the directory has none.
JsonDocument load_hf_config(const std::string& directory);

/// `1_Pooling/config.json`; several modes may be on (their results are then concatenated, in this
/// order).
struct PoolingConfig {
  std::optional<std::int64_t> word_embedding_dimension;
  bool cls_token = false;
  bool max_tokens = false;
  bool mean_tokens = false;
  bool mean_sqrt_len_tokens = false;
  bool weighted_mean_tokens = false;
  bool last_token = false;
  bool include_prompt = true;
};

/// A Dense module; weights `linear.weight` [out, in] and `linear.bias` [out] lie in
/// `<path>/model.safetensors`.
struct DenseConfig {
  std::int64_t in_features = 0, out_features = 0;
  bool bias = true;
  std::string activation_function = "torch.nn.modules.activation.Tanh";  // full Python name
};

enum class ModuleKind { kTransformer, kPooling, kDense, kNormalize, kDropout };

struct SentenceModule {
  std::int64_t idx = 0;
  std::string name, type;  // `type` is the full Python name
  std::string path;        // relative to the directory; "" is the directory itself
  ModuleKind kind = ModuleKind::kTransformer;
  std::optional<PoolingConfig> pooling;  // kPooling
  std::optional<DenseConfig> dense;      // kDense
};

/// Every optional says whether the file, and the key in it, was there.
struct SentenceTransformersConfig {
  bool has_modules = false;             // modules.json
  std::vector<SentenceModule> modules;  // in their order of application
  // sentence_bert_config.json, or the file its older names have
  std::optional<std::int64_t> max_seq_length;
  std::optional<bool> do_lower_case;
  // config_sentence_transformers.json
  std::map<std::string, std::string> prompts;
  std::optional<std::string> default_prompt_name;
  std::optional<std::string> similarity_fn_name;  // "cosine", "dot", "euclidean", "manhattan"
  // tokenizer_config.json; absent too when it says "very large", as tokenizers without a limit do
  std::optional<std::int64_t> model_max_length;
};

/// Reads what is there. Throws Error: kInvalidFile for broken files and for paths that leave the
/// directory, kUnsupported for a module type octavo does not know, kNotFound for a module's missing
/// config.
SentenceTransformersConfig load_sentence_transformers(const std::string& directory);

// The parsers of single files, for texts that are no files.
PoolingConfig parse_pooling_config(const JsonValue& root);
DenseConfig parse_dense_config(const JsonValue& root);
std::vector<SentenceModule> parse_modules(const JsonValue& root);

}  // namespace octavo::formats
