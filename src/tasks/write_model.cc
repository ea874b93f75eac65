#include "tasks/write_model.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <system_error>

#include "base/file.h"
#include "formats/onnx_writer.h"
#include "octavo/error.h"

namespace octavo::tasks {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCompanionNames[] = {"config.json",
                                           "generation_config.json",
                                           "tokenizer.json",
                                           "tokenizer_config.json",
                                           "special_tokens_map.json",
                                           "added_tokens.json",
                                           "vocab.txt",
                                           "vocab.json",
                                           "merges.txt",
                                           "sentencepiece.bpe.model",
                                           "spiece.model",
                                           "tokenizer.model",
                                           "modules.json",
                                           "config_sentence_transformers.json",
                                           "sentence_bert_config.json",
                                           "sentence_roberta_config.json",
                                           "sentence_distilbert_config.json",
                                           "sentence_camembert_config.json",
                                           "sentence_albert_config.json",
                                           "sentence_xlm-roberta_config.json",
                                           "sentence_xlnet_config.json",
                                           "LICENSE",
                                           "LICENSE.md",
                                           "LICENSE.txt",
                                           "NOTICE"};

[[noreturn]] void refuse(std::string message, const std::string& file, std::string expected,
                         std::string found, std::string fix) {
  throw Error(ErrorCode::kInvalidArgument, {.message = std::move(message),
                                            .file = file,
                                            .expected = std::move(expected),
                                            .found = std::move(found),
                                            .fix = std::move(fix)});
}

[[noreturn]] void refuse_io(const std::string& what, const fs::path& path, int error) {
  throw Error(ErrorCode::kIo,
              {.message = what + ": " + std::system_category().message(error),
               .file = path.string(),
               .fix = "check the permissions of the folder and the space on the disk"});
}

bool same_place(const fs::path& a, const fs::path& b) {
  std::error_code ignored;
  return fs::equivalent(a, b, ignored);
}

fs::path output_path(const WriteModelOptions& options) {
  fs::path out = fs::path(options.directory).lexically_normal();
  if (!out.has_filename()) out = out.parent_path();  // "out/"
  return out;
}

/// Throws for names that would leave the directory, or be taken for another file of it.
void check_file_name(const std::string& name) {
  const fs::path path(name);
  const bool leaves = path.is_absolute() || std::find(path.begin(), path.end(), "..") != path.end();
  if (!leaves && path.extension() == ".onnx") return;
  throw Error(ErrorCode::kInvalidArgument,
              {.message = leaves ? "the model would be written outside the output directory"
                                 : "the name of the model's file does not end with .onnx",
               .place = "--file-name",
               .expected = "a name in OUT_DIR that ends with .onnx",
               .found = "'" + name + "'",
               .fix = "give such a name as model_quantized.onnx or onnx/model.onnx"});
}

/// Whether a model's file would lie where the source does.
bool beside_source(const ModelFiles& source, const fs::path& target, const std::string& name) {
  return same_place((target / name).parent_path(), source.directory);
}

/// A new directory beside the wanted one, which goes with everything in it unless it was renamed.
class Staging {
 public:
  explicit Staging(const fs::path& wanted)
      : path_(wanted.string() + ".tmp-" + std::to_string(::getpid()) + "-" +
              std::to_string(::gettid())) {
    std::error_code error;
    if (wanted.has_parent_path()) fs::create_directories(wanted.parent_path(), error);
    if (!error) {
      fs::remove_all(path_, error);
      fs::create_directory(path_, error);
    }
    if (error) refuse_io("cannot make the output directory", wanted, error.value());
  }
  ~Staging() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// The path of `name` in a directory that gets the folders it needs.
std::string file_in(const std::string& directory, const std::string& name) {
  const fs::path out = fs::path(directory) / name;
  std::error_code error;
  fs::create_directories(out.parent_path(), error);
  if (error) refuse_io("cannot make a folder", out.parent_path(), error.value());
  return out.string();
}

void sync_directory(const fs::path& path) {
  const FileDescriptor directory(
      ::open(path.empty() ? "." : path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() >= 0) ::fsync(directory.get());
}

void copy_file(const std::string& from, const std::string& to) {
  const auto bytes = read_file(from);
  write_file_atomically(to, [&](std::ostream& out) {
    out.write(reinterpret_cast<const char*>(bytes->data()),
              static_cast<std::streamsize>(bytes->size()));
  });
}

void move_file(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::create_directories(to.parent_path(), error);
  if (error) refuse_io("cannot make a folder", to.parent_path(), error.value());
  fs::rename(from, to, error);
  if (error) refuse_io("cannot move the file to its place", to, error.value());
}

/// Takes what is staged to its place: a new directory at once, else file by file.
void publish(const Staging& staging, const fs::path& target,
             const std::vector<std::string>& files) {
  std::error_code error;
  if (!fs::exists(target, error) ||
      (fs::is_directory(target, error) && fs::is_empty(target, error))) {
    if (!fs::is_symlink(target, error)) {
      fs::rename(staging.path(), target, error);
      if (error) refuse_io("cannot move the directory to its place", target, error.value());
      return sync_directory(target.parent_path());
    }
  }
  for (const std::string& name : files) {
    move_file(staging.path() / name, target / name);
    // A model that was replaced by one without external data leaves its own behind.
    const std::string data = name + "_data";
    if (name.ends_with(".onnx") && std::find(files.begin(), files.end(), data) == files.end())
      fs::remove(target / data, error);
    sync_directory((target / name).parent_path());
  }
}

/// Adds the files of one folder by their known names; those that are there already stay.
void add_companions(const fs::path& folder, std::map<std::string, std::string>& found) {
  for (const char* name : kCompanionNames) {
    const std::string path = (folder / name).string();
    if (file_exists(path)) found.emplace(name, path);
  }
}

}  // namespace

std::vector<Companion> find_companions(const ModelFiles& source) {
  std::map<std::string, std::string> found;  // name -> path
  fs::path home = source.directory;
  if (directory_exists(source.path)) home = source.path;
  add_companions(home, found);
  // As in "onnx/model.onnx": the rest of such a model lies a folder above.
  const fs::path parent = fs::absolute(home).lexically_normal().parent_path();
  if (source.onnx && !found.contains("config.json") && !found.contains("tokenizer.json") &&
      file_exists((parent / "config.json").string())) {
    add_companions(parent, found);
    home = parent;
  }
  std::string tokenizer;
  try {
    tokenizer = source.tokenizer_path("");
  } catch (const Error&) {  // a model without one
  }
  if (!found.contains("tokenizer.json") && file_exists(tokenizer)) {
    found.emplace("tokenizer.json", tokenizer);
  }
  for (const formats::SentenceModule& module : source.sentence_transformers.modules) {
    if (module.path.empty()) continue;
    for (const char* name : {"config.json", "model.safetensors"}) {
      const std::string relative = (fs::path(module.path) / name).lexically_normal().string();
      const std::string path = (home / relative).string();
      if (module.kind != formats::ModuleKind::kTransformer && file_exists(path))
        found.emplace(relative, path);
    }
  }
  std::vector<Companion> out;
  for (const auto& [name, path] : found) out.push_back({path, name});
  return out;
}

void check_output(const ModelFiles& source, const WriteModelOptions& options) {
  check_file_name(options.file_name);
  const fs::path target = output_path(options);
  if (target.empty()) {
    refuse("the output has no name", options.directory, "a directory", "nothing",
           "give a directory: -o OUT_DIR");
  }
  if (target.extension() == ".onnx") {
    refuse("the output is a directory, not a file", target.string(), "a directory",
           "a name that ends with .onnx",
           "leave the suffix out; the model is written to OUT_DIR/model.onnx");
  }
  std::error_code error;
  if (!fs::exists(target, error)) return;
  if (!fs::is_directory(target, error)) {
    refuse("the output exists and is no directory", target.string(), "a directory", "a file",
           "give another name");
  }
  const fs::path home = source.directory;
  const fs::path parent = fs::absolute(home).lexically_normal().parent_path();
  if (same_place(target, home) || same_place(target, source.path) ||
      beside_source(source, target, options.file_name) ||
      (source.onnx && home.filename() == "onnx" && same_place(target, parent))) {
    refuse("the output would be written over the source", target.string(), "a directory of its own",
           "the directory of the model", "give another directory: the source stays as it is");
  }
  if (!options.force && !fs::is_empty(target, error)) {
    refuse("the output directory holds files", target.string(), "a new or an empty directory",
           "files", "give another directory, or --force to replace files of the same names");
  }
}

void check_writable(const WriteModelOptions& options) {
  const fs::path target = fs::absolute(output_path(options));
  std::error_code error;
  fs::path made = target;  // the first of the directories that will be made, or OUT_DIR itself
  while (made.parent_path() != made && !fs::exists(made.parent_path(), error) && !error)
    made = made.parent_path();
  const Staging beside(made);
  if (fs::is_directory(target, error) && !fs::is_empty(target, error))
    const Staging inside(target / "model");
}

TensorStore make_store(const WriteModelOptions& options) {
  fs::path at = fs::absolute(output_path(options)).parent_path();
  std::error_code error;
  while (!fs::is_directory(at, error) && at.has_relative_path()) at = at.parent_path();
  return TensorStore(at.string());
}

void stop_if_cancelled(const WriteModelOptions& options) {
  if (options.cancelled && options.cancelled())
    throw Error(ErrorCode::kCancelled, "writing the model was stopped");
}

void write_staged(
    const ModelFiles& source, const WriteModelOptions& options,
    const std::function<std::vector<std::string>(const std::string& directory)>& write) {
  check_output(source, options);
  const fs::path target = output_path(options);
  with_frame([&] { return "writing the model to " + target.string(); },
             [&] {
               const Staging staging(target);
               const std::vector<std::string> files = write(staging.path().string());
               stop_if_cancelled(options);
               publish(staging, target, files);
             });
}

WrittenModel write_model(formats::OnnxModel model, const ModelFiles& source,
                         const ModelRecord& record, const WriteModelOptions& options) {
  std::vector<ModelVariant> variants;
  variants.push_back({options.file_name, std::move(model), record});
  return write_models(std::move(variants), source, options).front();
}

std::vector<WrittenModel> write_models(std::vector<ModelVariant> variants, const ModelFiles& source,
                                       const WriteModelOptions& options) {
  const fs::path target = output_path(options);
  for (const ModelVariant& variant : variants) {
    WriteModelOptions one = options;
    one.file_name = variant.file_name;
    check_output(source, one);
  }
  std::vector<WrittenModel> out;
  write_staged(source, options, [&](const std::string& directory) {
    std::vector<std::string> files;  // in the order in which they take their places
    for (const Companion& companion : find_companions(source)) {
      copy_file(companion.path, file_in(directory, companion.name));
      files.push_back(companion.name);
    }
    const std::string record = variants.front().record.to_json(2) + "\n";
    write_file_atomically(file_in(directory, kRecordFile),
                          [&](std::ostream& stream) { stream << record; });
    files.push_back(kRecordFile);
    const std::vector<std::string> shared = files;
    for (ModelVariant& variant : variants) {
      stop_if_cancelled(options);
      variant.model.metadata_props[kRecordKey] = variant.record.to_json();
      const formats::OnnxWritten written =
          formats::write_onnx(variant.model, file_in(directory, variant.file_name),
                              {.external_data = options.external_data});
      variant.model = {};  // its weights go before the next one is written
      WrittenModel& done = out.emplace_back();
      done.path = (target / variant.file_name).string();
      done.bytes = written.bytes + written.data_bytes;
      done.files = shared;
      if (!written.data_path.empty()) {
        files.push_back(variant.file_name + "_data");
        done.files.push_back(files.back());
      }
      files.push_back(variant.file_name);
      done.files.push_back(files.back());
    }
    return files;
  });
  return out;
}

}  // namespace octavo::tasks
