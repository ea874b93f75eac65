// The thread pool: every index once, in whatever order, again and again.
#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <vector>

namespace octavo {
namespace {

class ThreadPoolTest : public ::testing::TestWithParam<int> {};

TEST_P(ThreadPoolTest, RunsEveryIndexOnce) {
  ThreadPool pool(GetParam());
  EXPECT_EQ(pool.size(), GetParam());
  for (const std::size_t count : {0, 1, 2, 3, 7, 1000}) {
    std::vector<std::atomic<int>> hits(count);
    std::atomic<bool> bad_worker{false};
    pool.parallel_for(count, [&](std::size_t i, int worker) {
      hits[i].fetch_add(1);
      if (worker < 0 || worker >= pool.size()) bad_worker = true;
    });
    for (const auto& hit : hits) EXPECT_EQ(hit.load(), 1);
    EXPECT_FALSE(bad_worker.load());
  }
}

TEST_P(ThreadPoolTest, ManyShortLoopsSeeEachOthersWrites) {
  ThreadPool pool(GetParam());
  std::vector<int> values(16, 0);  // plain ints: a loop must see all that the one before wrote
  for (int round = 0; round < 1000; ++round) {
    pool.parallel_for(values.size(),
                      [&](std::size_t i, int) { values[i] += values[i] == round ? 1 : 1000000; });
  }
  for (const int value : values) EXPECT_EQ(value, 1000);
}

// A worker that comes late to one loop must not take part in a longer one that follows.
TEST_P(ThreadPoolTest, LoopsOfChangingLengthsRunEveryIndexOnce) {
  ThreadPool pool(GetParam());
  std::uint32_t random = 1;
  for (int round = 0; round < 50000; ++round) {
    random = random * 1664525u + 1013904223u;
    std::atomic<std::size_t> sum{0};
    const std::size_t count = 2 + (random >> 16) % 30;
    pool.parallel_for(count, [&](std::size_t i, int) { sum += i + 1; });
    ASSERT_EQ(sum.load(), count * (count + 1) / 2) << round;
  }
}

TEST_P(ThreadPoolTest, WakesSleepingWorkers) {
  ThreadPool pool(GetParam());
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    std::atomic<int> sum{0};
    pool.parallel_for(100, [&](std::size_t i, int) { sum += static_cast<int>(i); });
    EXPECT_EQ(sum.load(), 4950);
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolTest, ::testing::Values(1, 2, 5));

TEST(ThreadPool, ZeroTakesWhatTheProcessMayUse) {
  EXPECT_GE(available_cores(), 1);
  EXPECT_EQ(ThreadPool(0).size(), available_cores());
}

}  // namespace
}  // namespace octavo
