#include "base/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <string>

namespace octavo {
namespace {

// How long a waiter looks before it sleeps: layers follow each other within microseconds.
constexpr int kSpins = 2000;

inline void pause_cpu() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

void wait_while_equal(const std::atomic<std::uint32_t>& value, std::uint32_t old) noexcept {
  for (int i = 0; i < kSpins; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    pause_cpu();
  }
  while (value.load(std::memory_order_acquire) == old) value.wait(old, std::memory_order_acquire);
}

}  // namespace

int available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int cores = ::sched_getaffinity(0, sizeof set, &set) == 0
                  ? CPU_COUNT(&set)
                  : static_cast<int>(std::thread::hardware_concurrency());
  std::ifstream quota("/sys/fs/cgroup/cpu.max");
  std::string limit;
  double period = 0;
  if (quota >> limit >> period && limit != "max" && period > 0) {
    cores =
        std::min(cores, static_cast<int>(std::ceil(std::strtod(limit.c_str(), nullptr) / period)));
  }
  return std::max(cores, 1);
}

ThreadPool::ThreadPool(int threads) {
  if (threads <= 0) threads = available_cores();
  workers_.reserve(static_cast<std::size_t>(threads - 1));
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
}

ThreadPool::~ThreadPool() {
  stop_.store(true, std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(std::size_t count, Function function, void* body) noexcept {
  constexpr std::size_t kMaxCount = std::numeric_limits<std::int32_t>::max();
  if (workers_.empty() || count <= 1 || count > kMaxCount) {
    for (std::size_t i = 0; i < count; ++i) function(body, i, 0);
    return;
  }
  const auto indices = static_cast<std::uint32_t>(count);
  // A late worker may hold the last loop's ticket: its claim must fail before it can see a count of
  // this loop, which may be higher.
  ticket_.fetch_or(0xffffffffu, std::memory_order_acq_rel);
  function_.store(function, std::memory_order_release);
  body_.store(body, std::memory_order_release);
  count_.store(indices, std::memory_order_release);
  done_.store(0, std::memory_order_relaxed);
  const std::uint32_t generation = generation_.load(std::memory_order_relaxed) + 1;
  ticket_.store(std::uint64_t{generation} << 32, std::memory_order_release);
  generation_.store(generation, std::memory_order_release);
  generation_.notify_all();
  drain(generation, 0);
  for (std::uint32_t done = done_.load(std::memory_order_acquire); done != indices;
       done = done_.load(std::memory_order_acquire)) {
    wait_while_equal(done_, done);
  }
}

void ThreadPool::drain(std::uint32_t generation, int worker) noexcept {
  std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
  while (ticket >> 32 == generation) {
    const Function function = function_.load(std::memory_order_acquire);
    void* const body = body_.load(std::memory_order_acquire);
    const std::uint32_t count = count_.load(std::memory_order_acquire);
    const auto index = static_cast<std::uint32_t>(ticket);
    if (index >= count) return;
    // Success means that this loop still runs, since index is not done and run() has not closed the
    // ticket: what was read belongs to it.
    if (!ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel,
                                       std::memory_order_acquire)) {
      continue;
    }
    function(body, index, worker);
    if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == count) done_.notify_all();
    ticket = ticket_.load(std::memory_order_acquire);
  }
}

void ThreadPool::work(int worker) noexcept {
  std::uint32_t seen = 0;
  while (true) {
    wait_while_equal(generation_, seen);
    seen = generation_.load(std::memory_order_acquire);
    if (stop_.load(std::memory_order_relaxed)) return;
    drain(seen, worker);
  }
}

}  // namespace octavo
