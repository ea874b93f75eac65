#include "eval/bench/cases.h"

#include <algorithm>

#include "octavo/error.h"

namespace octavo::eval {

std::vector<BenchmarkCase> fitting_cases(std::vector<BenchmarkCase> cases,
                                         std::optional<std::size_t> max_tokens, bool skip,
                                         const std::string& model) {
  if (!max_tokens) return cases;
  const auto too_long = [&](const BenchmarkCase& c) { return c.tokens > *max_tokens; };
  const auto found = std::ranges::find_if(cases, too_long);
  if (found == cases.end()) return cases;
  if (!skip) {
    throw Error(ErrorCode::kInvalidArgument,
                {.message = "a case has more tokens than the model takes",
                 .file = model,
                 .place = "--cases",
                 .expected = "at most " + std::to_string(*max_tokens) + " tokens",
                 .found = std::to_string(found->batch) + "x" + std::to_string(found->tokens),
                 .fix = "leave it out"});
  }
  std::erase_if(cases, too_long);
  if (cases.empty()) cases.push_back({1, *max_tokens});
  return cases;
}

}  // namespace octavo::eval
