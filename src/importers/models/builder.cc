#include "importers/models/builder.h"

#include <cmath>
#include <limits>

#include "octavo/error.h"

namespace octavo::importers {

using ir::ValueId;

namespace {
constexpr std::string_view kOwnDomain = "ai.octavo";

[[noreturn]] void refuse_option(const JsonValue& config, std::string_view key, std::string expected,
                                std::string found) {
  throw Error(ErrorCode::kUnsupported,
              {.message = "the model uses an option that octavo does not have",
               .file = config.file(),
               .place = "key '" + std::string(key) + "'",
               .expected = std::move(expected),
               .found = std::move(found),
               .fix = "export the model to ONNX and load that"});
}
}  // namespace

Builder::Builder(const JsonValue& config, const formats::TensorSource& weights)
    : config_(config), weights_(weights) {
  graph_.name = config.string_or("model_type", "");
}

std::int64_t Builder::size(std::string_view key) const {
  const JsonValue value = config_.at(key);
  const std::int64_t out = value.as_int();
  if (out < 1 || out > std::numeric_limits<std::int32_t>::max()) {
    value.fail("a size is out of range", "1 to 2147483647", std::to_string(out));
  }
  return out;
}

std::int64_t Builder::size_or(std::string_view key, std::int64_t fallback) const {
  return config_.get(key) ? size(key) : fallback;
}

void Builder::require_option(std::string_view key, std::string_view value) const {
  const auto found = config_.get(key);
  if (found && found->as_string() != value) {
    refuse_option(config_, key, "'" + std::string(value) + "'",
                  "'" + std::string(found->as_string()) + "'");
  }
}

void Builder::require_flag(std::string_view key, bool value) const {
  const auto found = config_.get(key);
  if (!found || found->as_bool() == value) return;
  refuse_option(config_, key, value ? "true" : "false", value ? "false" : "true");
}

std::int64_t Builder::labels() const {
  const auto architectures = config_.get("architectures");
  if (!architectures || architectures->size() == 0) return 0;
  const std::string_view name = (*architectures->elements().begin()).as_string();
  if (!name.ends_with("ForSequenceClassification")) return 0;
  if (const auto labels = config_.get("num_labels")) return size("num_labels");
  const auto id2label = config_.get("id2label");
  return id2label && id2label->size() > 0 ? static_cast<std::int64_t>(id2label->size()) : 2;
}

void Builder::find_prefix(std::string_view family_prefix, std::string_view probe) {
  prefix_ = family_prefix;
  if (!weights_.has(prefix_ + std::string(probe))) prefix_.clear();
}

ValueId Builder::token_input(std::string name) {
  const ValueId found = graph_.find_input(name);
  if (found != ir::kNoValue) return found;
  return graph_.add_input(std::move(name), DType::kInt64,
                          {{.symbol = "batch"}, {.symbol = "sequence"}});
}

ValueId Builder::input_ids() { return token_input("input_ids"); }
ValueId Builder::attention_mask() { return token_input("attention_mask"); }
ValueId Builder::token_type_ids() { return token_input("token_type_ids"); }

ValueId Builder::weight(const std::string& name, Shape shape) {
  const std::string full = prefix_ + name;
  return with_frame(
      [&] { return "building the " + graph_.name + " model"; },
      [&] {
        const formats::TensorInfo& info = weights_.info(full);
        if (info.shape != shape) {
          throw Error(
              ErrorCode::kInvalidFile,
              {.message = "a weight has another shape than the config says",
               .file = weights_.file_of(full),
               .place = "tensor '" + full + "'",
               .expected = shape_to_string(shape),
               .found = shape_to_string(info.shape),
               .fix = "config.json and the weights belong to different models: fetch both again"});
        }
        return graph_.add_constant(full, weights_.read_float32(full));
      });
}

ValueId Builder::constant(const std::string& name, Tensor tensor) {
  return graph_.add_constant(name, std::move(tensor));
}

ValueId Builder::embedding(const std::string& name, std::int64_t rows, std::int64_t width,
                           ValueId ids) {
  const ValueId table = weight(name + ".weight", {rows, width});
  return graph_.emit("Gather", {table, ids}, {}, "", name);
}

ValueId Builder::position_ids(std::int64_t padding_idx) {
  ir::Attributes attributes;
  attributes.set("padding_idx", padding_idx);
  return graph_.emit("PositionIds", {input_ids(), attention_mask()}, std::move(attributes),
                     std::string(kOwnDomain), "position_ids");
}

ValueId Builder::linear(ValueId x, const std::string& name, std::int64_t in, std::int64_t out,
                        bool bias) {
  const ValueId w = weight(name + ".weight", {out, in});
  ir::Attributes swap;
  swap.set("perm", std::vector<std::int64_t>{1, 0});
  const ValueId transposed = graph_.emit("Transpose", {w}, std::move(swap), "", name + ".weight_T");
  const ValueId y = graph_.emit("MatMul", {x, transposed}, {}, "", bias ? name + ".matmul" : name);
  if (!bias) return y;
  return add(y, weight(name + ".bias", {out}), name);
}

ValueId Builder::layer_norm(ValueId x, const std::string& name, std::int64_t width, double epsilon,
                            bool bias) {
  ir::Attributes attributes;
  attributes.set("axis", std::int64_t{-1});
  attributes.set("epsilon", static_cast<float>(epsilon));
  std::vector<ValueId> inputs{x, weight(name + ".weight", {width})};
  if (bias) inputs.push_back(weight(name + ".bias", {width}));
  return graph_.emit("LayerNormalization", std::move(inputs), std::move(attributes), "", name);
}

ValueId Builder::add(ValueId a, ValueId b, const std::string& name) {
  return graph_.emit("Add", {a, b}, {}, "", name);
}

ValueId Builder::activation(ValueId x, std::string_view act, const std::string& name) {
  if (act == "gelu") return graph_.emit("Gelu", {x}, {}, "", name);
  if (act == "gelu_new" || act == "gelu_pytorch_tanh" || act == "gelu_fast" ||
      act == "gelu_python_tanh") {
    ir::Attributes attributes;
    attributes.set("approximate", std::string("tanh"));
    return graph_.emit("Gelu", {x}, std::move(attributes), "", name);
  }
  if (act == "relu") return graph_.emit("Relu", {x}, {}, "", name);
  if (act == "tanh") return graph_.emit("Tanh", {x}, {}, "", name);
  if (act == "sigmoid") return graph_.emit("Sigmoid", {x}, {}, "", name);
  if (act == "silu" || act == "swish") {
    const ValueId gate = graph_.emit("Sigmoid", {x}, {}, "", name + ".sigmoid");
    return graph_.emit("Mul", {x, gate}, {}, "", name);
  }
  throw Error(
      ErrorCode::kUnsupported,
      {.message = "the model uses an activation that octavo does not have",
       .file = config_.file(),
       .expected =
           "gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, relu, silu, swish, tanh or sigmoid",
       .found = "'" + std::string(act) + "'",
       .fix = "export the model to ONNX and load that"});
}

ValueId Builder::attention(ValueId q, ValueId k, ValueId v, const AttentionOptions& options,
                           const std::string& name) {
  ir::Attributes attributes;
  attributes.set("num_heads", options.heads);
  attributes.set("scale",
                 static_cast<float>(1.0 / std::sqrt(static_cast<double>(options.head_size))));
  if (options.local_window > 0) attributes.set("local_window", options.local_window);
  std::vector<ValueId> inputs{q, k, v, attention_mask()};
  if (options.relative_bias != ir::kNoValue) inputs.push_back(options.relative_bias);
  return graph_.emit("Attention", std::move(inputs), std::move(attributes), std::string(kOwnDomain),
                     name);
}

ValueId Builder::columns(ValueId x, std::int64_t begin, std::int64_t end, const std::string& name) {
  const auto one = [&](std::string_view what, std::int64_t value) {
    return constant(name + "." + std::string(what),
                    Tensor::vector<std::int64_t>(std::span(&value, 1)));
  };
  return graph_.emit("Slice", {x, one("starts", begin), one("ends", end), one("axes", -1)}, {}, "",
                     name);
}

ValueId Builder::first_token(ValueId x, const std::string& name) {
  ir::Attributes attributes;
  attributes.set("axis", std::int64_t{1});
  return graph_.emit("Gather", {x, constant(name + ".index", Tensor::scalar<std::int64_t>(0))},
                     std::move(attributes), "", name);
}

ValueId Builder::mean_token(ValueId x, const std::string& name) {
  return graph_.emit("MeanTokens", {x, attention_mask()}, {}, "ai.octavo", name);
}

void Builder::output(ValueId value, std::string name, std::vector<ir::Dim> shape) {
  graph_.value(value).dtype = DType::kFloat32;
  graph_.value(value).shape = std::move(shape);
  graph_.add_output(value, std::move(name));
}

}  // namespace octavo::importers
