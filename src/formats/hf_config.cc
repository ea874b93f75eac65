#include "formats/hf_config.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <limits>
#include <utility>

#include "base/file.h"
#include "base/memory_budget.h"
#include "octavo/error.h"

namespace octavo::formats {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxModules = 64;

constexpr std::array<std::pair<std::string_view, ModuleKind>, 5> kKinds = {
    {{"Transformer", ModuleKind::kTransformer},
     {"Pooling", ModuleKind::kPooling},
     {"Dense", ModuleKind::kDense},
     {"Normalize", ModuleKind::kNormalize},
     {"Dropout", ModuleKind::kDropout}}};

JsonDocument parse_object(const std::string& path) {
  JsonDocument out = JsonDocument::parse_file(path);
  if (!out.root().is_object()) out.root().fail("the file does not hold an object", "a JSON object");
  return out;
}

std::optional<JsonDocument> parse_if_there(const fs::path& path) {
  if (!file_exists(path.string())) return std::nullopt;
  return parse_object(path.string());
}

std::int64_t positive(const JsonValue& value) {
  const std::int64_t out = value.as_int();
  if (out <= 0 || out > std::numeric_limits<std::int32_t>::max()) {
    value.fail("a size is not possible", "1 to 2147483647", std::to_string(out));
  }
  return out;
}

// "sentence_transformers.models.Pooling", "sentence_transformers.models.pooling.Pooling", and what
// newer releases write
// ("sentence_transformers.sentence_transformer.modules.pooling.Pooling") all mean the same.
ModuleKind module_kind(const JsonValue& type) {
  const std::string_view name = type.as_string();
  if (name.starts_with("sentence_transformers.")) {
    const std::string_view last = name.substr(name.rfind('.') + 1);
    for (const auto& [known, kind] : kKinds) {
      if (known == last) return kind;
    }
  }
  throw Error(
      ErrorCode::kUnsupported,
      {.message = "octavo does not have this sentence-transformers module",
       .file = type.file(),
       .place = type.place(),
       .expected =
           "Transformer, Pooling, Dense, Normalize or Dropout of sentence_transformers.models",
       .found = "'" + std::string(name.substr(0, 200)) + "'",
       .fix = "use a model without it, or export the model to ONNX"});
}

// By the text alone: links inside the directory are its owner's business (download caches are made
// of them).
void check_path(const JsonValue& value) {
  const fs::path path(value.as_string());
  const bool leaves = std::find(path.begin(), path.end(), "..") != path.end();
  if (path.is_absolute() || leaves || value.as_string().find('\0') != std::string_view::npos) {
    value.fail("a module's path leaves the model's directory",
               "a path below the directory, without '..'",
               "'" + std::string(value.as_string().substr(0, 200)) + "'");
  }
}

void read_prompts(const JsonDocument& document, std::size_t file_bytes,
                  SentenceTransformersConfig& out) {
  const JsonValue root = document.root();
  if (const auto prompts = root.get("prompts")) {
    MemoryBudget budget(file_bytes, document.memory(), prompts->file());
    constexpr std::size_t kMapNode = 128;
    for (const auto [name, text] : prompts->members()) {
      budget.charge(kMapNode, "prompts");
      budget.charge_text(name.size(), "prompts");
      budget.charge_text(text.as_string().size(), "prompts");
      out.prompts.emplace(name, text.as_string());
    }
  }
  if (const auto name = root.get("default_prompt_name")) {
    out.default_prompt_name = name->as_string();
    if (!out.prompts.contains(*out.default_prompt_name)) {
      name->fail("the default prompt is not among the prompts", "a name of the key 'prompts'",
                 "'" + out.default_prompt_name->substr(0, 200) + "'");
    }
  }
  if (const auto similarity = root.get("similarity_fn_name")) {
    static constexpr std::array<std::string_view, 5> kKnown = {"cosine", "dot", "dot_product",
                                                               "euclidean", "manhattan"};
    const std::string_view name = similarity->as_string();
    if (std::find(kKnown.begin(), kKnown.end(), name) == kKnown.end()) {
      similarity->fail("the similarity function is unknown", "cosine, dot, euclidean or manhattan",
                       "'" + std::string(name.substr(0, 200)) + "'");
    }
    out.similarity_fn_name = name == "dot_product" ? "dot" : name;
  }
}

}  // namespace

JsonDocument load_hf_config(const std::string& directory) {
  const std::string path = (fs::path(directory) / "config.json").string();
  if (!file_exists(path)) {
    throw Error(ErrorCode::kNotFound, {.message = "the directory has no config.json",
                                       .file = path,
                                       .fix = "give the directory of a Hugging Face model"});
  }
  return parse_object(path);
}

PoolingConfig parse_pooling_config(const JsonValue& root) {
  PoolingConfig out;
  if (const auto dimension = root.get("word_embedding_dimension"))
    out.word_embedding_dimension = positive(*dimension);
  const std::array<std::pair<std::string_view, bool*>, 6> flags = {
      {{"pooling_mode_cls_token", &out.cls_token},
       {"pooling_mode_max_tokens", &out.max_tokens},
       {"pooling_mode_mean_tokens", &out.mean_tokens},
       {"pooling_mode_mean_sqrt_len_tokens", &out.mean_sqrt_len_tokens},
       {"pooling_mode_weightedmean_tokens", &out.weighted_mean_tokens},
       {"pooling_mode_lasttoken", &out.last_token}}};
  bool any = false;
  for (const auto& [key, value] : flags) {
    *value = root.bool_or(key, false);
    any = any || *value;
  }
  out.include_prompt = root.bool_or("include_prompt", true);
  if (const auto mode =
          root.get("pooling_mode")) {  // the form of newer releases: one name, or a list of names
    const auto turn_on = [&](const JsonValue& item) {
      static constexpr std::array<std::string_view, 6> kNames = {
          "cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"};
      const auto at = std::find(kNames.begin(), kNames.end(), item.as_string());
      if (at == kNames.end()) {
        item.fail("the pooling mode is unknown",
                  "cls, max, mean, mean_sqrt_len_tokens, weightedmean or lasttoken",
                  "'" + std::string(item.as_string().substr(0, 200)) + "'");
      }
      *flags[static_cast<std::size_t>(at - kNames.begin())].second = any = true;
    };
    if (mode->is_array()) {
      for (const JsonValue item : mode->elements()) turn_on(item);
    } else {
      turn_on(*mode);
    }
  }
  if (!any) root.fail("no pooling mode is on", "one of the pooling_mode_* keys to be true", "none");
  return out;
}

DenseConfig parse_dense_config(const JsonValue& root) {
  DenseConfig out;
  out.in_features = positive(root.at("in_features"));
  out.out_features = positive(root.at("out_features"));
  out.bias = root.bool_or("bias", true);
  out.activation_function = root.string_or("activation_function", out.activation_function);
  return out;
}

std::vector<SentenceModule> parse_modules(const JsonValue& root) {
  if (!root.is_array()) root.fail("the file does not hold a list of modules", "an array");
  if (root.size() == 0 || root.size() > kMaxModules) {
    root.fail("the number of modules is not possible", "1 to " + std::to_string(kMaxModules),
              std::to_string(root.size()));
  }
  std::vector<SentenceModule> out;
  for (const JsonValue item : root.elements()) {
    SentenceModule module;
    module.kind = module_kind(item.at("type"));
    module.type = item.at("type").as_string();
    module.idx = item.int_or("idx", static_cast<std::int64_t>(out.size()));
    module.name = item.string_or("name", "");
    if (const auto path = item.get("path")) {
      check_path(*path);
      module.path = path->as_string();
    }
    out.push_back(std::move(module));
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a.idx < b.idx; });
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (i != 0 && out[i].idx == out[i - 1].idx) {
      root.fail("two modules have the same idx", "different numbers", std::to_string(out[i].idx));
    }
    if ((out[i].kind == ModuleKind::kTransformer) != (i == 0)) {
      root.fail("the modules are in an order that octavo cannot run",
                "one Transformer, and it first", out[i].type + " at place " + std::to_string(i));
    }
  }
  return out;
}

SentenceTransformersConfig load_sentence_transformers(const std::string& directory) {
  const fs::path root(directory);
  SentenceTransformersConfig out;
  std::string transformer;
  if (file_exists((root / "modules.json").string())) {
    out.has_modules = true;
    out.modules = parse_modules(JsonDocument::parse_file((root / "modules.json").string()).root());
    transformer = out.modules[0].path;
    for (SentenceModule& module : out.modules) {
      if (module.kind != ModuleKind::kPooling && module.kind != ModuleKind::kDense) continue;
      with_frame([&] { return "reading the module '" + module.path + "' of " + directory; },
                 [&] {
                   const JsonDocument config =
                       parse_object((root / module.path / "config.json").string());
                   if (module.kind == ModuleKind::kPooling)
                     module.pooling = parse_pooling_config(config.root());
                   if (module.kind == ModuleKind::kDense)
                     module.dense = parse_dense_config(config.root());
                 });
    }
  }
  for (const char* name : {"sentence_bert_config.json", "sentence_roberta_config.json",
                           "sentence_distilbert_config.json", "sentence_camembert_config.json",
                           "sentence_albert_config.json", "sentence_xlm-roberta_config.json",
                           "sentence_xlnet_config.json"}) {
    const auto config = parse_if_there(root / transformer / name);
    if (!config) continue;
    if (const auto length = config->root().get("max_seq_length"))
      out.max_seq_length = positive(*length);
    if (const auto lower = config->root().get("do_lower_case"))
      out.do_lower_case = lower->as_bool();
    break;
  }
  const fs::path prompts = root / "config_sentence_transformers.json";
  if (const auto config = parse_if_there(prompts))
    read_prompts(*config, fs::file_size(prompts), out);
  if (const auto config = parse_if_there(root / transformer / "tokenizer_config.json")) {
    const auto length = config->root().get("model_max_length");
    if (length && length->as_double() < 1e9) out.model_max_length = positive(*length);
  }
  return out;
}

}  // namespace octavo::formats
