// The list of decoders: tokens back to text.
#include <algorithm>

#include "tokenizer/byte_level.h"
#include "tokenizer/component.h"
#include "tokenizer/pre_tokenizers/metaspace.h"
#include "tokenizer/unicode.h"

namespace octavo::tokenizer {
namespace {

using Tokens = std::vector<std::string>;

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  if (from.empty()) return;
  std::string out;
  std::size_t at = 0, found;
  while ((found = text.find(from, at)) != std::string::npos) {
    out.append(text, at, found - at);
    out += to;
    at = found + from.size();
  }
  if (at == 0) return;
  out.append(text, at, std::string::npos);
  text = std::move(out);
}

std::string join(const Tokens& tokens) {
  std::string out;
  for (const std::string& token : tokens) out += token;
  return out;
}

// English punctuation and contractions as they are written.
void clean_up(std::string& text) {
  constexpr std::pair<std::string_view, std::string_view> kRules[] = {
      {" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
      {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
      {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [from, to] : kRules) replace_all(text, from, to);
}

class WordPieceDecoder : public Decoder {
 public:
  explicit WordPieceDecoder(JsonValue json)
      : prefix_(json.string_or("prefix", "##")), cleanup_(json.bool_or("cleanup", true)) {}
  void apply(Tokens& tokens) const override {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (i > 0) {
        if (tokens[i].starts_with(prefix_))
          tokens[i].erase(0, prefix_.size());
        else
          tokens[i].insert(0, " ");
      }
      if (cleanup_) clean_up(tokens[i]);
    }
  }

 private:
  std::string prefix_;
  bool cleanup_;
};

class ByteLevelDecoder : public Decoder {
 public:
  void apply(Tokens& tokens) const override {
    std::string bytes;
    for (const std::string& token : tokens) {
      if (!byte_level_bytes(token, bytes)) bytes += token;
    }
    tokens = {replace_invalid_utf8(bytes)};
  }
};

class MetaspaceDecoder : public Decoder {
 public:
  explicit MetaspaceDecoder(JsonValue json) : options_(read_metaspace(json)) {}
  void apply(Tokens& tokens) const override {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      replace_all(tokens[i], options_.replacement,
                  i == 0 && options_.scheme != MetaspaceOptions::kNever ? "" : " ");
    }
  }

 private:
  MetaspaceOptions options_;
};

class ByteFallbackDecoder : public Decoder {
 public:
  void apply(Tokens& tokens) const override {
    Tokens out;
    std::string bytes;
    const auto flush = [&] {
      if (bytes.empty()) return;
      if (is_valid_utf8(bytes))
        out.push_back(bytes);
      else
        out.insert(out.end(), bytes.size(), "\xef\xbf\xbd");
      bytes.clear();
    };
    for (std::string& token : tokens) {
      const int byte = byte_of(token);
      if (byte >= 0) {
        bytes.push_back(static_cast<char>(byte));
      } else {
        flush();
        out.push_back(std::move(token));
      }
    }
    flush();
    tokens = std::move(out);
  }

 private:
  static int byte_of(std::string_view token) {  // "<0x0A>"
    if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
    int value = 0;
    for (const char c : token.substr(3, 2)) {
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return -1;
      value = value * 16 + digit;
    }
    return value;
  }
};

class FuseDecoder : public Decoder {
 public:
  void apply(Tokens& tokens) const override { tokens = {join(tokens)}; }
};

class StripDecoder : public Decoder {
 public:
  explicit StripDecoder(JsonValue json) : start_(count(json, "start")), stop_(count(json, "stop")) {
    append_utf8(content_, one_character(json, "content"));
  }
  void apply(Tokens& tokens) const override {
    for (std::string& token : tokens) {
      std::string_view text = token;
      for (std::size_t i = 0; i < start_ && text.starts_with(content_); ++i)
        text.remove_prefix(content_.size());
      for (std::size_t i = 0; i < stop_ && text.ends_with(content_); ++i)
        text.remove_suffix(content_.size());
      token = std::string(text);
    }
  }

 private:
  static std::size_t count(JsonValue json, std::string_view key) {
    const std::int64_t value = json.at(key).as_int();
    if (value < 0) json.at(key).fail("negative", "0 or more", std::to_string(value));
    return static_cast<std::size_t>(value);
  }
  std::string content_;
  std::size_t start_, stop_;
};

class ReplaceDecoder : public Decoder {
 public:
  explicit ReplaceDecoder(JsonValue json)
      : pattern_(read_pattern(json)), content_(json.at("content").as_string()) {}
  void apply(Tokens& tokens) const override {
    for (std::string& token : tokens) {
      if (token.empty()) continue;
      std::string out;
      for_each_match(*pattern_, token, [&](std::size_t begin, std::size_t end, bool match) {
        if (match)
          out += content_;
        else
          out.append(token, begin, end - begin);
      });
      token = std::move(out);
    }
  }

 private:
  std::shared_ptr<const Pattern> pattern_;
  std::string content_;
};

class BpeDecoder : public Decoder {
 public:
  explicit BpeDecoder(JsonValue json) : suffix_(json.string_or("suffix", "</w>")) {}
  void apply(Tokens& tokens) const override {
    for (std::size_t i = 0; i < tokens.size(); ++i)
      replace_all(tokens[i], suffix_, i + 1 == tokens.size() ? "" : " ");
  }

 private:
  std::string suffix_;
};

class SequenceDecoder : public Decoder {
 public:
  explicit SequenceDecoder(JsonValue json) {
    for (const JsonValue step : json.at("decoders").elements())
      steps_.push_back(make_decoder(step));
  }
  void apply(Tokens& tokens) const override {
    for (const auto& step : steps_) step->apply(tokens);
  }

 private:
  std::vector<std::unique_ptr<Decoder>> steps_;
};

template <typename T>
std::unique_ptr<Decoder> make(JsonValue json) {
  if constexpr (std::is_constructible_v<T, JsonValue>)
    return std::make_unique<T>(json);
  else
    return std::make_unique<T>();
}

constexpr Factory<Decoder> kDecoders[] = {
    {"WordPiece", make<WordPieceDecoder>}, {"ByteLevel", make<ByteLevelDecoder>},
    {"Metaspace", make<MetaspaceDecoder>}, {"ByteFallback", make<ByteFallbackDecoder>},
    {"Fuse", make<FuseDecoder>},           {"Strip", make<StripDecoder>},
    {"Replace", make<ReplaceDecoder>},     {"BPEDecoder", make<BpeDecoder>},
    {"Sequence", make<SequenceDecoder>},
};

}  // namespace

std::unique_ptr<Decoder> make_decoder(JsonValue json) {
  return make_by_type<Decoder>(json, "decoder", kDecoders);
}

}  // namespace octavo::tokenizer
