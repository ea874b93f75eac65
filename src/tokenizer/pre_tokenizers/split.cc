// Split: cuts at a pattern.
#include "tokenizer/pre_tokenizers/pre_tokenizers.h"

namespace octavo::tokenizer {
namespace {

class Split : public PreTokenizer {
 public:
  Split(std::shared_ptr<const Pattern> pattern, Behavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}
  void apply(Pieces& pieces) const override {
    cut_at_pattern(pieces, *pattern_, behavior_, invert_);
  }

 private:
  std::shared_ptr<const Pattern> pattern_;
  Behavior behavior_;
  bool invert_;
};

}  // namespace

std::unique_ptr<PreTokenizer> make_split(JsonValue json) {
  return std::make_unique<Split>(read_pattern(json), read_behavior(json.at("behavior")),
                                 json.at("invert").as_bool());
}

}  // namespace octavo::tokenizer
