#include "plan/plan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "octavo/error.h"
#include "plan/place_buffers.h"
#include "plan/row_group.h"

namespace octavo::plan {
namespace {

constexpr std::size_t kAlign = 16;  // floats in a cache line

std::size_t round_up(std::size_t n) { return (n + kAlign - 1) / kAlign * kAlign; }

void fill_positions(const PackedBatch& batch, const PositionSet& set, std::int32_t* out) noexcept {
  for (std::size_t i = 0; i < batch.sequences(); ++i) {
    std::int32_t count = 0;
    for (std::size_t t = batch.begin(i); t < batch.begin(i) + batch.length(i); ++t) {
      if (set.padding_idx < 0) {
        out[t] = static_cast<std::int32_t>(set.offset) + count++;
      } else {
        const bool padding = batch.ids[t] == set.padding_idx;
        out[t] = static_cast<std::int32_t>(set.padding_idx) + (padding ? 0 : ++count);
      }
    }
  }
}

void fill_rotary(const RotaryTable& table, std::size_t longest, float* out) noexcept {
  const std::size_t half = table.inverse_frequencies.size();
  float *cosine = out, *sine = out + longest * half;
  for (std::size_t p = 0; p < longest; ++p) {
    for (std::size_t i = 0; i < half; ++i) {
      const float angle = static_cast<float>(p) * table.inverse_frequencies[i];
      cosine[p * half + i] = std::cos(angle);
      sine[p * half + i] = std::sin(angle);
    }
  }
}

[[noreturn]] void reject(std::string message, std::string expected, std::string found,
                         std::string fix) {
  throw Error(ErrorCode::kInvalidArgument, {.message = std::move(message),
                                            .expected = std::move(expected),
                                            .found = std::move(found),
                                            .fix = std::move(fix)});
}

void check_ids(std::span<const std::int32_t> ids, std::int64_t rows, const std::string& name) {
  for (const std::int32_t id : ids) {
    if (id < 0 || id >= rows) {
      reject("an id of " + name + " is outside the model's table",
             "0 to " + std::to_string(rows - 1), std::to_string(id),
             "use the tokenizer that belongs to the model");
    }
  }
}

}  // namespace

void Plan::check(const PackedBatch& batch) const {
  if (vocabulary_ > 0) check_ids(batch.ids, vocabulary_, "input_ids");
  if (type_rows_ > 0 && !batch.type_ids.empty())
    check_ids(batch.type_ids, type_rows_, "token_type_ids");
  if (const std::size_t longest = batch.longest(); longest > max_tokens_) {
    reject("a sequence is longer than the model's positions",
           "at most " + std::to_string(max_tokens_) + " tokens",
           std::to_string(longest) + " tokens",
           "cut the text, for example with --max-length " + std::to_string(max_tokens_));
  }
}

std::size_t Plan::scratch_floats(std::size_t longest) const noexcept {
  std::size_t out = 0;
  for (const auto& step : steps_) out = std::max(out, step->scratch_floats(longest));
  return round_up(out);
}

std::size_t Plan::workspace_floats(std::size_t tokens, std::size_t longest,
                                   int workers) const noexcept {
  const std::size_t scratch = scratch_floats(longest);
  std::size_t rotary = 0;
  for (const RotaryTable& table : rotary_)
    rotary += round_up(2 * longest * table.inverse_frequencies.size());
  const std::size_t rows = round_up(tokens);
  return arena_width_ * rows + positions_.size() * rows + rotary +
         static_cast<std::size_t>(workers) * (scratch + kBlockRows * block_width_);
}

void Plan::run(const PackedBatch& batch, float* workspace, ThreadPool* pool, Matrix* outputs,
               StepClock* clock) const noexcept {
  const std::size_t rows = round_up(batch.tokens()), longest = batch.longest();
  float* cursor = workspace + arena_width_ * rows;
  std::array<const std::int32_t*, kMaxSets> positions{};
  for (std::size_t i = 0; i < positions_.size(); ++i, cursor += rows) {
    auto* out = reinterpret_cast<std::int32_t*>(cursor);
    fill_positions(batch, positions_[i], out);
    positions[i] = out;
  }
  std::array<const float*, kMaxSets> rotary{};
  for (std::size_t i = 0; i < rotary_.size(); ++i) {
    fill_rotary(rotary_[i], longest, cursor);
    rotary[i] = cursor;
    cursor += round_up(2 * longest * rotary_[i].inverse_frequencies.size());
  }
  const std::size_t scratch = scratch_floats(longest);
  constexpr std::size_t kMaxWorkers = 1024;
  std::array<float*, kMaxWorkers> scratches;
  const std::size_t workers = pool == nullptr ? 1 : static_cast<std::size_t>(pool->size());
  for (std::size_t i = 0; i < workers; ++i) scratches[i] = cursor + i * scratch;
  const RunState state{.batch = batch,
                       .arena = workspace,
                       .row_capacity = rows,
                       .places = places_.data(),
                       .positions = positions.data(),
                       .rotary = rotary.data(),
                       .scratch = scratches.data(),
                       .pool = pool,
                       .block_arena = cursor + workers * scratch,
                       .block_width = block_width_,
                       .clock = clock};
  for (const auto& step : steps_) {
    if (dynamic_cast<const RowGroup*>(step.get()) != nullptr) {
      step->run(state);
    } else {
      const StepTimer timer(clock, step->id, workers);
      step->run(state);
    }
  }
  for (std::size_t i = 0; i < outputs_.size(); ++i) outputs[i] = state.matrix(outputs_[i].view);
}

std::size_t Plan::weight_bytes() const {
  std::size_t out = 0;
  for (const auto& step : steps_) out += step->weight_bytes();
  return out;
}

double Plan::multiply_adds(const PackedBatch& batch) const {
  double out = 0;
  for (const Step* step : steps()) out += step->multiply_adds(batch);
  return out;
}

std::vector<const Step*> Plan::steps() const {
  std::vector<const Step*> out;
  for (const auto& step : steps_) {
    if (const auto* group = dynamic_cast<const RowGroup*>(step.get())) {
      for (const auto& part : group->steps()) out.push_back(part.get());
    } else {
      out.push_back(step.get());
    }
  }
  return out;
}

void Plan::finish(const std::vector<std::size_t>& widths) {
  for (std::size_t i = 0; i < steps_.size(); ++i) steps_[i]->id = i;
  steps_ = group_rows(std::move(steps_));
  const Placement placement = place_buffers(steps_, outputs_, widths);
  places_ = placement.places;
  arena_width_ = placement.arena_width;
  block_width_ = placement.block_width;
}

}  // namespace octavo::plan
