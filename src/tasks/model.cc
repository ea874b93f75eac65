#include "octavo/model.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <numeric>
#include <random>

#include "ir/text.h"
#include "octavo/error.h"
#include "passes/lift.h"
#include "tasks/model_record.h"
#include "tasks/runner.h"

namespace octavo {

namespace {

Tensor to_tensor(const NamedTensor& named) {
  const auto type_error = [&](std::string message, std::string expected, std::string found) {
    throw Error(ErrorCode::kInvalidArgument, {.message = std::move(message),
                                              .place = "input '" + named.name + "'",
                                              .expected = std::move(expected),
                                              .found = std::move(found)});
  };
  for (int code = 1; code <= 16; ++code) {
    const auto dtype = dtype_from_onnx(code);
    if (!dtype || dtype_name(*dtype) != named.dtype) continue;
    Tensor out(*dtype, named.shape);
    if (out.byte_size() != named.data.size()) {
      type_error("a tensor's bytes do not fit its shape", std::to_string(out.byte_size()),
                 std::to_string(named.data.size()));
    }
    if (!named.data.empty()) std::memcpy(out.mutable_bytes(), named.data.data(), named.data.size());
    return out;
  }
  type_error("a tensor has an unknown type", "an element type such as int64",
             "'" + named.dtype + "'");
  return {};
}

Tensor to_int64(const Tensor& tensor) {
  const std::vector<std::int64_t> values = tensor.to_int64s();
  return Tensor::from<std::int64_t>(tensor.shape(), values);
}

NamedTensor to_named(std::string name, const Tensor& tensor) {
  NamedTensor out{.name = std::move(name),
                  .dtype = std::string(dtype_name(tensor.dtype())),
                  .shape = tensor.shape(),
                  .data = {}};
  out.data.assign(tensor.bytes(), tensor.bytes() + tensor.byte_size());
  return out;
}

std::vector<ModelInput> describe(const ir::Graph& graph,
                                 const std::vector<std::pair<std::string, ir::ValueId>>& values) {
  std::vector<ModelInput> out;
  for (const auto& [name, id] : values) {
    const ir::Value& value = graph.value(id);
    ModelInput input{.name = name,
                     .dtype = value.dtype ? std::string(dtype_name(*value.dtype)) : "unknown",
                     .shape = {}};
    if (value.shape) {
      for (const ir::Dim& dim : *value.shape) {
        input.shape.push_back(dim.known()          ? std::to_string(dim.value)
                              : dim.symbol.empty() ? "?"
                                                   : dim.symbol);
      }
    }
    out.push_back(std::move(input));
  }
  return out;
}

/// "MatMul" -> how many alive nodes; operators outside the standard domain as "domain.Op".
std::map<std::string, std::size_t> count_ops(const ir::Graph& graph) {
  std::map<std::string, std::size_t> out;
  for (std::size_t i = 0; i < graph.node_count(); ++i) {
    const ir::Node& node = graph.node(static_cast<ir::NodeId>(i));
    if (node.alive) ++out[node.domain.empty() ? node.op : node.domain + "." + node.op];
  }
  return out;
}

/// The graph as read and after the passes; its text as it is run.
void describe_graph(tasks::ImportedModel imported, bool packed, bool with_text, ModelSummary& out) {
  ir::Graph& graph = imported.graph;
  out.family = imported.family;
  for (const std::string& file : imported.files) out.file_bytes += std::filesystem::file_size(file);
  for (std::size_t i = 0; i < graph.value_count(); ++i) {
    if (const Tensor* constant = graph.constant(static_cast<ir::ValueId>(i)); constant != nullptr) {
      out.weight_bytes += constant->byte_size();
      out.dtype_bytes[std::string(dtype_name(constant->dtype()))] += constant->byte_size();
      if (constant->rank() > 0) out.parameters += constant->elements();
    }
  }
  out.op_counts = count_ops(graph);
  std::vector<std::pair<std::string, ir::ValueId>> inputs, outputs;
  for (const ir::ValueId input : graph.inputs())
    inputs.emplace_back(graph.value(input).name, input);
  for (const auto& output : graph.outputs()) outputs.emplace_back(output.name, output.value);
  out.inputs = describe(graph, inputs);
  out.outputs = describe(graph, outputs);
  if (with_text && !packed) out.graph_text = ir::print(graph);
  passes::lift(graph, {});
  out.lifted_op_counts = count_ops(graph);
  if (with_text && packed) out.graph_text = ir::print(graph);
}

PlanStep to_plan_step(plan::StepInfo info) {
  return {std::move(info.name), std::move(info.op), std::move(info.shape), std::move(info.kernel),
          std::move(info.reason)};
}

/// Kept tokens of a padded batch, back to back.
struct Packing {
  std::vector<std::int32_t> ids, types, starts{0};
  std::vector<std::size_t> sequence_rows;  // sequence -> row of the batch
  std::vector<std::size_t> token_rows;     // token -> row * length + column
};

Packing pack(const Tensor& ids, const Tensor* mask, const Tensor* types) {
  Packing out;
  const auto id = ids.data<std::int64_t>();
  const auto batch = static_cast<std::size_t>(ids.dim(0)),
             length = static_cast<std::size_t>(ids.dim(1));
  for (std::size_t b = 0; b < batch; ++b) {
    for (std::size_t t = 0; t < length; ++t) {
      const std::size_t at = b * length + t;
      if (mask != nullptr && mask->data<std::int64_t>()[at] == 0) continue;
      // Anything that does not fit 32 bits is outside every table too.
      const auto narrow = [](std::int64_t v) {
        return v < 0 || v > 0x7fffffff ? -1 : static_cast<std::int32_t>(v);
      };
      out.ids.push_back(narrow(id[at]));
      out.types.push_back(types == nullptr ? 0 : narrow(types->data<std::int64_t>()[at]));
      out.token_rows.push_back(at);
    }
    if (out.ids.size() > static_cast<std::size_t>(out.starts.back())) {
      out.starts.push_back(static_cast<std::int32_t>(out.ids.size()));
      out.sequence_rows.push_back(b);
    }
  }
  return out;
}

/// Where `batch` sequences of `tokens` tokens begin, and where the last one ends.
std::vector<std::int32_t> even_starts(std::size_t batch, std::size_t tokens) {
  if (batch == 0 || tokens == 0 || tokens > std::size_t{0x7fffffff} / batch) {
    throw Error(ErrorCode::kInvalidArgument,
                {.message = "no such batch can be timed",
                 .expected = "at least one text of at least one token, 2147483647 tokens in all",
                 .found = std::to_string(batch) + " x " + std::to_string(tokens)});
  }
  std::vector<std::int32_t> starts(batch + 1);
  for (std::size_t i = 0; i <= batch; ++i) starts[i] = static_cast<std::int32_t>(i * tokens);
  return starts;
}

}  // namespace

struct Model::Impl {
  tasks::ModelFiles files;
  std::unique_ptr<tasks::Runner> runner;

  std::vector<NamedTensor> run_packed(const std::map<std::string, Tensor>& feeds);
  std::vector<double> time_runs(std::size_t batch, std::size_t tokens, double min_seconds,
                                std::size_t min_runs, plan::StepClock* clock);
};

Model::Model(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;
Model::~Model() = default;

Model Model::load(const std::string& path, const RuntimeOptions& options) {
  auto impl = std::make_unique<Impl>();
  impl->files = tasks::find_model(path);
  const tasks::RunnerModel source{.files = impl->files, .use = "run", .prepare = [](ir::Graph&) {
                                    return tasks::OutputChoice{};  // all of them
                                  }};
  impl->runner = std::make_unique<tasks::Runner>(source, options);
  return Model(std::move(impl));
}

std::vector<NamedTensor> Model::Impl::run_packed(const std::map<std::string, Tensor>& feeds) {
  const auto find = [&](const char* name) {
    const auto it = feeds.find(name);
    return it == feeds.end() ? nullptr : &it->second;
  };
  const Tensor *ids = find("input_ids"), *mask = find("attention_mask"),
               *types = find("token_type_ids");
  if (ids == nullptr || ids->rank() != 2) {
    throw Error(ErrorCode::kInvalidArgument,
                {.message = "the input ids are missing or have another rank",
                 .place = "input 'input_ids'",
                 .expected = "integers [batch, sequence]",
                 .found = ids == nullptr ? "nothing" : shape_to_string(ids->shape())});
  }
  if (ids->elements() > std::size_t{0x7fffffff}) {
    throw Error(ErrorCode::kInvalidArgument, {.message = "the batch is too large",
                                              .expected = "at most 2147483647 tokens",
                                              .found = shape_to_string(ids->shape()),
                                              .fix = "give it in several parts"});
  }
  for (const auto& [name, tensor] : feeds) {
    if (name != "input_ids" && name != "attention_mask" && name != "token_type_ids") {
      throw Error(ErrorCode::kInvalidArgument,
                  {.message = "the model has no such input",
                   .place = "input '" + name + "'",
                   .expected = "input_ids, attention_mask, token_type_ids"});
    }
    if (tensor.shape() != ids->shape()) {
      throw Error(ErrorCode::kInvalidArgument, {.message = "the inputs have different shapes",
                                                .place = "input '" + name + "'",
                                                .expected = shape_to_string(ids->shape()),
                                                .found = shape_to_string(tensor.shape())});
    }
  }
  const Packing packing = pack(*ids, mask, types);
  const plan::Plan& plan = *runner->plan();
  std::vector<Tensor> outputs;
  for (const plan::PlanOutput& output : plan.outputs()) {
    const auto width = static_cast<std::int64_t>(output.view.width);
    Shape shape{ids->dim(0), width};
    if (output.view.layout == plan::Layout::kToken) shape = {ids->dim(0), ids->dim(1), width};
    Tensor tensor(DType::kFloat32, std::move(shape));
    std::fill(tensor.mutable_data<float>().begin(), tensor.mutable_data<float>().end(), 0.0f);
    outputs.push_back(std::move(tensor));
  }
  const plan::PackedBatch batch{
      .ids = packing.ids, .type_ids = packing.types, .starts = packing.starts};
  runner->run(batch, [&](std::size_t first, const plan::PackedBatch& chunk,
                         std::span<const plan::Matrix> matrices) {
    const auto first_token = static_cast<std::size_t>(packing.starts[first]);
    for (std::size_t o = 0; o < matrices.size(); ++o) {
      const plan::Matrix& m = matrices[o];
      float* out = outputs[o].mutable_data<float>().data();
      const bool tokens = plan.outputs()[o].view.layout == plan::Layout::kToken;
      const std::size_t rows = tokens ? chunk.tokens() : chunk.sequences();
      for (std::size_t r = 0; r < rows; ++r) {
        const std::size_t row =
            tokens ? packing.token_rows[first_token + r] : packing.sequence_rows[first + r];
        std::memcpy(out + row * m.width, m.data + r * m.ld, m.width * sizeof(float));
      }
    }
  });
  std::vector<NamedTensor> result;
  for (std::size_t o = 0; o < outputs.size(); ++o)
    result.push_back(to_named(plan.outputs()[o].name, outputs[o]));
  return result;
}

std::vector<NamedTensor> Model::run(const std::vector<NamedTensor>& inputs) {
  std::map<std::string, Tensor> feeds;
  for (const NamedTensor& input : inputs) {
    const Tensor tensor = to_tensor(input);
    feeds.emplace(input.name, dtype_is_float(tensor.dtype()) ? tensor : to_int64(tensor));
  }
  if (impl_->runner->packed()) return impl_->run_packed(feeds);
  runtime::GraphRunner& graph_runner = *impl_->runner->graph_runner();
  const auto ids = feeds.find("input_ids");
  if (ids != feeds.end()) {
    const auto fill = [&](const char* name, std::int64_t value) {
      if (feeds.contains(name) || graph_runner.graph().find_input(name) == ir::kNoValue) return;
      const std::vector<std::int64_t> values(ids->second.elements(), value);
      feeds.emplace(name, Tensor::from<std::int64_t>(ids->second.shape(), values));
    };
    fill("attention_mask", 1);
    fill("token_type_ids", 0);
  }
  const std::vector<Tensor> outputs = graph_runner.run(feeds);
  std::vector<NamedTensor> result;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    result.push_back(to_named(graph_runner.graph().outputs()[i].name, outputs[i]));
  }
  return result;
}

ModelSummary Model::summary(bool with_graph_text) const {
  const tasks::Runner& runner = *impl_->runner;
  ModelSummary out;
  out.path = impl_->files.path;
  out.format = impl_->files.onnx ? "onnx" : "safetensors";
  // What runs does not hold the graph any more.
  describe_graph(tasks::import_model(impl_->files), runner.packed(), with_graph_text, out);
  out.precision = precision();
  out.asked_precision = tasks::asked_precision(impl_->files);
  out.packed = runner.packed();
  out.plan_note = runner.note();
  out.plan_source = runner.plan_source();
  if (const plan::Plan* plan = runner.plan()) {
    for (const plan::Step* step : plan->steps()) out.plan.push_back(to_plan_step(step->info()));
    out.packed_weight_bytes = plan->weight_bytes();
    out.arena_bytes_per_token = plan->arena_floats_per_token() * sizeof(float);
  }
  return out;
}

std::string Model::isa() const { return isa_name(impl_->runner->isa()); }
std::string Model::precision() const {
  return std::string(plan::precision_name(impl_->runner->precision()));
}
int Model::threads() const { return impl_->runner->pool().size(); }

std::vector<double> Model::Impl::time_runs(std::size_t batch, std::size_t tokens,
                                           double min_seconds, std::size_t min_runs,
                                           plan::StepClock* clock) {
  std::mt19937 random(0);
  const std::int32_t top = runner->plan() != nullptr ? runner->plan()->vocabulary() : 1000;
  std::uniform_int_distribution<std::int32_t> id(std::min(top - 1, 5), std::max(top - 1, 1));
  const std::vector<std::int32_t> starts = even_starts(batch, tokens);
  std::vector<std::int32_t> ids(batch * tokens);
  for (std::int32_t& value : ids) value = id(random);
  const plan::PackedBatch packed{.ids = ids, .type_ids = {}, .starts = starts};
  const auto once = [&](plan::StepClock* watch = nullptr) {
    const auto start = std::chrono::steady_clock::now();
    runner->run(
        packed, [](std::size_t, const plan::PackedBatch&, std::span<const plan::Matrix>) {}, watch);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  constexpr double kLongRun = 0.1;  // seconds; it has warmed up within itself
  if (once() < kLongRun) once();
  std::vector<double> times;
  double total = 0;
  while (total < min_seconds || times.size() < std::max<std::size_t>(min_runs, 1)) {
    const double seconds = once(clock);
    times.push_back(seconds * 1e3);
    total += seconds;
  }
  return times;
}

std::vector<double> Model::time_runs(std::size_t batch, std::size_t tokens, double min_seconds,
                                     std::size_t min_runs) {
  return impl_->time_runs(batch, tokens, min_seconds, min_runs, nullptr);
}

RunProfile Model::profile(std::size_t batch, std::size_t tokens, double min_seconds) {
  const plan::Plan* plan = impl_->runner->plan();
  if (plan == nullptr) {
    throw Error(ErrorCode::kUnsupported, {.message = "the model has no plan to profile",
                                          .file = impl_->files.path,
                                          .found = impl_->runner->note(),
                                          .fix = "octavo bench times it as a whole"});
  }
  const std::vector<const plan::Step*> steps = plan->steps();
  plan::StepClock clock(steps.size());
  const std::vector<double> times = impl_->time_runs(batch, tokens, min_seconds, 3, &clock);
  RunProfile out;
  out.runs = times.size();
  const auto runs = static_cast<double>(out.runs);
  out.seconds = std::accumulate(times.begin(), times.end(), 0.0) * 1e-3 / runs;
  const std::vector<std::int32_t> starts = even_starts(batch, tokens), ids(batch * tokens);
  const plan::PackedBatch packed{.ids = ids, .type_ids = {}, .starts = starts};
  for (std::size_t i = 0; i < steps.size(); ++i) {
    out.steps.push_back(
        {.step = to_plan_step(steps[i]->info()),
         .seconds = static_cast<double>(clock.nanoseconds(steps[i]->id)) * 1e-9 / runs,
         .multiply_adds = steps[i]->multiply_adds(packed),
         .weight_bytes = steps[i]->weight_bytes()});
  }
  return out;
}

double Model::multiply_adds(std::size_t batch, std::size_t tokens) const {
  const plan::Plan* plan = impl_->runner->plan();
  if (plan == nullptr) return 0;
  const std::vector<std::int32_t> starts = even_starts(batch, tokens), ids(batch * tokens);
  return plan->multiply_adds({.ids = ids, .type_ids = {}, .starts = starts});
}

std::size_t Model::linear_weight_bytes() const {
  const plan::Plan* plan = impl_->runner->plan();
  if (plan == nullptr) return 0;
  constexpr std::int32_t kId[] = {0}, kStarts[] = {0, 1};
  std::size_t out = 0;
  for (const auto& step : plan->steps()) {
    const bool product = step->multiply_adds({.ids = kId, .type_ids = {}, .starts = kStarts}) > 0;
    if (product) out += step->weight_bytes();
  }
  return out;
}

std::optional<std::size_t> Model::max_tokens() const { return impl_->runner->token_limit(); }

}  // namespace octavo
