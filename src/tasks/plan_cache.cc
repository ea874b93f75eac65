#include "tasks/plan_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/build_id.h"
#include "base/file.h"
#include "base/file_mapping.h"
#include "formats/sha256.h"
#include "octavo/error.h"

namespace octavo::tasks {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSuffix = ".plan";
constexpr std::int64_t kSecond = 1'000'000'000;

std::int64_t nanoseconds(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * kSecond + time.tv_nsec;
}

/// What tells a file from another, and from itself after a change.
struct Identity {
  std::int64_t size = -1, modified = 0, changed = 0;
  std::uint64_t device = 0, inode = 0;
  bool operator==(const Identity&) const = default;
};

Identity identify(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return {};
  return {.size = static_cast<std::int64_t>(info.st_size),
          .modified = nanoseconds(info.st_mtim),
          .changed = nanoseconds(info.st_ctim),
          .device = static_cast<std::uint64_t>(info.st_dev),
          .inode = static_cast<std::uint64_t>(info.st_ino)};
}

void fields(auto& archive, auto& identity) {
  archive(identity.size, identity.modified, identity.changed, identity.device, identity.inode);
}

/// Files whose coming or going changes which files make the model.
std::vector<std::string> deciding_files(const ModelFiles& model) {
  if (!model.weights.empty()) return {model.weights};
  std::vector<std::string> out;
  for (const char* name : {"config.json", "model.safetensors", "model.safetensors.index.json"})
    out.push_back((fs::path(model.directory) / name).string());
  return out;
}

std::string canonical(const std::string& path) {
  std::error_code failed;
  const fs::path out = fs::canonical(path, failed);
  return failed ? std::string() : out.string();
}

/// Ours or the administrator's, and nobody else can write to it.
bool trusted(const FileDescriptor& file) {
  struct stat info {};
  return ::fstat(file.get(), &info) == 0 && S_ISREG(info.st_mode) &&
         (info.st_uid == ::geteuid() || info.st_uid == 0) && (info.st_mode & 022) == 0;
}

}  // namespace

PlanCache::PlanCache(std::string directory, const ModelFiles& model, std::string_view use,
                     IsaMask isa, plan::Precision precision)
    : directory_(std::move(directory)), isa_(isa) {
  if (directory_.empty()) return;
  const std::string source = canonical(model.weights.empty() ? model.directory : model.weights);
  if (source.empty()) return;
  key_ = "octavo " OCTAVO_VERSION " " + build_id() + "\nuse " + std::string(use) + "\nprecision " +
         std::string(plan::precision_name(precision)) + "\nisa " + isa_name(isa) + "\nmodel " +
         source + "\n";
  for (const std::string& file : deciding_files(model)) {
    key_ += identify(file).size < 0 ? "without " : "with ";
    key_ += fs::path(file).filename().string() + "\n";
  }
  const std::string digest = formats::sha256(std::as_bytes(std::span(key_.data(), key_.size())));
  constexpr std::size_t kDigits = 32;
  path_ = (fs::path(directory_) / (digest.substr(0, kDigits) + kSuffix)).string();
}

std::optional<CachedPlan> PlanCache::find(ThreadPool* pool) {
  if (!enabled() || !file_exists(path_)) return std::nullopt;
  try {
    return read(pool);
  } catch (const Error& error) {
    note_ = "a kept plan could not be used: " + error.info().message;
    if (!error.info().place.empty()) note_ += " (" + error.info().place + ")";
    return std::nullopt;
  }
}

std::optional<CachedPlan> PlanCache::read(ThreadPool* pool) {
  const FileDescriptor file = open_file(path_);
  if (!trusted(file)) {
    note_ = "a kept plan was not used: others may write to " + path_;
    return std::nullopt;
  }
  plan::PlanReader reader(std::make_shared<FileMapping>(file, path_), path_);
  std::string key;
  CachedPlan out;
  ModelFacts& facts = out.facts;
  reader(key, facts.family, facts.output.name, facts.output.pooled, facts.files);
  if (key != key_) return std::nullopt;
  for (const std::string& name : facts.files) {
    Identity then;
    fields(reader, then);
    if (then != identify(name)) {
      note_ = "the model has changed since its plan was kept";
      return std::nullopt;
    }
  }
  reader.load_weights(pool);
  out.plan = plan::Plan::load(reader, isa_);
  ::futimens(file.get(), nullptr);  // the order in which files make room; may fail
  return out;
}

void PlanCache::start_import() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  started_ = nanoseconds(now);
}

bool PlanCache::store(const plan::Plan& plan, const ModelFacts& facts) {
  if (!enabled()) return false;
  plan::PlanWriter writer;
  writer(key_, facts.family, facts.output.name, facts.output.pooled, facts.files);
  for (const std::string& name : facts.files) {
    const Identity identity = identify(name);
    constexpr std::int64_t kTick = kSecond / 20;  // file times may lag behind the clock so much
    if (identity.size < 0 || std::max(identity.modified, identity.changed) > started_ - kTick) {
      note_ = "the plan was not kept: the model's files have only just changed";
      return false;
    }
    fields(writer, identity);
  }
  plan.save(writer);
  try {
    std::error_code ignored;
    fs::create_directories(fs::path(directory_).parent_path(), ignored);
    ::mkdir(directory_.c_str(), 0700);
    write_file_atomically(path_, [&](std::ostream& out) { writer.write(out); });
    ::chmod(path_.c_str(), 0600);  // whatever the umask: trusted() asks for it
    // What was written sits on small pages; what load() reads again need not.
    drop_from_cache(open_file(path_), 0, 0);
    make_room();
  } catch (const Error& error) {
    note_ = "the plan was not kept: " + error.info().message;
    return false;
  }
  return true;
}

void PlanCache::make_room() const {
  struct Kept {
    std::int64_t used;
    std::uint64_t bytes;
    std::string path;
  };
  std::vector<Kept> kept;
  std::uint64_t total = 0;
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  std::error_code failed;
  for (fs::directory_iterator it(directory_, failed), end; !failed && it != end;
       it.increment(failed)) {
    const std::string path = it->path().string(), name = it->path().filename().string();
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    // What a process left that ended while it wrote.
    constexpr std::int64_t kHour = 3600;
    if (name.find(std::string(kSuffix) + ".tmp-") != std::string::npos &&
        now.tv_sec - info.st_mtim.tv_sec > kHour) {
      ::unlink(path.c_str());
    }
    if (!name.ends_with(kSuffix) || path == path_) continue;
    constexpr std::uint64_t kBlock = 512;
    kept.push_back(
        {nanoseconds(info.st_mtim), static_cast<std::uint64_t>(info.st_blocks) * kBlock, path});
    total += kept.back().bytes;
  }
  std::sort(kept.begin(), kept.end(), [](const Kept& a, const Kept& b) { return a.used < b.used; });
  for (const Kept& file : kept) {
    if (total <= kMostBytes) break;
    if (::unlink(file.path.c_str()) == 0) total -= file.bytes;
  }
}

}  // namespace octavo::tasks
