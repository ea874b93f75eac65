#include "eval/profile/step_names.h"

#include <algorithm>
#include <array>
#include <utility>

namespace octavo::eval {
namespace {

bool is_number(std::string_view part) {
  // Some exporters write "layer_._3".
  while (!part.empty() && part.front() == '_') part.remove_prefix(1);
  return !part.empty() &&
         std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string compact(std::string_view shape) {
  for (const std::string_view rows : {"tokens x ", "sequences x "}) {
    if (shape.starts_with(rows)) shape.remove_prefix(rows.size());
  }
  std::string out(shape);
  constexpr std::string_view kArrow = " -> ";
  for (std::size_t at = 0; (at = out.find(kArrow, at)) != std::string::npos;)
    out.replace(at, kArrow.size(), "->");
  return out;
}

}  // namespace

StepPlace place_of_step(std::string_view name) {
  constexpr std::string_view kBreaks = "./";
  while (!name.empty() && kBreaks.find(name.front()) != std::string_view::npos)
    name.remove_prefix(1);
  const std::size_t first = std::min(name.find_first_of(kBreaks), name.size());
  const auto rest_from = [&](std::size_t at) {
    return std::string(name.substr(std::min(at + 1, name.size())));
  };
  for (std::size_t begin = first + 1; begin < name.size();) {
    const std::size_t end = std::min(name.find_first_of(kBreaks, begin), name.size());
    std::string_view part = name.substr(begin, end - begin);
    if (is_number(part)) {
      part.remove_prefix(part.find_first_not_of('_'));
      return {"layer " + std::string(part), rest_from(end)};
    }
    begin = end + 1;
  }
  return {std::string(name.substr(0, first)), rest_from(first)};
}

std::string step_label(const PlanStep& step) {
  std::string out = place_of_step(step.name).name;
  for (const std::string& part : {step.op, compact(step.shape)}) {
    if (!part.empty()) out += (out.empty() ? "" : " ") + part;
  }
  return out;
}

std::string_view kernel_precision(std::string_view kernel) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kTypes = {
      {{"int8", "int8"}, {"bf16", "bf16"}, {"fp16", "fp32"}, {"f32", "fp32"}}};
  const std::size_t begin = kernel.find('_');
  if (begin == std::string_view::npos) return {};
  const std::string_view rest = kernel.substr(begin + 1), type = rest.substr(0, rest.find('_'));
  for (const auto& [part, precision] : kTypes) {
    if (type == part) return precision;
  }
  return {};
}

}  // namespace octavo::eval
