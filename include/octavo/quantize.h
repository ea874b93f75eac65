// Models quantised and written as ONNX: int8 dynamic or static, weight-only int8 and int4, float16
// and bfloat16.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace octavo {

enum class QuantizeMode : std::uint8_t {
  kOctavo,    // activations int8 with a scale a token row, weights int8 with a scale a channel
  kDynamic,   // activations with a scale a tensor, found while running
  kStatic,    // activations with a scale a tensor, found by calibration
  kFloat16,   // weights and arithmetic
  kBFloat16,  // weights; arithmetic in float32
  kInt8,      // weights alone, in blocks
  kInt4,
};

enum class QuantizeFormat : std::uint8_t {
  kQOperator,  // quantised operators: MatMulInteger, QLinearMatMul, QAttention, MatMulNBits ...
  kQdq,        // QuantizeLinear and DequantizeLinear around float operators
};

enum class QuantizedType : std::uint8_t { kInt8, kUInt8 };

/// How embedding tables are stored.
enum class QuantizedTables : std::uint8_t {
  kRows,    // int8, a scale a row
  kTensor,  // uint8, one scale a table, as onnxruntime's quantiser does
  kFloat,   // as they were
};

struct QuantizeOptions {
  QuantizeMode mode = QuantizeMode::kOctavo;
  /// What a mode has without it: QOperator.
  QuantizeFormat format = QuantizeFormat::kQOperator;
  QuantizedType weight_type = QuantizedType::kInt8;
  QuantizedType activation_type = QuantizedType::kUInt8;
  /// Weights around zero; without it, int8 is and uint8 is not.
  std::optional<bool> weight_symmetric{};
  bool activation_symmetric = false;
  bool per_channel = false;
  /// 7 bits of weights, for processors without VNNI whose 16-bit sums would overflow.
  bool reduce_range = false;
  QuantizedTables tables = QuantizedTables::kRows;
  /// Static QDQ: also quantise what products give, as onnxruntime's quantiser does. QOperator needs
  /// it and always does.
  bool quantize_outputs = false;

  std::size_t block_size = 32;  // weight-only: 16, 32, 64, 128 or 256
  int accuracy_level = 0;       // of MatMulNBits: 0 unset, 1 float32 ... 4 int8

  bool keep_io_types = true;  // float16: inputs and outputs stay float32
  /// float16: operators that stay float32; nothing: those of default_float16_blocked_ops().
  std::optional<std::vector<std::string>> blocked_ops{};

  /// Nodes that stay as they are: by exact name or glob ('*', '?'), and by operator type.
  std::vector<std::string> exclude{};
  std::vector<std::string> exclude_ops{};
};

/// What was done with a node, or why nothing was.
struct QuantizedNode {
  std::string name, op;
  bool quantized = false;
  std::string note;  // "MatMulInteger", or the reason
};

/// Names of modes, formats and types as the command line has them; Error(kInvalidArgument) for
/// another name.
QuantizeMode parse_quantize_mode(std::string_view name);
QuantizeFormat parse_quantize_format(std::string_view name);
QuantizedType parse_quantized_type(std::string_view name);
QuantizedTables parse_quantized_tables(std::string_view name);
std::string_view quantize_mode_name(QuantizeMode mode);
std::string_view quantize_format_name(QuantizeFormat format);
std::string_view quantized_type_name(QuantizedType type);
std::string_view quantized_tables_name(QuantizedTables tables);

/// Sets the options that a processor wants: "arm64", "avx2", "avx512", "avx512_vnni", "amx".
/// Error(kInvalidArgument) for another name.
void apply_quantize_preset(QuantizeOptions& options, std::string_view name);
std::vector<std::string> quantize_presets();

/// Error(kInvalidArgument), with advice, for options that contradict each other.
void check_quantize_options(const QuantizeOptions& options);

const std::vector<std::string>& default_float16_blocked_ops();

}  // namespace octavo
