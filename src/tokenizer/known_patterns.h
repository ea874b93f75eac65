// The pre-tokenizer expressions of GPT-2, cl100k, Llama 3 and Qwen 2, written out by hand: no
// backtracking, linear time.
#pragma once

#include <memory>
#include <string_view>

#include "tokenizer/regex.h"

namespace octavo::tokenizer {

/// The expression of GPT-2, which the ByteLevel pre-tokenizer carries.
inline constexpr std::string_view kGpt2Expression =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

/// Nothing when the expression is not one of the known ones (compared as text).
std::shared_ptr<const Pattern> find_known_pattern(std::string_view expression);

}  // namespace octavo::tokenizer
