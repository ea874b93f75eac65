#include "octavo/array_io.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>
#include <ostream>

#include "base/file.h"
#include "formats/safetensors.h"
#include "formats/safetensors_writer.h"
#include "octavo/error.h"

namespace octavo {
namespace {

DType dtype_of_name(std::string_view name) {
  for (std::int64_t value = 1; value <= 16; ++value) {
    const auto dtype = dtype_from_onnx(value);
    if (dtype && dtype_name(*dtype) == name) return *dtype;
  }
  throw Error(ErrorCode::kInvalidArgument,
              {.message = "unknown element type", .found = std::string(name)});
}

DType dtype_of(EmbeddingType type) {
  switch (type) {
    case EmbeddingType::kFloat32: return DType::kFloat32;
    case EmbeddingType::kInt8:
    case EmbeddingType::kBinary: return DType::kInt8;
    case EmbeddingType::kUint8:
    case EmbeddingType::kUbinary: return DType::kUint8;
  }
  return DType::kFloat32;
}

// Elements of a converted row.
std::size_t row_elements(std::size_t dims, EmbeddingType type) {
  const bool bits = type == EmbeddingType::kBinary || type == EmbeddingType::kUbinary;
  return bits ? (dims + 7) / 8 : dims;
}

// Takes converted rows; begin() before the first, finish() after the last.
class Sink {
 public:
  Sink(std::ostream& out, DType dtype, std::size_t elements)
      : out_(out), dtype_(dtype), elements_(elements) {}
  virtual ~Sink() = default;
  virtual void begin() {}
  virtual void add(std::span<const std::byte> bytes, const std::vector<RowId>& ids) {
    out_.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    rows_ += bytes.size() / (elements_ * dtype_size(dtype_));
    (void)ids;
  }
  virtual void finish() {}

 protected:
  std::ostream& out_;
  DType dtype_;
  std::size_t elements_, rows_ = 0;
};

// NPY 1.0 (numpy.lib.format), the header padded so that the row count can be filled in at the end.
class NpySink : public Sink {
 public:
  using Sink::Sink;
  void begin() override { write_header(); }
  void finish() override {
    out_.seekp(0);
    write_header();
  }

 private:
  void write_header() {
    const char* descr = dtype_ == DType::kFloat32 ? "<f4" : dtype_ == DType::kInt8 ? "|i1" : "|u1";
    std::string header = "{'descr': '" + std::string(descr) +
                         "', 'fortran_order': False, 'shape': (" + std::to_string(rows_) + ", " +
                         std::to_string(elements_) + "), }";
    header.resize(117, ' ');
    header += '\n';
    out_.write("\x93NUMPY\x01\x00\x76\x00", 10);  // 0x76: the 118 bytes that follow
    out_ << header;
  }
};

class SafetensorsSink : public Sink {
 public:
  using Sink::Sink;
  void begin() override { write_header(); }
  void finish() override {
    out_.seekp(0);
    write_header();
  }

 private:
  void write_header() {
    constexpr std::size_t size = 248;
    const std::size_t bytes = rows_ * elements_ * dtype_size(dtype_);
    std::string header = R"({"embeddings":{"dtype":")" +
                         std::string(formats::safetensors_dtype_name(dtype_)) + R"(","shape":[)" +
                         std::to_string(rows_) + "," + std::to_string(elements_) +
                         R"(],"data_offsets":[0,)" + std::to_string(bytes) + "]}}";
    header.resize(size, ' ');
    std::array<char, 8> length{};
    length[0] = static_cast<char>(static_cast<unsigned char>(size));
    out_.write(length.data(), length.size());
    out_ << header;
  }
};

class JsonlSink : public Sink {
 public:
  using Sink::Sink;
  void add(std::span<const std::byte> bytes, const std::vector<RowId>& ids) override {
    const std::size_t stride = elements_ * dtype_size(dtype_);
    for (std::size_t row = 0; row * stride < bytes.size(); ++row) {
      line_.assign("{");
      if (row < ids.size() && !ids[row].key.empty())
        line_ += "\"" + ids[row].key + "\":" + ids[row].json + ",";
      line_ += "\"embedding\":[";
      for (std::size_t i = 0; i < elements_; ++i) {
        if (i > 0) line_ += ',';
        append(bytes.data() + row * stride + i * dtype_size(dtype_));
      }
      line_ += "]}\n";
      out_ << line_;
    }
    out_.flush();
  }

 private:
  void append(const std::byte* at) {
    std::array<char, 32> text;
    char* end = text.data();
    if (dtype_ == DType::kFloat32) {
      float value;
      std::memcpy(&value, at, sizeof value);
      end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
    } else {
      const auto byte = static_cast<std::uint8_t>(*at);
      const int value = dtype_ == DType::kInt8 ? static_cast<std::int8_t>(byte) : byte;
      end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
    }
    line_.append(text.data(), end);
  }

  std::string line_;
};

// Rows put aside until the range of every dimension is known.
class Spill {
 public:
  explicit Spill(std::size_t dims) : dims_(dims), file_(std::tmpfile(), &std::fclose) {
    if (!file_) fail();
  }

  void add(const EmbeddingChunk& chunk) {
    const std::size_t rows = chunk.rows.size() / dims_;
    if (range_.empty() && rows > 0) {
      range_.assign(chunk.rows.begin(), chunk.rows.begin() + static_cast<std::ptrdiff_t>(dims_));
      range_.insert(range_.end(), range_.begin(),
                    range_.begin() + static_cast<std::ptrdiff_t>(dims_));
    }
    for (std::size_t i = 0; i < rows * dims_; ++i) {
      float& low = range_[i % dims_];
      float& high = range_[dims_ + i % dims_];
      low = std::min(low, chunk.rows[i]);
      high = std::max(high, chunk.rows[i]);
    }
    if (std::fwrite(chunk.rows.data(), sizeof(float), rows * dims_, file_.get()) != rows * dims_)
      fail();
    for (std::size_t i = 0; i < rows; ++i)
      ids_.push_back(i < chunk.ids.size() ? chunk.ids[i] : RowId{});
  }

  /// Two rows, the lowest and the highest value of every dimension: they calibrate as all rows do.
  const std::vector<float>& range() const { return range_; }

  void rewind() {
    if (std::fseek(file_.get(), 0, SEEK_SET) != 0) fail();
  }

  bool next(EmbeddingChunk& chunk) {
    constexpr std::size_t most = 4096;
    const std::size_t rows = std::min(most, ids_.size() - done_);
    if (rows == 0) return false;
    chunk.rows.resize(rows * dims_);
    if (std::fread(chunk.rows.data(), sizeof(float), rows * dims_, file_.get()) != rows * dims_)
      fail();
    const auto first = ids_.begin() + static_cast<std::ptrdiff_t>(done_);
    chunk.ids.assign(first, first + static_cast<std::ptrdiff_t>(rows));
    done_ += rows;
    return true;
  }

 private:
  [[noreturn]] static void fail() {
    throw Error(
        ErrorCode::kIo,
        ErrorInfo{.message = "cannot keep the embeddings in a temporary file",
                  .fix = "make space in the folder of temporary files, or use the type float32"});
  }

  std::size_t dims_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
  std::vector<RowId> ids_;
  std::vector<float> range_;
  std::size_t done_ = 0;
};

void write_chunks(Sink& sink, std::size_t dims, EmbeddingType type, const NextEmbeddings& next) {
  sink.begin();
  EmbeddingChunk chunk;
  if (type == EmbeddingType::kInt8 || type == EmbeddingType::kUint8) {
    Spill spill(dims);
    while (next(chunk)) spill.add(chunk);
    spill.rewind();
    while (spill.next(chunk))
      sink.add(convert_embeddings(chunk.rows, dims, type, spill.range()), chunk.ids);
  } else if (type == EmbeddingType::kFloat32) {
    while (next(chunk)) sink.add(std::as_bytes(std::span(chunk.rows)), chunk.ids);
  } else {
    while (next(chunk)) sink.add(convert_embeddings(chunk.rows, dims, type), chunk.ids);
  }
  sink.finish();
}

}  // namespace

std::vector<NamedTensor> read_tensors(const std::string& path) {
  const auto file = formats::SafetensorsFile::open(path);
  std::vector<NamedTensor> out;
  for (const formats::TensorInfo& info : file.tensors()) {
    const Tensor tensor = file.read(info.name);
    out.push_back({.name = info.name,
                   .dtype = std::string(dtype_name(tensor.dtype())),
                   .shape = tensor.shape(),
                   .data = {tensor.bytes(), tensor.bytes() + tensor.byte_size()}});
  }
  return out;
}

void write_tensors(const std::string& path, const std::vector<NamedTensor>& tensors) {
  std::vector<formats::NamedTensor> out;
  for (const NamedTensor& from : tensors) {
    Tensor tensor(dtype_of_name(from.dtype), from.shape);
    if (tensor.byte_size() != from.data.size()) {
      throw Error(ErrorCode::kInvalidArgument,
                  {.message = "the data of a tensor do not fit its shape",
                   .place = "tensor '" + from.name + "'",
                   .expected = std::to_string(tensor.byte_size()) + " bytes",
                   .found = std::to_string(from.data.size()) + " bytes"});
    }
    if (!from.data.empty()) std::memcpy(tensor.mutable_bytes(), from.data.data(), from.data.size());
    out.push_back({from.name, std::move(tensor)});
  }
  formats::write_safetensors(path, out);
}

EmbeddingFormat embedding_format(std::string_view path) {
  if (path.ends_with(".jsonl")) return EmbeddingFormat::kJsonl;
  if (path.ends_with(".npy")) return EmbeddingFormat::kNpy;
  if (path.ends_with(".safetensors")) return EmbeddingFormat::kSafetensors;
  throw Error(ErrorCode::kInvalidArgument,
              {.message = "the name does not say what to write",
               .file = std::string(path),
               .expected = "a name that ends in .npy, .jsonl or .safetensors",
               .fix = "rename the output, or write JSONL to standard output"});
}

void write_embeddings(const std::string& path, std::size_t dims, EmbeddingType type,
                      const NextEmbeddings& next) {
  const EmbeddingFormat format = embedding_format(path);
  const DType dtype = dtype_of(type);
  const std::size_t elements = row_elements(dims, type);
  write_file_atomically(path, [&](std::ostream& out) {
    std::unique_ptr<Sink> sink;
    if (format == EmbeddingFormat::kNpy) sink = std::make_unique<NpySink>(out, dtype, elements);
    if (format == EmbeddingFormat::kJsonl) sink = std::make_unique<JsonlSink>(out, dtype, elements);
    if (format == EmbeddingFormat::kSafetensors)
      sink = std::make_unique<SafetensorsSink>(out, dtype, elements);
    write_chunks(*sink, dims, type, next);
  });
}

void write_embeddings_jsonl(std::ostream& out, std::size_t dims, EmbeddingType type,
                            const NextEmbeddings& next) {
  JsonlSink sink(out, dtype_of(type), row_elements(dims, type));
  write_chunks(sink, dims, type, next);
}

}  // namespace octavo
