// Prints all that octavo reads from ONNX files, in a form that compare_onnx.py also makes with the
// onnx package: names in hexadecimal, floats as bits, tensors as SHA-256. Arguments: model files
// (.onnx) and TensorProto files (.pb).
#include <bit>
#include <cstdio>
#include <iostream>
#include <string>
#include <string_view>

#include "base/file.h"
#include "formats/onnx_reader.h"
#include "formats/onnx_writer.h"
#include "formats/sha256.h"
#include "octavo/error.h"

namespace octavo::formats {
namespace {

std::string hex(std::string_view text) {
  std::string out = "x";
  for (const char c : text) {
    out += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
    out += "0123456789abcdef"[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

std::string join(const std::vector<std::string>& values) {
  std::string out;
  for (const std::string& value : values) out += " " + hex(value);
  return out;
}

std::string bits(float value) { return std::to_string(std::bit_cast<std::uint32_t>(value)); }

void print(const OnnxTensor& t, const char* kind) {
  std::cout << kind << ' ' << hex(t.name) << ' ' << static_cast<int>(t.tensor.dtype()) << ' '
            << shape_to_string(t.tensor.shape()) << ' '
            << sha256({t.tensor.bytes(), t.tensor.byte_size()}) << '\n';
}

void print(const OnnxValueInfo& info, const char* kind) {
  std::cout << kind << ' ' << hex(info.name);
  if (info.is_tensor) std::cout << ' ' << info.elem_type;
  if (info.shape) {
    std::cout << " [";
    for (const OnnxDimension& dim : *info.shape) {
      std::cout << ' '
                << (dim.value           ? std::to_string(*dim.value)
                    : dim.param.empty() ? "?"
                                        : hex(dim.param));
    }
    std::cout << " ]";
  }
  std::cout << '\n';
}

void print(const OnnxGraph& graph);

void print(const OnnxAttribute& a) {
  std::cout << "attribute " << hex(a.name) << ' ' << static_cast<int>(a.type) << ' '
            << hex(a.ref_attr_name) << ' ' << bits(a.f) << ' ' << a.i << ' ' << hex(a.s)
            << " floats";
  for (const float value : a.floats) std::cout << ' ' << bits(value);
  std::cout << " ints";
  for (const std::int64_t value : a.ints) std::cout << ' ' << value;
  std::cout << " strings" << join(a.strings) << '\n';
  for (const OnnxTensor& t : a.tensors) print(t, "attribute_tensor");
  for (const OnnxGraph& g : a.graphs) print(g);
}

void print(const OnnxNode& node) {
  std::cout << "node " << hex(node.name) << ' ' << hex(node.op_type) << ' ' << hex(node.domain)
            << ' ' << hex(node.overload) << " inputs" << join(node.inputs) << " outputs"
            << join(node.outputs) << '\n';
  for (const OnnxAttribute& a : node.attributes) print(a);
}

void print(const OnnxGraph& graph) {
  std::cout << "graph " << hex(graph.name) << '\n';
  for (const OnnxNode& node : graph.nodes) print(node);
  for (const OnnxTensor& t : graph.initializers) print(t, "initializer");
  for (const OnnxValueInfo& info : graph.inputs) print(info, "input");
  for (const OnnxValueInfo& info : graph.outputs) print(info, "output");
  for (const OnnxValueInfo& info : graph.value_info) print(info, "value_info");
}

void print(const std::vector<OnnxOpset>& opsets) {
  for (const OnnxOpset& o : opsets)
    std::cout << "opset " << hex(o.domain) << ' ' << o.version << '\n';
}

void print(const OnnxFunction& f) {
  std::cout << "function " << hex(f.name) << ' ' << hex(f.domain) << ' ' << hex(f.overload)
            << " inputs" << join(f.inputs) << " outputs" << join(f.outputs) << " attributes"
            << join(f.attributes) << '\n';
  for (const OnnxAttribute& a : f.attribute_defaults) print(a);
  for (const OnnxNode& node : f.nodes) print(node);
  print(f.opset_imports);
  for (const OnnxValueInfo& info : f.value_info) print(info, "value_info");
}

void print(const OnnxModel& m) {
  std::cout << "model " << m.ir_version << ' ' << hex(m.producer_name) << ' '
            << hex(m.producer_version) << ' ' << hex(m.domain) << ' ' << m.model_version << '\n';
  print(m.opset_imports);
  for (const auto& [key, value] : m.metadata_props)
    std::cout << "metadata " << hex(key) << ' ' << hex(value) << '\n';
  print(m.graph);
  for (const OnnxFunction& f : m.functions) print(f);
}

}  // namespace
}  // namespace octavo::formats

int main(int argc, char** argv) {
  if (argc == 4 && std::string_view(argv[1]) == "--rewrite") {
    octavo::formats::write_onnx(octavo::formats::read_onnx(argv[2]), std::string(argv[3]));
    return 0;
  }
  for (int i = 1; i < argc; ++i) {
    const std::string path = argv[i];
    std::cout << "file " << path << '\n';
    try {
      if (path.ends_with(".pb")) {
        octavo::formats::print(octavo::formats::parse_onnx_tensor(octavo::read_file(path), path),
                               "tensor");
      } else {
        octavo::formats::print(octavo::formats::read_onnx(path));
      }
    } catch (const octavo::Error& error) {
      std::cout << "error " << octavo::error_code_name(error.code()) << '\n';
      std::cerr << error.what() << '\n';
    }
  }
}
