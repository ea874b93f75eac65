// Plans to bytes and back: what belongs to the plan as a whole, then its steps.
#include <algorithm>
#include <limits>

#include "plan/plan.h"
#include "plan/step_kinds.h"

namespace octavo::plan {
namespace {

constexpr std::size_t kMostFloatsPerToken = std::size_t{1} << 28;  // keeps all sizes in 64 bits

void fields(auto& archive, auto& set) requires requires { set.padding_idx; }
{ archive(set.padding_idx, set.offset); }
void fields(auto& archive, auto& table) requires requires { table.inverse_frequencies; }
{ archive(table.inverse_frequencies); }
void fields(auto& archive, auto& output) requires requires { output.view; }
{ archive(output.name, output.view); }

template <typename T>
void save_list(PlanWriter& writer, const std::vector<T>& values) {
  writer(values.size());
  for (const T& value : values) fields(writer, value);
}

template <typename T>
void load_list(PlanReader& reader, std::vector<T>& values, std::size_t most) {
  const std::size_t count = reader.count();
  reader.require(count <= most, "a list that is too long");
  values.resize(count);
  for (T& value : values) fields(reader, value);
}

/// The greatest position that a sequence of up to `tokens` tokens has; -1 for none that fits.
std::int64_t last_position(const PositionSet& set, std::size_t tokens) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  const std::int64_t first = set.padding_idx < 0 ? set.offset : set.padding_idx + 1;
  if (first < 0 || first > kMost || tokens > static_cast<std::size_t>(kMost - first)) return kMost;
  return first + static_cast<std::int64_t>(tokens) - 1;
}

}  // namespace

void Plan::save(PlanWriter& writer) const {
  std::vector<std::size_t> widths;
  for (const BufferPlace& place : places_) widths.push_back(place.width);
  writer(precision_, widths, vocabulary_, type_rows_, max_tokens_);
  save_list(writer, positions_);
  save_list(writer, rotary_);
  save_list(writer, outputs_);
  const std::vector<const Step*> all = steps();
  writer(all.size());
  for (const Step* step : all) {
    writer(std::string(step->kind()));
    step->save(writer);
  }
}

std::unique_ptr<Plan> Plan::load(PlanReader& reader, IsaMask isa) {
  std::unique_ptr<Plan> plan(new Plan());
  PlanLimits& limits = reader.limits;
  reader(plan->precision_, limits.widths, plan->vocabulary_, plan->type_rows_, plan->max_tokens_);
  std::size_t floats = 0;
  for (const std::size_t width : limits.widths) {
    reader.require(width > 0 && width <= kMostFloatsPerToken - floats, "the width of a buffer");
    floats += width;
  }
  reader.require(plan->vocabulary_ >= 0 && plan->type_rows_ >= 0 && plan->max_tokens_ > 0,
                 "the limits of a plan");
  load_list(reader, plan->positions_, kMaxSets);
  load_list(reader, plan->rotary_, kMaxSets);
  constexpr std::size_t kMostOutputs = 64;
  load_list(reader, plan->outputs_, kMostOutputs);
  reader.require(!plan->outputs_.empty(), "a plan without outputs");
  for (const PositionSet& set : plan->positions_)
    limits.last_positions.push_back(last_position(set, plan->max_tokens_));
  for (const RotaryTable& table : plan->rotary_)
    limits.rotary.push_back(table.inverse_frequencies.size());
  limits.vocabulary = plan->vocabulary_;
  limits.type_rows = plan->type_rows_;
  for (std::size_t left = reader.count(); left > 0; --left) {
    std::string kind;
    reader(kind);
    plan->steps_.push_back(load_step(kind, reader, isa));
  }
  reader.require(reader.done(), "bytes after the last step");
  plan->finish(limits.widths);
  return plan;
}

}  // namespace octavo::plan
