// What a report says of the loss by layer: a chart by the place in the model, ranked bars, a table.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "eval/report/html_page.h"
#include "octavo/quantize.h"

namespace octavo::eval {

struct SensitivitySection {
  std::string model{};                     // where a page has several
  std::string metric{};                    // that ranks the layers: "sqnr", "cosine" or "ndcg"
  std::vector<LayerSensitivity> layers{};  // the worst first
  std::set<std::string> in_float{};        // those that a quality gate left
};

/// Adds figures and a table, without a heading; nothing for no layers.
void add_sensitivity(HtmlPage& page, const SensitivitySection& section);

/// Names as they are told apart: without what all begin and end with, up to a '/' or '.'.
std::vector<std::string> distinct_parts(const std::vector<std::string>& names);

}  // namespace octavo::eval
