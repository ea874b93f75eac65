#include "formats/onnx_reader.h"

#include <filesystem>
#include <utility>

#include "base/file.h"
#include "base/memory_budget.h"
#include "base/utf8.h"
#include "formats/onnx_tensor.h"
#include "formats/protobuf_wire.h"

namespace octavo::formats {
namespace {

// Newer versions add fields, which are skipped, and element types: what nodes mean is for the opset
// to say.
constexpr std::int64_t kOldestIr = 3;
constexpr int kMaxGraphDepth = 32;
constexpr std::size_t kMapNode = 112;

class ModelReader {
 public:
  ModelReader(std::shared_ptr<const Buffer> source, std::optional<std::string> directory,
              FileAccess external, const TensorStore* store, MemoryBudget& budget)
      : budget_(budget),
        tensors_(std::move(source), std::move(directory), budget, external, store) {}

  OnnxModel model(const WireMessage& message);

 private:
  std::string text(const WireMessage& message, const WireField& field, bool utf8 = true) {
    const auto raw = message.bytes(field);
    const std::string_view view(reinterpret_cast<const char*>(raw.data()), raw.size());
    if (utf8 && !is_utf8(view))
      message.fail("a name is not UTF-8", "UTF-8", "field " + std::to_string(field.number));
    budget_.charge_text(view.size(), message.name());
    return std::string(view);
  }

  // Makes room for exactly as many elements as the message holds.
  template <typename T>
  void reserve(std::vector<T>& out, std::size_t count, const WireMessage& message) {
    budget_.charge(count, sizeof(T), message.name());
    out.reserve(count);
  }

  void metadata(const WireMessage& entry, std::map<std::string, std::string>& out) {
    std::string key, value;
    entry.for_each([&](const WireField& field) {
      if (field.number == 1) key = text(entry, field);
      if (field.number == 2) value = text(entry, field);
    });
    budget_.charge(kMapNode, "metadata_props");
    if (!out.emplace(std::move(key), std::move(value)).second)
      entry.fail("metadata_props has the same key twice");
  }

  OnnxOpset opset(const WireMessage& message) {
    OnnxOpset out;
    message.for_each([&](const WireField& field) {
      if (field.number == 1) out.domain = text(message, field);
      if (field.number == 2) out.version = static_cast<std::int64_t>(message.varint(field));
    });
    return out;
  }

  OnnxGraph graph(const WireMessage& message);
  OnnxNode node(const WireMessage& message);
  OnnxAttribute attribute(const WireMessage& message);
  OnnxFunction function(const WireMessage& message);
  OnnxValueInfo value_info(const WireMessage& message);
  void type(const WireMessage& message, OnnxValueInfo& out);
  OnnxDimension dimension(const WireMessage& message);

  MemoryBudget& budget_;
  OnnxTensorReader tensors_;
  int depth_ = 0;
};

OnnxDimension ModelReader::dimension(const WireMessage& message) {
  OnnxDimension out;
  message.for_each([&](const WireField& field) {
    if (field.number == 1) {
      out.value = static_cast<std::int64_t>(message.varint(field));
      out.param.clear();
    } else if (field.number == 2) {
      out.param = text(message, field);
      out.value.reset();
    }
  });
  return out;
}

void ModelReader::type(const WireMessage& message, OnnxValueInfo& out) {
  message.for_each([&](const WireField& field) {
    if (field.number != 1) return;  // sequences, maps, optionals and sparse tensors stay unknown
    const WireMessage tensor(message, field, "TypeProto.Tensor");
    out.is_tensor = true;
    tensor.for_each([&](const WireField& part) {
      if (part.number == 1) {
        out.elem_type = static_cast<std::int32_t>(tensor.varint(part));
      } else if (part.number == 2) {
        const WireMessage shape(tensor, part, "TensorShapeProto");
        out.shape.emplace();
        reserve(*out.shape, shape.counts()[1], shape);
        shape.for_each([&](const WireField& dim) {
          if (dim.number == 1)
            out.shape->push_back(dimension(WireMessage(shape, dim, "TensorShapeProto.Dimension")));
        });
      }
    });
  });
}

OnnxValueInfo ModelReader::value_info(const WireMessage& message) {
  OnnxValueInfo out;
  message.for_each([&](const WireField& field) {
    if (field.number == 1) out.name = text(message, field);
    if (field.number == 2) type(WireMessage(message, field, "TypeProto"), out);
  });
  return out;
}

OnnxAttribute ModelReader::attribute(const WireMessage& message) {
  OnnxAttribute out;
  const auto counts = message.counts();
  reserve(out.strings, counts[9], message);
  reserve(out.tensors, counts[5] + counts[10], message);
  reserve(out.graphs, counts[6] + counts[11], message);
  if (counts[7] != 0) out.floats = message.numbers<float>(7, WireType::kFixed32, budget_);
  if (counts[8] != 0) out.ints = message.numbers<std::int64_t>(8, WireType::kVarint, budget_);
  std::uint64_t declared = 0, present = 0;  // present: a bit for every type whose field occurs
  const auto mark = [&](OnnxAttributeType type) {
    present |= std::uint64_t{1} << static_cast<int>(type);
  };
  message.for_each([&](const WireField& field) {
    switch (field.number) {
      case 1: out.name = text(message, field); break;
      case 21: out.ref_attr_name = text(message, field); break;
      case 20: declared = message.varint(field); break;
      case 2:
        out.f = message.float32(field);
        mark(OnnxAttributeType::kFloat);
        break;
      case 3:
        out.i = static_cast<std::int64_t>(message.varint(field));
        mark(OnnxAttributeType::kInt);
        break;
      case 4:
        out.s = text(message, field, false);
        mark(OnnxAttributeType::kString);
        break;
      case 5:
      case 10:
        out.tensors.push_back(tensors_.read(WireMessage(message, field, "TensorProto")));
        mark(field.number == 5 ? OnnxAttributeType::kTensor : OnnxAttributeType::kTensors);
        break;
      case 6:
      case 11:
        out.graphs.push_back(graph(WireMessage(message, field, "GraphProto")));
        mark(field.number == 6 ? OnnxAttributeType::kGraph : OnnxAttributeType::kGraphs);
        break;
      case 7: mark(OnnxAttributeType::kFloats); break;
      case 8: mark(OnnxAttributeType::kInts); break;
      case 9:
        out.strings.push_back(text(message, field, false));
        mark(OnnxAttributeType::kStrings);
        break;
      case 14:
      case 15:
      case 22:
      case 23:
        throw Error(ErrorCode::kUnsupported,
                    {.message = "octavo does not read sparse tensor and type attributes",
                     .file = std::string(message.file()),
                     .place = "attribute '" + out.name + "', byte " + std::to_string(field.offset),
                     .fix = "export the model without them"});
      default: break;
    }
  });
  const auto fail = [&](std::string what, std::string expected, std::string found) {
    message.fail("attribute '" + out.name.substr(0, 100) + "': " + what, std::move(expected),
                 std::move(found));
  };
  if (declared == 0) {  // early exporters left the type to the field that is set
    if (present != 0 && (present & (present - 1)) == 0) {
      declared = static_cast<std::uint64_t>(std::countr_zero(present));
    } else if (out.ref_attr_name.empty()) {
      fail("its type is not given", "one value", present == 0 ? "none" : "several");
    }
  }
  if (declared > 10) fail("its type is unknown", "1 to 10", std::to_string(declared));
  if ((present & ~(std::uint64_t{1} << declared)) != 0) {
    fail("its value is not of its type", "a value of type " + std::to_string(declared),
         "another field");
  }
  out.type = declared == 0 ? OnnxAttributeType::kInt : static_cast<OnnxAttributeType>(declared);
  const bool reference = !out.ref_attr_name.empty();
  if (out.type == OnnxAttributeType::kTensor && out.tensors.size() != 1 && !reference) {
    fail("it does not hold one tensor", "1 tensor", std::to_string(out.tensors.size()));
  }
  if (out.type == OnnxAttributeType::kGraph && out.graphs.size() != 1 && !reference) {
    fail("it does not hold one graph", "1 graph", std::to_string(out.graphs.size()));
  }
  return out;
}

OnnxNode ModelReader::node(const WireMessage& message) {
  OnnxNode out;
  const auto counts = message.counts();
  reserve(out.inputs, counts[1], message);
  reserve(out.outputs, counts[2], message);
  reserve(out.attributes, counts[5], message);
  message.for_each([&](const WireField& field) {
    switch (field.number) {
      case 1: out.inputs.push_back(text(message, field)); break;
      case 2: out.outputs.push_back(text(message, field)); break;
      case 3: out.name = text(message, field); break;
      case 4: out.op_type = text(message, field); break;
      case 5:
        out.attributes.push_back(attribute(WireMessage(message, field, "AttributeProto")));
        break;
      case 7: out.domain = text(message, field); break;
      case 8: out.overload = text(message, field); break;
      default: break;
    }
  });
  return out;
}

OnnxGraph ModelReader::graph(const WireMessage& message) {
  if (++depth_ > kMaxGraphDepth) {
    message.fail("graphs are nested too deeply",
                 "at most " + std::to_string(kMaxGraphDepth) + " levels", "more");
  }
  OnnxGraph out;
  const auto counts = message.counts();
  if (counts[15] != 0) {
    throw Error(ErrorCode::kUnsupported,
                {.message = "octavo does not read sparse initializers",
                 .file = std::string(message.file()),
                 .place = "graph, byte " + std::to_string(message.offset()),
                 .fix = "export the model with dense weights"});
  }
  reserve(out.nodes, counts[1], message);
  reserve(out.initializers, counts[5], message);
  reserve(out.inputs, counts[11], message);
  reserve(out.outputs, counts[12], message);
  reserve(out.value_info, counts[13], message);
  message.for_each([&](const WireField& field) {
    switch (field.number) {
      case 1: out.nodes.push_back(node(WireMessage(message, field, "NodeProto"))); break;
      case 2: out.name = text(message, field); break;
      case 5:
        out.initializers.push_back(tensors_.read(WireMessage(message, field, "TensorProto")));
        break;
      case 11:
        out.inputs.push_back(value_info(WireMessage(message, field, "ValueInfoProto")));
        break;
      case 12:
        out.outputs.push_back(value_info(WireMessage(message, field, "ValueInfoProto")));
        break;
      case 13:
        out.value_info.push_back(value_info(WireMessage(message, field, "ValueInfoProto")));
        break;
      default: break;
    }
  });
  --depth_;
  return out;
}

OnnxFunction ModelReader::function(const WireMessage& message) {
  OnnxFunction out;
  const auto counts = message.counts();
  reserve(out.inputs, counts[4], message);
  reserve(out.outputs, counts[5], message);
  reserve(out.attributes, counts[6], message);
  reserve(out.nodes, counts[7], message);
  reserve(out.opset_imports, counts[9], message);
  reserve(out.attribute_defaults, counts[11], message);
  reserve(out.value_info, counts[12], message);
  message.for_each([&](const WireField& field) {
    switch (field.number) {
      case 1: out.name = text(message, field); break;
      case 4: out.inputs.push_back(text(message, field)); break;
      case 5: out.outputs.push_back(text(message, field)); break;
      case 6: out.attributes.push_back(text(message, field)); break;
      case 7: out.nodes.push_back(node(WireMessage(message, field, "NodeProto"))); break;
      case 9:
        out.opset_imports.push_back(opset(WireMessage(message, field, "OperatorSetIdProto")));
        break;
      case 10: out.domain = text(message, field); break;
      case 11:
        out.attribute_defaults.push_back(attribute(WireMessage(message, field, "AttributeProto")));
        break;
      case 12:
        out.value_info.push_back(value_info(WireMessage(message, field, "ValueInfoProto")));
        break;
      case 13: out.overload = text(message, field); break;
      default: break;
    }
  });
  return out;
}

OnnxModel ModelReader::model(const WireMessage& message) {
  OnnxModel out;
  const auto counts = message.counts();
  // First what says whether this is an ONNX file at all: the messages below would complain about
  // noise less clearly.
  message.for_each([&](const WireField& field) {
    if (field.number == 1) out.ir_version = static_cast<std::int64_t>(message.varint(field));
  });
  if (counts[7] != 1 || counts[1] == 0) {
    message.fail(
        "this is not an ONNX model", "an ir_version and one graph",
        std::to_string(counts[1]) + " ir_version, " + std::to_string(counts[7]) + " graphs");
  }
  if (out.ir_version < kOldestIr) {
    throw Error(ErrorCode::kInvalidFile,
                {.message = "the IR version of the model is not one that octavo reads",
                 .file = std::string(message.file()),
                 .place = "ir_version",
                 .expected = std::to_string(kOldestIr) + " or more",
                 .found = std::to_string(out.ir_version),
                 .fix = "export the model again with a current exporter"});
  }
  reserve(out.opset_imports, counts[8], message);
  reserve(out.functions, counts[25], message);
  message.for_each([&](const WireField& field) {
    switch (field.number) {
      case 2: out.producer_name = text(message, field); break;
      case 3: out.producer_version = text(message, field); break;
      case 4: out.domain = text(message, field); break;
      case 5: out.model_version = static_cast<std::int64_t>(message.varint(field)); break;
      case 7: out.graph = graph(WireMessage(message, field, "GraphProto")); break;
      case 8:
        out.opset_imports.push_back(opset(WireMessage(message, field, "OperatorSetIdProto")));
        break;
      case 14:
        metadata(WireMessage(message, field, "StringStringEntryProto"), out.metadata_props);
        break;
      case 25:
        out.functions.push_back(function(WireMessage(message, field, "FunctionProto")));
        break;
      default: break;
    }
  });
  out.external_files = tensors_.external_files();
  return out;
}

}  // namespace

OnnxModel parse_onnx(std::shared_ptr<const Buffer> bytes, const std::string& file,
                     std::optional<std::string> directory, FileAccess external,
                     const TensorStore* store) {
  MemoryBudget budget(bytes->size(), bytes->size(), file);
  const WireMessage message(bytes->bytes(), file, 0, "ModelProto");
  ModelReader reader(std::move(bytes), std::move(directory), external, store, budget);
  return reader.model(message);
}

OnnxModel read_onnx(const std::string& path, FileAccess access, const TensorStore* store) {
  const auto bytes = [&]() -> std::shared_ptr<const Buffer> {
    if (access == FileAccess::kMap) return map_file(open_file(path), path);
    return read_file(path);
  };
  return parse_onnx(bytes(), path, std::filesystem::path(path).parent_path().string(), access,
                    store);
}

OnnxTensor parse_onnx_tensor(std::shared_ptr<const Buffer> bytes, const std::string& file) {
  MemoryBudget budget(bytes->size(), bytes->size(), file);
  const WireMessage message(bytes->bytes(), file, 0, "TensorProto");
  OnnxTensorReader reader(std::move(bytes), std::nullopt, budget);
  return reader.read(message);
}

}  // namespace octavo::formats
