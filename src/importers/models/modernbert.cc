// ModernBERT (Warner et al., 2024), as an encoder and ...ForSequenceClassification: pre-norm,
// rotary positions, gated MLP, global attention in every n-th layer and a local window in the
// others.
#include <cmath>
#include <string>
#include <vector>

#include "importers/models/encoder.h"
#include "importers/models/families.h"

namespace octavo::importers {
namespace {

using ir::ValueId;

constexpr const char* kGlobal = "full_attention";
constexpr const char* kLocal = "sliding_attention";

/// The base of the rotary frequencies of global or local layers: transformers 5 writes
/// `rope_parameters` by kind of layer, older versions the keys `old_key`.
double rope_theta(const JsonValue& config, const char* kind, const char* old_key, double fallback) {
  const auto parameters = config.get("rope_parameters");
  if (!parameters) return config.double_or(old_key, fallback);
  const JsonValue of_kind = parameters->at(kind);
  if (const std::string type = of_kind.string_or("rope_type", "default"); type != "default") {
    throw Error(ErrorCode::kUnsupported,
                {.message = "the model scales rotary positions in a way that octavo does not have",
                 .file = config.file(),
                 .place = of_kind.place(),
                 .expected = "rope_type 'default'",
                 .found = "'" + type + "'",
                 .fix = "export the model to ONNX and load that"});
  }
  return of_kind.double_or("rope_theta", fallback);
}

/// Which layers attend to everything: `layer_types` of transformers 5, or every n-th.
class GlobalLayers {
 public:
  explicit GlobalLayers(Builder& builder)
      : every_(builder.size_or("global_attn_every_n_layers", 3)) {
    const auto types = builder.config().get("layer_types");
    if (!types) return;
    for (const JsonValue type : types->elements()) {
      if (type.as_string() != kGlobal && type.as_string() != kLocal) {
        type.fail("unknown kind of layer", "'full_attention' or 'sliding_attention'",
                  "'" + std::string(type.as_string()) + "'");
      }
      listed_.push_back(type.as_string() == kGlobal);
    }
    const std::int64_t layers = builder.size("num_hidden_layers");
    if (listed_.size() != static_cast<std::size_t>(layers)) {
      types->fail("a kind is wanted for every layer", std::to_string(layers) + " kinds",
                  std::to_string(listed_.size()));
    }
  }

  bool operator[](std::int64_t layer) const {
    return listed_.empty() ? layer % every_ == 0 : listed_[static_cast<std::size_t>(layer)];
  }

 private:
  std::int64_t every_;
  std::vector<bool> listed_;
};

ValueId inverse_frequencies(Builder& builder, double theta, std::int64_t head_size,
                            const std::string& name) {
  Tensor out(DType::kFloat32, {head_size / 2});
  const auto values = out.mutable_data<float>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(head_size);
    values[i] = 1.0f / std::pow(static_cast<float>(theta), exponent);
  }
  return builder.constant(name, std::move(out));
}

ValueId rotate(Builder& builder, ValueId x, ValueId frequencies, std::int64_t heads,
               const std::string& name) {
  ir::Attributes attributes;
  attributes.set("num_heads", heads);
  return builder.graph().emit("RotaryEmbedding", {x, frequencies, builder.attention_mask()},
                              std::move(attributes), "ai.octavo", name);
}

// ModernBertForSequenceClassification on the last hidden state: pooling, ModernBertPredictionHead,
// classifier.
void classify(Builder& builder, ValueId x, std::int64_t hidden, double epsilon, bool norm_bias) {
  const JsonValue& config = builder.config();
  const std::string pooling = config.string_or("classifier_pooling", "cls");
  if (pooling != "cls" && pooling != "mean") {
    throw Error(ErrorCode::kUnsupported,
                {.message = "the model pools tokens in a way that octavo does not have",
                 .file = config.file(),
                 .place = "key 'classifier_pooling'",
                 .expected = "'cls' or 'mean'",
                 .found = "'" + pooling + "'",
                 .fix = "export the model to ONNX and load that"});
  }
  builder.find_prefix("", "head.dense.weight");
  const ValueId pooled = pooling == "cls" ? builder.first_token(x, "head.first_token")
                                          : builder.mean_token(x, "head.mean_token");
  const ValueId dense = builder.linear(pooled, "head.dense", hidden, hidden,
                                       config.bool_or("classifier_bias", false));
  const ValueId active = builder.activation(
      dense, config.string_or("classifier_activation", "gelu"), "head.activation");
  const ValueId normed = builder.layer_norm(active, "head.norm", hidden, epsilon, norm_bias);
  const std::int64_t labels = builder.labels();
  finish_classifier(builder, builder.linear(normed, "classifier", hidden, labels), labels);
}

}  // namespace

void build_modernbert(Builder& builder) {
  builder.find_prefix("model.", "embeddings.tok_embeddings.weight");
  const JsonValue& config = builder.config();
  const std::int64_t hidden = builder.size("hidden_size"),
                     heads = builder.size("num_attention_heads");
  const std::int64_t layers = builder.size("num_hidden_layers"),
                     intermediate = builder.size("intermediate_size");
  const GlobalLayers global_layers(builder);
  const std::int64_t window = builder.size_or("local_attention", 128);
  const double epsilon = config.double_or("norm_eps", 1e-5);
  const double global_theta = rope_theta(config, kGlobal, "global_rope_theta", 160000.0);
  // null says as in the global layers.
  const auto local = config.find("local_rope_theta");
  const double local_theta = rope_theta(config, kLocal, "local_rope_theta",
                                        local && local->is_null() ? global_theta : 10000.0);
  const bool norm_bias = config.bool_or("norm_bias", false),
             mlp_bias = config.bool_or("mlp_bias", false);
  const bool attention_bias = config.bool_or("attention_bias", false);
  const std::string act = config.string_or("hidden_activation", "gelu");
  if (hidden % heads != 0 || hidden / heads % 2 != 0) {
    config.fail("the hidden size does not split into heads of even size",
                "an even multiple of " + std::to_string(heads), std::to_string(hidden));
  }
  const std::int64_t head_size = hidden / heads;
  const ValueId global_frequencies =
      inverse_frequencies(builder, global_theta, head_size, "rotary.global");
  const ValueId local_frequencies =
      inverse_frequencies(builder, local_theta, head_size, "rotary.local");

  ValueId x = builder.embedding("embeddings.tok_embeddings", builder.size("vocab_size"), hidden,
                                builder.input_ids());
  x = builder.layer_norm(x, "embeddings.norm", hidden, epsilon, norm_bias);
  for (std::int64_t i = 0; i < layers; ++i) {
    const std::string layer = "layers." + std::to_string(i) + ".";
    const bool global = global_layers[i];
    const ValueId frequencies = global ? global_frequencies : local_frequencies;
    const ValueId in =
        i == 0 ? x : builder.layer_norm(x, layer + "attn_norm", hidden, epsilon, norm_bias);
    const ValueId qkv = builder.linear(in, layer + "attn.Wqkv", hidden, 3 * hidden, attention_bias);
    const ValueId q = rotate(builder, builder.columns(qkv, 0, hidden, layer + "attn.query"),
                             frequencies, heads, layer + "attn.query_rotary");
    const ValueId k = rotate(builder, builder.columns(qkv, hidden, 2 * hidden, layer + "attn.key"),
                             frequencies, heads, layer + "attn.key_rotary");
    const ValueId v = builder.columns(qkv, 2 * hidden, 3 * hidden, layer + "attn.value");
    const AttentionOptions options{
        .heads = heads, .head_size = head_size, .local_window = global ? 0 : window / 2};
    const ValueId context = builder.attention(q, k, v, options, layer + "attn.attention");
    x = builder.add(x, builder.linear(context, layer + "attn.Wo", hidden, hidden, attention_bias),
                    layer + "attn.residual");
    const ValueId normed = builder.layer_norm(x, layer + "mlp_norm", hidden, epsilon, norm_bias);
    const ValueId up = builder.linear(normed, layer + "mlp.Wi", hidden, 2 * intermediate, mlp_bias);
    const ValueId active = builder.activation(
        builder.columns(up, 0, intermediate, layer + "mlp.input"), act, layer + "mlp.activation");
    const ValueId gate = builder.columns(up, intermediate, 2 * intermediate, layer + "mlp.gate");
    const ValueId gated = builder.graph().emit("Mul", {active, gate}, {}, "", layer + "mlp.gated");
    x = builder.add(x, builder.linear(gated, layer + "mlp.Wo", intermediate, hidden, mlp_bias),
                    layer + "mlp.residual");
  }
  x = builder.layer_norm(x, "final_norm", hidden, epsilon, norm_bias);
  if (builder.labels() == 0) return finish_encoder(builder, x, hidden);
  classify(builder, x, hidden, epsilon, norm_bias);
}

}  // namespace octavo::importers
