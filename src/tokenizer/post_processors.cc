// The list of post-processors: special tokens and type ids around one or two sequences.
#include <algorithm>

#include "tokenizer/component.h"

namespace octavo::tokenizer {
namespace {

std::int32_t read_id(JsonValue json) {
  const std::int64_t id = json.as_int();
  if (id < 0 || id > 0x7fffffff)
    json.fail("a token id is out of range", "0 to 2147483647", std::to_string(id));
  return static_cast<std::int32_t>(id);
}
std::int32_t read_type_id(JsonValue json) { return read_id(json.at("type_id")); }

// ["[SEP]", 102]
std::int32_t read_named_id(JsonValue json, std::string_view key) {
  const JsonValue pair = json.at(key);
  if (!pair.is_array() || pair.size() != 2) pair.fail("not a token", "[token, id]");
  auto it = pair.elements().begin();
  (*it).as_string();
  ++it;
  return read_id(*it);
}

void append(Part& part, std::int32_t id, std::int32_t type_id) {
  part.ids.push_back(id);
  part.type_ids.push_back(type_id);
}

class TemplateProcessing : public PostProcessor {
 public:
  explicit TemplateProcessing(JsonValue json) {
    const JsonValue tokens = json.at("special_tokens");
    read(json.at("single"), tokens, single_, 1);
    read(json.at("pair"), tokens, pair_, 2);
  }
  std::size_t added(bool pair) const override {
    std::size_t count = 0;
    for (const Step& step : pair ? pair_ : single_) count += step.ids.size();
    return count;
  }
  void apply(std::vector<Part>& parts, bool add_special_tokens) const override {
    std::vector<Part> out(1);
    for (const Step& step : parts.size() > 1 ? pair_ : single_) {
      if (step.sequence >= 0) {
        const Part& part = parts[static_cast<std::size_t>(step.sequence)];
        out[0].ids.insert(out[0].ids.end(), part.ids.begin(), part.ids.end());
        out[0].type_ids.resize(out[0].ids.size(), step.type_id);
      } else if (add_special_tokens) {
        for (const std::int32_t id : step.ids) append(out[0], id, step.type_id);
      }
    }
    parts = std::move(out);
  }
  std::int32_t highest_id() const override {
    std::int32_t highest = -1;
    for (const auto* steps : {&single_, &pair_}) {
      for (const Step& step : *steps) {
        for (const std::int32_t id : step.ids) highest = std::max(highest, id);
      }
    }
    return highest;
  }

 private:
  struct Step {
    int sequence = -1;  // 0 or 1; -1 for special tokens
    std::int32_t type_id = 0;
    std::vector<std::int32_t> ids;
  };
  static void read(JsonValue json, JsonValue tokens, std::vector<Step>& steps, int sequences) {
    std::size_t total = 0;
    for (const JsonValue piece : json.elements()) {
      Step step;
      if (const auto sequence = piece.get("Sequence")) {
        const std::string_view id = sequence->at("id").as_string();
        if (id != "A" && id != "B")
          sequence->at("id").fail("unknown sequence", "A or B", std::string(id));
        step.sequence = id == "B";
        if (step.sequence >= sequences)
          sequence->fail("the template for one text names the sequence B", "only A");
        step.type_id = read_type_id(*sequence);
      } else if (const auto special = piece.get("SpecialToken")) {
        const JsonValue name = special->at("id");
        const auto token = tokens.get(name.as_string());
        if (!token)
          name.fail("the template names a special token that special_tokens lacks", {},
                    std::string(name.as_string()));
        for (const JsonValue id : token->at("ids").elements()) step.ids.push_back(read_id(id));
        total += step.ids.size();
        if (total > 65536) json.fail("the template adds too many special tokens", "at most 65536");
        step.type_id = read_type_id(*special);
      } else {
        json.fail("a piece of the template is neither Sequence nor SpecialToken");
      }
      steps.push_back(std::move(step));
    }
    for (int s = 0; s < sequences; ++s) {
      if (std::none_of(steps.begin(), steps.end(),
                       [&](const Step& step) { return step.sequence == s; })) {
        json.fail("the template leaves out a sequence",
                  s == 0 ? "the sequence A" : "both sequences");
      }
    }
  }

  std::vector<Step> single_, pair_;
};

// [CLS] A [SEP] B [SEP], or as RoBERTa has it: <s> A </s> </s> B </s>, all of type 0.
class FixedProcessing : public PostProcessor {
 public:
  FixedProcessing(JsonValue json, bool roberta)
      : cls_(read_named_id(json, "cls")), sep_(read_named_id(json, "sep")), roberta_(roberta) {}
  std::size_t added(bool pair) const override { return !pair ? 2 : roberta_ ? 4 : 3; }
  void apply(std::vector<Part>& parts, bool add_special_tokens) const override {
    if (roberta_) {
      for (Part& part : parts) std::fill(part.type_ids.begin(), part.type_ids.end(), 0);
    }
    if (!add_special_tokens) return;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      Part part;
      if (i == 0)
        append(part, cls_, 0);
      else if (roberta_)
        append(part, sep_, 0);
      part.ids.insert(part.ids.end(), parts[i].ids.begin(), parts[i].ids.end());
      part.type_ids.insert(part.type_ids.end(), parts[i].type_ids.begin(), parts[i].type_ids.end());
      append(part, sep_, roberta_ ? 0 : static_cast<std::int32_t>(i));
      parts[i] = std::move(part);
    }
  }
  std::int32_t highest_id() const override { return std::max(cls_, sep_); }

 private:
  std::int32_t cls_, sep_;
  bool roberta_;
};

// Trims offsets, which octavo does not keep.
class ByteLevelProcessing : public PostProcessor {
 public:
  std::size_t added(bool) const override { return 0; }
  void apply(std::vector<Part>&, bool) const override {}
};

class SequenceProcessing : public PostProcessor {
 public:
  explicit SequenceProcessing(JsonValue json) {
    const JsonValue list = json.at("processors");
    for (const JsonValue step : list.elements()) steps_.push_back(make_post_processor(step));
    if (std::count_if(steps_.begin(), steps_.end(),
                      [](const auto& s) { return s->added(true) > 0; }) > 1) {
      list.fail("more than one post-processor adds tokens",
                "at most one such processor in a Sequence");
    }
  }
  std::size_t added(bool pair) const override {
    std::size_t count = 0;
    for (const auto& step : steps_) count += step->added(pair);
    return count;
  }
  void apply(std::vector<Part>& parts, bool add_special_tokens) const override {
    for (const auto& step : steps_) step->apply(parts, add_special_tokens);
  }
  std::int32_t highest_id() const override {
    std::int32_t highest = -1;
    for (const auto& step : steps_) highest = std::max(highest, step->highest_id());
    return highest;
  }

 private:
  std::vector<std::unique_ptr<PostProcessor>> steps_;
};

constexpr Factory<PostProcessor> kPostProcessors[] = {
    {"TemplateProcessing",
     [](JsonValue json) -> std::unique_ptr<PostProcessor> {
       return std::make_unique<TemplateProcessing>(json);
     }},
    {"BertProcessing",
     [](JsonValue json) -> std::unique_ptr<PostProcessor> {
       return std::make_unique<FixedProcessing>(json, false);
     }},
    {"RobertaProcessing",
     [](JsonValue json) -> std::unique_ptr<PostProcessor> {
       return std::make_unique<FixedProcessing>(json, true);
     }},
    {"ByteLevel",
     [](JsonValue) -> std::unique_ptr<PostProcessor> {
       return std::make_unique<ByteLevelProcessing>();
     }},
    {"Sequence",
     [](JsonValue json) -> std::unique_ptr<PostProcessor> {
       return std::make_unique<SequenceProcessing>(json);
     }},
};

}  // namespace

std::unique_ptr<PostProcessor> make_post_processor(JsonValue json) {
  return make_by_type<PostProcessor>(json, "post-processor", kPostProcessors);
}

}  // namespace octavo::tokenizer
