// Runs an ONNX model on values from a safetensors file (its inputs, and any others that are to be
// taken as given) with the reference implementations and writes its outputs as a safetensors file:
//   run_onnx_reference MODEL INPUTS OUTPUTS
#include <iostream>

#include "formats/onnx_reader.h"
#include "formats/safetensors.h"
#include "formats/safetensors_writer.h"
#include "importers/onnx.h"
#include "octavo/error.h"
#include "ops/evaluate.h"

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: run_onnx_reference MODEL INPUTS OUTPUTS\n";
    return 2;
  }
  try {
    const auto graph = octavo::importers::import_onnx(octavo::formats::read_onnx(argv[1]));
    const auto file = octavo::formats::SafetensorsFile::open(argv[2]);
    octavo::ops::Feeds feeds;
    for (std::size_t i = 0; i < graph.value_count(); ++i) {
      const auto id = static_cast<octavo::ir::ValueId>(i);
      const std::string& name = graph.value(id).name;
      if (file.find(name) != nullptr) feeds[id] = file.read(name);
    }
    std::vector<octavo::ir::ValueId> wanted;
    for (const auto& output : graph.outputs()) wanted.push_back(output.value);
    const auto outputs = octavo::ops::evaluate(graph, feeds, wanted);
    std::vector<octavo::formats::NamedTensor> named;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      named.push_back({graph.outputs()[i].name, outputs[i]});
    }
    octavo::formats::write_safetensors(argv[3], named);
  } catch (const octavo::Error& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
