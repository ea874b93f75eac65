#include "plan/place_buffers.h"

#include <algorithm>
#include <limits>

#include "plan/row_group.h"

namespace octavo::plan {
namespace {

constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();

/// From its first to its last use.
struct Life {
  std::size_t first = kNever, last = 0;

  bool used() const { return first != kNever; }
  void use(std::size_t at) {
    first = std::min(first, at);
    last = std::max(last, at);
  }
  bool overlaps(const Life& other) const { return first <= other.last && other.first <= last; }
};

/// Gives each used buffer of `ids` the lowest column where no living one lies; widest first.
/// Returns the width of all.
std::size_t place(std::vector<std::size_t> ids, const std::vector<Life>& lives,
                  const std::vector<std::size_t>& widths, std::vector<BufferPlace>& places) {
  std::stable_sort(ids.begin(), ids.end(), [&](auto a, auto b) { return widths[a] > widths[b]; });
  std::size_t width = 0;
  std::vector<std::size_t> placed;
  for (const std::size_t id : ids) {
    std::vector<std::pair<std::size_t, std::size_t>> taken;
    for (const std::size_t other : placed) {
      if (lives[other].overlaps(lives[id])) {
        taken.emplace_back(places[other].column, places[other].column + widths[other]);
      }
    }
    std::sort(taken.begin(), taken.end());
    std::size_t column = 0;
    for (const auto& [begin, end] : taken) {
      if (begin >= column + widths[id]) break;
      column = std::max(column, end);
    }
    places[id].column = column;
    width = std::max(width, column + widths[id]);
    placed.push_back(id);
  }
  return width;
}

}  // namespace

Placement place_buffers(const std::vector<std::unique_ptr<Step>>& steps,
                        const std::vector<PlanOutput>& outputs,
                        const std::vector<std::size_t>& widths) {
  // Blocks of a group run one after the other through all of its steps, so a buffer in the arena
  // lives for whole groups; a local one only between its own steps.
  std::vector<Life> whole(widths.size()), fine(widths.size());
  std::size_t at = 0;
  const auto use = [&](const Step& step, std::size_t coarse, std::size_t time) {
    for (const auto& ids : {step.reads(), step.writes()}) {
      for (const BufferId id : ids) {
        whole[static_cast<std::size_t>(id)].use(coarse);
        fine[static_cast<std::size_t>(id)].use(time);
      }
    }
  };
  std::vector<bool> is_group(steps.size() + 1, false);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto* group = dynamic_cast<const RowGroup*>(steps[i].get());
    is_group[i] = group != nullptr;
    if (group == nullptr) {
      use(*steps[i], i, at++);
    } else {
      for (const auto& step : group->steps()) use(*step, i, at++);
    }
  }
  for (const PlanOutput& output : outputs) {
    whole[static_cast<std::size_t>(output.view.buffer)].use(steps.size());
  }
  Placement out;
  out.places.resize(widths.size());
  std::vector<std::size_t> global, local;
  for (std::size_t id = 0; id < widths.size(); ++id) {
    out.places[id].width = widths[id];
    if (!whole[id].used()) continue;
    out.places[id].local = whole[id].first == whole[id].last && is_group[whole[id].first];
    (out.places[id].local ? local : global).push_back(id);
  }
  out.arena_width = place(std::move(global), whole, widths, out.places);
  out.block_width = place(std::move(local), fine, widths, out.places);
  return out;
}

}  // namespace octavo::plan
