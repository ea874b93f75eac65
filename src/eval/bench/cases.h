// Which cases a model can run.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "octavo/benchmark.h"

namespace octavo::eval {

/// Those of at most `max_tokens` tokens; one text of so many where there are none. Without `skip`
/// an Error (kInvalidArgument) for the first one that is longer. `model` is named in it.
std::vector<BenchmarkCase> fitting_cases(std::vector<BenchmarkCase> cases,
                                         std::optional<std::size_t> max_tokens, bool skip,
                                         const std::string& model);

}  // namespace octavo::eval
