#include "eval/embedding_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "formats/sha256.h"
#include "octavo/error.h"

namespace octavo::eval {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr char kMagic[8] = {'O', 'C', 'T', 'V', 'E', 'M', 'B', '1'};
constexpr std::size_t kHeaderBytes = 16;
constexpr const char* kSuffix = ".embeddings";

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = value & 1 ? value >> 1 ^ 0x82F63B78u : value >> 1;
    table[i] = value;
  }
  return table;
}
constexpr std::array<std::uint32_t, 256> kTable = make_table();

[[noreturn]] void fail_io(const char* what, const std::string& path) {
  throw Error(ErrorCode::kIo,
              {.message = std::string("cannot ") + what +
                          " the embedding cache: " + std::system_category().message(errno),
               .file = path,
               .fix = "check the permissions and the space of the disk, or run without a cache"});
}

// Reads `size` bytes at `offset`; false when the file ends before or cannot be read.
bool read_at(int fd, void* out, std::size_t size, std::size_t offset) {
  for (std::size_t done = 0; done < size;) {
    const ssize_t got =
        ::pread(fd, static_cast<char*>(out) + done, size - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    done += static_cast<std::size_t>(got);
  }
  return true;
}

void write_all(int fd, std::span<const std::byte> bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) fail_io("write", path);
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
}

std::array<std::byte, kHeaderBytes> make_header(std::size_t dims) {
  std::array<std::byte, kHeaderBytes> header;
  const auto stored = static_cast<std::uint32_t>(dims);
  std::memcpy(header.data(), kMagic, sizeof kMagic);
  std::memcpy(header.data() + sizeof kMagic, &stored, sizeof stored);
  const std::uint32_t crc = crc32c(std::span(header).first(12));
  std::memcpy(header.data() + 12, &crc, sizeof crc);
  return header;
}

std::byte hex_byte(char high, char low) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  return static_cast<std::byte>(digit(high) * 16 + digit(low));
}

}  // namespace

std::uint32_t crc32c(std::span<const std::byte> bytes) {
  std::uint32_t crc = ~0u;
  for (const std::byte b : bytes)
    crc = crc >> 8 ^ kTable[(crc ^ static_cast<std::uint32_t>(b)) & 0xFF];
  return ~crc;
}

std::size_t EmbeddingCache::KeyHash::operator()(const Key& key) const noexcept {
  std::size_t out;
  std::memcpy(&out, key.data(), sizeof out);
  return out;
}

EmbeddingCache::Key EmbeddingCache::key(std::string_view prompt, std::string_view text) {
  std::string bytes = std::to_string(prompt.size()) + ' ';
  bytes += prompt;
  bytes += text;
  const std::string hex = formats::sha256(std::as_bytes(std::span(bytes)));
  Key out;
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = hex_byte(hex[2 * i], hex[2 * i + 1]);
  return out;
}

EmbeddingCache::EmbeddingCache(const std::string& directory, const std::string& digest,
                               std::size_t dims)
    : dims_(dims), scratch_(record_bytes()) {
  const auto plain = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_';
  };
  if (digest.empty() || dims == 0 || dims > UINT32_MAX ||
      !std::all_of(digest.begin(), digest.end(), plain)) {
    throw Error(ErrorCode::kInvalidArgument,
                {.message = "an embedding cache needs a model digest and dimensions",
                 .expected = "letters, digits, '-' and '_'",
                 .found = "'" + digest + "', " + std::to_string(dims) + " dimensions"});
  }
  directory_ = (std::filesystem::path(directory) / digest).string();
  std::error_code error;
  std::filesystem::create_directories(directory_, error);
  if (error) {
    errno = error.value();
    fail_io("make", directory_);
  }
  std::vector<std::string> paths;
  for (std::filesystem::directory_iterator at(directory_, error), end; !error && at != end;
       at.increment(error)) {
    if (at->path().extension() == kSuffix) paths.push_back(at->path().string());
  }
  std::sort(paths.begin(), paths.end());
  for (const std::string& path : paths) index_segment(path);
}

void EmbeddingCache::index_segment(const std::string& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (file.get() < 0 || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return;
  std::array<std::byte, kHeaderBytes> header;
  if (!read_at(file.get(), header.data(), header.size(), 0) || header != make_header(dims_)) return;
  const auto segment = static_cast<std::uint32_t>(segments_.size());
  segments_.push_back(path);
  const std::size_t records =
      (static_cast<std::size_t>(info.st_size) - kHeaderBytes) / record_bytes();
  for (std::size_t r = 0; r < records; ++r) {
    Key key;
    if (!read_at(file.get(), key.data(), key.size(), kHeaderBytes + r * record_bytes())) return;
    places_.insert_or_assign(key, Place{segment, r});
  }
}

const FileDescriptor& EmbeddingCache::open_segment(std::uint32_t segment) {
  if (open_ != segment) {
    reader_ = FileDescriptor(::open(segments_[segment].c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    open_ = segment;
  }
  return reader_;
}

bool EmbeddingCache::find(const Key& key, std::span<float> out) {
  const auto found = places_.find(key);
  if (found == places_.end() || out.size() != dims_) return false;
  const FileDescriptor& file = open_segment(found->second.segment);
  const std::size_t offset = kHeaderBytes + found->second.record * record_bytes();
  const std::size_t body = scratch_.size() - sizeof(std::uint32_t);
  std::uint32_t stored = 0;
  bool whole = file.get() >= 0 && read_at(file.get(), scratch_.data(), scratch_.size(), offset);
  if (whole) std::memcpy(&stored, scratch_.data() + body, sizeof stored);
  whole = whole && stored == crc32c(std::span(scratch_).first(body)) &&
          std::equal(key.begin(), key.end(), scratch_.begin());
  if (!whole) {
    places_.erase(found);
    return false;
  }
  std::memcpy(out.data(), scratch_.data() + key.size(), dims_ * sizeof(float));
  return true;
}

void EmbeddingCache::start_segment() {
  for (std::size_t number = segments_.size(); true; ++number) {
    char name[32];
    std::snprintf(name, sizeof name, "%08zu%s", number, kSuffix);
    const std::string path = (std::filesystem::path(directory_) / name).string();
    FileDescriptor file(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644));
    if (file.get() < 0 && errno == EEXIST) continue;
    if (file.get() < 0) fail_io("write", path);
    write_all(file.get(), make_header(dims_), path);
    writer_ = std::move(file);
    written_segment_ = static_cast<std::uint32_t>(segments_.size());
    written_ = 0;
    segments_.push_back(path);
    return;
  }
}

void EmbeddingCache::append(std::span<const Key> keys, std::span<const float> rows) {
  if (rows.size() != keys.size() * dims_) {
    throw Error(ErrorCode::kInternal, "the embedding cache got another number of values than keys");
  }
  if (keys.empty()) return;
  if (writer_.get() < 0) start_segment();
  const std::size_t record = record_bytes();
  std::vector<std::byte> bytes(keys.size() * record);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const std::span<std::byte> out = std::span(bytes).subspan(i * record, record);
    std::memcpy(out.data(), keys[i].data(), sizeof(Key));
    std::memcpy(out.data() + sizeof(Key), rows.data() + i * dims_, dims_ * sizeof(float));
    const std::uint32_t crc = crc32c(out.first(record - sizeof(std::uint32_t)));
    std::memcpy(out.data() + record - sizeof crc, &crc, sizeof crc);
  }
  try {
    write_all(writer_.get(), bytes, segments_[written_segment_]);
  } catch (...) {
    writer_ = FileDescriptor();  // what follows a torn record could not be read
    throw;
  }
  for (const Key& key : keys) places_.insert_or_assign(key, Place{written_segment_, written_++});
}

}  // namespace octavo::eval
