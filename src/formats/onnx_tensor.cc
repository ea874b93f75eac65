#include "formats/onnx_tensor.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <limits>

#include "base/checked.h"
#include "base/file.h"
#include "base/utf8.h"
#include "formats/onnx_stored.h"

namespace octavo::formats {
namespace {

// Field numbers of TensorProto.
enum : std::uint32_t {
  kDims = 1,
  kDataType = 2,
  kSegment = 3,
  kFloatData = 4,
  kInt32Data = 5,
  kStringData = 6,
  kInt64Data = 7,
  kName = 8,
  kRawData = 9,
  kDoubleData = 10,
  kUint64Data = 11,
  kExternalData = 13,
  kDataLocation = 14,
};

// What a Tensor costs beside its elements: buffer header and padding, control block.
constexpr std::size_t kTensorOverhead = 192;
constexpr std::size_t kMaxRank = 64;

constexpr std::array<const char*, 29> kTypeNames = {
    "undefined",      "float32",    "uint8",          "int8",       "uint16",    "int16",
    "int32",          "int64",      "string",         "bool",       "float16",   "float64",
    "uint32",         "uint64",     "complex64",      "complex128", "bfloat16",  "float8e4m3fn",
    "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4",      "int4",      "float4e2m1",
    "float8e8m0",     "uint2",      "int2",           "float6e2m3", "float6e3m2"};

std::uint32_t list_field(DType dtype) {
  switch (dtype) {
    case DType::kFloat32: return kFloatData;
    case DType::kFloat64: return kDoubleData;
    case DType::kInt64: return kInt64Data;
    case DType::kUint32:
    case DType::kUint64: return kUint64Data;
    default: return kInt32Data;
  }
}

const char* list_name(std::uint32_t field) {
  switch (field) {
    case kFloatData: return "float_data";
    case kInt32Data: return "int32_data";
    case kInt64Data: return "int64_data";
    case kDoubleData: return "double_data";
    case kUint64Data: return "uint64_data";
    default: return "string_data";
  }
}

void normalize_bools(std::byte* data, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) data[i] = static_cast<std::byte>(data[i] != std::byte{0});
}

}  // namespace

struct OnnxTensorReader::Proto {
  std::string name;
  std::int64_t data_type = 0;
  DType dtype = DType::kFloat32;
  Shape shape;
  std::size_t elements = 0, byte_size = 0;  // bytes in the file
  bool four_bits = false;
  std::optional<WireField> raw;
  std::array<std::size_t, 32> counts{};
  bool external = false;

  std::string place() const { return "tensor '" + name.substr(0, 200) + "'"; }
  [[noreturn]] void fail(const WireMessage& message, std::string what, std::string expected,
                         std::string found) const {
    throw Error(ErrorCode::kInvalidFile,
                {.message = std::move(what),
                 .file = std::string(message.file()),
                 .place = place() + ", byte " + std::to_string(message.offset()),
                 .expected = std::move(expected),
                 .found = std::move(found),
                 .fix = "the file is damaged or incomplete: fetch it again"});
  }
};

OnnxTensor OnnxTensorReader::read(const WireMessage& message) {
  Proto proto;
  proto.counts = message.counts();
  message.for_each([&](const WireField& field) {
    switch (field.number) {
      case kDataType: proto.data_type = static_cast<std::int32_t>(message.varint(field)); break;
      case kName: {
        const auto raw = message.bytes(field);
        const std::string_view text(reinterpret_cast<const char*>(raw.data()), raw.size());
        if (!is_utf8(text)) message.fail("a name is not UTF-8");
        budget_.charge_text(raw.size(), "tensor name");
        proto.name = text;
        break;
      }
      case kRawData:
        message.bytes(field);
        proto.raw = field;
        break;
      case kDataLocation: proto.external = message.varint(field) == 1; break;
      case kSegment:
        message.fail("a tensor in segments cannot be read", "a whole tensor", "field 'segment'");
      default: break;
    }
  });
  proto.four_bits = proto.data_type == kUint4 || proto.data_type == kInt4;
  const auto dtype = proto.data_type == kUint4  ? DType::kUint8
                     : proto.data_type == kInt4 ? DType::kInt8
                                                : dtype_from_onnx(proto.data_type);
  if (!dtype) {
    const bool known =
        proto.data_type > 0 && proto.data_type < static_cast<std::int64_t>(kTypeNames.size());
    if (!known) {
      proto.fail(message, "a tensor has no known element type", "a TensorProto.DataType",
                 std::to_string(proto.data_type));
    }
    throw Error(
        ErrorCode::kUnsupported,
        {.message = "octavo does not read tensors of this element type",
         .file = std::string(message.file()),
         .place = proto.place(),
         .expected = "float16, bfloat16, float32, float64, bool or an integer of 4 to 64 bits",
         .found = kTypeNames[static_cast<std::size_t>(proto.data_type)],
         .fix = "export the model with one of the expected types"});
  }
  proto.dtype = *dtype;
  proto.shape = message.numbers<std::int64_t>(kDims, WireType::kVarint, budget_);
  if (proto.shape.size() > kMaxRank) {
    proto.fail(message, "a tensor has too many dimensions", "at most " + std::to_string(kMaxRank),
               std::to_string(proto.shape.size()));
  }
  const auto elements = checked_elements(proto.shape);
  const auto size = elements ? checked_mul(*elements, dtype_size(*dtype)) : std::nullopt;
  if (!size) {
    proto.fail(message, "a tensor shape is not possible",
               "dimensions of 0 or more whose product fits in 64 bits",
               shape_to_string(proto.shape));
  }
  proto.elements = *elements;
  proto.byte_size = proto.four_bits ? *size / 2 + *size % 2 : *size;
  budget_.charge(kTensorOverhead + proto.shape.size() * sizeof(std::int64_t), "tensor");
  Tensor tensor = proto.external ? from_file(message, proto)
                  : proto.raw    ? from_raw(message, proto)
                                 : from_list(message, proto);
  return {std::move(proto.name), std::move(tensor), proto.four_bits};
}

// Two elements a byte, the first in the lower half.
Tensor OnnxTensorReader::unpack(const Proto& proto, const Buffer& file, const std::byte* packed) {
  if (unpacked_.insert(&file).second) budget_.allow_unpacking(file.size());
  budget_.charge(proto.elements, "tensor data");
  Tensor out(proto.dtype, proto.shape);
  const unsigned sign = proto.dtype == DType::kInt8 ? 8 : 0;
  for (std::size_t i = 0; i < proto.elements; ++i) {
    const unsigned half = std::to_integer<unsigned>(packed[i / 2]) >> i % 2 * 4 & 15u;
    out.mutable_bytes()[i] = static_cast<std::byte>((half ^ sign) - sign);
  }
  return out;
}

Tensor OnnxTensorReader::view(const Proto& proto, const std::shared_ptr<const Buffer>& storage,
                              std::size_t offset) {
  if (proto.four_bits) return unpack(proto, *storage, storage->data() + offset);
  if (proto.dtype == DType::kBool) {  // any byte but 0 counts as true; C++ knows 0 and 1 only
    budget_.charge(proto.byte_size, "tensor data");
    Tensor out(proto.dtype, proto.shape);
    if (proto.byte_size != 0)
      std::memcpy(out.mutable_bytes(), storage->data() + offset, proto.byte_size);
    normalize_bools(out.mutable_bytes(), proto.byte_size);
    return out;
  }
  if (offset % dtype_size(proto.dtype) != 0) {
    budget_.charge(proto.byte_size, "tensor data");  // Tensor makes a copy
    if (store_ != nullptr && offset <= storage->size() &&
        proto.byte_size <= storage->size() - offset) {
      Tensor out =
          store_->keep(proto.dtype, proto.shape, storage->bytes().subspan(offset, proto.byte_size));
      storage->release(offset, proto.byte_size);
      return out;
    }
  }
  return {proto.dtype, proto.shape, storage, offset};
}

Tensor OnnxTensorReader::from_raw(const WireMessage& message, const Proto& proto) {
  for (const std::uint32_t field :
       {kFloatData, kInt32Data, kStringData, kInt64Data, kDoubleData, kUint64Data}) {
    if (proto.counts[field] != 0) {
      proto.fail(message, "a tensor holds its data twice", "raw_data alone",
                 std::string("raw_data and ") + list_name(field));
    }
  }
  if (proto.raw->bytes.size() != proto.byte_size) {
    proto.fail(message, "raw_data does not match the shape of its tensor",
               std::to_string(proto.byte_size) + " bytes for " +
                   std::string(dtype_name(proto.dtype)) + " " + shape_to_string(proto.shape),
               std::to_string(proto.raw->bytes.size()) + " bytes");
  }
  return view(proto, source_, static_cast<std::size_t>(proto.raw->bytes.data() - source_->data()));
}

Tensor OnnxTensorReader::from_list(const WireMessage& message, const Proto& proto) {
  const std::uint32_t wanted = list_field(proto.dtype);
  for (const std::uint32_t field :
       {kFloatData, kInt32Data, kStringData, kInt64Data, kDoubleData, kUint64Data}) {
    if (field != wanted && proto.counts[field] != 0) {
      proto.fail(message, "a tensor keeps its data in the wrong field",
                 std::string(list_name(wanted)) + " or raw_data for " +
                     std::string(dtype_name(proto.dtype)),
                 list_name(field));
    }
  }
  const WireType element = wanted == kFloatData    ? WireType::kFixed32
                           : wanted == kDoubleData ? WireType::kFixed64
                                                   : WireType::kVarint;
  std::size_t count = 0;
  message.for_each_number(wanted, element, [&](std::uint64_t) { ++count; });
  const std::size_t expected = proto.four_bits ? proto.byte_size : proto.elements;
  if (count != expected) {
    proto.fail(message, std::string(list_name(wanted)) + " does not match the shape of its tensor",
               std::to_string(expected) + " values for " + shape_to_string(proto.shape),
               std::to_string(count) + " values");
  }
  budget_.charge(proto.byte_size, "tensor data");
  Tensor out = proto.four_bits ? Tensor(DType::kUint8, {static_cast<std::int64_t>(proto.byte_size)})
                               : Tensor(proto.dtype, proto.shape);
  std::byte* at = out.mutable_bytes();
  const auto fill = [&]<typename T>(T) {
    message.for_each_number(wanted, element, [&](std::uint64_t bits) {
      if constexpr (sizeof(T) <
                    8) {  // int32_data is sign-extended; float_data and uint32 arrive as they are
        const std::int64_t value = wanted == kInt32Data ? static_cast<std::int32_t>(bits)
                                                        : static_cast<std::int64_t>(bits);
        if (value < std::int64_t{std::numeric_limits<T>::min()} ||
            value > std::int64_t{std::numeric_limits<T>::max()}) {
          proto.fail(message, "a value does not fit the element type of its tensor",
                     std::string(dtype_name(proto.dtype)), std::to_string(value));
        }
      }
      const T stored = static_cast<T>(bits);
      std::memcpy(at, &stored, sizeof stored);
      at += sizeof stored;
    });
  };
  switch (out.dtype()) {
    case DType::kFloat32:
    case DType::kUint32: fill(std::uint32_t{}); break;
    case DType::kFloat64:
    case DType::kInt64:
    case DType::kUint64: fill(std::uint64_t{}); break;
    case DType::kInt32: fill(std::int32_t{}); break;
    case DType::kInt16: fill(std::int16_t{}); break;
    case DType::kInt8: fill(std::int8_t{}); break;
    case DType::kFloat16:
    case DType::kBFloat16:
    case DType::kUint16: fill(std::uint16_t{}); break;
    case DType::kUint8:
    case DType::kBool: fill(std::uint8_t{}); break;
  }
  if (proto.four_bits) return unpack(proto, *source_, out.bytes());
  if (proto.dtype == DType::kBool) normalize_bools(out.mutable_bytes(), out.byte_size());
  return out;
}

Tensor OnnxTensorReader::from_file(const WireMessage& message, const Proto& proto) {
  std::string location;
  std::size_t offset = 0;
  std::optional<std::size_t> length;
  const auto text = [&](const WireMessage& entry, const WireField& field) {
    const auto raw = entry.bytes(field);
    return std::string_view(reinterpret_cast<const char*>(raw.data()), raw.size());
  };
  const auto number = [&](std::string_view key, std::string_view value) {
    std::size_t out = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), out);
    if (error != std::errc() || end != value.data() + value.size()) {
      proto.fail(message, "external_data is broken: " + std::string(key) + " is no count of bytes",
                 "an integer of 0 or more", "'" + std::string(value.substr(0, 100)) + "'");
    }
    return out;
  };
  message.for_each([&](const WireField& field) {
    if (field.number != kExternalData) return;
    const WireMessage entry(message, field, "StringStringEntryProto");
    std::string_view key, value;
    entry.for_each([&](const WireField& part) {
      if (part.number == 1) key = text(entry, part);
      if (part.number == 2) value = text(entry, part);
    });
    if (key == "location") {
      if (value.size() > 4096)
        proto.fail(message, "the location of external data is too long", "a file name",
                   "more than 4096 bytes");
      location = value;
    } else if (key == "offset") {
      offset = number(key, value);
    } else if (key == "length") {
      length = number(key, value);
    } else if (key != "checksum") {
      proto.fail(message, "external_data has an unknown key",
                 "location, offset, length or checksum",
                 "'" + std::string(key.substr(0, 100)) + "'");
    }
  });
  if (proto.raw || proto.counts[list_field(proto.dtype)] != 0) {
    proto.fail(message, "a tensor holds its data twice", "external data alone",
               "external data and data in the model file");
  }
  if (location.empty())
    proto.fail(message, "external data has no location", "a file beside the model", "nothing");
  if (!directory_) {
    proto.fail(message, "external data cannot be read here", "data in the model file",
               "a location: '" + location + "'");
  }
  return with_frame(
      [&] { return "reading the external data of " + proto.place(); },
      [&] {
        const auto& file = external_file(location, message.file());
        if (length && *length != proto.byte_size) {
          proto.fail(message, "the length of external data does not match the shape of its tensor",
                     std::to_string(proto.byte_size) + " bytes for " +
                         std::string(dtype_name(proto.dtype)) + " " + shape_to_string(proto.shape),
                     std::to_string(*length) + " bytes");
        }
        if (offset > file->size() || proto.byte_size > file->size() - offset) {
          proto.fail(message, "external data reaches past the end of its file '" + location + "'",
                     std::to_string(proto.byte_size) + " bytes from byte " + std::to_string(offset),
                     "a file of " + std::to_string(file->size()) + " bytes");
        }
        return view(proto, file, offset);
      });
}

std::vector<std::string> OnnxTensorReader::external_files() const {
  std::vector<std::string> out;
  for (const auto& [name, file] : files_)
    out.push_back((std::filesystem::path(*directory_) / name).string());
  return out;
}

const std::shared_ptr<const Buffer>& OnnxTensorReader::external_file(const std::string& location,
                                                                     std::string_view model) {
  // Without links there is one normal spelling of each file, so that no file is held twice.
  const std::string key = std::filesystem::path(location).lexically_normal().string();
  const auto found = files_.find(key);
  if (found != files_.end()) return found->second;
  try {
    const FileDescriptor file = open_file_beneath(*directory_, location);
    const std::string path = (std::filesystem::path(*directory_) / key).string();
    const std::size_t size = file_size(file, path);
    budget_.add_file(size);
    auto bytes =
        external_ == FileAccess::kMap ? map_file(file, path) : read_range(file, path, 0, size);
    return files_.emplace(key, std::move(bytes)).first->second;
  } catch (Error& error) {
    error.set_file(model);
    throw;
  }
}

}  // namespace octavo::formats
