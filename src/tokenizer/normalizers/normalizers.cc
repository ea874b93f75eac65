// The list of normalizers, and Sequence.
#include "tokenizer/normalizers/normalizers.h"

namespace octavo::tokenizer {
namespace {

constexpr Factory<Normalizer> kNormalizers[] = {
    {"BertNormalizer", make_bert_normalizer},
    {"NFC", make_nfc},
    {"NFD", make_nfd},
    {"NFKC", make_nfkc},
    {"NFKD", make_nfkd},
    {"Lowercase", make_lowercase},
    {"StripAccents", make_strip_accents},
    {"Strip", make_strip},
    {"Nmt", make_nmt},
    {"Replace", make_replace},
    {"Prepend", make_prepend},
    {"Append", make_append},
    {"Precompiled", make_precompiled},
    {"ByteLevel", make_byte_level_normalizer},
    {"Sequence", make_normalizer_sequence},
};

class SequenceNormalizer : public Normalizer {
 public:
  explicit SequenceNormalizer(std::vector<std::unique_ptr<Normalizer>> steps)
      : steps_(std::move(steps)) {}
  void apply(Text& text) const override {
    for (const auto& step : steps_) {
      step->apply(text);
      check_growth(text.text.size(), text.limit);
    }
  }

 private:
  std::vector<std::unique_ptr<Normalizer>> steps_;
};

}  // namespace

std::unique_ptr<Normalizer> make_normalizer(JsonValue json) {
  return make_by_type<Normalizer>(json, "normalizer", kNormalizers);
}

std::unique_ptr<Normalizer> make_normalizer_sequence(JsonValue json) {
  std::vector<std::unique_ptr<Normalizer>> steps;
  for (const JsonValue step : json.at("normalizers").elements())
    steps.push_back(make_normalizer(step));
  return std::make_unique<SequenceNormalizer>(std::move(steps));
}

}  // namespace octavo::tokenizer
