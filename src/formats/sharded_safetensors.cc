#include "formats/sharded_safetensors.h"

#include <filesystem>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "base/memory_budget.h"

namespace octavo::formats {
namespace {

constexpr const char* kSingle = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";

[[noreturn]] void fail(const std::string& index, std::string message, std::string place,
                       std::string expected, std::string found) {
  throw Error(ErrorCode::kInvalidFile,
              {.message = std::move(message),
               .file = index,
               .place = std::move(place),
               .expected = std::move(expected),
               .found = std::move(found),
               .fix = "fetch the index and all shards again, from the same revision"});
}

// Download caches link the shards to files elsewhere, as they do model.safetensors: links are
// followed, but the name itself cannot lead out of the directory.
SafetensorsFile open_shard(const std::string& directory, const std::string& name,
                           const std::string& index) {
  const bool nul = name.find('\0') != name.npos;
  if (name.empty() || name == ".." || nul || name.find('/') != name.npos) {
    fail(index, "the name of a shard is not a plain file name", "key 'weight_map'",
         "the name of a file beside the index",
         nul ? "a name with a NUL byte" : "'" + name.substr(0, 200) + "'");
  }
  try {
    return SafetensorsFile::open((std::filesystem::path(directory) / name).string());
  } catch (Error& error) {
    error.set_file(index).add_frame("opening a shard that " + index + " names");
    throw;
  }
}

}  // namespace

TensorSource TensorSource::open_file(const std::string& path) {
  TensorSource out;
  out.path_ = path;
  out.files_.push_back(std::make_unique<SafetensorsFile>(SafetensorsFile::open(path)));
  for (const TensorInfo& info : out.files_[0]->tensors())
    out.tensors_.emplace(info.name, Entry{out.files_[0].get(), &info});
  return out;
}

TensorSource TensorSource::open(const std::string& directory) {
  const std::filesystem::path root(directory);
  if (file_exists((root / kSingle).string())) return open_file((root / kSingle).string());
  const std::string index = (root / kIndex).string();
  if (!file_exists(index)) {
    throw Error(
        ErrorCode::kNotFound,
        {.message = "the directory has no weights that octavo reads",
         .file = directory,
         .expected = std::string(kSingle) + " or " + kIndex,
         .found =
             file_exists((root / "pytorch_model.bin").string()) ? "pytorch_model.bin" : "neither",
         .fix = "fetch the safetensors weights of the model, or convert them with its own tools"});
  }
  const JsonDocument document = JsonDocument::parse_file(index);
  const JsonValue weights = document.root().at("weight_map");
  if (!weights.is_object() || weights.size() == 0) {
    fail(index, "the index names no tensors", "key 'weight_map'",
         "an object of tensor names and file names", "nothing");
  }
  TensorSource out;
  out.path_ = index;
  MemoryBudget budget(std::filesystem::file_size(index), document.memory(), index);
  constexpr std::size_t kMapNode = 96;
  std::map<std::string_view, const SafetensorsFile*> shards;
  std::map<std::string_view, const SafetensorsFile*>
      owners;  // of every tensor, named by the index or not
  for (const auto [name, value] : weights.members()) {
    const std::string_view shard = value.as_string();
    auto at = shards.find(shard);
    if (at == shards.end()) {
      budget.charge(kMapNode + 512 + shard.size(), "weight_map");
      out.files_.push_back(
          std::make_unique<SafetensorsFile>(open_shard(directory, std::string(shard), index)));
      at = shards.emplace(shard, out.files_.back().get()).first;
      for (const TensorInfo& info : at->second->tensors()) {
        const auto [owner, fresh] = owners.emplace(info.name, at->second);
        if (!fresh) {
          fail(index, "two shards hold the same tensor", "tensor '" + info.name + "'", "one shard",
               owner->second->path() + " and " + at->second->path());
        }
      }
    }
    const TensorInfo* const info = at->second->find(name);
    if (info == nullptr) {
      fail(index, "a shard lacks a tensor that the index promises",
           "tensor '" + std::string(name) + "'", "the tensor in " + at->second->path(),
           "no such tensor");
    }
    budget.charge(kMapNode, "weight_map");
    out.tensors_.emplace(info->name, Entry{at->second, info});
  }
  return out;
}

const TensorSource::Entry& TensorSource::entry(std::string_view name) const {
  const auto at = tensors_.find(name);
  if (at == tensors_.end()) {
    throw Error(ErrorCode::kNotFound,
                {.message = "the weights have no tensor of this name",
                 .file = path_,
                 .place = "tensor '" + std::string(name) + "'",
                 .fix = "check that the weights and the config belong to the same model"});
  }
  return at->second;
}

const TensorInfo& TensorSource::info(std::string_view name) const { return *entry(name).info; }

void TensorSource::map(const TensorStore* store) {
  for (const auto& file : files_) file->map();
  store_ = store;
}

Tensor TensorSource::read(std::string_view name) const { return entry(name).file->read(name); }

Tensor TensorSource::read_float32(std::string_view name) const {
  Tensor stored = read(name);
  if (stored.dtype() == DType::kFloat32) return stored;
  Tensor wide = stored.to_float32();
  stored.release();
  return store_ == nullptr ? wide : store_->keep(std::move(wide));
}

std::vector<std::string> TensorSource::names() const {
  std::vector<std::string> out;
  out.reserve(tensors_.size());
  for (const auto& [name, unused] : tensors_) out.emplace_back(name);
  return out;
}

const std::string& TensorSource::file_of(std::string_view name) const {
  return entry(name).file->path();
}

std::vector<std::string> TensorSource::files() const {
  std::vector<std::string> out;
  for (const auto& file : files_) out.push_back(file->path());
  return out;
}

}  // namespace octavo::formats
