// Building blocks that the model families share: named weights checked against the config, layers
// as graph nodes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"
#include "formats/sharded_safetensors.h"
#include "ir/graph.h"

namespace octavo::importers {

struct AttentionOptions {
  std::int64_t heads;
  std::int64_t head_size;
  std::int64_t local_window = 0;             // 0: global
  ir::ValueId relative_bias = ir::kNoValue;  // [heads, 2 * radius + 1]
};

class Builder {
 public:
  Builder(const JsonValue& config, const formats::TensorSource& weights);

  // Config values. A missing key, a wrong type or a value outside [1, 2^31) is Error(kInvalidFile)
  // naming the key.
  std::int64_t size(std::string_view key) const;
  std::int64_t size_or(std::string_view key, std::int64_t fallback) const;
  const JsonValue& config() const { return config_; }
  /// Error(kUnsupported) unless the string or flag at `key` is absent or `value`.
  void require_option(std::string_view key, std::string_view value) const;
  void require_flag(std::string_view key, bool value) const;
  /// Number of labels of a ...ForSequenceClassification; 0 for an encoder.
  std::int64_t labels() const;

  /// Weights are looked up as prefix + name; the prefix ("bert.") is what the checkpoint uses,
  /// found by a tensor that must exist.
  void find_prefix(std::string_view family_prefix, std::string_view probe);

  ir::Graph& graph() { return graph_; }
  ir::ValueId input_ids();
  ir::ValueId attention_mask();
  ir::ValueId token_type_ids();

  /// A float32 constant; the stored shape must be `shape`.
  ir::ValueId weight(const std::string& name, Shape shape);
  ir::ValueId constant(const std::string& name, Tensor tensor);
  /// table[rows, width] looked up by `ids`.
  ir::ValueId embedding(const std::string& name, std::int64_t rows, std::int64_t width,
                        ir::ValueId ids);
  ir::ValueId position_ids(std::int64_t padding_idx);
  /// x * W^T + b with `name`.weight [out, in] and, if `bias`, `name`.bias [out].
  ir::ValueId linear(ir::ValueId x, const std::string& name, std::int64_t in, std::int64_t out,
                     bool bias = true);
  ir::ValueId layer_norm(ir::ValueId x, const std::string& name, std::int64_t width, double epsilon,
                         bool bias = true);
  ir::ValueId add(ir::ValueId a, ir::ValueId b, const std::string& name);
  /// `act` in Hugging Face's names: gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, relu, silu,
  /// swish, tanh, sigmoid.
  ir::ValueId activation(ir::ValueId x, std::string_view act, const std::string& name);
  ir::ValueId attention(ir::ValueId q, ir::ValueId k, ir::ValueId v,
                        const AttentionOptions& options, const std::string& name);
  /// Columns [begin, end) of the last axis.
  ir::ValueId columns(ir::ValueId x, std::int64_t begin, std::int64_t end, const std::string& name);
  /// The first token of every sequence: [batch, sequence, width] -> [batch, width].
  ir::ValueId first_token(ir::ValueId x, const std::string& name);
  /// The mean of the tokens that attention_mask keeps: [batch, sequence, width] -> [batch, width].
  ir::ValueId mean_token(ir::ValueId x, const std::string& name);

  void output(ir::ValueId value, std::string name, std::vector<ir::Dim> shape);
  ir::Graph take() { return std::move(graph_); }

 private:
  ir::ValueId token_input(std::string name);

  JsonValue config_;
  const formats::TensorSource& weights_;
  std::string prefix_;
  ir::Graph graph_;
};

}  // namespace octavo::importers
