#include "tasks/model_files.h"

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "formats/onnx_reader.h"
#include "formats/sharded_safetensors.h"
#include "importers/hf.h"
#include "importers/onnx.h"
#include "octavo/error.h"
#include "octavo/tokenizer.h"

namespace octavo::tasks {
namespace {

namespace fs = std::filesystem;

std::string join(const std::string& directory, const std::string& name) {
  return (fs::path(directory) / name).string();
}

bool holds_tokenizer(const std::string& directory) {
  return file_exists(join(directory, "tokenizer.json")) ||
         file_exists(join(directory, "vocab.txt"));
}

/// The only "*tokenizer.json" of a directory; empty where there is none or more than one.
std::string only_tokenizer_file(const std::string& directory) {
  std::string found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.ends_with("tokenizer.json") || !file_exists(entry.path().string())) continue;
    if (!found.empty()) return {};
    found = entry.path().string();
  }
  return found;
}

/// Whether anything in the directory says how its model is used.
bool holds_settings(const std::string& directory) {
  return holds_tokenizer(directory) || file_exists(join(directory, "config.json")) ||
         file_exists(join(directory, "modules.json"));
}

constexpr const char* kForms =
    "a directory with config.json and model.safetensors, a .onnx, or a .safetensors";

}  // namespace

std::string ModelFiles::tokenizer_path(const std::string& tokenizer) const {
  if (!tokenizer.empty()) return tokenizer;
  if (holds_tokenizer(directory)) return directory;
  // The parent counts only for models that lie in a subfolder of theirs, as in "onnx/model.onnx".
  const std::string parent = fs::path(directory).parent_path().string();
  if (file_exists(join(parent, "config.json")) && holds_tokenizer(parent))
    return parent.empty() ? "." : parent;
  if (onnx && path == weights) {
    const std::string file = only_tokenizer_file(directory);
    if (!file.empty()) return file;
  }
  throw Error(
      ErrorCode::kNotFound,
      {.message = "the model has no tokenizer",
       .file = directory,
       .expected = "tokenizer.json or vocab.txt beside the model",
       .fix = "put the tokenizer.json of the model there or name it with --tokenizer FILE"});
}

ModelFiles find_model(const std::string& path) {
  ModelFiles out{.path = path, .directory = path, .weights = ""};
  if (directory_exists(path)) {
    const bool config = file_exists(join(path, "config.json"));
    const bool weights = file_exists(join(path, "model.safetensors")) ||
                         file_exists(join(path, "model.safetensors.index.json"));
    if (!config || !weights) {
      for (const char* name : {"model.onnx", "onnx/model.onnx"}) {
        if (out.weights.empty() && file_exists(join(path, name))) out.weights = join(path, name);
      }
      out.onnx = !out.weights.empty();
      if (!out.onnx) {
        const bool torch = file_exists(join(path, "pytorch_model.bin"));
        throw Error(
            ErrorCode::kNotFound,
            {.message = "this directory holds no model",
             .file = path,
             .expected = "config.json with model.safetensors (or its index), or model.onnx",
             .found = torch ? "pytorch_model.bin, which octavo does not read: it can run code"
                            : "neither",
             .fix = torch ? "save the model as safetensors" : "check the path"});
      }
    }
  } else if (file_exists(path)) {
    out.weights = path;
    out.directory = fs::path(path).parent_path().string();
    if (out.directory.empty()) out.directory = ".";
    const std::string suffix = fs::path(path).extension().string();
    out.onnx = suffix == ".onnx";
    if (!out.onnx && suffix != ".safetensors") {
      throw Error(ErrorCode::kUnsupported,
                  {.message = "octavo does not read models of this kind",
                   .file = path,
                   .expected = kForms,
                   .found = suffix.empty() ? "a file without a suffix" : "'" + suffix + "'",
                   .fix = "convert the model to one of these"});
    }
  } else {
    throw Error(ErrorCode::kNotFound, {.message = "there is no such model",
                                       .file = path,
                                       .expected = kForms,
                                       .fix = "check the path; octavo does not download models"});
  }
  if (out.onnx && out.path == out.weights && !holds_settings(out.directory)) {
    // As in "onnx/model_O2.onnx": the small files lie a folder above.
    const fs::path parent =
        fs::absolute(out.weights).lexically_normal().parent_path().parent_path();
    if (file_exists((parent / "config.json").string())) out.directory = parent.string();
  }
  out.sentence_transformers = formats::load_sentence_transformers(out.directory);
  return out;
}

void add_tokenizer_files(const std::string& path, std::vector<std::string>& files) {
  const bool folder = directory_exists(path);
  const std::string directory = folder ? path : fs::path(path).parent_path().string();
  std::vector<std::string> read;
  if (folder) {
    const std::string json = join(path, "tokenizer.json");
    read.push_back(file_exists(json) ? json : join(path, "vocab.txt"));
  } else {
    read.push_back(path);
  }
  read.push_back(join(directory, "tokenizer_config.json"));
  for (std::string& file : read) {
    if (file_exists(file) && std::find(files.begin(), files.end(), file) == files.end())
      files.push_back(std::move(file));
  }
}

ImportedModel import_model(const ModelFiles& files, FileAccess access, const TensorStore* store) {
  return with_frame(
      [&] { return "loading the model " + files.path; },
      [&]() -> ImportedModel {
        if (files.onnx) {
          const formats::OnnxModel model = formats::read_onnx(files.weights, access, store);
          ImportedModel out{.graph = importers::import_onnx(model),
                            .family = model.producer_name.empty() ? "onnx" : model.producer_name,
                            .files = model.external_files,
                            .metadata = model.metadata_props};
          out.files.insert(out.files.begin(), files.weights);
          return out;
        }
        const JsonDocument config = formats::load_hf_config(files.directory);
        auto source = files.weights.empty() ? formats::TensorSource::open(files.directory)
                                            : formats::TensorSource::open_file(files.weights);
        if (access == FileAccess::kMap) source.map(store);
        ImportedModel out{.graph = importers::import_hf(config.root(), source),
                          .family = std::string(config.root().at("model_type").as_string()),
                          .files = source.files()};
        out.files.push_back(join(files.directory, "config.json"));
        return out;
      });
}

}  // namespace octavo::tasks

namespace octavo {

std::string find_tokenizer(const std::string& model) {
  const std::string suffix = std::filesystem::path(model).extension().string();
  const bool tokenizer = directory_exists(model)
                             ? tasks::holds_tokenizer(model)
                             : file_exists(model) && suffix != ".onnx" && suffix != ".safetensors";
  return tokenizer ? model : tasks::find_model(model).tokenizer_path("");
}

}  // namespace octavo
