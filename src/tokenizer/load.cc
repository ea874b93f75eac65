// Reading tokenizer.json, vocab.txt and tokenizer_config.json.
#include <cmath>

#include "base/file.h"
#include "tokenizer/models/models.h"
#include "tokenizer/models/wordpiece.h"
#include "tokenizer/normalizers/bert.h"
#include "tokenizer/pre_tokenizers/bert.h"
#include "tokenizer/state.h"
#include "tokenizer/unicode.h"

namespace octavo {
namespace tokenizer {
namespace {

constexpr double kLongestModel = 1e9;  // files write 1e30 for "no limit"

std::optional<std::size_t> read_length(JsonValue value) {
  const double length = value.as_double();
  if (!(length >= 1) || length > kLongestModel || std::floor(length) != length) return std::nullopt;
  return static_cast<std::size_t>(length);
}

}  // namespace

void finish_state(Tokenizer::State& state) {
  const auto* normalizer = dynamic_cast<const BertNormalizer*>(state.normalizer.get());
  const auto* model = dynamic_cast<const WordPiece*>(state.model.get());
  if (normalizer && model && dynamic_cast<const BertPreTokenizer*>(state.pre_tokenizer.get()) &&
      !state.added.any(true)) {
    state.bert = std::make_unique<BertFastPath>(normalizer->options(), *model);
  }
  if (!state.pad_id) {
    for (const char* name : {"[PAD]", "<pad>", "<|endoftext|>"}) {
      if (const std::int32_t id = state.find(name); id >= 0) {
        state.pad_id = id;
        break;
      }
    }
  }
}

std::shared_ptr<Tokenizer::State> read_tokenizer_json(JsonDocument document) {
  const JsonValue root = document.root();
  if (!root.is_object())
    root.fail("this is not a tokenizer.json", "an object with the key 'model'");
  if (const auto version = root.get("version"); version && version->as_string() != "1.0") {
    version->fail("unknown version of tokenizer.json", "1.0", std::string(version->as_string()));
  }
  auto state = std::make_shared<Tokenizer::State>();
  if (const auto json = root.get("normalizer")) state->normalizer = make_normalizer(*json);
  if (const auto json = root.get("pre_tokenizer")) state->pre_tokenizer = make_pre_tokenizer(*json);
  if (const auto json = root.get("post_processor"))
    state->post_processor = make_post_processor(*json);
  if (const auto json = root.get("decoder")) state->decoder = make_decoder(*json);
  state->model = make_model(root.at("model"));
  if (const auto json = root.get("added_tokens")) {
    state->added.add(read_added_tokens(*json), *state->model, state->normalizer.get());
  }
  if (state->post_processor) {
    const std::int32_t highest = state->post_processor->highest_id();
    if (highest >= std::max(state->model->vocab().id_bound(), state->added.id_bound())) {
      root.at("post_processor")
          .fail("the post-processor adds an id beyond the vocabulary",
                "ids of tokens in the vocabulary or in added_tokens", std::to_string(highest));
    }
  }
  if (const auto json = root.get("truncation")) {
    if (const auto length = json->get("max_length"))
      state->truncation_max_length = read_length(*length);
  }
  if (const auto json = root.get("padding")) {
    if (const auto id = json->get("pad_id")) {
      const std::int64_t value = id->as_int();
      if (value < 0 || value > 0x7fffffff)
        id->fail("pad_id is out of range", "0 to 2147483647", std::to_string(value));
      state->pad_id = static_cast<std::int32_t>(value);
    }
  }
  finish_state(*state);
  return state;
}

std::shared_ptr<Tokenizer::State> read_vocab_txt(std::string_view text, const std::string& file,
                                                 const std::optional<JsonDocument>& config) {
  const auto fail = [&](std::size_t line, std::string message, std::string expected,
                        std::string found) {
    throw Error(ErrorCode::kInvalidFile, {.message = std::move(message),
                                          .file = file,
                                          .place = "line " + std::to_string(line + 1),
                                          .expected = std::move(expected),
                                          .found = std::move(found),
                                          .fix = "fetch the vocabulary again"});
  };
  TokenTable table;
  std::size_t line = 0;
  for (std::size_t at = 0; at < text.size(); ++line) {
    std::size_t end = text.find('\n', at);
    if (end == std::string_view::npos) end = text.size();
    std::string_view token = text.substr(at, end - at);
    at = end + 1;
    if (!is_valid_utf8(token))
      fail(line, "a token is not valid UTF-8", "UTF-8 text, one token a line", "other bytes");
    const char *first = token.data(), *last = first + token.size();
    while (last > first) {
      const char* p = last;
      if (!unicode().is(decode_back(p), kSpace)) break;
      last = p;
    }
    token = std::string_view(first, static_cast<std::size_t>(last - first));
    if (line > 0x7ffffff0u || text.size() > 0xf0000000u)
      fail(line, "the vocabulary is too large", "less than 4 GB", "more");
    table.insert(token, static_cast<std::int32_t>(line));
  }
  if (table.size() == 0) fail(0, "the vocabulary is empty", "one token a line", "nothing");

  BertOptions options;
  bool accents_set = false;
  if (config && config->root().is_object()) {
    const JsonValue root = config->root();
    options.lowercase = root.bool_or("do_lower_case", true);
    options.handle_chinese_chars = root.bool_or("tokenize_chinese_chars", true);
    accents_set = root.get("strip_accents").has_value();
    options.strip_accents = root.bool_or("strip_accents", options.lowercase);
  }
  if (!accents_set) options.strip_accents = options.lowercase;

  auto state = std::make_shared<Tokenizer::State>();
  state->normalizer = std::make_unique<BertNormalizer>(options);
  state->pre_tokenizer = std::make_unique<BertPreTokenizer>();
  const std::int32_t cls = table.find("[CLS]"), sep = table.find("[SEP]");
  state->model = std::make_unique<WordPiece>(std::move(table), WordPieceOptions{}, file);
  std::vector<AddedToken> added;
  for (const char* name : {"[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"}) {
    if (state->model->vocab().find(name) >= 0)
      added.push_back({.content = name, .normalized = false, .special = true});
  }
  state->added.add(added, *state->model, nullptr);
  if (cls < 0 || sep < 0)
    fail(line, "the vocabulary lacks [CLS] or [SEP]", "both tokens", "the end of the file");
  const std::string processing = R"({"type":"BertProcessing","sep":["[SEP]",)" +
                                 std::to_string(sep) + R"(],"cls":["[CLS]",)" +
                                 std::to_string(cls) + "]}";
  state->post_processor = make_post_processor(JsonDocument::parse(processing, file).root());
  state->decoder = make_decoder(JsonDocument::parse(R"({"type":"WordPiece"})", file).root());
  finish_state(*state);
  return state;
}

void read_tokenizer_config(const JsonDocument& config, Tokenizer::State& state) {
  const JsonValue root = config.root();
  if (!root.is_object()) root.fail("this is not a tokenizer_config.json", "an object");
  if (const auto length = root.get("model_max_length"))
    state.model_max_length = read_length(*length);
  if (auto pad = root.get("pad_token")) {
    if (pad->is_object()) pad = pad->get("content");
    if (pad && pad->is_string()) {
      if (const std::int32_t id = state.find(pad->as_string()); id >= 0) state.pad_id = id;
    }
  }
}

}  // namespace tokenizer

Tokenizer Tokenizer::from_json(std::string_view json, const std::string& name) {
  return with_frame(
      [&] { return "reading the tokenizer " + name; },
      [&] { return Tokenizer(tokenizer::read_tokenizer_json(JsonDocument::parse(json, name))); });
}

Tokenizer Tokenizer::load(const std::string& path) {
  std::string file = path, directory;
  if (directory_exists(path)) {
    directory = path;
    file = path + "/tokenizer.json";
    if (!file_exists(file)) file = path + "/vocab.txt";
    if (!file_exists(file)) {
      throw Error(ErrorCode::kNotFound,
                  {.message = "the directory holds no tokenizer that octavo can read",
                   .file = path,
                   .expected = "tokenizer.json or vocab.txt",
                   .fix = "name the tokenizer's file, or save it as tokenizer.json"});
    }
  } else {
    const auto slash = path.rfind('/');
    directory = slash == std::string::npos ? "." : path.substr(0, slash);
  }
  return with_frame([&] { return "reading the tokenizer " + file; },
                    [&] {
                      const std::string config_path = directory + "/tokenizer_config.json";
                      std::optional<JsonDocument> config;
                      if (file_exists(config_path)) config = JsonDocument::parse_file(config_path);
                      const std::string text = read_text_file(file);
                      const bool json = file.ends_with(".json") ||
                                        text.find_first_not_of(" \t\r\n") == text.find('{');
                      std::shared_ptr<State> state =
                          json && !file.ends_with(".txt")
                              ? tokenizer::read_tokenizer_json(JsonDocument::parse(text, file))
                              : tokenizer::read_vocab_txt(text, file, config);
                      if (config) tokenizer::read_tokenizer_config(*config, *state);
                      return Tokenizer(std::move(state));
                    });
}

}  // namespace octavo
