// Patterns that cut text: a literal string, one of the well-known pre-tokenizer expressions
// (hand-written, linear), or any other regular expression through PCRE2 (JIT, match limits).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace octavo::tokenizer {

class Pattern {
 public:
  virtual ~Pattern() = default;
  /// The first match at or after `from`: [begin, end). False when there is none.
  virtual bool find(std::string_view text, std::size_t from, std::size_t& begin,
                    std::size_t& end) const = 0;
};

/// `file` names the source in errors.
std::shared_ptr<const Pattern> make_literal_pattern(std::string literal);
std::shared_ptr<const Pattern> make_regex_pattern(std::string_view expression,
                                                  const std::string& file);

/// visit(begin, end, is_match) over all of `text`, matches and what lies between, in order; empty
/// matches too.
void for_each_match(const Pattern& pattern, std::string_view text,
                    const std::function<void(std::size_t, std::size_t, bool)>& visit);

}  // namespace octavo::tokenizer
