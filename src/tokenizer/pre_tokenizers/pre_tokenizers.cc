// The list of pre-tokenizers, Sequence, and cutting.
#include "tokenizer/pre_tokenizers/pre_tokenizers.h"

namespace octavo::tokenizer {
namespace {

constexpr Factory<PreTokenizer> kPreTokenizers[] = {
    {"BertPreTokenizer", make_bert_pre_tokenizer},
    {"Whitespace", make_whitespace},
    {"WhitespaceSplit", make_whitespace_split},
    {"Punctuation", make_punctuation},
    {"Digits", make_digits},
    {"CharDelimiterSplit", make_char_delimiter_split},
    {"Split", make_split},
    {"Metaspace", make_metaspace},
    {"ByteLevel", make_byte_level_pre_tokenizer},
    {"Sequence", make_pre_tokenizer_sequence},
};

class SequencePreTokenizer : public PreTokenizer {
 public:
  explicit SequencePreTokenizer(std::vector<std::unique_ptr<PreTokenizer>> steps)
      : steps_(std::move(steps)) {}
  void apply(Pieces& pieces) const override {
    for (const auto& step : steps_) {
      step->apply(pieces);
      check_growth(pieces.text.size(), pieces.limit);
    }
  }

 private:
  std::vector<std::unique_ptr<PreTokenizer>> steps_;
};

}  // namespace

std::unique_ptr<PreTokenizer> make_pre_tokenizer(JsonValue json) {
  return make_by_type<PreTokenizer>(json, "pre-tokenizer", kPreTokenizers);
}

std::unique_ptr<PreTokenizer> make_pre_tokenizer_sequence(JsonValue json) {
  std::vector<std::unique_ptr<PreTokenizer>> steps;
  for (const JsonValue step : json.at("pretokenizers").elements())
    steps.push_back(make_pre_tokenizer(step));
  return std::make_unique<SequencePreTokenizer>(std::move(steps));
}

Behavior read_behavior(JsonValue json) {
  constexpr std::pair<std::string_view, Behavior> kNames[] = {
      {"Removed", Behavior::kRemoved},
      {"Isolated", Behavior::kIsolated},
      {"MergedWithPrevious", Behavior::kMergedWithPrevious},
      {"MergedWithNext", Behavior::kMergedWithNext},
      {"Contiguous", Behavior::kContiguous}};
  for (const auto& [name, behavior] : kNames) {
    if (json.as_string() == name) return behavior;
  }
  json.fail("unknown behavior",
            "Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous",
            std::string(json.as_string()));
}

void Cutter::flush() {
  if (open_ && begin_ < end_) {
    out_.push_back({parent_.begin + static_cast<std::uint32_t>(begin_),
                    parent_.begin + static_cast<std::uint32_t>(end_),
                    parent_.at_start && begin_ == 0});
  }
  open_ = false;
}

void Cutter::add(std::size_t begin, std::size_t end, bool match) {
  switch (behavior_) {
    case Behavior::kRemoved:
      flush();
      if (!match) start(begin, end);
      break;
    case Behavior::kIsolated: start(begin, end); break;
    case Behavior::kContiguous:
      if (match == previous_match_ && open_)
        end_ = end;
      else
        start(begin, end);
      break;
    case Behavior::kMergedWithPrevious:
      if (match && !previous_match_ && open_)
        end_ = end;
      else
        start(begin, end);
      break;
    case Behavior::kMergedWithNext:
      // A match opens a piece, and what follows that is no match joins it.
      if (!match && previous_match_ && open_)
        end_ = end;
      else
        start(begin, end);
      break;
  }
  previous_match_ = match;
}

void cut_at_pattern(Pieces& pieces, const Pattern& pattern, Behavior behavior, bool invert) {
  std::vector<Piece> out;
  out.reserve(pieces.pieces.size() * 2);
  for (const Piece& piece : pieces.pieces) {
    Cutter cutter(behavior, piece, out);
    for_each_match(pattern, pieces.view(piece),
                   [&](std::size_t begin, std::size_t end, bool match) {
                     cutter.add(begin, end, match != invert);
                   });
    cutter.finish();
  }
  pieces.pieces = std::move(out);
}

}  // namespace octavo::tokenizer
