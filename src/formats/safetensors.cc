#include "formats/safetensors.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <utility>

#include "base/byte_reader.h"
#include "base/file_mapping.h"
#include "base/json.h"
#include "base/memory_budget.h"

namespace octavo::formats {
namespace {

constexpr std::size_t kMaxHeader = 100'000'000;
constexpr std::size_t kMaxRank = 64;
constexpr std::string_view kFetchAgain = "the file is damaged or incomplete: fetch it again";

constexpr std::array<std::pair<std::string_view, DType>, 13> kDTypes = {{{"F64", DType::kFloat64},
                                                                         {"F32", DType::kFloat32},
                                                                         {"F16", DType::kFloat16},
                                                                         {"BF16", DType::kBFloat16},
                                                                         {"I64", DType::kInt64},
                                                                         {"I32", DType::kInt32},
                                                                         {"I16", DType::kInt16},
                                                                         {"I8", DType::kInt8},
                                                                         {"U64", DType::kUint64},
                                                                         {"U32", DType::kUint32},
                                                                         {"U16", DType::kUint16},
                                                                         {"U8", DType::kUint8},
                                                                         {"BOOL", DType::kBool}}};
// Of the format, but nothing octavo runs stores them.
constexpr std::array<std::string_view, 7> kOtherDTypes = {"F8_E4M3", "F8_E5M2", "F8_E8M0", "F4",
                                                          "F6_E2M3", "F6_E3M2", "C64"};

class HeaderReader {
 public:
  HeaderReader(const JsonDocument& document, std::size_t file_bytes, std::size_t data_bytes,
               std::string_view file)
      : document_(document),
        data_bytes_(data_bytes),
        file_(file),
        budget_(file_bytes, document.memory(), file) {}

  void read(SafetensorsHeader& out) {
    const JsonValue root = document_.root();
    if (!root.is_object()) root.fail("a safetensors header is not an object", "a JSON object");
    const auto metadata = root.find("__metadata__");
    const std::size_t count = root.size() - (metadata ? 1 : 0);
    // The struct, its place in the index by name, and two map nodes of whoever merges files.
    budget_.charge(count, sizeof(TensorInfo) + sizeof(std::uint32_t) + 2 * 96, "tensors");
    out.tensors.reserve(count);
    for (const auto [name, value] : root.members()) {
      if (name == "__metadata__") {
        read_metadata(value, out);
      } else {
        out.tensors.push_back(tensor(name, value));
      }
    }
    std::sort(out.tensors.begin(), out.tensors.end(), [](const TensorInfo& a, const TensorInfo& b) {
      return std::pair(a.begin, a.end) != std::pair(b.begin, b.end)
                 ? std::pair(a.begin, a.end) < std::pair(b.begin, b.end)
                 : a.name < b.name;
    });
    check_cover(out.tensors);
  }

 private:
  [[noreturn]] void fail(std::string_view name, std::string message, std::string expected,
                         std::string found) const {
    throw Error(ErrorCode::kInvalidFile,
                {.message = std::move(message),
                 .file = std::string(file_),
                 .place = "header, tensor '" + std::string(name.substr(0, 200)) + "'",
                 .expected = std::move(expected),
                 .found = std::move(found),
                 .fix = std::string(kFetchAgain)});
  }

  void read_metadata(const JsonValue& value, SafetensorsHeader& out) {
    constexpr std::size_t kMapNode = 128;
    for (const auto [key, text] : value.members()) {
      budget_.charge(kMapNode, "__metadata__");
      budget_.charge_text(key.size(), "__metadata__");
      budget_.charge_text(text.as_string().size(), "__metadata__");
      out.metadata.emplace(key, text.as_string());
    }
  }

  DType dtype(std::string_view name, std::string_view text) const {
    for (const auto& [known, dtype] : kDTypes) {
      if (known == text) return dtype;
    }
    if (std::find(kOtherDTypes.begin(), kOtherDTypes.end(), text) != kOtherDTypes.end()) {
      throw Error(ErrorCode::kUnsupported,
                  {.message = "octavo does not read tensors of this element type",
                   .file = std::string(file_),
                   .place = "header, tensor '" + std::string(name.substr(0, 200)) + "'",
                   .expected = "F64, F32, F16, BF16, a signed or unsigned integer, or BOOL",
                   .found = std::string(text),
                   .fix = "use a checkpoint of the model in F32, F16 or BF16"});
    }
    fail(name, "the element type of a tensor is unknown",
         "F64, F32, F16, BF16, I8 to I64, U8 to U64 or BOOL",
         "'" + std::string(text.substr(0, 200)) + "'");
  }

  std::size_t count(std::string_view name, const JsonValue& value, const char* what) const {
    if (value.type() != JsonType::kInt || value.as_int() < 0) {
      fail(name, std::string("a value of ") + what + " is not possible", "an integer of 0 or more",
           value.is_number() ? std::to_string(value.as_double()) : std::string("no number"));
    }
    return static_cast<std::size_t>(value.as_int());
  }

  TensorInfo tensor(std::string_view name, const JsonValue& value) {
    if (!value.is_object())
      fail(name, "a tensor is not an object", "dtype, shape and data_offsets", "another value");
    budget_.charge_text(name.size(), "tensors");
    TensorInfo out;
    out.name = name;
    out.dtype = dtype(name, value.at("dtype").as_string());
    const JsonValue shape = value.at("shape");
    if (!shape.is_array())
      fail(name, "the shape of a tensor is not an array", "an array of integers", "another value");
    if (shape.size() > kMaxRank) {
      fail(name, "a tensor has too many dimensions", "at most " + std::to_string(kMaxRank),
           std::to_string(shape.size()));
    }
    budget_.charge(shape.size(), sizeof(std::int64_t), "tensors");
    out.shape.reserve(shape.size());
    for (const JsonValue dim : shape.elements())
      out.shape.push_back(static_cast<std::int64_t>(count(name, dim, "shape")));
    const JsonValue offsets = value.at("data_offsets");
    if (!offsets.is_array() || offsets.size() != 2) {
      fail(name, "data_offsets are broken", "an array of two integers",
           std::to_string(offsets.size()) + " values");
    }
    auto it = offsets.elements().begin();
    out.begin = count(name, *it, "data_offsets");
    out.end = count(name, *++it, "data_offsets");
    if (out.end < out.begin || out.end > data_bytes_) {
      fail(name, "data_offsets reach outside the data",
           "0 <= begin <= end <= " + std::to_string(data_bytes_),
           "[" + std::to_string(out.begin) + ", " + std::to_string(out.end) + "]");
    }
    const auto elements = checked_elements(out.shape);
    const auto bytes = elements ? checked_mul(*elements, dtype_size(out.dtype)) : std::nullopt;
    if (!bytes || *bytes != out.end - out.begin) {
      fail(
          name, "the shape of a tensor does not match the length of its data",
          (bytes ? std::to_string(*bytes) + " bytes" : std::string("a size that fits in 64 bits")) +
              " for " + std::string(safetensors_dtype_name(out.dtype)) + " " +
              shape_to_string(out.shape),
          std::to_string(out.end - out.begin) + " bytes");
    }
    return out;
  }

  void check_cover(const std::vector<TensorInfo>& tensors) const {
    std::size_t at = 0;
    for (const TensorInfo& t : tensors) {
      if (t.begin != at) {
        fail(t.name,
             t.begin < at ? "the data of two tensors overlap"
                          : "there is a hole in the data before a tensor",
             "data_offsets that begin at " + std::to_string(at), std::to_string(t.begin));
      }
      at = t.end;
    }
    if (at != data_bytes_) {
      throw Error(ErrorCode::kInvalidFile, {.message = "the tensors do not cover the file",
                                            .file = std::string(file_),
                                            .place = "data, byte " + std::to_string(at),
                                            .expected = "data of " + std::to_string(at) + " bytes",
                                            .found = std::to_string(data_bytes_) + " bytes",
                                            .fix = std::string(kFetchAgain)});
    }
  }

  const JsonDocument& document_;
  std::size_t data_bytes_;
  std::string_view file_;
  MemoryBudget budget_;
};

// The length field, checked against the format's limit and the file.
std::size_t header_length(ByteReader& reader, std::size_t file_bytes) {
  const std::uint64_t length = reader.u64_le("header length");
  if (length > kMaxHeader) {
    reader.fail("header length", "the header is too large", "at most 100000000 bytes",
                std::to_string(length) + " bytes");
  }
  if (length > file_bytes - sizeof length) {
    reader.fail("header length", "the header reaches past the end of the file",
                "at most " + std::to_string(file_bytes - sizeof length) + " bytes",
                std::to_string(length) + " bytes");
  }
  return static_cast<std::size_t>(length);
}

JsonDocument header_document(std::string_view text, std::string_view file) {
  if (!text.starts_with('{')) {
    throw Error(
        ErrorCode::kInvalidFile,
        {.message = "this is not a safetensors file: its header does not start with '{'",
         .file = std::string(file),
         .place = "header, byte 8",
         .expected = "'{'",
         .found = text.empty() ? std::string("an empty header")
                               : "byte " + std::to_string(static_cast<unsigned char>(text[0])),
         .fix = "check that the file is a safetensors file, or fetch it again"});
  }
  return with_frame([] { return std::string("reading the safetensors header"); },
                    [&] { return JsonDocument::parse(text, std::string(file)); });
}

SafetensorsHeader read_header(const JsonDocument& document, std::size_t data_start,
                              std::size_t file_bytes, std::string_view file) {
  SafetensorsHeader out;
  out.data_start = data_start;
  HeaderReader(document, file_bytes, file_bytes - data_start, file).read(out);
  return out;
}

}  // namespace

std::string_view safetensors_dtype_name(DType dtype) {
  for (const auto& [name, known] : kDTypes) {
    if (known == dtype) return name;
  }
  return "?";
}

SafetensorsHeader parse_safetensors(std::span<const std::byte> beginning, std::size_t file_bytes,
                                    std::string_view file) {
  ByteReader reader(beginning, file);
  const std::size_t length = header_length(reader, file_bytes);
  return read_header(header_document(reader.text(length, "header"), file), reader.offset(),
                     file_bytes, file);
}

SafetensorsFile SafetensorsFile::open(const std::string& path) {
  return open(open_file(path), path);
}

SafetensorsFile SafetensorsFile::open(FileDescriptor file, const std::string& path) {
  const std::size_t size = file_size(file, path);
  const auto prefix = read_range(file, path, 0, std::min<std::size_t>(size, 8));
  ByteReader reader(prefix->bytes(), path);
  const std::size_t length = header_length(reader, size);
  // The text goes before the structs are made: only one of them counts beside the parsed values.
  const JsonDocument document = [&] {
    const auto text = read_range(file, path, 8, length);
    return header_document({reinterpret_cast<const char*>(text->data()), text->size()}, path);
  }();
  return {std::move(file), path, read_header(document, 8 + length, size, path)};
}

SafetensorsFile::SafetensorsFile(FileDescriptor file, std::string path, SafetensorsHeader header)
    : file_(std::move(file)),
      path_(std::move(path)),
      header_(std::move(header)),
      by_name_(header_.tensors.size()) {
  std::iota(by_name_.begin(), by_name_.end(), 0u);
  std::sort(by_name_.begin(), by_name_.end(),
            [&](auto a, auto b) { return header_.tensors[a].name < header_.tensors[b].name; });
}

void SafetensorsFile::map() { mapped_ = map_file(file_, path_); }

const TensorInfo* SafetensorsFile::find(std::string_view name) const {
  const auto it =
      std::lower_bound(by_name_.begin(), by_name_.end(), name,
                       [&](auto i, std::string_view n) { return header_.tensors[i].name < n; });
  if (it == by_name_.end() || header_.tensors[*it].name != name) return nullptr;
  return &header_.tensors[*it];
}

Tensor SafetensorsFile::read(std::string_view name) const {
  const TensorInfo* const info = find(name);
  if (info == nullptr) {
    throw Error(ErrorCode::kNotFound, {.message = "the file has no tensor of this name",
                                       .file = path_,
                                       .place = "tensor '" + std::string(name) + "'",
                                       .fix = "check that the weights belong to this model"});
  }
  return with_frame(
      [&] { return "reading tensor '" + std::string(name) + "'"; },
      [&] {
        // A view cannot turn bytes into bools, and a file that is shorter by now is for
        // read_range().
        if (mapped_ != nullptr && info->dtype != DType::kBool &&
            header_.data_start + info->end <= mapped_->size()) {
          return Tensor(info->dtype, info->shape, mapped_, header_.data_start + info->begin);
        }
        auto bytes =
            read_range(file_, path_, header_.data_start + info->begin, info->end - info->begin);
        if (info->dtype == DType::kBool) {  // any byte but 0 counts as true; C++ knows 0 and 1 only
          for (std::byte& b : bytes->bytes()) b = static_cast<std::byte>(b != std::byte{0});
        }
        return Tensor(info->dtype, info->shape, std::move(bytes), 0);
      });
}

}  // namespace octavo::formats
