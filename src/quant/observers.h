// The observers themselves, one file each; make_observer() chooses.
#pragma once

#include "quant/histogram.h"
#include "quant/observer.h"

namespace octavo::quant {

/// Keeps a lower and an upper end.
class ExtentObserver : public Observer {
 public:
  explicit ExtentObserver(const ObserverOptions& options) : options_(options) {}
  std::vector<double> state() const override;
  bool restore(std::span<const double> state) override;

 protected:
  ObserverOptions options_;
  bool seen_ = false;
  double min_ = 0, max_ = 0;
};

/// The extent of everything seen.
class MinMaxObserver : public ExtentObserver {
 public:
  using ExtentObserver::ExtentObserver;
  void observe(std::span<const float> values) override;
  TensorRange range() const override;
};

/// The mean of the samples' extents. Symmetric: the larger magnitude of its ends.
class MovingAverageObserver : public Observer {
 public:
  explicit MovingAverageObserver(const ObserverOptions& options) : options_(options) {}
  void observe(std::span<const float> values) override;
  TensorRange range() const override;
  std::vector<double> state() const override;
  bool restore(std::span<const double> state) override;

 private:
  ObserverOptions options_;
  double samples_ = 0, min_ = 0, max_ = 0;
};

/// A histogram, over [-t, t] or of magnitudes over [0, t].
class HistogramObserver : public Observer {
 public:
  HistogramObserver(const ObserverOptions& options, bool magnitudes)
      : options_(options), histogram_(options.bins, magnitudes) {}
  void observe(std::span<const float> values) override { histogram_.add(values); }
  std::vector<double> state() const override { return histogram_.state(); }
  bool restore(std::span<const double> state) override { return histogram_.restore(state); }

 protected:
  const ObserverOptions& options() const { return options_; }
  const Histogram& histogram() const { return histogram_; }

 private:
  ObserverOptions options_;
  Histogram histogram_;
};

/// Leaves (100 - percentile) % out: of the magnitudes when symmetric, else half of it at each end.
class PercentileObserver : public HistogramObserver {
 public:
  explicit PercentileObserver(const ObserverOptions& options)
      : HistogramObserver(options, options.symmetric) {}
  TensorRange range() const override;
};

/// The range whose quantised distribution is nearest to the true one by Kullback-Leibler
/// divergence ("8-bit inference with TensorRT", GTC 2017).
class EntropyObserver : public HistogramObserver {
 public:
  explicit EntropyObserver(const ObserverOptions& options) : HistogramObserver(options, false) {}
  TensorRange range() const override;
};

}  // namespace octavo::quant
