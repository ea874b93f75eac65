#include "quant/exclusions.h"

#include <algorithm>

#include "octavo/error.h"

namespace octavo::quant {

bool matches_glob(std::string_view glob, std::string_view text) {
  std::size_t g = 0, t = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    if (g < glob.size() && (glob[g] == '?' || (glob[g] == text[t] && glob[g] != '*'))) {
      ++g, ++t;
    } else if (g < glob.size() && glob[g] == '*') {
      star = g++;
      mark = t;
    } else if (star != std::string_view::npos) {
      g = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (g < glob.size() && glob[g] == '*') ++g;
  return g == glob.size();
}

std::string Exclusions::reason(const ir::Node& node) {
  std::string out;
  for (std::size_t i = 0; i < options_.exclude.size(); ++i) {
    if (!matches_glob(options_.exclude[i], node.name)) continue;
    matched_[i] = true;
    out = "excluded by '" + options_.exclude[i] + "'";
  }
  if (std::ranges::find(options_.exclude_ops, node.op) != options_.exclude_ops.end()) {
    matched_operator_ = true;
    if (out.empty()) out = "operator " + node.op + " is excluded";
  }
  return out;
}

void Exclusions::check() const {
  for (std::size_t i = 0; i < matched_.size(); ++i) {
    if (matched_[i]) continue;
    throw Error(ErrorCode::kInvalidArgument,
                {.message = "an exclusion matches no node that would be quantised",
                 .expected = "the name of a node, or a glob such as '*/attention/*'",
                 .found = "'" + options_.exclude[i] + "'",
                 .fix = "octavo inspect --graph MODEL lists the nodes"});
  }
  if (matched_operator_ || options_.exclude_ops.empty()) return;
  std::string all;
  for (const std::string& op : options_.exclude_ops) all += (all.empty() ? "" : ", ") + op;
  throw Error(ErrorCode::kInvalidArgument,
              {.message = "no node that would be quantised has an excluded operator type",
               .expected = "types such as Gather or Gemm",
               .found = "'" + all + "'",
               .fix = "octavo inspect --graph MODEL lists the nodes"});
}

bool is_excluded(const QuantizeOptions& options, const ir::Node& node) {
  return !Exclusions(options).reason(node).empty();
}

void check_something_is_left(const QuantizeOptions& options,
                             const std::vector<QuantizedNode>& report) {
  if (std::ranges::any_of(report, [](const QuantizedNode& node) { return node.quantized; })) return;
  constexpr std::size_t kNamed = 3;
  std::string found = report.empty() ? "no node with such weights" : "";
  for (std::size_t i = 0; i < std::min(kNamed, report.size()); ++i) {
    found += (i == 0 ? "" : "; ") + report[i].op + " '" + report[i].name + "': " + report[i].note;
  }
  if (report.size() > kNamed) found += "; " + std::to_string(report.size() - kNamed) + " more";
  const bool asked = !options.exclude.empty() || !options.exclude_ops.empty();
  const bool half =
      options.mode == QuantizeMode::kFloat16 || options.mode == QuantizeMode::kBFloat16;
  throw Error(ErrorCode::kInvalidArgument,
              {.message = "nothing is left to quantise",
               .expected = "a MatMul, Gemm or Gather with a constant float32 matrix",
               .found = std::move(found),
               .fix = asked && !report.empty() ? "exclude fewer nodes"
                      : half                   ? "leave the model as it is"
                             : "choose --mode float16, which takes any operator"});
}

}  // namespace octavo::quant
