// Prints the ranges of a model's float values as JSON: by name, the smallest and the largest.
//
// usage: calibrate_model MODEL.onnx METHOD IDS.txt      a line of token ids a sample
#include <chrono>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "octavo/error.h"
#include "octavo/text_input.h"
#include "quant/calibrate.h"
#include "tasks/model_files.h"

namespace octavo {
namespace {

int run(int count, char** words) {
  if (count != 4) {
    std::cerr << "usage: calibrate_model MODEL.onnx METHOD IDS.txt\n";
    return 2;
  }
  const tasks::ImportedModel model = tasks::import_model(tasks::find_model(words[1]));
  std::vector<quant::Sample> samples;
  std::ifstream in(words[3]);
  for (std::string line; std::getline(in, line);)
    samples.push_back({parse_token_ids(line, words[3])});
  quant::CalibrateOptions options;
  options.observer.method = quant::parse_calibration_method(words[2]);
  const auto start = std::chrono::steady_clock::now();
  const quant::Calibration found = quant::calibrate(model.graph, samples, options, detect_isa(),
                                                    std::make_shared<ThreadPool>(0));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  nlohmann::json out;
  for (const auto& [name, range] : found.ranges) out[name] = {range.min, range.max};
  std::cout << out.dump() << '\n';
  std::cerr << found.samples << " samples, " << found.tokens << " tokens, " << seconds.count()
            << " s\n";
  return 0;
}

}  // namespace
}  // namespace octavo

int main(int count, char** words) {
  try {
    return octavo::run(count, words);
  } catch (const octavo::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
