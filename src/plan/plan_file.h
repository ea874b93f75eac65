// A plan as bytes: a small part that says what the steps are, and sections of weights that are used
// where they lie in a mapped file. One `fields()` function a step lists what is stored, for the
// writer and the reader alike.
//
//   bytes        what
//   0 .. 7       "octavopl"
//   8 .. 15      64-bit FNV-1a of everything from byte 16 to the end of the metadata
//   16 .. 23     version of the format
//   24 .. 63     u64: bytes of metadata; begin and bytes of the hot section; the same of the cold
//   one 64 ..        metadata; numbers are little-endian, texts and lists follow their count
//
// The hot section holds what every run reads, the cold one the tables that tokens look up. Both
// begin at multiples of 2 MiB and hold blobs at multiples of 64 bytes.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "base/buffer.h"
#include "base/byte_reader.h"
#include "base/file_mapping.h"
#include "base/thread_pool.h"
#include "kernels/attention/attention.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/gemm/layout.h"
#include "plan/precision.h"
#include "plan/step.h"
#include "tensor/tensor.h"

namespace octavo::plan {

/// To be raised when bytes change their meaning: fields of steps, layouts of packed weights.
inline constexpr std::uint64_t kPlanFormat = 1;

using Blob = std::shared_ptr<const Buffer>;

constexpr Layout last_of(Layout) { return Layout::kSequence; }
constexpr Precision last_of(Precision) { return Precision::kFp16; }
constexpr kernels::Activation last_of(kernels::Activation) { return kernels::Activation::kSigmoid; }
constexpr kernels::BinaryOp last_of(kernels::BinaryOp) { return kernels::BinaryOp::kDiv; }
constexpr kernels::GemmType last_of(kernels::GemmType) { return kernels::GemmType::kFp16; }
constexpr kernels::AttentionType last_of(kernels::AttentionType) {
  return kernels::AttentionType::kBf16;
}

class PlanWriter {
 public:
  template <typename... Fields>
  void operator()(const Fields&... fields) {
    (put(fields), ...);
  }
  void put(std::uint64_t value);
  void put(std::int64_t value) { put(static_cast<std::uint64_t>(value)); }
  void put(BufferId value) { put(static_cast<std::int64_t>(value)); }
  void put(bool value) { put(std::uint64_t{value}); }
  void put(float value);
  void put(const std::string& text);
  void put(const View& view) { (*this)(view.buffer, view.offset, view.width, view.layout); }
  void put(const TileView& view) { (*this)(view.tiles, view.scale, view.width, view.row_bytes); }
  void put(const Tensor& tensor) { put_tensor(tensor, hot_); }
  template <typename Enum>
  requires std::is_enum_v<Enum>
  void put(Enum value) { put(static_cast<std::uint64_t>(value)); }
  template <typename T>
  void put(const std::optional<T>& value) {
    put(value.has_value());
    if (value) put(*value);
  }
  template <typename T>
  void put(const std::vector<T>& values) {
    put(static_cast<std::uint64_t>(values.size()));
    for (const T& value : values) put(value);
  }
  /// A tensor of which runs read single rows.
  void cold(const Tensor& tensor) { put_tensor(tensor, cold_); }
  /// Packed weights; their bytes are read when write() is called.
  void blob(std::span<const std::byte> bytes) { put_blob(bytes, hot_); }

  /// The whole file; the stream must be seekable and at its beginning.
  void write(std::ostream& out) const;

 private:
  struct Section {
    std::vector<std::span<const std::byte>> blobs;
    std::size_t size = 0;
    std::uint64_t number = 0;
  };
  void put_blob(std::span<const std::byte> bytes, Section& section);
  void put_tensor(const Tensor& tensor, Section& section);

  std::string metadata_;
  Section hot_{.blobs = {}, .size = 0, .number = 0}, cold_{.blobs = {}, .size = 0, .number = 1};
};

/// Whether `tiles` holds rows of `width` elements of a type.
inline bool tiles_fit(const TileView& tiles, std::size_t width, kernels::GemmType type) {
  return tiles.width == width && tiles.row_bytes == kernels::gemm_row_bytes(type, width) &&
         (tiles.scale >= 0) == (type == kernels::GemmType::kInt8);
}

/// Bounds that the steps of a file are held to.
struct PlanLimits {
  std::vector<std::size_t> widths;           // floats a row, by buffer
  std::vector<std::size_t> rotary;           // inverse frequencies, by table
  std::vector<std::int64_t> last_positions;  // the greatest there can be, by position set
  std::int64_t vocabulary = 0, type_rows = 0;
};

/// Takes nothing on trust: whatever the file says is compared with what it holds before it is used.
/// All errors are Error(kInvalidFile).
class PlanReader {
 public:
  PlanReader(std::shared_ptr<const FileMapping> mapping, std::string path);

  /// Makes the weights present, on huge pages: those of the file where it has them, else a copy
  /// made by `pool` (may be null). Call it before blobs are read.
  void load_weights(ThreadPool* pool);

  template <typename... Fields>
  void operator()(Fields&... fields) {
    (get(fields), ...);
  }
  void get(std::uint64_t& value) { value = reader_.u64_le("number"); }
  void get(std::int64_t& value) { value = static_cast<std::int64_t>(reader_.u64_le("number")); }
  void get(BufferId& value);
  void get(bool& value) { value = number(1) == 1; }
  void get(float& value);
  void get(std::string& text);
  void get(View& view);      // a part of a buffer that there is
  void get(TileView& view);  // its buffers are there
  void get(Tensor& tensor);  // float32
  void cold(Tensor& tensor) { get(tensor); }
  template <typename Enum>
  requires std::is_enum_v<Enum>
  void get(Enum& value) {
    value = static_cast<Enum>(number(static_cast<std::uint64_t>(last_of(Enum{}))));
  }
  template <typename T>
  void get(std::optional<T>& value) {
    value.reset();
    if (number(1) == 1) get(value.emplace());
  }
  template <typename T>
  void get(std::vector<T>& values) {
    values.clear();
    for (std::size_t left = count(); left > 0; --left) get(values.emplace_back());
  }
  /// The next blob, which must have this size.
  Blob blob(std::size_t size);
  /// How many elements follow; each takes a byte at least.
  std::size_t count();

  void require(bool holds, const char* what) const {
    if (!holds) reader_.fail(what, "a compiled plan is not possible");
  }
  bool done() const { return reader_.done(); }

  PlanLimits limits;

 private:
  std::uint64_t number(std::uint64_t most);

  std::shared_ptr<const FileMapping> mapping_;
  std::string path_;
  ByteReader reader_{{}, ""};
  struct Section {
    std::size_t offset = 0, size = 0;
    std::span<const std::byte> bytes{};
    std::shared_ptr<const void> owner{};
  } sections_[2];
};

}  // namespace octavo::plan
