#include "eval/profile/flame.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <utility>

#include "eval/profile/rows.h"
#include "eval/profile/step_names.h"

namespace octavo {
namespace eval {
namespace {

constexpr const char* kWaiting = "waiting";

std::string model_label(const std::string& path) {
  std::filesystem::path name(path);
  if (name.filename().empty() || name.filename() == ".") name = name.parent_path();
  return name.filename().empty() ? "model" : name.filename().string();
}

std::string time_text(double seconds, double share) {
  return fmt::format("{:.4g} ms, {:.1f} %", 1e3 * seconds, 100 * share);
}

std::string step_details(const ProfileRow& row) {
  std::string out = fmt::format("{}\n{}, {}, {}\n{}", row.name, row.op, row.shape, row.kernel,
                                time_text(row.seconds, row.share));
  if (row.multiply_adds > 0) {
    out += fmt::format("\n{:.3f} TOPS", row.operations_per_second / 1e12);
    if (row.share_of_peak > 0)
      out += fmt::format(", {:.1f} % of the peak", 100 * row.share_of_peak);
    if (row.weight_bytes > 0) out += fmt::format("; {:.2f} GB/s", row.bytes_per_second / 1e9);
  }
  return out;
}

struct Legend {
  std::vector<std::string> lines;
  std::map<std::string, int> color_of_op;
};

Legend legend_of(const std::vector<ProfileRow>& steps) {
  std::vector<ProfileRow> ops;
  for (const ProfileRow& step : steps) {
    const auto same = [&](const ProfileRow& row) { return row.op == step.op; };
    auto row = std::find_if(ops.begin(), ops.end(), same);
    if (row == ops.end()) {
      ops.push_back({.name = {}, .op = step.op, .shape = {}, .kernel = {}});
      row = std::prev(ops.end());
    }
    row->seconds += step.seconds;
    row->share += step.share;
  }
  std::stable_sort(ops.begin(), ops.end(),
                   [](const auto& a, const auto& b) { return a.seconds > b.seconds; });
  Legend out;
  for (const ProfileRow& op : ops) {
    out.color_of_op[op.op] = static_cast<int>(out.lines.size());
    out.lines.push_back(op.op + ": " + time_text(op.seconds, op.share));
  }
  return out;
}

/// A stack's frame for flamegraph tools: ';' parts frames, a line end parts stacks.
std::string folded(std::string text) {
  for (char& c : text) {
    if (c == ';') c = ':';
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return text;
}

}  // namespace

FlameGraph flame_graph_of(const ProfileResult& result, std::size_t index) {
  const CaseProfile& profile = result.cases.at(index);
  const double seconds = shared_seconds(profile.run, result.threads);
  const std::vector<ProfileRow> steps = profile_rows(result, index, ProfileBy::kStep),
                                layers = profile_rows(result, index, ProfileBy::kLayer);
  const Legend legend = legend_of(steps);
  FlameGraph out;
  const std::string model = model_label(result.model);
  out.title =
      fmt::format("{}, {} texts of {} tokens", model, profile.what.batch, profile.what.tokens);
  out.subtitle =
      fmt::format("{:.4g} ms a run, {}, {} {}, {}", 1e3 * seconds, result.precision, result.threads,
                  result.threads == 1 ? "thread" : "threads", result.isa);
  out.legend = legend.lines;
  out.root = {.label = model, .details = out.title + "\n" + out.subtitle, .value = seconds};
  std::map<std::string, std::size_t> places;
  for (const ProfileRow& layer : layers) {
    places[layer.name] = out.root.children.size();
    const std::string details = layer.name + "\n" + time_text(layer.seconds, layer.share);
    out.root.children.push_back({.label = layer.name, .details = details, .value = layer.seconds});
  }
  for (const ProfileRow& step : steps) {
    const PlanStep plan_step{step.name, step.op, step.shape, step.kernel, {}};
    out.root.children[places.at(place_of_step(step.name).layer)].children.push_back(
        {.label = step_label(plan_step),
         .details = step_details(step),
         .value = step.seconds,
         .color = legend.color_of_op.at(step.op)});
  }
  const ProfileRow waiting = profile_table(result, index, ProfileBy::kStep).waiting;
  out.root.children.push_back(
      {.label = kWaiting,
       .details = "threads without a step to work on\n" + time_text(waiting.seconds, waiting.share),
       .value = waiting.seconds});
  return out;
}

}  // namespace eval

std::string folded_stacks(const ProfileResult& result, std::size_t index) {
  const eval::FlameFrame root = eval::flame_graph_of(result, index).root;
  // Steps of one name, as layers that share their weights have, are one stack.
  std::vector<std::pair<std::string, double>> stacks;
  std::map<std::string, std::size_t> places;
  const auto add = [&](const std::string& stack, double seconds) {
    const auto [place, is_new] = places.emplace(stack, stacks.size());
    if (is_new) stacks.emplace_back(stack, 0);
    stacks[place->second].second += seconds;
  };
  for (const eval::FlameFrame& layer : root.children) {
    const std::string stack = eval::folded(root.label) + ";" + eval::folded(layer.label);
    if (layer.children.empty()) add(stack, layer.value);
    for (const eval::FlameFrame& step : layer.children)
      add(stack + ";" + eval::folded(step.label), step.value);
  }
  std::string out;
  for (const auto& [stack, seconds] : stacks) {
    const long long microseconds = std::llround(1e6 * seconds);
    if (microseconds > 0) out += fmt::format("{} {}\n", stack, microseconds);
  }
  return out;
}

}  // namespace octavo
