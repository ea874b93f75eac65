#define PCRE2_CODE_UNIT_WIDTH 8
#include "tokenizer/regex.h"

#include <pcre2.h>

#include "octavo/error.h"
#include "tokenizer/known_patterns.h"
#include "tokenizer/unicode.h"

namespace octavo::tokenizer {
namespace {

constexpr std::uint32_t kMatchLimit = 10'000'000, kHeapLimitKib = 64 * 1024;

class LiteralPattern : public Pattern {
 public:
  explicit LiteralPattern(std::string literal) : literal_(std::move(literal)) {}
  bool find(std::string_view text, std::size_t from, std::size_t& begin,
            std::size_t& end) const override {
    if (literal_.empty()) {  // an empty expression matches everywhere
      begin = end = from;
      return from <= text.size();
    }
    begin = text.find(literal_, from);
    end = begin + literal_.size();
    return begin != std::string_view::npos;
  }

 private:
  std::string literal_;
};

class PcrePattern : public Pattern {
 public:
  PcrePattern(std::string_view expression, const std::string& file)
      : expression_(expression), file_(file) {
    int code = 0;
    PCRE2_SIZE offset = 0;
    code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression.data()), expression.size(),
                              PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &code, &offset,
                              nullptr));
    if (!code_) {
      unsigned char message[256] = {};
      pcre2_get_error_message(code, message, sizeof message);
      throw Error(ErrorCode::kInvalidFile,
                  {.message = "a pattern is not a valid regular expression",
                   .file = file,
                   .place = "pattern, character " + std::to_string(offset),
                   .expected = "Perl-compatible syntax",
                   .found = reinterpret_cast<const char*>(message),
                   .fix = "correct the pattern"});
    }
    pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE);
    context_.reset(pcre2_match_context_create(nullptr));
    pcre2_set_match_limit(context_.get(), kMatchLimit);
    pcre2_set_heap_limit(context_.get(), kHeapLimitKib);
  }

  bool find(std::string_view text, std::size_t from, std::size_t& begin,
            std::size_t& end) const override {
    std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data(
        pcre2_match_data_create(1, nullptr), &pcre2_match_data_free);
    const int result =
        pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                    PCRE2_NO_UTF_CHECK, data.get(), context_.get());
    if (result == PCRE2_ERROR_NOMATCH) return false;
    if (result < 0) {
      unsigned char message[256] = {};
      pcre2_get_error_message(result, message, sizeof message);
      throw Error(ErrorCode::kUnsupported,
                  {.message = "a pattern of the tokenizer gave up on this text",
                   .file = file_,
                   .place = "pattern " + expression_.substr(0, 80),
                   .expected = "a match within the limits of steps and memory",
                   .found = reinterpret_cast<const char*>(message),
                   .fix = "shorten the text"});
    }
    const PCRE2_SIZE* range = pcre2_get_ovector_pointer(data.get());
    begin = range[0];
    end = range[1] < range[0] ? range[0] : range[1];  // \K in a lookahead can turn them around
    return begin >= from;
  }

 private:
  struct Free {
    void operator()(pcre2_code* p) const { pcre2_code_free(p); }
    void operator()(pcre2_match_context* p) const { pcre2_match_context_free(p); }
  };
  std::string expression_, file_;
  std::unique_ptr<pcre2_code, Free> code_;
  std::unique_ptr<pcre2_match_context, Free> context_;
};

}  // namespace

std::shared_ptr<const Pattern> make_literal_pattern(std::string literal) {
  return std::make_shared<LiteralPattern>(std::move(literal));
}

std::shared_ptr<const Pattern> make_regex_pattern(std::string_view expression,
                                                  const std::string& file) {
  if (auto known = find_known_pattern(expression)) return known;
  return std::make_shared<PcrePattern>(expression, file);
}

void for_each_match(const Pattern& pattern, std::string_view text,
                    const std::function<void(std::size_t, std::size_t, bool)>& visit) {
  std::size_t done = 0, from = 0, begin = 0, end = 0;
  bool matched = false;
  while (from <= text.size() && pattern.find(text, from, begin, end)) {
    if (begin == end && matched &&
        begin == done) {  // an empty match right after a match does not count
      from = end + 1;
      while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xc0) == 0x80) ++from;
      continue;
    }
    if (done < begin) visit(done, begin, false);
    visit(begin, end, true);
    matched = true;
    done = end;
    from = end;
    if (begin == end) {
      ++from;
      while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xc0) == 0x80) ++from;
    }
  }
  if (done < text.size()) visit(done, text.size(), false);
}

}  // namespace octavo::tokenizer
