// What a calibration has seen so far, in memory and as a file.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "quant/observer.h"

namespace octavo::quant {

/// Largest magnitude of each channel.
using ChannelMaxima = std::vector<float>;

struct CalibrationState {
  std::map<std::string, std::unique_ptr<Observer>> observers;
  std::map<std::string, ChannelMaxima> channels;
  std::size_t samples = 0, tokens = 0;
};

/// What decides whether a file belongs to a calibration.
struct CacheKey {
  std::string identity;
  ObserverOptions options;
};

/// JSON, replaced by renaming.
void write_calibration_cache(const std::string& path, const CacheKey& key,
                             const CalibrationState& state);
/// Fills `state`, whose observers and channels say which there must be; with `subset` the file may
/// lack observers, which are removed. False where there is no file. Error(kInvalidArgument) for a
/// file of another key or of other values, kInvalidFile for one that is no such file.
bool read_calibration_cache(const std::string& path, const CacheKey& key, bool subset,
                            CalibrationState& state);

}  // namespace octavo::quant
