// The normalizers that need no data of their own: Unicode forms, Lowercase, StripAccents, Strip,
// Nmt, Prepend, Append, ByteLevel.
#include "tokenizer/byte_level.h"
#include "tokenizer/normalizers/filter.h"
#include "tokenizer/normalizers/normalizers.h"
#include "tokenizer/unicode.h"

namespace octavo::tokenizer {
namespace {

class FormNormalizer : public Normalizer {
 public:
  explicit FormNormalizer(Form form) : form_(form) {}
  void apply(Text& text) const override {
    if (!is_ascii(text.text)) text.text = normalize(text.text, form_);
  }

 private:
  Form form_;
};

class Lowercase : public Normalizer {
 public:
  void apply(Text& text) const override { text.text = lowercase(text.text); }
};

class StripAccents : public Normalizer {
 public:
  void apply(Text& text) const override {
    map_points(text, [&](char32_t c) { return unicode().is(c, kMark) ? kRemoved : c; });
  }
};

class Strip : public Normalizer {
 public:
  Strip(bool left, bool right) : left_(left), right_(right) {}
  void apply(Text& text) const override {
    const char *begin = text.text.data(), *end = begin + text.text.size();
    while (left_ && begin < end) {
      const char* p = begin;
      if (!unicode().is(decode(p), kSpace)) break;
      begin = p;
    }
    while (right_ && begin < end) {
      const char* p = end;
      if (!unicode().is(decode_back(p), kSpace)) break;
      end = p;
    }
    if (begin != text.text.data()) text.at_start = false;
    text.text = std::string(begin, end);
  }

 private:
  bool left_, right_;
};

class Nmt : public Normalizer {
 public:
  void apply(Text& text) const override {
    map_points(text, [](char32_t c) -> char32_t {
      if ((c >= 1 && c <= 8) || c == 0xb || (c >= 0xe && c <= 0x1f) || c == 0x7f || c == 0x8f ||
          c == 0x9f) {
        return kRemoved;
      }
      if (c == 9 || c == 0xa || c == 0xc || c == 0xd || c == 0x1680 ||
          (c >= 0x200b && c <= 0x200f) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
          c == 0xfeff || c == 0xfffd) {
        return U' ';
      }
      return c;
    });
  }
};

class Affix : public Normalizer {
 public:
  Affix(std::string text, bool front) : text_(std::move(text)), front_(front) {}
  void apply(Text& text) const override {
    if (text.text.empty()) return;
    if (front_)
      text.text.insert(0, text_);
    else
      text.text += text_;
  }

 private:
  std::string text_;
  bool front_;
};

class ByteLevelNormalizer : public Normalizer {
 public:
  void apply(Text& text) const override {
    std::string out;
    append_byte_level(text.text, out);
    text.text = std::move(out);
  }
};

}  // namespace

std::unique_ptr<Normalizer> make_nfc(JsonValue) {
  return std::make_unique<FormNormalizer>(Form::kNfc);
}
std::unique_ptr<Normalizer> make_nfd(JsonValue) {
  return std::make_unique<FormNormalizer>(Form::kNfd);
}
std::unique_ptr<Normalizer> make_nfkc(JsonValue) {
  return std::make_unique<FormNormalizer>(Form::kNfkc);
}
std::unique_ptr<Normalizer> make_nfkd(JsonValue) {
  return std::make_unique<FormNormalizer>(Form::kNfkd);
}
std::unique_ptr<Normalizer> make_lowercase(JsonValue) { return std::make_unique<Lowercase>(); }
std::unique_ptr<Normalizer> make_strip_accents(JsonValue) {
  return std::make_unique<StripAccents>();
}
std::unique_ptr<Normalizer> make_nmt(JsonValue) { return std::make_unique<Nmt>(); }
std::unique_ptr<Normalizer> make_byte_level_normalizer(JsonValue) {
  return std::make_unique<ByteLevelNormalizer>();
}

std::unique_ptr<Normalizer> make_strip(JsonValue json) {
  return std::make_unique<Strip>(json.at("strip_left").as_bool(), json.at("strip_right").as_bool());
}
std::unique_ptr<Normalizer> make_prepend(JsonValue json) {
  return std::make_unique<Affix>(std::string(json.at("prepend").as_string()), true);
}
std::unique_ptr<Normalizer> make_append(JsonValue json) {
  return std::make_unique<Affix>(std::string(json.at("append").as_string()), false);
}

}  // namespace octavo::tokenizer
