#include "octavo/peaks.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "base/cpu.h"
#include "base/thread_pool.h"
#include "kernels/peaks/peaks.h"
#include "octavo/error.h"
#include "octavo/system.h"

namespace octavo {
namespace {

kernels::PeakType type_of(const std::string& precision) {
  if (precision == "fp32" || precision == "fp16") return kernels::PeakType::kFp32;
  if (precision == "bf16") return kernels::PeakType::kBf16;
  if (precision == "int8") return kernels::PeakType::kInt8;
  throw Error(ErrorCode::kInvalidArgument, {.message = "there is no peak of this precision",
                                            .expected = "fp32, bf16, fp16 or int8",
                                            .found = "'" + precision + "'"});
}

std::size_t memory_buffer_bytes() {
  constexpr std::size_t kLeast = std::size_t{256} << 20;
  std::size_t cache = 0;
#if defined(_SC_LEVEL3_CACHE_SIZE)
  cache = static_cast<std::size_t>(std::max(::sysconf(_SC_LEVEL3_CACHE_SIZE), 0L));
#endif
  return std::min(std::max(2 * cache, kLeast), inspect_system().memory_available_bytes / 4);
}

/// While it lives, every thread of a pool that has as many of them as this process may use cores
/// stays on a core of its own; else two may share one while another is idle. With fewer threads the
/// choice is the system's: it knows which cores are halves of one.
class OneThreadACore {
 public:
  explicit OneThreadACore(ThreadPool& pool) {
    if (::sched_getaffinity(0, sizeof before_, &before_) != 0) return;
    std::vector<int> cores;
    for (int i = 0; i < CPU_SETSIZE; ++i) {
      if (CPU_ISSET(i, &before_)) cores.push_back(i);
    }
    if (static_cast<int>(cores.size()) != pool.size()) return;
    pinned_ = true;
    std::atomic<int> arrived{0};
    pool.parallel_for(cores.size(), [&](std::size_t, int worker) {
      cpu_set_t own;
      CPU_ZERO(&own);
      CPU_SET(cores[static_cast<std::size_t>(worker)], &own);
      ::sched_setaffinity(0, sizeof own, &own);
      // Nobody takes a second turn: all meet here.
      arrived.fetch_add(1);
      while (arrived.load() < pool.size()) std::this_thread::yield();
    });
  }
  ~OneThreadACore() {
    if (pinned_) ::sched_setaffinity(0, sizeof before_, &before_);  // the caller; the pool ends
  }
  OneThreadACore(const OneThreadACore&) = delete;
  OneThreadACore& operator=(const OneThreadACore&) = delete;

 private:
  cpu_set_t before_;
  bool pinned_ = false;
};

}  // namespace

const ComputePeak* MachinePeaks::find(std::string_view precision) const {
  const ComputePeak* out = nullptr;
  for (const ComputePeak& peak : compute) {
    if (peak.precision == precision && peak.threads == threads) out = &peak;
  }
  return out;
}

MachinePeaks measure_peaks(const PeakOptions& options) {
  const IsaMask isa = parse_isa(options.isa, detect_isa());
  ThreadPool pool(options.threads);
  const OneThreadACore pinned(pool);
  MachinePeaks out;
  out.threads = pool.size();
  std::vector<ThreadPool*> pools;
  if (options.every_loop && pool.size() > 1) pools.push_back(nullptr);
  pools.push_back(&pool);
  const auto threads_of = [](const ThreadPool* p) { return p == nullptr ? 1 : p->size(); };
  for (const std::string& precision : options.precisions) {
    const kernels::PeakType type = type_of(precision);
    const kernels::PeakLoop& strongest = kernels::choose_peak(type, isa);
    for (const kernels::PeakLoop& loop : kernels::peak_loops()) {
      const bool allowed = loop.type == type && (loop.isa & isa) == loop.isa;
      if (!allowed || (!options.every_loop && &loop != &strongest)) continue;
      for (ThreadPool* p : pools) {
        out.compute.push_back({std::string(loop.name), precision, threads_of(p),
                               kernels::measure_peak(loop, p, options.seconds)});
      }
    }
  }
  if (options.memory) {
    out.memory_bytes = memory_buffer_bytes();
    for (ThreadPool* p : pools) {
      out.memory.push_back(
          {threads_of(p), kernels::measure_read_bandwidth(out.memory_bytes, p, options.seconds)});
    }
  }
  return out;
}

}  // namespace octavo
