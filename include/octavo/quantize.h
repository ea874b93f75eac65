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

#include "octavo/embedder.h"

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
  /// Weights around zero; without it, int8 is and uint8 is not. Static QDQ with a scale a channel
  /// always is, as onnxruntime's quantiser has it: quantize_model() says so where this says no.
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
  /// float16 and bfloat16: operators that stay float32; nothing: those of
  /// default_float16_blocked_ops() in float16, none in bfloat16, which stores weights alone.
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

/// Error(kInvalidArgument), with advice, for options that contradict each other or that nothing
/// reads.
void check_quantize_options(const QuantizeOptions& options);

const std::vector<std::string>& default_float16_blocked_ops();

/// Texts that static quantisation finds the ranges of activations with.
struct CalibrationOptions {
  /// Text or JSONL, a text a line, or the directory of a BEIR corpus.
  std::vector<std::string> files{};
  std::string method = "minmax";        // "minmax", "moving_average", "percentile", "entropy"
  std::optional<double> percentile;     // what "percentile" keeps; 99.999 without
  std::size_t samples = 128;            // at most; spread evenly over the texts
  std::size_t max_length = 256;         // tokens of a text at most
  std::optional<std::string> prompt{};  // before every text; else the model's for documents
  std::string tokenizer{};              // where it does not lie beside the model
  std::string cache{};                  // a file that keeps the state; empty: none
  /// Texts done, texts in all, tokens done; false stops with Error(kCancelled).
  std::function<bool(std::size_t, std::size_t, std::size_t)> progress{};
};

/// One product of a model, quantised alone, against the float model.
struct LayerSensitivity {
  std::string node;
  double cosine = 1;                   // of the output rows, mean
  double sqnr_db = 0;                  // 20 log10(|x| / |x - y|) of the output
  std::optional<double> score_loss{};  // share of the float model's score, where it was measured
  std::size_t place = 0;               // among the products in the model's order
};

/// By what products are ranked.
enum class SensitivityMetric : std::uint8_t { kSqnr, kCosine, kNdcg };
/// "sqnr", "cosine", "ndcg"; Error(kInvalidArgument) for another name.
SensitivityMetric parse_sensitivity_metric(std::string_view name);
std::string_view sensitivity_metric_name(SensitivityMetric metric);

/// One evaluation of the quality gate.
struct QualityStep {
  std::size_t excluded = 0;  // of the worst layers, left in float
  double score = 0, loss = 0;
  bool kept = false;     // known from an earlier run
  bool of_file = false;  // of the file as it is written, run as it says; else of its simulation
};

struct QuantizeModelOptions {
  QuantizeOptions scheme{};
  /// Options that were named, as the command line calls them ("--per-channel"): what nothing reads
  /// is then refused even where it says what is usual.
  std::vector<std::string> said{};
  /// The optimiser's level before quantising: 0, 1, 2 or 99.
  int level = 0;
  CalibrationOptions calibration{};
  std::int64_t opset = 0;                // 0: 17, or 21 where the format or the model needs it
  std::string file_name = "model.onnx";  // relative to the output directory
  bool force = false;                    // write into a directory that holds files
  bool external_data = false;
  int threads = 0;             // of calibration; 0: every core
  std::string isa = "native";  // of calibration

  /// SmoothQuant before anything else: its alpha in [0, 1], or the best of 0, 0.1 ... 1 by what a
  /// few of the texts give. Needs calibration texts, as the next two do.
  std::optional<double> smooth_alpha{};
  bool smooth_search = false;
  bool sensitivity = false;  // measure what each product costs alone
  /// Ranks the products, for the quality gate too. kNdcg scores the model once a product.
  SensitivityMetric sensitivity_metric = SensitivityMetric::kSqnr;
  /// The quality gate: the worst products stay float until `score` loses at most this share of what
  /// the float model has (0.005: 0.5 %).
  std::optional<double> max_loss{};
  std::function<double(Embedder&)> score{};  // larger is better: NDCG@10 on a data set
  EmbedderOptions embedder{};                // of the models that are scored; runtime is not read
  /// A directory that keeps what was measured, so that a study that was stopped goes on where it
  /// was; empty: none. `score_identity` names what `score` depends on beside the model: texts,
  /// judgements, prompts.
  std::string score_cache{}, score_identity{};
  /// What `score` measures and on what, of the model that it is given: "data_set", "split",
  /// "pooling" ... for the record. The model knows what its prompts and its longest text are.
  std::function<std::map<std::string, std::string>(const Embedder&)> describe_score{};
  /// Progress of "alphas", "layers" and "evaluations" (of which `total` is the most that there can
  /// be); false stops with Error(kCancelled).
  std::function<bool(std::string_view stage, std::size_t done, std::size_t total)> study_progress{};
  /// Told after every evaluation of the quality gate.
  std::function<void(const QualityStep&)> evaluated{};
  /// Asked now and then; true ends the work with kCancelled and nothing written.
  std::function<bool()> cancelled{};
};

/// Weights that float16 is too small for, which became 65504 with their sign.
struct ClampedWeights {
  std::size_t count = 0;
  float largest = 0;       // magnitude, before
  std::string tensor, op;  // where that is, and what reads it
};

struct QuantizeResult {
  std::string path;                         // of the model that was written
  std::vector<std::string> files;           // all that were written, relative to the directory
  std::size_t source_bytes = 0, bytes = 0;  // of the weights' files, before and after
  std::vector<QuantizedNode> nodes;
  std::size_t quantized = 0;           // of them
  std::vector<std::string> remarks{};  // what was done otherwise than one may expect
  std::size_t written_nodes = 0;       // of the file
  std::int64_t opset = 0;
  std::size_t calibration_samples = 0, calibration_tokens = 0;
  std::size_t calibration_resumed = 0;  // samples that the cache knew

  std::optional<double> smooth_alpha{};         // that was used
  std::size_t smoothed = 0;                     // activations
  std::size_t smoothed_folded = 0;              // of them, by the normalisation that makes them
  std::vector<LayerSensitivity> sensitivity{};  // the worst first
  std::vector<std::string> gate_excluded{};     // by the quality gate, the worst first
  std::vector<QualityStep> gate_steps{};
  std::map<std::string, std::string> measured_on{};  // describe_score, where `score` was asked
  ClampedWeights clamped{};                          // mode float16
  double baseline_score = 0, score = 0, loss = 0;    // with a gate; loss as a share of the baseline
};

/// Whether something of it needs texts: static ranges, SmoothQuant, the ranking, the gate.
bool needs_calibration_texts(const QuantizeModelOptions& options);

/// The same for all options.
void check_quantize_options(const QuantizeModelOptions& options);

/// Writes `model` quantised into `directory`, with its tokenizer and config files. Error as
/// Model::load(), check_quantize_options() and optimize_model(); kInvalidArgument for calibration
/// texts that are missing or too few, kUnsupported for a model that is quantised already.
QuantizeResult quantize_model(const std::string& model, const std::string& directory,
                              const QuantizeModelOptions& options = {});

}  // namespace octavo
