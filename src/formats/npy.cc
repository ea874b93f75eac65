#include "formats/npy.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <utility>

#include "base/byte_reader.h"
#include "base/checked.h"
#include "base/file.h"

namespace octavo::formats {
namespace {

constexpr std::size_t kHeaderBytes =
    128;  // room for any row count in the header that is written first
constexpr std::string_view kMagic("\x93NUMPY", 6);

constexpr std::array<std::pair<DType, std::string_view>, 12> kDescriptions = {
    {{DType::kFloat32, "<f4"},
     {DType::kFloat64, "<f8"},
     {DType::kFloat16, "<f2"},
     {DType::kInt8, "|i1"},
     {DType::kUint8, "|u1"},
     {DType::kBool, "|b1"},
     {DType::kInt16, "<i2"},
     {DType::kUint16, "<u2"},
     {DType::kInt32, "<i4"},
     {DType::kUint32, "<u4"},
     {DType::kInt64, "<i8"},
     {DType::kUint64, "<u8"}}};

std::string_view description(DType dtype) {
  for (const auto& [known, text] : kDescriptions) {
    if (known == dtype) return text;
  }
  throw Error(ErrorCode::kUnsupported, {.message = "NumPy files cannot hold this element type",
                                        .found = std::string(dtype_name(dtype)),
                                        .fix = "write float32, or a safetensors file"});
}

std::string preamble(DType dtype, const Shape& shape, std::size_t total) {
  std::string tuple = "(";
  for (const std::int64_t dim : shape) tuple += std::to_string(dim) + ", ";
  if (shape.size() > 1) tuple.resize(tuple.size() - 2);
  if (shape.size() == 1) tuple.pop_back();
  std::string text = "{'descr': '" + std::string(description(dtype)) +
                     "', 'fortran_order': False, 'shape': " + tuple + "), }";
  if (total == 0) total = (text.size() + 11 + 63) / 64 * 64;
  text.resize(total - 11, ' ');
  text += '\n';
  std::string out(kMagic);
  out +=
      {'\x01', '\x00', static_cast<char>(text.size() & 0xff), static_cast<char>(text.size() >> 8)};
  return out + text;
}

// The little of Python's literals that a header uses.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, std::string_view file) : text_(text), file_(file) {}

  void parse() {
    expect('{');
    while (!accept('}')) {
      const std::string_view key = quoted();
      expect(':');
      if (key == "descr") {
        descr = quoted();
      } else if (key == "fortran_order") {
        fortran = word() == "True";
      } else if (key == "shape") {
        expect('(');
        while (!accept(')')) {
          shape.push_back(number());
          if (shape.size() > 64) fail("at most 64 dimensions");
          if (!accept(',')) {
            expect(')');
            break;
          }
        }
        has_shape = true;
      } else {
        fail("the keys descr, fortran_order and shape");
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    if (descr.empty() || !has_shape) fail("the keys descr, fortran_order and shape");
  }

  [[noreturn]] void fail(std::string expected) const {
    throw Error(ErrorCode::kInvalidFile, {.message = "the header of a .npy file is broken",
                                          .file = std::string(file_),
                                          .place = "header, character " + std::to_string(at_),
                                          .expected = std::move(expected),
                                          .fix = "write the array again with numpy.save"});
  }

  std::string_view descr;
  bool fortran = false, has_shape = false;
  Shape shape;

 private:
  void skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool accept(char c) {
    skip();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail("'" + std::string(1, c) + "'");
  }
  std::string_view quoted() {
    expect('\'');
    const std::size_t end = text_.find('\'', at_);
    if (end == std::string_view::npos) fail("a quoted string");
    const std::string_view out = text_.substr(at_, end - at_);
    at_ = end + 1;
    return out;
  }
  std::string_view word() {
    skip();
    const std::size_t start = at_;
    while (at_ < text_.size() && ((text_[at_] | 32) >= 'a' && (text_[at_] | 32) <= 'z')) ++at_;
    return text_.substr(start, at_ - start);
  }
  std::int64_t number() {
    skip();
    std::int64_t out = -1;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), out);
    if (error != std::errc() || out < 0) fail("a dimension of 0 or more");
    at_ = static_cast<std::size_t>(end - text_.data());
    return out;
  }

  std::string_view text_, file_;
  std::size_t at_ = 0;
};

std::size_t row_size(DType dtype, const Shape& shape) { return Tensor(dtype, shape).byte_size(); }

}  // namespace

NpyWriter::NpyWriter(std::string path, DType dtype, Shape row_shape)
    : path_(std::move(path)),
      temporary_(path_ + ".tmp-" + std::to_string(::getpid())),
      dtype_(dtype),
      row_shape_(std::move(row_shape)),
      row_bytes_(row_size(dtype, row_shape_)) {
  const std::string first = header();
  out_.open(temporary_, std::ios::binary | std::ios::trunc);
  out_.write(first.data(), static_cast<std::streamsize>(first.size()));
  if (!out_) fail_to_write();
}

NpyWriter::~NpyWriter() {
  if (!finished_) ::unlink(temporary_.c_str());
}

std::string NpyWriter::header() const {
  Shape shape = row_shape_;
  shape.insert(shape.begin(), static_cast<std::int64_t>(rows_));
  return preamble(dtype_, shape, row_shape_.size() <= 2 ? kHeaderBytes : 2048);
}

void NpyWriter::fail_to_write() {
  const int error = errno;
  ::unlink(temporary_.c_str());
  throw Error(ErrorCode::kIo,
              {.message = std::string("cannot write the file: ") + std::strerror(error),
               .file = path_,
               .fix = "check the permissions of the folder and the space on the disk"});
}

void NpyWriter::append(std::span<const std::byte> rows) {
  if (finished_ || row_bytes_ == 0 || rows.size() % row_bytes_ != 0) {
    throw Error(ErrorCode::kInvalidArgument,
                {.message = "these are no whole rows of the array",
                 .file = path_,
                 .expected = "a multiple of " + std::to_string(row_bytes_) + " bytes",
                 .found = std::to_string(rows.size()) + " bytes"});
  }
  out_.write(reinterpret_cast<const char*>(rows.data()), static_cast<std::streamsize>(rows.size()));
  if (!out_) fail_to_write();
  rows_ += rows.size() / row_bytes_;
}

void NpyWriter::finish() {
  const std::string last = header();
  out_.seekp(0);
  out_.write(last.data(), static_cast<std::streamsize>(last.size()));
  out_.close();
  if (!out_ || ::rename(temporary_.c_str(), path_.c_str()) != 0) fail_to_write();
  finished_ = true;
}

void write_npy(const std::string& path, const Tensor& tensor) {
  const std::string head = preamble(tensor.dtype(), tensor.shape(), 0);
  write_file_atomically(path, [&](std::ostream& out) {
    out << head;
    out.write(reinterpret_cast<const char*>(tensor.bytes()),
              static_cast<std::streamsize>(tensor.byte_size()));
  });
}

Tensor read_npy(const std::string& path) {
  const auto file = read_file(path);
  ByteReader reader(file->bytes(), path);
  if (reader.text(kMagic.size(), "magic") != kMagic)
    reader.fail("magic", "this is not a .npy file", "\\x93NUMPY");
  const std::uint8_t major = reader.u8("version");
  reader.u8("version");
  if (major < 1 || major > 3)
    reader.fail("version", "the version is unknown", "1, 2 or 3", std::to_string(major));
  std::size_t length = 0;
  if (major == 1) {
    length = reader.u8("header length");
    length |= std::size_t{reader.u8("header length")} << 8;
  } else {
    length = reader.u32_le("header length");
  }
  HeaderParser header(reader.text(length, "header"), path);
  header.parse();
  if (header.fortran) header.fail("a row-major array ('fortran_order': False)");
  for (const auto& [dtype, text] : kDescriptions) {
    if (text != header.descr &&
        !(text.substr(1) == header.descr.substr(1) && dtype_size(dtype) == 1))
      continue;
    const auto elements = checked_elements(header.shape);
    const auto bytes = elements ? checked_mul(*elements, dtype_size(dtype)) : std::nullopt;
    if (!bytes || *bytes != reader.remaining()) {
      reader.fail("data", "the data does not match the shape",
                  shape_to_string(header.shape) + " of " + std::string(text),
                  std::to_string(reader.remaining()) + " bytes");
    }
    return {dtype, header.shape, file, reader.offset()};
  }
  header.fail("an element type such as '<f4', '|i1' or '|u1'");
}

}  // namespace octavo::formats
