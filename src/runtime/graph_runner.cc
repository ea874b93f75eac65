#include "runtime/graph_runner.h"

#include <algorithm>

#include "octavo/error.h"
#include "runtime/float_products.h"
#include "runtime/row_operators.h"

namespace octavo::runtime {
namespace {

/// int64 as the integer that an input takes, where every value fits.
Tensor as_input(const Tensor& tensor, std::optional<DType> wanted) {
  if (tensor.dtype() != DType::kInt64 || wanted != DType::kInt32) return tensor;
  Tensor out(DType::kInt32, tensor.shape());
  const auto from = tensor.data<std::int64_t>();
  const auto to = out.mutable_data<std::int32_t>();
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (from[i] != static_cast<std::int32_t>(from[i])) return tensor;
    to[i] = static_cast<std::int32_t>(from[i]);
  }
  return out;
}

}  // namespace

GraphRunner::GraphRunner(ir::Graph graph, IsaMask isa, std::shared_ptr<ThreadPool> pool)
    : graph_(std::move(graph)),
      isa_(isa),
      kernel_(kernels::choose_matmul(isa)),
      pool_(std::move(pool)) {}

const float* GraphRunner::packed(const Tensor& weight, const ir::Node& node) {
  const std::scoped_lock lock(mutex_);
  auto& held = packed_[&node];
  if (held == nullptr) {
    const auto k = static_cast<std::size_t>(weight.dim(0)),
               n = static_cast<std::size_t>(weight.dim(1));
    held = std::make_unique<Buffer>(kernels::matmul_packed_floats(kernel_, n, k) * sizeof(float));
    kernel_.pack(weight.data<float>().data(), n, 1, k, n, reinterpret_cast<float*>(held->data()), 0,
                 kernels::matmul_panels(kernel_, n));
  }
  return reinterpret_cast<const float*>(held->data());
}

const IntegerMatrix* GraphRunner::integer_matrix(const ops::OpCall& call) {
  std::size_t weight = 0;
  if (!is_integer_product(call.node, weight)) return nullptr;
  const Tensor* matrix = call.optional(weight);
  if (matrix == nullptr || graph_.constant(call.node.inputs[weight]) == nullptr ||
      matrix->rank() != 2 || matrix->elements() == 0 ||
      (matrix->dtype() != DType::kUint8 && matrix->dtype() != DType::kInt8)) {
    return nullptr;
  }
  const std::scoped_lock lock(mutex_);
  auto& held = integers_[&call.node];
  if (held == nullptr) {
    held = std::make_unique<IntegerMatrix>(*matrix, isa_);
  }
  return held.get();
}

bool GraphRunner::accelerate(const ops::OpCall& call, ThreadPool& pool,
                             std::vector<Tensor>& outputs) {
  // Products and what works on rows: the rest is small.
  if (run_rows(call, isa_, pool, outputs)) return true;
  if (const IntegerMatrix* matrix = integer_matrix(call)) {
    return multiply_integers(call, *matrix, pool, outputs);
  }
  if (multiply_stacks(call, kernel_, pool, outputs)) return true;
  if (!call.node.is("MatMul") || call.inputs.size() != 2 || call.inputs[0] == nullptr ||
      call.inputs[1] == nullptr) {
    return false;
  }
  const Tensor &a = *call.inputs[0], &b = *call.inputs[1];
  if (a.dtype() != DType::kFloat32 || b.dtype() != DType::kFloat32 || b.rank() != 2 ||
      a.rank() < 2 || a.shape().back() != b.dim(0) || a.elements() == 0 || b.elements() == 0 ||
      graph_.constant(call.node.inputs[1]) == nullptr) {
    return false;
  }
  Shape shape = a.shape();
  shape.back() = b.dim(1);
  Tensor out(DType::kFloat32, std::move(shape));
  const auto k = static_cast<std::size_t>(b.dim(0)), n = static_cast<std::size_t>(b.dim(1));
  const kernels::MatmulArgs args{.a = a.data<float>().data(),
                                 .lda = k,
                                 .packed_b = packed(b, call.node),
                                 .c = out.mutable_data<float>().data(),
                                 .ldc = n,
                                 .m = a.elements() / k,
                                 .n = n,
                                 .k = k};
  const std::size_t panels = kernels::matmul_panels(kernel_, n);
  pool.parallel_for(
      panels, [&](std::size_t panel, int) { kernel_.run(args, 0, args.m, panel, panel + 1); });
  outputs.push_back(std::move(out));
  return true;
}

std::vector<Tensor> GraphRunner::run(const std::map<std::string, Tensor>& feeds, const Tap& tap,
                                     const ops::Feeds& given) {
  return run(feeds, *pool_, tap, given);
}

std::vector<Tensor> GraphRunner::run(const std::map<std::string, Tensor>& feeds, ThreadPool& pool,
                                     const Tap& tap, const ops::Feeds& given) {
  ops::Feeds by_id = given;
  std::string known;
  for (const ir::ValueId input : graph_.inputs()) {
    const std::string& name = graph_.value(input).name;
    known += (known.empty() ? "" : ", ") + name;
    const auto it = feeds.find(name);
    if (it == feeds.end()) {
      throw Error(ErrorCode::kInvalidArgument, {.message = "an input of the model is missing",
                                                .place = "input '" + name + "'",
                                                .fix = "give a tensor of this name"});
    }
    by_id.emplace(input, as_input(it->second, graph_.value(input).dtype));
  }
  for (const auto& [name, tensor] : feeds) {
    if (graph_.find_input(name) == ir::kNoValue) {
      throw Error(ErrorCode::kInvalidArgument, {.message = "the model has no such input",
                                                .place = "input '" + name + "'",
                                                .expected = known,
                                                .fix = "leave this tensor out"});
    }
  }
  std::vector<ir::ValueId> wanted;
  for (const auto& output : graph_.outputs()) wanted.push_back(output.value);
  ops::EvaluateOptions options;
  options.observe = tap;
  options.accelerate = [&](const ops::OpCall& call, std::vector<Tensor>& outputs) {
    return accelerate(call, pool, outputs);
  };
  return ops::evaluate(graph_, by_id, wanted, options);
}

}  // namespace octavo::runtime
