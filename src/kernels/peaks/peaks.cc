#include "kernels/peaks/peaks.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/buffer.h"

namespace octavo::kernels {

namespace portable {
void read_bytes(const std::byte* data, std::size_t size) noexcept;
}

#define OCTAVO_PEAK_FUNCTION(space, name) \
  namespace space {                       \
  void name(std::size_t steps) noexcept;  \
  }
OCTAVO_PEAK_FUNCTION(portable, peak_fp32)
OCTAVO_PEAK_FUNCTION(portable, peak_int8)
OCTAVO_PEAK_FUNCTION(avx2, peak_fp32)
OCTAVO_PEAK_FUNCTION(avx2, peak_int8)
OCTAVO_PEAK_FUNCTION(avx_vnni, peak_int8)
OCTAVO_PEAK_FUNCTION(avx512, peak_fp32)
OCTAVO_PEAK_FUNCTION(avx512, peak_int8)
OCTAVO_PEAK_FUNCTION(avx512_vnni, peak_int8)
OCTAVO_PEAK_FUNCTION(avx512_bf16, peak_bf16)
OCTAVO_PEAK_FUNCTION(amx, peak_int8)
OCTAVO_PEAK_FUNCTION(amx, peak_bf16)
#undef OCTAVO_PEAK_FUNCTION

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

template <typename Body>
double time_of(Body&& body) {
  const auto start = Clock::now();
  body();
  return seconds_since(start);
}

// A piece is long beside the clock and the pool, short beside the time slices of other programs;
// several a thread, so that a thread that wakes late leaves its share to the others.
constexpr double kPieceSeconds = 40e-6;
constexpr std::size_t kPiecesPerThread = 5;

}  // namespace

std::span<const PeakLoop> peak_loops() {
#define OCTAVO_KERNEL(type, function, isa, name, multiply_adds) \
  {name, PeakType::type, isa, multiply_adds, function},
  static constexpr PeakLoop kRows[] = {
#include "kernels/peaks/kernels.inc"
  };
#undef OCTAVO_KERNEL
  return kRows;
}

const PeakLoop& choose_peak(PeakType type, IsaMask isa) {
  const PeakLoop* best = nullptr;
  for (const PeakLoop& loop : peak_loops()) {
    if (loop.type == type && (loop.isa & isa) == loop.isa) best = &loop;
  }
  return *best;
}

double measure_peak(const PeakLoop& loop, ThreadPool* pool, double seconds) {
  const auto begin = Clock::now();
  std::size_t steps = 64;
  while (steps < (std::size_t{1} << 30) && time_of([&] { loop.run(steps); }) < kPieceSeconds)
    steps *= 2;
  const std::size_t pieces =
      kPiecesPerThread * (pool == nullptr ? 1 : static_cast<std::size_t>(pool->size()));
  double best = 0;
  do {
    const double took = time_of([&] {
      if (pool == nullptr) {
        for (std::size_t i = 0; i < pieces; ++i) loop.run(steps);
      } else {
        pool->parallel_for(pieces, [&](std::size_t, int) { loop.run(steps); });
      }
    });
    best = std::max(best, static_cast<double>(pieces * steps) / took);
  } while (seconds_since(begin) < seconds);
  return 2 * loop.multiply_adds * best;
}

double measure_read_bandwidth(std::size_t bytes, ThreadPool* pool, double seconds) {
  constexpr std::size_t kPiece = std::size_t{1} << 20;
  const std::size_t pieces = std::max<std::size_t>(bytes / kPiece, 1);
  Buffer buffer(pieces * kPiece);
  const auto for_pieces = [&](auto&& body) {
    if (pool != nullptr) return pool->parallel_for(pieces, body);
    for (std::size_t i = 0; i < pieces; ++i) body(i, 0);
  };
  // Pages that were never written are all one page of zeros.
  for_pieces([&](std::size_t i, int) { std::memset(buffer.data() + i * kPiece, 1, kPiece); });
  const auto begin = Clock::now();
  double best = 0;
  for (int pass = 0; pass < 2 || seconds_since(begin) < seconds; ++pass) {
    const double took = time_of([&] {
      for_pieces(
          [&](std::size_t i, int) { portable::read_bytes(buffer.data() + i * kPiece, kPiece); });
    });
    best = std::max(best, static_cast<double>(buffer.size()) / took);
  }
  return best;
}

}  // namespace octavo::kernels
