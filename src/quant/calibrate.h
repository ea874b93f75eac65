// Calibration: runs a float graph over tokenised samples and keeps, of each value, what an observer
// keeps. One sequence runs at a time at its true length, so that padding never enters; memory does
// not depend on the number of samples.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "base/thread_pool.h"
#include "ir/graph.h"
#include "quant/observer.h"

namespace octavo::quant {

/// One sequence of tokens.
struct Sample {
  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> type_ids{};  // as many as ids, or none: all zero
};

/// Tensors of shape [1, tokens] for the graph's inputs input_ids, attention_mask, token_type_ids
/// and position_ids, in the integer types it declares. Error(kUnsupported) for any other input.
std::map<std::string, Tensor> sample_feeds(const ir::Graph& graph, const Sample& sample);

/// Samples done, samples in all, tokens done. Return false to stop: Error(kCancelled), with the
/// cache written.
using CalibrationProgress =
    std::function<bool(std::size_t done, std::size_t total, std::size_t tokens)>;

struct CalibrateOptions {
  ObserverOptions observer{};
  /// Names of the values to watch; empty: every float that a node makes.
  std::vector<std::string> values{};
  /// Names of the values whose largest magnitude a channel (of the last axis) is wanted.
  std::vector<std::string> channel_values{};
  /// A file that keeps the state, so that a run that was stopped goes on where it was and a run
  /// that was finished gives its result at once; empty: none.
  std::string cache{};
  /// Names the model, the samples and whatever else decides the values: a cache of another identity
  /// is refused.
  std::string identity{};
  std::size_t save_every = 32;  // samples
  CalibrationProgress progress{};
};

struct Calibration {
  Ranges ranges;
  std::map<std::string, std::vector<float>> channel_maxima;
  std::size_t samples = 0, tokens = 0;
  std::size_t resumed = 0;  // samples that came from the cache
};

/// Error(kInvalidArgument) for no samples or a cache of another model, kNotFound for a value that
/// the graph does not make, kInvalidFile for a broken cache or for activations that are not finite
/// (with the value and the sample), kCancelled.
Calibration calibrate(const ir::Graph& graph, const std::vector<Sample>& samples,
                      const CalibrateOptions& options, IsaMask isa,
                      std::shared_ptr<ThreadPool> pool);

}  // namespace octavo::quant
