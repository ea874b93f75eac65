#include "runtime/graph_runner.h"

#include <algorithm>

#include "octavo/error.h"
#include "runtime/attend.h"
#include "runtime/float_products.h"
#include "runtime/fuse.h"
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

/// A node of the standard domain on its own.
Tensor apply(const char* op, std::vector<const Tensor*> inputs, IsaMask isa, ThreadPool& pool,
             std::initializer_list<std::pair<const char*, ir::Attribute>> attributes = {}) {
  ir::Node node;
  node.op = op;
  node.outputs = {0};
  for (const auto& [name, value] : attributes) node.attributes.set(name, value);
  const ops::OpCall call{node, inputs};
  std::vector<Tensor> outputs;
  if (!run_rows(call, isa, pool, outputs)) outputs = ops::find_op(op, "")->reference(call);
  return std::move(outputs.front());
}

/// A fused Attend as the nodes that it was.
Tensor attend_in_steps(const ops::OpCall& call, IsaMask isa, const kernels::MatmulKernel& kernel,
                       ThreadPool& pool) {
  const auto first = call.attributes().ints("tokens_first").value_or(Shape(4, 0));
  const auto transposed = [&](const Tensor& x, Shape perm) {
    return apply("Transpose", {&x}, isa, pool, {{"perm", perm}});
  };
  const auto heads_first = [&](std::size_t i) {
    return first[i] != 0 ? transposed(call.input(i), {0, 2, 1, 3}) : call.input(i);
  };
  const auto product = [&](const Tensor& a, const Tensor& b) {
    ir::Node node;
    node.op = "MatMul";
    node.outputs = {0};
    const Tensor* both[] = {&a, &b};
    std::vector<Tensor> outputs;
    if (!multiply_stacks({node, both}, kernel, pool, outputs)) {
      outputs = ops::find_op("MatMul", "")->reference({node, both});
    }
    return std::move(outputs.front());
  };
  const Tensor keys = first[1] != 0 ? transposed(call.input(1), {0, 2, 3, 1})
                                    : transposed(call.input(1), {0, 1, 3, 2});
  const Tensor factor = Tensor::scalar(call.attributes().float_or("factor", 1.0f));
  Tensor scores = product(heads_first(0), keys);
  scores = apply("Mul", {&scores, &factor}, isa, pool);
  if (call.optional(3) != nullptr) scores = apply("Add", {&scores, call.optional(3)}, isa, pool);
  scores = apply("Softmax", {&scores}, isa, pool, {{"axis", std::int64_t{-1}}});
  const Tensor out = product(scores, heads_first(2));
  return first[3] != 0 ? transposed(out, {0, 2, 1, 3}) : out;
}

/// The product in a fused one, without its stages.
ir::Node product_of(const ir::Node& fused) {
  ir::Node out;
  out.op = fused.attributes.string_or("product", "");
  out.domain = out.op == "QLinearMatMul" ? "" : "com.microsoft";
  out.name = fused.name;
  out.outputs = fused.outputs;
  const auto own = static_cast<std::ptrdiff_t>(fused.attributes.require_int("product_inputs"));
  out.inputs.assign(fused.inputs.begin(), fused.inputs.begin() + own);
  return out;
}

/// The stages of a fused Product, one after the other.
Tensor stages_in_steps(const ops::OpCall& call, Tensor x, std::size_t own, IsaMask isa,
                       ThreadPool& pool) {
  std::size_t at = own;
  for (const char stage : call.attributes().string_or("stages", "")) {
    if (stage == 'G') {
      const std::string form = call.attributes().string_or("approximate", "none");
      x = apply("Gelu", {&x}, isa, pool, {{"approximate", form}});
    } else if (stage == 'A') {
      x = apply("Add", {&x, call.optional(at++)}, isa, pool);
    } else {
      x = apply(stage == 'D' ? "DequantizeLinear" : "QuantizeLinear",
                {&x, call.optional(at), call.optional(at + 1)}, isa, pool);
      at += 2;
    }
  }
  return x;
}

}  // namespace

GraphRunner::GraphRunner(ir::Graph graph, IsaMask isa, std::shared_ptr<ThreadPool> pool,
                         WeightMemory weights)
    : graph_(std::move(graph)),
      fused_(fuse_nodes(graph_)),
      isa_(isa),
      kernel_(kernels::choose_matmul(isa)),
      weights_(weights),
      pool_(std::move(pool)) {}

const float* GraphRunner::packed(const Tensor& weight) {
  const std::scoped_lock lock(mutex_);
  auto& held = packed_[{weight.bytes(), weight.dim(0), weight.dim(1)}];
  if (held == nullptr) {
    const auto k = static_cast<std::size_t>(weight.dim(0)),
               n = static_cast<std::size_t>(weight.dim(1));
    held = std::make_unique<Buffer>(kernels::matmul_packed_floats(kernel_, n, k) * sizeof(float));
    kernel_.pack(weight.data<float>().data(), n, 1, k, n, reinterpret_cast<float*>(held->data()), 0,
                 kernels::matmul_panels(kernel_, n));
  }
  return reinterpret_cast<const float*>(held->data());
}

const IntegerMatrix* GraphRunner::integer_matrix(const ir::Graph& graph, const ops::OpCall& call) {
  std::size_t weight = 0;
  if (!is_integer_product(call.node, weight)) return nullptr;
  const Tensor* matrix = call.optional(weight);
  if (matrix == nullptr || graph.constant(call.node.inputs[weight]) == nullptr ||
      matrix->rank() != 2 || matrix->elements() == 0 ||
      (matrix->dtype() != DType::kUint8 && matrix->dtype() != DType::kInt8)) {
    return nullptr;
  }
  const std::scoped_lock lock(mutex_);
  auto& held = integers_[{matrix->bytes(), matrix->dim(0), matrix->dim(1)}];
  if (held == nullptr) held = std::make_unique<IntegerMatrix>(*matrix, isa_);
  return held.get();
}

bool GraphRunner::run_product(const ir::Graph& graph, const ops::OpCall& call, ThreadPool& pool,
                              std::vector<Tensor>& outputs) {
  const ir::Node product = product_of(call.node);
  const std::size_t own = product.inputs.size();
  const ops::OpCall inner{product, call.inputs.first(own)};
  if (const IntegerMatrix* matrix = integer_matrix(graph, inner)) {
    const Tensor* a = inner.optional(0);
    if (a != nullptr && a->rank() >= 2) {
      Shape shape = a->shape();
      shape.back() = static_cast<std::int64_t>(matrix->columns());
      auto epilogue = Epilogue::make(call.attributes().string_or("stages", ""),
                                     call.attributes().string_or("approximate", "none"),
                                     call.inputs.subspan(own), std::move(shape), isa_);
      if (epilogue && multiply_integers(inner, *matrix, pool, outputs, &*epilogue)) return true;
    }
  }
  std::vector<Tensor> sums;
  if (!accelerate(graph, inner, pool, sums)) {
    sums = ops::find_op(product.op, product.domain)->reference(inner);
  }
  outputs.push_back(stages_in_steps(call, std::move(sums.front()), own, isa_, pool));
  return true;
}

bool GraphRunner::accelerate(const ir::Graph& graph, const ops::OpCall& call, ThreadPool& pool,
                             std::vector<Tensor>& outputs) {
  if (call.node.domain == kFusedDomain) {
    if (call.node.op == "Product") return run_product(graph, call, pool, outputs);
    if (!attend(call, isa_, pool, outputs)) {
      outputs.push_back(attend_in_steps(call, isa_, kernel_, pool));
    }
    return true;
  }
  // Products and what works on rows: the rest is small.
  if (run_rows(call, isa_, pool, outputs)) return true;
  if (const IntegerMatrix* matrix = integer_matrix(graph, call)) {
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
      graph.constant(call.node.inputs[1]) == nullptr) {
    return false;
  }
  Shape shape = a.shape();
  shape.back() = b.dim(1);
  Tensor out(DType::kFloat32, std::move(shape));
  if (weights_ == WeightMemory::kStreamed) {
    multiply_streamed(a, b, kernel_, pool, out);
    outputs.push_back(std::move(out));
    return true;
  }
  const auto k = static_cast<std::size_t>(b.dim(0)), n = static_cast<std::size_t>(b.dim(1));
  const kernels::MatmulArgs args{.a = a.data<float>().data(),
                                 .lda = k,
                                 .packed_b = packed(b),
                                 .c = out.mutable_data<float>().data(),
                                 .ldc = n,
                                 .m = a.elements() / k,
                                 .n = n,
                                 .k = k};
  const std::size_t panels = kernels::matmul_panels(kernel_, n);
  // One thread keeps its rows in the cache while all panels pass by.
  const std::size_t step = pool.size() == 1 ? panels : 1;
  pool.parallel_for((panels + step - 1) / step, [&](std::size_t i, int) {
    kernel_.run(args, 0, args.m, i * step, std::min(panels, (i + 1) * step));
  });
  outputs.push_back(std::move(out));
  return true;
}

std::vector<Tensor> GraphRunner::run(const std::map<std::string, Tensor>& feeds, const Tap& tap,
                                     const ops::Feeds& given) {
  return run(feeds, *pool_, tap, given);
}

std::vector<Tensor> GraphRunner::run(const std::map<std::string, Tensor>& feeds, ThreadPool& pool,
                                     const Tap& tap, const ops::Feeds& given) {
  // Who looks at values, or gives some, means those of the graph.
  return evaluate(tap || !given.empty() ? graph_ : fused_, feeds, pool, tap, given);
}

std::vector<Tensor> GraphRunner::evaluate(const ir::Graph& graph,
                                          const std::map<std::string, Tensor>& feeds,
                                          ThreadPool& pool, const Tap& tap,
                                          const ops::Feeds& given) {
  ops::Feeds by_id = given;
  std::string known;
  for (const ir::ValueId input : graph.inputs()) {
    const std::string& name = graph.value(input).name;
    known += (known.empty() ? "" : ", ") + name;
    const auto it = feeds.find(name);
    if (it == feeds.end()) {
      throw Error(ErrorCode::kInvalidArgument, {.message = "an input of the model is missing",
                                                .place = "input '" + name + "'",
                                                .fix = "give a tensor of this name"});
    }
    by_id.emplace(input, as_input(it->second, graph.value(input).dtype));
  }
  for (const auto& [name, tensor] : feeds) {
    if (graph.find_input(name) == ir::kNoValue) {
      throw Error(ErrorCode::kInvalidArgument, {.message = "the model has no such input",
                                                .place = "input '" + name + "'",
                                                .expected = known,
                                                .fix = "leave this tensor out"});
    }
  }
  std::vector<ir::ValueId> wanted;
  for (const auto& output : graph.outputs()) wanted.push_back(output.value);
  ops::EvaluateOptions options;
  options.observe = tap;
  options.accelerate = [&](const ops::OpCall& call, std::vector<Tensor>& outputs) {
    return accelerate(graph, call, pool, outputs);
  };
  return ops::evaluate(graph, by_id, wanted, options);
}

}  // namespace octavo::runtime
