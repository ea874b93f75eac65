// An ONNX model as plain data: what the protobuf message says, with every tensor decoded. Names and
// numbers are those of the schema (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto); nothing
// here knows what an operator means.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace octavo::formats {

struct OnnxGraph;

struct OnnxOpset {
  std::string domain;  // "" is the standard domain, as is "ai.onnx"
  std::int64_t version = 0;
};

struct OnnxTensor {
  std::string name;
  Tensor tensor;
  bool four_bits = false;  // int4 or uint4 in the file; the tensor holds int8 or uint8
};

/// A dimension: a number, a name, or (neither) unknown.
struct OnnxDimension {
  std::optional<std::int64_t> value;
  std::string param;
};

struct OnnxValueInfo {
  std::string name;
  std::int32_t elem_type = 0;  // TensorProto.DataType; 0 when the type is missing or no tensor's
  bool is_tensor = false;      // false: no type given, or a sequence, map, optional, sparse tensor
  std::optional<std::vector<OnnxDimension>> shape;  // absent: the rank is unknown
};

/// Values of AttributeProto.AttributeType that can be read.
enum class OnnxAttributeType : std::uint8_t {
  kFloat = 1,
  kInt = 2,
  kString = 3,
  kTensor = 4,
  kGraph = 5,
  kFloats = 6,
  kInts = 7,
  kStrings = 8,
  kTensors = 9,
  kGraphs = 10,
};

struct OnnxAttribute {
  std::string name;
  OnnxAttributeType type = OnnxAttributeType::kInt;
  std::string
      ref_attr_name;  // inside a function: the function's attribute this one takes its value from
  float f = 0;
  std::int64_t i = 0;
  std::string s;
  std::vector<float> floats;
  std::vector<std::int64_t> ints;
  std::vector<std::string> strings;
  std::vector<OnnxTensor> tensors;  // kTensor: exactly one
  std::vector<OnnxGraph> graphs;    // kGraph: exactly one
};

struct OnnxNode {
  std::string name, op_type, domain, overload;
  std::vector<std::string> inputs, outputs;  // "" stands for an optional one that is left out
  std::vector<OnnxAttribute> attributes;
};

struct OnnxGraph {
  std::string name;
  std::vector<OnnxNode> nodes;
  std::vector<OnnxTensor> initializers;
  std::vector<OnnxValueInfo> inputs, outputs, value_info;
};

struct OnnxFunction {
  std::string name, domain, overload;
  std::vector<std::string> inputs, outputs;
  std::vector<std::string> attributes;            // names without a default
  std::vector<OnnxAttribute> attribute_defaults;  // with one
  std::vector<OnnxNode> nodes;
  std::vector<OnnxOpset> opset_imports;
  std::vector<OnnxValueInfo> value_info;
};

struct OnnxModel {
  std::int64_t ir_version = 0;
  std::string producer_name, producer_version, domain;
  std::int64_t model_version = 0;
  std::vector<OnnxOpset> opset_imports;
  std::map<std::string, std::string> metadata_props;
  OnnxGraph graph;
  std::vector<OnnxFunction> functions;
  std::vector<std::string> external_files;  // that tensors were read from, by path
};

}  // namespace octavo::formats
