#include "runtime/session.h"

#include <algorithm>
#include <array>

#include "octavo/error.h"

namespace octavo::runtime {
namespace {

// Throughput mode: chunks small enough that a chunk's rows stay in the second-level cache, large
// enough that weights are read seldom. Latency mode: bounded so that the arena is.
constexpr std::size_t kThroughputTokens = 512, kLatencyTokens = 4096;
constexpr std::size_t kMinTokensPerWorker = 128;
constexpr std::size_t kMaxOutputs = 64;

plan::PackedBatch slice(const plan::PackedBatch& batch, std::size_t first, std::size_t last) {
  const std::size_t begin = batch.begin(first),
                    count = batch.begin(last - 1) + batch.length(last - 1) - begin;
  return {
      .ids = batch.ids.subspan(begin, count),
      .type_ids = batch.type_ids.empty() ? batch.type_ids : batch.type_ids.subspan(begin, count),
      .starts = batch.starts.subspan(first, last - first + 1)};
}

}  // namespace

Session::Session(std::unique_ptr<plan::Plan> plan, std::shared_ptr<ThreadPool> pool)
    : plan_(std::move(plan)),
      pool_(std::move(pool)),
      workspaces_(static_cast<std::size_t>(pool_->size())) {
  if (plan_->outputs().size() > kMaxOutputs) {
    throw Error(ErrorCode::kUnsupported, {.message = "the model has too many outputs",
                                          .expected = "at most " + std::to_string(kMaxOutputs),
                                          .found = std::to_string(plan_->outputs().size())});
  }
}

std::vector<Session::Chunk> Session::split(const plan::PackedBatch& batch,
                                           std::size_t tokens) const {
  std::vector<Chunk> out;
  std::size_t first = 0, held = 0;
  for (std::size_t i = 0; i < batch.sequences(); ++i) {
    if (i > first && held + batch.length(i) > tokens) {
      out.push_back({first, i});
      first = i;
      held = 0;
    }
    held += batch.length(i);
  }
  if (first < batch.sequences()) out.push_back({first, batch.sequences()});
  return out;
}

void Session::reserve(std::size_t workspace, std::size_t floats) {
  auto& held = workspaces_[workspace];
  if (held != nullptr && held->size() >= floats * sizeof(float)) return;
  held.reset();
  held = std::make_unique<Buffer>(floats * sizeof(float));
}

void Session::run_chunk(const plan::PackedBatch& batch, const Chunk& chunk, std::size_t workspace,
                        ThreadPool* pool, const Sink& sink, plan::StepClock* clock) const noexcept {
  const plan::PackedBatch part = slice(batch, chunk.first, chunk.last);
  std::array<plan::Matrix, kMaxOutputs> outputs;
  plan_->run(part, reinterpret_cast<float*>(workspaces_[workspace]->data()), pool, outputs.data(),
             clock);
  sink(chunk.first, part, std::span(outputs.data(), plan_->outputs().size()));
}

void Session::run(const plan::PackedBatch& batch, const Sink& sink, plan::StepClock* clock) {
  if (batch.sequences() == 0) return;
  plan_->check(batch);
  const auto workers = static_cast<std::size_t>(pool_->size());
  const bool throughput = workers == 1 || (batch.sequences() >= 2 * workers &&
                                           batch.tokens() >= workers * kMinTokensPerWorker);
  const std::size_t share = batch.tokens() / (4 * workers);
  const std::size_t tokens =
      throughput ? std::clamp(share, kMinTokensPerWorker, kThroughputTokens) : kLatencyTokens;
  const std::vector<Chunk> chunks = split(batch, tokens);
  std::size_t floats = 0;
  for (const Chunk& chunk : chunks) {
    const plan::PackedBatch part = slice(batch, chunk.first, chunk.last);
    floats = std::max(floats, plan_->workspace_floats(part.tokens(), part.longest(),
                                                      throughput ? 1 : pool_->size()));
  }
  if (!throughput) {
    reserve(0, floats);
    for (const Chunk& chunk : chunks) run_chunk(batch, chunk, 0, pool_.get(), sink, clock);
    return;
  }
  for (std::size_t i = 0; i < std::min(workers, chunks.size()); ++i) reserve(i, floats);
  if (chunks.size() < workers) {
    for (const Chunk& chunk : chunks) run_chunk(batch, chunk, 0, nullptr, sink, clock);
    return;
  }
  pool_->parallel_for(chunks.size(), [&](std::size_t i, int worker) {
    run_chunk(batch, chunks[i], static_cast<std::size_t>(worker), nullptr, sink, clock);
  });
}

}  // namespace octavo::runtime
