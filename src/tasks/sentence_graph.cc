#include "tasks/sentence_graph.h"

#include <limits>

#include "octavo/error.h"
#include "passes/token_subgraphs.h"
#include "tasks/output_choice.h"
#include "tasks/pooling.h"

namespace octavo::tasks {
namespace {

using ir::ValueId;
using passes::TokenSubgraphs;

[[noreturn]] void refuse(ErrorCode code, const ModelFiles& files, std::string message,
                         std::string expected, std::string fix) {
  throw Error(code, {.message = std::move(message),
                     .file = files.path,
                     .expected = std::move(expected),
                     .fix = std::move(fix)});
}

class SentenceBuilder {
 public:
  SentenceBuilder(ir::Graph& graph, ValueId rows, ValueId mask)
      : graph_(graph), tokens_(graph), rows_(rows) {
    kept_ = tokens_.cast(mask, DType::kInt64, "pooling/mask");
    kept_float_ = tokens_.cast(kept_, DType::kFloat32, "pooling/kept");
    mask_ = mask;
    counts_ = op("Add", {tokens_.kept_positions(mask, mask), kept_}, "pooling/counts");
    total_ = sum(kept_float_, {1}, "pooling/tokens");
  }

  /// float32 [batch, width].
  ValueId pool(Pooling pooling) {
    const std::string name = "pooling/" + std::string(pooling_name(pooling));
    switch (pooling) {
      case Pooling::kCls: return weighted(where_count_is(tokens_.integer(1), name), name);
      case Pooling::kLastToken: {
        const ValueId last = tokens_.cast(total_, DType::kInt64, name + "/last");
        return weighted(where_count_is(last, name), name);
      }
      case Pooling::kMean: return divide(weighted(kept_float_, name + "/sum"), total_, name);
      case Pooling::kMeanSqrtLen:
        return divide(weighted(kept_float_, name + "/sum"),
                      op("Sqrt", {total_}, name + "/sqrt_length"), name);
      case Pooling::kWeightedMean: {
        const ValueId weights = tokens_.cast(op("Mul", {counts_, kept_}, name + "/counts"),
                                             DType::kFloat32, name + "/weights");
        return divide(weighted(weights, name + "/sum"), sum(weights, {1}, name + "/total"), name);
      }
      case Pooling::kMax: return greatest(name);
    }
    return rows_;
  }

  ValueId concat(const std::vector<ValueId>& values) {
    if (values.size() == 1) return values[0];
    ir::Attributes axis;
    axis.set("axis", std::int64_t{-1});
    return graph_.emit("Concat", values, std::move(axis), "", "pooling/joined");
  }

  ValueId dense(ValueId x, const DenseWeights& weights, const std::string& activation,
                const std::string& name) {
    const auto out = weights.weight.dim(0), in = weights.weight.dim(1);
    Tensor columns(DType::kFloat32, {in, out});
    const auto from = weights.weight.data<float>();
    const auto to = columns.mutable_data<float>();
    for (std::int64_t o = 0; o < out; ++o) {
      for (std::int64_t i = 0; i < in; ++i)
        to[static_cast<std::size_t>(i * out + o)] = from[static_cast<std::size_t>(o * in + i)];
    }
    ValueId y = op("MatMul", {x, graph_.add_constant(name + "/weight", std::move(columns))},
                   name + "/product");
    if (!weights.bias.empty()) {
      const Tensor bias = Tensor::vector<float>(std::span<const float>(weights.bias));
      y = op("Add", {y, graph_.add_constant(name + "/bias", bias)}, name + "/sum");
    }
    const std::string kind = activation.substr(activation.rfind('.') + 1);
    if (kind == "Identity") return y;
    if (kind == "Tanh") return op("Tanh", {y}, name + "/tanh");
    if (kind == "ReLU") return op("Relu", {y}, name + "/relu");
    if (kind == "Sigmoid") return op("Sigmoid", {y}, name + "/sigmoid");
    if (kind == "GELU") return op("Gelu", {y}, name + "/gelu");
    if (kind == "SiLU") return op("Mul", {y, op("Sigmoid", {y}, name + "/gate")}, name + "/silu");
    throw Error(ErrorCode::kUnsupported,
                {.message = "a Dense module uses an activation that octavo does not have",
                 .expected = "Identity, Tanh, ReLU, Sigmoid, GELU or SiLU",
                 .found = "'" + activation + "'"});
  }

  /// x / max(|x|, 1e-12).
  ValueId normalize(ValueId x) { return tokens_.l2_normalize(x, 1e-12f, "normalize"); }

 private:
  ValueId op(std::string kind, std::vector<ValueId> inputs, std::string name) {
    return graph_.emit(std::move(kind), std::move(inputs), {}, "", std::move(name));
  }
  ValueId sum(ValueId x, std::vector<std::int64_t> axes, std::string name) {
    return op("ReduceSum", {x, tokens_.integers(std::move(axes))}, std::move(name));
  }
  ValueId divide(ValueId x, ValueId by, const std::string& name) {
    return tokens_.divide(x, by, 1e-9f, name);
  }

  /// 1 for the kept token that is the `count`th of its row.
  ValueId where_count_is(ValueId count, const std::string& name) {
    const ValueId own = op("Mul", {counts_, kept_}, name + "/counts");
    const ValueId chosen = op("Equal", {own, count}, name + "/chosen");
    const ValueId weights = tokens_.cast(chosen, DType::kFloat32, name + "/choice");
    return op("Mul", {weights, kept_float_}, name + "/weights");
  }

  /// sum over tokens of weights [batch, sequence] times rows.
  ValueId weighted(ValueId weights, const std::string& name) {
    const ValueId row = tokens_.unsqueeze(weights, {1}, name + "/row");
    const ValueId product = op("MatMul", {row, rows_}, name + "/product");
    return op("Squeeze", {product, tokens_.integers({1})}, name);
  }

  ValueId greatest(const std::string& name) {
    constexpr float kLowest = std::numeric_limits<float>::lowest();
    const ValueId words = tokens_.cast(mask_, DType::kBool, name + "/words");
    const ValueId hidden = op(
        "Where", {tokens_.unsqueeze(words, {2}, name + "/columns"), rows_, tokens_.number(kLowest)},
        name + "/hidden");
    ir::Attributes keep;
    keep.set("keepdims", std::int64_t{0});
    const ValueId most = graph_.emit("ReduceMax", {hidden, tokens_.integers({1})}, std::move(keep),
                                     "", name + "/most");
    // A row without tokens gives zeros.
    return op("Mul", {most, op("Min", {total_, tokens_.number(1)}, name + "/any")}, name);
  }

  ir::Graph& graph_;
  TokenSubgraphs tokens_;
  ValueId rows_, mask_, kept_, kept_float_;
  ValueId counts_;  // int64 [batch, sequence]: 1, 2, ... for kept tokens
  ValueId total_;   // float32 [batch, 1]
};

}  // namespace

std::string add_sentence_embedding(ir::Graph& graph, const ModelFiles& files,
                                   const SentenceOptions& options) {
  const formats::SentenceTransformersConfig& st = files.sentence_transformers;
  std::vector<Pooling> poolings;
  for (const formats::SentenceModule& module : st.modules) {
    if (!module.pooling) continue;
    poolings = poolings_of(*module.pooling);
    if (!module.pooling->include_prompt) {
      refuse(ErrorCode::kUnsupported, files,
             "the model's pooling leaves out the prompt, whose length a graph does not know",
             "\"include_prompt\": true in 1_Pooling/config.json",
             "convert it without --sentence-embedding and pool outside of the graph");
    }
  }
  if (options.pooling) poolings = {*options.pooling};
  if (poolings.empty()) {
    refuse(ErrorCode::kInvalidArgument, files,
           "the model does not say how its token vectors become one vector",
           "modules.json with 1_Pooling/config.json, or --pooling",
           "say it: --pooling mean or --pooling cls; the model's page knows");
  }
  const OutputChoice chosen = keep_embedding_output(graph, false);
  const ValueId mask = graph.find_input("attention_mask");
  if (chosen.pooled || mask == ir::kNoValue) {
    refuse(ErrorCode::kUnsupported, files,
           chosen.pooled ? "the model gives no token rows: it pools by itself"
                         : "the model takes no attention_mask, so padding cannot be told",
           "an encoder with attention_mask and last_hidden_state",
           "convert it without --sentence-embedding");
  }
  const ValueId rows = graph.outputs()[0].value;
  SentenceBuilder builder(graph, rows, mask);
  std::vector<ValueId> pooled;
  for (const Pooling pooling : poolings) pooled.push_back(builder.pool(pooling));
  ValueId x = builder.concat(pooled);
  std::int64_t width = passes::last_dimension(graph, rows);
  if (width > 0) width *= static_cast<std::int64_t>(poolings.size());
  bool normalize_listed = false;
  for (const formats::SentenceModule& module : st.modules) {
    if (module.kind == formats::ModuleKind::kDense && module.dense) {
      x = builder.dense(x, read_dense(files.directory, module), module.dense->activation_function,
                        module.path);
      width = module.dense->out_features;
    }
    if (module.kind == formats::ModuleKind::kNormalize) {
      normalize_listed = true;
      if (options.normalize.value_or(true)) x = builder.normalize(x);
    }
  }
  const bool normalize = options.normalize.value_or(normalize_listed || !st.has_modules);
  if (normalize && !normalize_listed) x = builder.normalize(x);

  ir::Value& out = graph.value(x);
  out.dtype = DType::kFloat32;
  const auto& row_shape = graph.value(rows).shape;
  const ir::Dim batch = row_shape && !row_shape->empty() ? (*row_shape)[0] : ir::Dim{};
  out.shape = {batch, ir::Dim{.value = width, .symbol = width < 0 ? "dimensions" : ""}};
  graph.set_outputs({{"token_embeddings", rows}, {"sentence_embedding", x}});
  graph.remove_dead();
  return pooling_name(poolings);
}

}  // namespace octavo::tasks
