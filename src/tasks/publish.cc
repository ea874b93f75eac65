#include "octavo/publish.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>

#include "base/file.h"
#include "octavo/convert.h"
#include "octavo/optimize.h"
#include "octavo/quantize.h"
#include "tasks/export_steps.h"
#include "tasks/write_model.h"

namespace octavo {
namespace {

constexpr const char* kPlain = "onnx/model.onnx";
constexpr const char* kOptimized = "onnx/model_O2.onnx";
constexpr const char* kQuantized = "onnx/model_quantized.onnx";

std::string megabytes(std::size_t bytes) {
  char out[32];
  std::snprintf(out, sizeof out, "%.1f MB", static_cast<double>(bytes) / 1e6);
  return out;
}

std::size_t total(const std::map<std::string, std::size_t>& ops) {
  std::size_t out = 0;
  for (const auto& [name, count] : ops) out += count;
  return out;
}

std::string model_name(const tasks::ModelFiles& files) {
  auto path = std::filesystem::absolute(files.path).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  if (files.onnx && !directory_exists(files.path)) path = path.parent_path();
  if (path.filename() == "onnx") path = path.parent_path();
  return path.filename().string();
}

/// The model card. Only what was measured while writing is said of the files.
std::string card(const tasks::ModelFiles& files, const PublishResult& result) {
  const std::string name = model_name(files);
  const bool sentence = !files.sentence_transformers.modules.empty();
  std::string out = "---\n";
  if (sentence) {
    out += "library_name: sentence-transformers\npipeline_tag: sentence-similarity\n";
  }
  out += "tags:\n- onnx\n- transformers.js\n";
  if (sentence) out += "- sentence-transformers\n";
  out += "---\n\n# " + name + " in ONNX\n\n" + "Written by octavo " OCTAVO_VERSION " from `" +
         name + "` (" + megabytes(result.source_bytes) + " of weights), opset " +
         std::to_string(result.opset) +
         ". Tokenizer, config and pooling files are those of the source.\n\n"
         "| File | What | Size | Nodes |\n| --- | --- | ---: | ---: |\n";
  for (const PublishedModel& model : result.models) {
    out += "| `" + model.file + "` | " + model.what + " | " + megabytes(model.bytes) + " | " +
           std::to_string(model.nodes) + " |\n";
  }
  out +=
      "\n`model_O2.onnx` and `model_quantized.onnx` have operators of onnxruntime "
      "(com.microsoft). Rows may be padded on either side; positions are numbered as transformers "
      "does. Each file carries its record in `metadata_props` (`octavo.record`): `octavo inspect "
      "FILE` shows it. What the quantised file costs on your texts: `octavo compare "
      "onnx/model.onnx onnx/model_quantized.onnx --dataset DIR`.\n\n## Use\n\n";
  if (sentence) {
    out +=
        "sentence-transformers:\n\n```python\nfrom sentence_transformers import "
        "SentenceTransformer\n\nmodel = SentenceTransformer(PATH, backend=\"onnx\", "
        "model_kwargs={\"file_name\": \"onnx/model_quantized.onnx\"})\n```\n\n";
  }
  out +=
      "transformers.js: `dtype: \"fp32\"` takes `onnx/model.onnx`, `dtype: \"q8\"` takes "
      "`onnx/model_quantized.onnx`.\n\n"
      "Vespa (`hugging-face-embedder`): `transformer-model` is one of the three files, "
      "`tokenizer-model` is `tokenizer.json`.\n\n"
      "Nixiesearch and others that take the path of a file: any of the three, with "
      "`tokenizer.json` and `config.json` beside the folder.\n\n"
      "octavo: `octavo embed onnx/model_quantized.onnx texts.txt -o vectors.npy`.\n";
  return out;
}

void add_files(std::vector<std::string>& all, const std::vector<std::string>& more) {
  for (const std::string& name : more) {
    if (std::find(all.begin(), all.end(), name) == all.end()) all.push_back(name);
  }
}

}  // namespace

PublishResult publish_model(const std::string& model, const std::string& directory,
                            const PublishOptions& options) {
  const tasks::ModelFiles files = tasks::find_model(model);
  const tasks::WriteModelOptions write{.directory = directory,
                                       .file_name = kPlain,
                                       .force = options.force,
                                       .external_data = options.external_data,
                                       .cancelled = options.cancelled};
  PublishResult out;
  out.path = directory;
  tasks::write_staged(files, write, [&](const std::string& staged) {
    QuantizeModelOptions quantize;
    quantize.scheme.mode = QuantizeMode::kDynamic;
    quantize.scheme.per_channel = quantize.scheme.reduce_range = true;
    quantize.level = 2;
    quantize.opset = options.opset;
    quantize.file_name = kQuantized;
    quantize.force = true;
    quantize.external_data = options.external_data;
    quantize.cancelled = options.cancelled;
    const QuantizeResult quantized = quantize_model(model, staged, quantize);
    const OptimizeResult optimized = optimize_model(model, staged,
                                                    {.opset = options.opset,
                                                     .file_name = kOptimized,
                                                     .force = true,
                                                     .external_data = options.external_data,
                                                     .cancelled = options.cancelled});
    ConvertOptions convert;
    convert.opset = options.opset;
    convert.file_name = kPlain;
    convert.force = true;
    convert.external_data = options.external_data;
    convert.cancelled = options.cancelled;
    const ConvertResult plain = convert_model(model, staged, convert);  // octavo.json is its record
    out.source_bytes = plain.source_bytes;
    out.opset = plain.opset;
    out.models = {
        {kPlain, "float32, as converted", plain.bytes, total(plain.ops)},
        {kOptimized, "float32, fused operators", optimized.bytes, total(optimized.ops_after)},
        {kQuantized, "the same with int8 weights, dynamic", quantized.bytes,
         quantized.written_nodes}};
    write_file_atomically((std::filesystem::path(staged) / "README.md").string(),
                          [&](std::ostream& stream) { stream << card(files, out); });
    add_files(out.files, plain.files);
    add_files(out.files, optimized.files);
    add_files(out.files, quantized.files);
    out.files.emplace_back("README.md");
    return out.files;
  });
  return out;
}

}  // namespace octavo
