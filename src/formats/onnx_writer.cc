#include "formats/onnx_writer.h"

#include <bit>
#include <filesystem>
#include <map>
#include <ostream>
#include <sstream>
#include <string_view>

#include "base/file.h"
#include "formats/onnx_stored.h"
#include "octavo/error.h"

namespace octavo::formats {
namespace {

constexpr std::size_t kFileLimit = std::size_t{1} << 31;
constexpr std::size_t kExternalAtLeast = 1024, kExternalAlignment = 4096;

// Where the tensors of a data file lie in it.
struct ExternalData {
  std::string location;  // the file's name, as the model gives it
  std::map<const OnnxTensor*, std::size_t> offsets;
  std::size_t size = 0;
};

// Writes fields, or only counts their bytes: a message's length stands before it.
class Emitter {
 public:
  Emitter(std::ostream* out, const ExternalData* external) : out_(out), external_(external) {}

  std::size_t size() const { return size_; }

  void varint(std::uint64_t value) {
    char bytes[10];
    std::size_t n = 0;
    do {
      bytes[n++] = static_cast<char>((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
      value >>= 7;
    } while (value != 0);
    raw({bytes, n});
  }

  void integer(std::uint32_t field, std::int64_t value) {
    varint(std::uint64_t{field} << 3);
    varint(static_cast<std::uint64_t>(value));
  }
  void float32(std::uint32_t field, float value) {
    varint(std::uint64_t{field} << 3 | 5);
    fixed32(value);
  }
  void fixed32(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const char bytes[4] = {static_cast<char>(bits), static_cast<char>(bits >> 8),
                           static_cast<char>(bits >> 16), static_cast<char>(bits >> 24)};
    raw({bytes, 4});
  }
  void bytes(std::uint32_t field, std::string_view value) {
    varint(std::uint64_t{field} << 3 | 2);
    varint(value.size());
    raw(value);
  }
  // A singular string: left out when empty.
  void text(std::uint32_t field, const std::string& value) {
    if (!value.empty()) bytes(field, value);
  }
  void texts(std::uint32_t field, const std::vector<std::string>& values) {
    for (const std::string& value : values) bytes(field, value);
  }
  template <typename Body>
  void message(std::uint32_t field, Body&& body) {
    Emitter counter(nullptr, external_);
    body(counter);
    varint(std::uint64_t{field} << 3 | 2);
    varint(counter.size());
    body(*this);
  }
  template <typename T>
  void messages(std::uint32_t field, const std::vector<T>& values) {
    for (const T& value : values) message(field, [&](Emitter& out) { emit(out, value); });
  }

 private:
  static void emit(Emitter& out, const OnnxOpset& opset);
  static void emit(Emitter& out, const OnnxTensor& tensor);
  static void emit(Emitter& out, const OnnxValueInfo& info);
  static void emit(Emitter& out, const OnnxAttribute& attribute);
  static void emit(Emitter& out, const OnnxNode& node);
  static void emit(Emitter& out, const OnnxGraph& graph);
  static void emit(Emitter& out, const OnnxFunction& function);
  friend void emit_model(Emitter& out, const OnnxModel& model);

  void raw(std::string_view value) {
    size_ += value.size();
    if (out_ != nullptr) out_->write(value.data(), static_cast<std::streamsize>(value.size()));
  }

  // StringStringEntryProto.
  void entry(std::uint32_t field, std::string_view key, std::string_view value) {
    message(field, [&](Emitter& out) {
      out.bytes(1, key);
      out.bytes(2, value);
    });
  }

  std::ostream* out_;
  const ExternalData* external_;
  std::size_t size_ = 0;
};

void Emitter::emit(Emitter& out, const OnnxOpset& opset) {
  out.bytes(1, opset.domain);
  out.integer(2, opset.version);
}

void Emitter::emit(Emitter& out, const OnnxTensor& tensor) {
  for (const std::int64_t dim : tensor.tensor.shape()) out.integer(1, dim);
  out.integer(2, stored_type(tensor));
  out.text(8, tensor.name);
  if (out.external_ != nullptr) {
    if (const auto at = out.external_->offsets.find(&tensor); at != out.external_->offsets.end()) {
      out.entry(13, "location", out.external_->location);
      out.entry(13, "offset", std::to_string(at->second));
      out.entry(13, "length", std::to_string(stored_bytes(tensor)));
      out.integer(14, 1);
      return;
    }
  }
  if (out.out_ == nullptr)
    return out.bytes(9,
                     {reinterpret_cast<const char*>(tensor.tensor.bytes()), stored_bytes(tensor)});
  with_stored(tensor, [&](std::string_view bytes) { out.bytes(9, bytes); });
  tensor.tensor.release();
}

void Emitter::emit(Emitter& out, const OnnxValueInfo& info) {
  out.text(1, info.name);
  if (!info.is_tensor) return;
  out.message(2, [&](Emitter& type) {
    type.message(1, [&](Emitter& tensor) {
      tensor.integer(1, info.elem_type);
      if (!info.shape) return;
      tensor.message(2, [&](Emitter& shape) {
        for (const OnnxDimension& dim : *info.shape) {
          shape.message(1, [&](Emitter& d) {
            if (dim.value)
              d.integer(1, *dim.value);
            else
              d.text(2, dim.param);
          });
        }
      });
    });
  });
}

void Emitter::emit(Emitter& out, const OnnxAttribute& attribute) {
  out.text(1, attribute.name);
  out.text(21, attribute.ref_attr_name);
  out.integer(20, static_cast<std::int64_t>(attribute.type));
  if (!attribute.ref_attr_name.empty()) return;
  switch (attribute.type) {
    case OnnxAttributeType::kFloat: out.float32(2, attribute.f); break;
    case OnnxAttributeType::kInt: out.integer(3, attribute.i); break;
    case OnnxAttributeType::kString: out.bytes(4, attribute.s); break;
    case OnnxAttributeType::kTensor: out.messages(5, attribute.tensors); break;
    case OnnxAttributeType::kGraph: out.messages(6, attribute.graphs); break;
    case OnnxAttributeType::kFloats:
      for (const float value : attribute.floats) out.float32(7, value);
      break;
    case OnnxAttributeType::kInts:
      for (const std::int64_t value : attribute.ints) out.integer(8, value);
      break;
    case OnnxAttributeType::kStrings: out.texts(9, attribute.strings); break;
    case OnnxAttributeType::kTensors: out.messages(10, attribute.tensors); break;
    case OnnxAttributeType::kGraphs: out.messages(11, attribute.graphs); break;
  }
}

void Emitter::emit(Emitter& out, const OnnxNode& node) {
  out.texts(1, node.inputs);
  out.texts(2, node.outputs);
  out.text(3, node.name);
  out.text(4, node.op_type);
  out.messages(5, node.attributes);
  out.text(7, node.domain);
  out.text(8, node.overload);
}

void Emitter::emit(Emitter& out, const OnnxGraph& graph) {
  out.messages(1, graph.nodes);
  out.text(2, graph.name);
  out.messages(5, graph.initializers);
  out.messages(11, graph.inputs);
  out.messages(12, graph.outputs);
  out.messages(13, graph.value_info);
}

void Emitter::emit(Emitter& out, const OnnxFunction& function) {
  out.text(1, function.name);
  out.texts(4, function.inputs);
  out.texts(5, function.outputs);
  out.texts(6, function.attributes);
  out.messages(7, function.nodes);
  out.messages(9, function.opset_imports);
  out.text(10, function.domain);
  out.messages(11, function.attribute_defaults);
  out.messages(12, function.value_info);
  out.text(13, function.overload);
}

void emit_model(Emitter& out, const OnnxModel& model) {
  out.integer(1, model.ir_version);
  out.text(2, model.producer_name);
  out.text(3, model.producer_version);
  out.text(4, model.domain);
  if (model.model_version != 0) out.integer(5, model.model_version);
  out.message(7, [&](Emitter& graph) { Emitter::emit(graph, model.graph); });
  out.messages(8, model.opset_imports);
  for (const auto& [key, value] : model.metadata_props) out.entry(14, key, value);
  out.messages(25, model.functions);
}

std::size_t model_bytes(const OnnxModel& model, const ExternalData* external) {
  Emitter counter(nullptr, external);
  emit_model(counter, model);
  return counter.size();
}

std::size_t checked_model_bytes(const OnnxModel& model, const ExternalData* external) {
  const std::size_t size = model_bytes(model, external);
  if (size < kFileLimit) return size;
  throw Error(ErrorCode::kUnsupported,
              {.message = "the model is too large for one ONNX file",
               .expected = "less than 2 GiB, protobuf's limit",
               .found = std::to_string(size) + " bytes",
               .fix = "write it with external data, or quantize the model"});
}

ExternalData lay_out(const OnnxModel& model, std::string location) {
  ExternalData out{.location = std::move(location), .offsets = {}};
  for (const OnnxTensor& tensor : model.graph.initializers) {
    const std::size_t bytes = stored_bytes(tensor);
    if (bytes < kExternalAtLeast) continue;
    const std::size_t at =
        (out.size + kExternalAlignment - 1) / kExternalAlignment * kExternalAlignment;
    out.offsets.emplace(&tensor, at);
    out.size = at + bytes;
  }
  return out;
}

void write_data(const OnnxModel& model, const ExternalData& external, std::ostream& out) {
  std::size_t written = 0;
  for (const OnnxTensor& tensor : model.graph.initializers) {
    const auto at = external.offsets.find(&tensor);
    if (at == external.offsets.end()) continue;
    const std::string padding(at->second - written, '\0');
    out.write(padding.data(), static_cast<std::streamsize>(padding.size()));
    with_stored(tensor, [&](std::string_view bytes) {
      out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    });
    tensor.tensor.release();
    written = at->second + stored_bytes(tensor);
  }
}

}  // namespace

void write_onnx(const OnnxModel& model, std::ostream& out) {
  checked_model_bytes(model, nullptr);
  Emitter writer(&out, nullptr);
  emit_model(writer, model);
}

OnnxWritten write_onnx(const OnnxModel& model, const std::string& path,
                       const OnnxWriteOptions& options) {
  OnnxWritten written;
  if (!options.external_data && model_bytes(model, nullptr) < kFileLimit) {
    written.bytes = model_bytes(model, nullptr);
    write_file_atomically(path, [&](std::ostream& out) { write_onnx(model, out); });
    return written;
  }
  const std::string data_path = path + "_data";
  const ExternalData external =
      lay_out(model, std::filesystem::path(data_path).filename().string());
  written.bytes = checked_model_bytes(model, &external);
  written.data_bytes = external.size;
  if (!external.offsets.empty()) written.data_path = data_path;
  // The data takes its place while the model that names it still lies aside.
  write_file_atomically(path, [&](std::ostream& out) {
    Emitter writer(&out, &external);
    emit_model(writer, model);
    out.flush();
    if (!out || external.offsets.empty()) return;
    write_file_atomically(data_path,
                          [&](std::ostream& data) { write_data(model, external, data); });
  });
  return written;
}

std::string serialize_onnx(const OnnxModel& model) {
  std::ostringstream out;
  write_onnx(model, out);
  return std::move(out).str();
}

}  // namespace octavo::formats
