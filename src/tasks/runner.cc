#include "tasks/runner.h"

#include <atomic>
#include <exception>
#include <filesystem>
#include <limits>
#include <mutex>
#include <set>

#include "octavo/error.h"
#include "passes/lift.h"
#include "passes/narrow_products.h"
#include "passes/position_limit.h"
#include "tasks/model_record.h"

namespace octavo::tasks {
namespace {

constexpr std::size_t kTogether = 512;  // tokens of a sequence that runs beside others
constexpr const char* kFloatsKept = " with the floats of the file";

IsaMask checked_isa(const RuntimeOptions& options) {
  constexpr int kMaxThreads = 1024;
  if (options.threads < 0 || options.threads > kMaxThreads) {
    throw Error(ErrorCode::kInvalidArgument,
                {.message = "the number of threads is out of range",
                 .expected = "0 (all cores) to " + std::to_string(kMaxThreads),
                 .found = std::to_string(options.threads),
                 .fix = "leave --threads out to use every core"});
  }
  return parse_isa(options.isa, detect_isa());
}

std::optional<plan::Precision> find_precision(const std::string& name) {
  using enum plan::Precision;
  for (const plan::Precision precision : {kFp32, kBf16, kFp16, kInt8}) {
    if (name == plan::precision_name(precision)) return precision;
  }
  return std::nullopt;
}

/// "auto" is what the model asks for, where that is a precision; fp32 for a file that is run as it
/// says.
plan::Precision checked_precision(const RuntimeOptions& options, const ModelFiles& model) {
  const std::string& name = options.precision;
  if (name == "auto") {
    const std::string recorded = options.reference ? "" : asked_precision(model);
    return find_precision(recorded).value_or(plan::Precision::kFp32);
  }
  if (const auto found = find_precision(name)) return *found;
  throw Error(ErrorCode::kInvalidArgument, {.message = "unknown precision",
                                            .expected = "auto, fp32, bf16, fp16 or int8",
                                            .found = "'" + name + "'",
                                            .fix = "give one of these, or leave it out"});
}

bool checked_reference(const RuntimeOptions& options) {
  if (options.reference && options.precision != "fp32" && options.precision != "auto") {
    throw Error(ErrorCode::kInvalidArgument,
                {.message = "a file that is run as it says has a precision of its own",
                 .expected = "--reference without --precision",
                 .found = "--precision " + options.precision,
                 .fix = "leave one of the two out"});
  }
  return options.reference;
}

/// The graph with constants folded and nodes fused, but its padded meaning untouched.
ir::Graph simplified(ir::Graph graph) {
  ir::Graph out = graph;
  try {
    passes::narrow_products(out);
    passes::run_pipeline(
        out, {.disabled = {"widen_quantized", "widen_rowwise", "lift_positions", "lift_attention",
                           "freeze_sizes", "lift_first_token", "lift_pooling"}});
  } catch (const Error&) {
    return graph;  // what a pass cannot evaluate, the run will report if it matters
  }
  return out;
}

/// The matrices that the file itself has in floats: products with them it does not quantise.
std::set<ir::ValueId> float_matrices(const ir::Graph& graph) {
  std::set<ir::ValueId> out;
  for (std::size_t i = 0; i < graph.value_count(); ++i) {
    const auto id = static_cast<ir::ValueId>(i);
    const Tensor* constant = graph.constant(id);
    if (constant != nullptr && constant->rank() == 2 && dtype_is_float(constant->dtype())) {
      out.insert(id);
    }
  }
  return out;
}

Tensor row_of(std::span<const std::int32_t> values) {
  Tensor out(DType::kInt64, {1, static_cast<std::int64_t>(values.size())});
  std::copy(values.begin(), values.end(), out.mutable_data<std::int64_t>().begin());
  return out;
}

}  // namespace

Runner::Runner(const RunnerModel& model, const RuntimeOptions& options)
    : isa_(checked_isa(options)),
      precision_(checked_precision(options, model.files)),
      keeps_floats_(options.precision == "auto" && precision_ != plan::Precision::kFp32),
      reference_(checked_reference(options)),
      pool_(std::make_shared<ThreadPool>(options.threads)) {
  const std::string use = model.use + (keeps_floats_ ? kFloatsKept : "");
  PlanCache cache(reference_ ? "" : options.plan_cache, model.files, use, isa_, precision_);
  if (auto kept = cache.find(pool_.get())) {
    facts_ = std::move(kept->facts);
    plan_source_ = "read from " + cache.path();
    session_ = std::make_unique<runtime::Session>(std::move(kept->plan), pool_);
    return;
  }
  build(model, cache);
}

void Runner::build(const RunnerModel& model, PlanCache& cache) {
  cache.start_import();
  ImportedModel imported = import_model(model.files);
  facts_ = {
      .family = std::move(imported.family), .files = {}, .output = model.prepare(imported.graph)};
  for (const std::string& file : imported.files)
    facts_.files.push_back(std::filesystem::canonical(file).string());
  if (reference_) {
    note_ = "the file is run as it says, node by node";
    run_unpacked(std::move(imported.graph));
    return;
  }
  // The graph as it was is for the case that no plan can be made; with it the weights would be held
  // beside their packed form, so it goes as soon as a plan is to be expected.
  std::optional<ir::Graph> original = imported.graph;  // constants are shared
  std::set<ir::ValueId> floats;
  if (keeps_floats_) floats = float_matrices(imported.graph);
  const passes::LiftReport report = passes::lift(imported.graph, {});
  if (report.lifted) original.reset();
  try {
    auto plan = plan::Plan::build(std::move(imported.graph), isa_, pool_.get(), precision_,
                                  std::move(floats));
    if (cache.store(*plan, facts_)) {
      plan_source_ = "kept as " + cache.path();
      // From here on its weights are those of the file, shared with other processes.
      if (auto kept = cache.find(pool_.get())) plan = std::move(kept->plan);
    } else {
      plan_source_ = cache.note();
    }
    session_ = std::make_unique<runtime::Session>(std::move(plan), pool_);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUnsupported) throw;
    note_ = error.what();
    for (const std::string& note : report.notes) note_ += "\n  " + note;
    if (!keeps_floats_ && precision_ != plan::Precision::kFp32) refuse_precision(model.files);
    if (!original) {
      original = import_model(model.files).graph;
      model.prepare(*original);
    }
    run_unpacked(std::move(*original));
  }
}

void Runner::refuse_precision(const ModelFiles& files) const {
  throw Error(ErrorCode::kUnsupported,
              {.message = "the model cannot be computed in " +
                          std::string(plan::precision_name(precision_)),
               .file = files.path,
               .expected = "a graph with a packed form",
               .found = note_,
               .fix = "leave --precision out: the file is then run as it says, node by node"});
}

std::string Runner::arithmetic() const {
  return std::string(plan::precision_name(precision())) + " " + isa_name(isa_) +
         (reference_ ? " reference" : "") + (keeps_floats_ ? kFloatsKept : "");
}

void Runner::run_unpacked(ir::Graph graph) {
  graph_runner_ = std::make_unique<runtime::GraphRunner>(simplified(std::move(graph)), isa_, pool_);
  position_limit_ = passes::position_limit(graph_runner_->graph());
}

std::size_t Runner::max_tokens() const {
  return session_ == nullptr ? position_limit_.value_or(std::numeric_limits<std::size_t>::max())
                             : session_->plan().max_tokens();
}

std::optional<std::size_t> Runner::token_limit() const {
  const std::size_t limit = max_tokens();
  if (limit == std::numeric_limits<std::size_t>::max()) return std::nullopt;
  return limit;
}

void Runner::run(const plan::PackedBatch& batch, const Sink& sink, plan::StepClock* clock) {
  if (session_ != nullptr) return session_->run(batch, sink, clock);
  run_alone(batch, sink);
}

Runner::Rows Runner::rows_of(const Tensor& tensor, std::size_t tokens) const {
  const Shape& shape = tensor.shape();
  if (!shape.empty() && shape.back() > 0 && shape[0] == 1) {
    const auto width = static_cast<std::size_t>(shape.back());
    if (shape.size() == 2) return {plan::Layout::kSequence, width};
    if (shape.size() == 3 && static_cast<std::size_t>(shape[1]) == tokens) {
      return {plan::Layout::kToken, width};
    }
  }
  throw Error(ErrorCode::kUnsupported,
              {.message = "an output of the model is neither a row a token nor a row a sequence",
               .expected = "[1, " + std::to_string(tokens) + ", width] or [1, width]",
               .found = shape_to_string(shape)});
}

Runner::Rows Runner::rows_of_output(std::int32_t id) {
  if (session_ != nullptr) {
    const plan::View& view = session_->plan().outputs().front().view;
    return {view.layout, view.width};
  }
  const std::int32_t ids[] = {id, id, id}, starts[] = {0, 3};
  Rows rows{};
  run_alone({.ids = ids, .type_ids = {}, .starts = starts},
            [&](std::size_t, const plan::PackedBatch&, std::span<const plan::Matrix> outputs) {
              rows = {outputs[0].rows == 3 ? plan::Layout::kToken : plan::Layout::kSequence,
                      outputs[0].width};
            });
  expected_ = rows;
  return rows;
}

void Runner::run_alone(const plan::PackedBatch& batch, const Sink& sink) {
  // Sequences of ordinary length are run at the same time, a thread each, which bounds what they
  // hold; a longer one, whose scores take hundreds of megabytes, has all threads for itself.
  std::vector<std::size_t> together, after;
  for (std::size_t i = 0; i < batch.sequences(); ++i) {
    (batch.length(i) <= kTogether ? together : after).push_back(i);
  }
  const auto workers = static_cast<std::size_t>(pool_->size());
  if (workers == 1 || together.size() < workers) {
    for (std::size_t i = 0; i < batch.sequences(); ++i) run_sequence(batch, i, *pool_, sink);
    return;
  }
  std::mutex mutex;
  std::exception_ptr failure;
  std::atomic<std::size_t> failed = together.size();  // the first that did, as if one by one
  pool_->parallel_for(together.size(), [&](std::size_t i, int) {
    if (i > failed.load(std::memory_order_relaxed)) return;
    try {
      ThreadPool alone(1);
      run_sequence(batch, together[i], alone, sink);
    } catch (...) {
      const std::scoped_lock lock(mutex);
      if (i < failed) failed = i, failure = std::current_exception();
    }
  });
  if (failure) std::rethrow_exception(failure);
  for (const std::size_t i : after) run_sequence(batch, i, *pool_, sink);
}

void Runner::run_sequence(const plan::PackedBatch& batch, std::size_t i, ThreadPool& pool,
                          const Sink& sink) {
  const plan::PackedBatch one{
      .ids = batch.ids.subspan(batch.begin(i), batch.length(i)),
      .type_ids = batch.type_ids.empty() ? batch.type_ids
                                         : batch.type_ids.subspan(batch.begin(i), batch.length(i)),
      .starts = batch.starts.subspan(i, 2)};
  const auto length = static_cast<std::int64_t>(one.tokens());
  std::map<std::string, Tensor> feeds;
  for (const ir::ValueId input : graph_runner_->graph().inputs()) {
    const std::string& name = graph_runner_->graph().value(input).name;
    if (name == "input_ids") feeds.emplace(name, row_of(one.ids));
    if (name == "attention_mask") {
      const std::vector<std::int64_t> ones(one.tokens(), 1);
      feeds.emplace(name, Tensor::from<std::int64_t>({1, length}, ones));
    }
    if (name == "token_type_ids") {
      const std::vector<std::int32_t> zeros(one.type_ids.empty() ? one.tokens() : 0, 0);
      feeds.emplace(
          name, row_of(one.type_ids.empty() ? std::span<const std::int32_t>(zeros) : one.type_ids));
    }
  }
  std::vector<Tensor> tensors = graph_runner_->run(feeds, pool);
  std::vector<plan::Matrix> outputs;
  for (Tensor& tensor : tensors) {
    tensor = tensor.to_float32();
    const Rows rows = rows_of(tensor, one.tokens());
    if (expected_ && (rows.layout != expected_->layout || rows.width != expected_->width)) {
      throw Error(ErrorCode::kUnsupported,
                  {.message = "the shape of the model's output changes with its input",
                   .expected = "rows of " + std::to_string(expected_->width),
                   .found = shape_to_string(tensor.shape())});
    }
    const std::size_t width = rows.width;
    outputs.push_back(
        {tensor.mutable_data<float>().data(), width, tensor.elements() / width, width});
  }
  sink(i, one, outputs);
}

}  // namespace octavo::tasks
