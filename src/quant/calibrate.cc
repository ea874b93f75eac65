#include "quant/calibrate.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <set>

#include "octavo/error.h"
#include "quant/calibration_state.h"
#include "runtime/graph_runner.h"

namespace octavo::quant {
namespace {

Tensor row(DType dtype, std::span<const std::int32_t> values) {
  const Shape shape{1, static_cast<std::int64_t>(values.size())};
  if (dtype == DType::kInt32) return Tensor::from<std::int32_t>(shape, values);
  const std::vector<std::int64_t> wide(values.begin(), values.end());
  return Tensor::from<std::int64_t>(shape, wide);
}

/// Watches the values of a run.
class Watch {
 public:
  Watch(const ir::Graph& graph, const CalibrateOptions& options) : graph_(graph) {
    std::set<std::string> wanted(options.values.begin(), options.values.end());
    const std::set<std::string> channels(options.channel_values.begin(),
                                         options.channel_values.end());
    if (options.values.empty() && options.channel_values.empty()) {
      for (const ir::NodeId id : graph.topological_order()) {
        for (const ir::ValueId out : graph.node(id).outputs) {
          if (out != ir::kNoValue) every_.insert(graph.value(out).name);
        }
      }
      wanted = every_;
    }
    for (const std::string& name : wanted) state_.observers[name] = make_observer(options.observer);
    for (const std::string& name : channels) state_.channels[name];
  }

  CalibrationState& state() { return state_; }
  /// Whether nobody named the values.
  bool all() const { return !every_.empty(); }

  void see(ir::ValueId id, const Tensor& tensor) {
    const std::string& name = graph_.value(id).name;
    const auto observer = state_.observers.find(name);
    const auto channel = state_.channels.find(name);
    if (observer == state_.observers.end() && channel == state_.channels.end()) return;
    if (tensor.dtype() != DType::kFloat32) return;
    const std::span<const float> values = tensor.data<float>();
    check_finite(values, name);
    seen_.insert(name);
    if (observer != state_.observers.end()) observer->second->observe(values);
    if (channel != state_.channels.end()) see_channels(tensor, name, channel->second);
  }

  /// Every value that was asked for must have been seen; those that nobody named may be no floats.
  void finish() {
    const auto missing = [&](const std::string& name) {
      throw Error(ErrorCode::kNotFound,
                  {.message = "the graph makes no float value of this name",
                   .place = "value '" + name + "'",
                   .fix = "calibrate the graph that is quantised, with all of its outputs"});
    };
    for (auto it = state_.observers.begin(); it != state_.observers.end();) {
      if (seen_.contains(it->first)) {
        ++it;
      } else if (every_.contains(it->first)) {
        it = state_.observers.erase(it);
      } else {
        missing(it->first);
      }
    }
    for (const auto& [name, maxima] : state_.channels) {
      if (!seen_.contains(name)) missing(name);
    }
  }

  void restored() {
    for (const auto& [name, observer] : state_.observers) seen_.insert(name);
    for (const auto& [name, maxima] : state_.channels) seen_.insert(name);
  }

 private:
  static void check_finite(std::span<const float> values, const std::string& name) {
    constexpr std::uint32_t kExponent = 0x7f800000;
    bool finite = true;
    for (const float x : values)
      finite &= (std::bit_cast<std::uint32_t>(x) & kExponent) != kExponent;
    if (finite) return;
    throw Error(ErrorCode::kInvalidFile,
                {.message = "an activation is not finite",
                 .place = "value '" + name + "'",
                 .expected = "finite numbers",
                 .found = "infinity or NaN",
                 .fix = "leave the node that makes it out (--exclude), or check the model"});
  }

  static void see_channels(const Tensor& tensor, const std::string& name, ChannelMaxima& maxima) {
    const std::size_t width =
        tensor.rank() == 0 ? 1 : static_cast<std::size_t>(tensor.shape().back());
    if (maxima.empty()) maxima.assign(width, 0.0f);
    if (maxima.size() != width) {
      throw Error(ErrorCode::kUnsupported, {.message = "the last axis of a value has no fixed size",
                                            .place = "value '" + name + "'",
                                            .expected = std::to_string(maxima.size()),
                                            .found = std::to_string(width)});
    }
    const std::span<const float> values = tensor.data<float>();
    for (std::size_t i = 0; i + width <= values.size(); i += width) {
      for (std::size_t c = 0; c < width; ++c)
        maxima[c] = std::max(maxima[c], std::abs(values[i + c]));
    }
  }

  const ir::Graph& graph_;
  CalibrationState state_;
  std::set<std::string> seen_, every_;
};

}  // namespace

std::map<std::string, Tensor> sample_feeds(const ir::Graph& graph, const Sample& sample) {
  std::map<std::string, Tensor> feeds;
  const std::vector<std::int32_t> zeros(sample.ids.size(), 0), ones(sample.ids.size(), 1);
  for (const ir::ValueId input : graph.inputs()) {
    const ir::Value& value = graph.value(input);
    const DType dtype = value.dtype.value_or(DType::kInt64);
    if (value.name == "input_ids") {
      feeds.emplace(value.name, row(dtype, sample.ids));
    } else if (value.name == "attention_mask") {
      feeds.emplace(value.name, row(dtype, ones));
    } else if (value.name == "token_type_ids") {
      feeds.emplace(value.name, row(dtype, sample.type_ids.empty() ? zeros : sample.type_ids));
    } else if (value.name == "position_ids") {
      std::vector<std::int32_t> positions(sample.ids.size());
      for (std::size_t i = 0; i < positions.size(); ++i)
        positions[i] = static_cast<std::int32_t>(i);
      feeds.emplace(value.name, row(dtype, positions));
    } else {
      throw Error(ErrorCode::kUnsupported,
                  {.message = "an input of the model cannot be made from text",
                   .place = "input '" + value.name + "'",
                   .expected = "input_ids, attention_mask, token_type_ids or position_ids"});
    }
  }
  return feeds;
}

Calibration calibrate(const ir::Graph& graph, const std::vector<Sample>& samples,
                      const CalibrateOptions& options, IsaMask isa,
                      std::shared_ptr<ThreadPool> pool) {
  check_observer_options(options.observer);
  if (samples.empty()) throw Error(ErrorCode::kInvalidArgument, "there is no calibration sample");
  Watch watch(graph, options);
  CalibrationState& state = watch.state();
  const CacheKey key{options.identity, options.observer};
  Calibration out;
  if (!options.cache.empty() && read_calibration_cache(options.cache, key, watch.all(), state)) {
    if (state.samples > samples.size()) {
      throw Error(ErrorCode::kInvalidArgument,
                  {.message = "the calibration cache holds more samples than were asked for",
                   .file = options.cache,
                   .expected = std::to_string(samples.size()),
                   .found = std::to_string(state.samples),
                   .fix = "name another cache file, or remove this one"});
    }
    out.resumed = state.samples;
    if (state.samples != 0) watch.restored();
  }
  const auto save = [&] {
    if (!options.cache.empty()) write_calibration_cache(options.cache, key, state);
  };

  runtime::GraphRunner runner(graph, isa, pool, runtime::WeightMemory::kStreamed);
  const runtime::GraphRunner::Tap tap = [&](ir::ValueId id, const Tensor& tensor) {
    watch.see(id, tensor);
  };
  std::size_t saved = state.samples;
  for (std::size_t i = state.samples; i < samples.size(); ++i) {
    with_frame([&] { return "calibrating with sample " + std::to_string(i + 1); },
               [&] { runner.run(sample_feeds(graph, samples[i]), tap); });
    ++state.samples;
    state.tokens += samples[i].ids.size();
    if (i == out.resumed) watch.finish();
    const bool go_on = !options.progress || options.progress(i + 1, samples.size(), state.tokens);
    if (!go_on || state.samples - saved >= options.save_every) {
      save();
      saved = state.samples;
    }
    if (!go_on) throw Error(ErrorCode::kCancelled, "calibration was stopped");
  }
  if (saved != state.samples) save();

  out.samples = state.samples;
  out.tokens = state.tokens;
  std::vector<std::pair<const Observer*, TensorRange*>> jobs;
  for (const auto& [name, observer] : state.observers)
    jobs.emplace_back(observer.get(), &out.ranges[name]);
  pool->parallel_for(jobs.size(),
                     [&](std::size_t i, int) { *jobs[i].second = jobs[i].first->range(); });
  out.channel_maxima = std::move(state.channels);
  return out;
}

}  // namespace octavo::quant
