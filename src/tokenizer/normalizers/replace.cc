// Replace: every match of a pattern becomes a fixed text.
#include "tokenizer/normalizers/normalizers.h"

namespace octavo::tokenizer {
namespace {

class Replace : public Normalizer {
 public:
  Replace(std::shared_ptr<const Pattern> pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}
  void apply(Text& text) const override {
    if (text.text.empty()) return;
    std::string out;
    for_each_match(*pattern_, text.text, [&](std::size_t begin, std::size_t end, bool match) {
      if (!match) {
        out.append(text.text, begin, end - begin);
        return;
      }
      if (begin == 0 && end > 0 && content_.empty()) text.at_start = false;
      out += content_;
      check_growth(out.size(), text.limit);
    });
    text.text = std::move(out);
  }

 private:
  std::shared_ptr<const Pattern> pattern_;
  std::string content_;
};

}  // namespace

std::unique_ptr<Normalizer> make_replace(JsonValue json) {
  return std::make_unique<Replace>(read_pattern(json), std::string(json.at("content").as_string()));
}

}  // namespace octavo::tokenizer
