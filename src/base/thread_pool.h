// A fixed set of threads that run one loop at a time. Idle threads sleep. The caller takes indices
// too and waits for those that others have begun, never for a thread that has not woken yet.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

namespace octavo {

class ThreadPool {
 public:
  /// `threads` in all, the caller's included; 0 takes what this process may use (affinity and
  /// cgroup quota).
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const noexcept { return static_cast<int>(workers_.size()) + 1; }

  /// body(index, worker) for every index in [0, count), worker in [0, size()). `body` must not
  /// throw. Calls from several threads at once are not allowed.
  template <typename Body>
  void parallel_for(std::size_t count, Body&& body) noexcept {
    using Plain = std::remove_reference_t<Body>;
    run(
        count,
        [](void* p, std::size_t index, int worker) { (*static_cast<Plain*>(p))(index, worker); },
        const_cast<void*>(static_cast<const void*>(&body)));
  }

 private:
  using Function = void (*)(void*, std::size_t, int);
  void run(std::size_t count, Function function, void* body) noexcept;
  void work(int worker) noexcept;
  void drain(std::uint32_t generation, int worker) noexcept;

  std::vector<std::thread> workers_;
  // The current loop. A worker that wakes late may read them while the next one is set up; it finds
  // out when it claims an index.
  std::atomic<Function> function_{nullptr};
  std::atomic<void*> body_{nullptr};
  std::atomic<std::uint32_t> count_{0};
  alignas(64) std::atomic<std::uint64_t> ticket_{0};  // generation << 32 | next index
  alignas(64) std::atomic<std::uint32_t> generation_{0};
  alignas(64) std::atomic<std::uint32_t> done_{0};  // indices finished
  std::atomic<bool> stop_{false};
};

/// Cores this process may use: affinity mask cut by the cgroup quota, at least 1.
int available_cores();

}  // namespace octavo
