// What a report says of the machine that its figures come from.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace octavo::eval {

/// Names and values for HtmlPage::facts(): CPU, cores, kernels, memory, huge pages, octavo's
/// version, the time now.
std::vector<std::pair<std::string, std::string>> machine_facts(int threads,
                                                               const std::string& kernels);

}  // namespace octavo::eval
