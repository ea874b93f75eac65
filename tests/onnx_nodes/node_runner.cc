// Runs the backend node tests of the onnx package, as tests/onnx_nodes/run.py writes them:
//   onnx_node_runner FOLDER IGNORED
// A test whose operators are all in the table must pass or be listed, with a reason, in IGNORED; a
// listed test that passes, or that does not exist, fails too. At least 80 operators must have a
// passing test of their own.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <sstream>

#include "base/file.h"
#include "formats/onnx_reader.h"
#include "importers/onnx.h"
#include "octavo/error.h"
#include "ops/evaluate.h"

namespace octavo {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kNeededOperators = 80;

std::map<std::string, std::string> read_ignored(const std::string& path) {
  std::map<std::string, std::string> out;
  std::ifstream file(path);
  if (!file) throw Error(ErrorCode::kNotFound, {.message = "the list is missing", .file = path});
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    const auto space = line.find(' ');
    const std::string reason = space == std::string::npos ? "" : line.substr(space + 1);
    if (reason.empty()) {
      throw Error(ErrorCode::kInvalidFile, {.message = "an entry has no reason", .place = line});
    }
    out[line.substr(0, space)] = reason;
  }
  return out;
}

std::string describe(double got, double wanted) {
  std::ostringstream out;
  out << got << " instead of " << wanted;
  return out.str();
}

// Empty when they agree: NumPy's assert_allclose, integers exactly.
std::string difference(const Tensor& got, const Tensor& wanted, double rtol, double atol) {
  if (got.dtype() != wanted.dtype()) {
    return std::string(dtype_name(got.dtype())) + " instead of " +
           std::string(dtype_name(wanted.dtype()));
  }
  if (got.shape() != wanted.shape()) {
    return shape_to_string(got.shape()) + " instead of " + shape_to_string(wanted.shape());
  }
  if (!dtype_is_float(got.dtype())) {
    return identical(got, wanted) ? "" : "other integers, such as " + [&] {
      const auto a = got.to_int64s(), b = wanted.to_int64s();
      const auto [x, y] = std::mismatch(a.begin(), a.end(), b.begin());
      return x == a.end() ? std::string("none")
                          : std::to_string(*x) + " instead of " + std::to_string(*y);
    }();
  }
  const bool wide = got.dtype() == DType::kFloat64;
  const Tensor a = wide ? got : got.to_float32(), b = wide ? wanted : wanted.to_float32();
  for (std::size_t i = 0; i < a.elements(); ++i) {
    const double x = wide ? a.data<double>()[i] : static_cast<double>(a.data<float>()[i]);
    const double y = wide ? b.data<double>()[i] : static_cast<double>(b.data<float>()[i]);
    if (std::isnan(x) && std::isnan(y)) continue;
    if (std::isinf(x) || std::isinf(y)) {
      if (x != y) return describe(x, y);
    } else if (!(std::fabs(x - y) <= atol + rtol * std::fabs(y))) {
      return describe(x, y);
    }
  }
  return "";
}

Tensor read_tensor(const fs::path& path) {
  return formats::parse_onnx_tensor(read_file(path.string()), path.string()).tensor;
}

// Empty when every data set of the test gives what it should.
std::string run_case(const fs::path& folder, const formats::OnnxModel& model) {
  double rtol = 1e-3, atol = 1e-7;
  std::ifstream(folder / "tolerance.txt") >> rtol >> atol;
  const ir::Graph graph = importers::import_onnx(model);
  graph.verify();
  for (int set = 0;; ++set) {
    const fs::path data = folder / ("test_data_set_" + std::to_string(set));
    if (!fs::is_directory(data)) return set == 0 ? "no data" : "";
    ops::Feeds feeds;
    for (std::size_t i = 0; i < graph.inputs().size(); ++i) {
      feeds[graph.inputs()[i]] = read_tensor(data / ("input_" + std::to_string(i) + ".pb"));
    }
    std::vector<ir::ValueId> wanted;
    for (const auto& output : graph.outputs()) wanted.push_back(output.value);
    const auto got = ops::evaluate(graph, feeds, wanted);
    for (std::size_t i = 0; i < got.size(); ++i) {
      const Tensor expected = read_tensor(data / ("output_" + std::to_string(i) + ".pb"));
      const std::string problem = difference(got[i], expected, rtol, atol);
      if (!problem.empty()) return "output " + std::to_string(i) + ": " + problem;
    }
  }
}

struct Counts {
  std::size_t passed = 0, ignored = 0, without_operator = 0;
  std::map<std::string, std::size_t> by_operator;
  std::vector<std::string> failures;
};

bool all_known(const formats::OnnxModel& model) {
  return std::ranges::all_of(model.graph.nodes, [](const formats::OnnxNode& node) {
    return ops::find_op(node.op_type, node.domain == "ai.onnx" ? "" : node.domain) != nullptr;
  });
}

void run_all(const fs::path& folder, const std::map<std::string, std::string>& ignored,
             Counts& counts) {
  std::vector<fs::path> cases;
  for (const auto& entry : fs::directory_iterator(folder)) cases.push_back(entry.path());
  std::ranges::sort(cases);
  for (const fs::path& path : cases) {
    const std::string name = path.filename().string();
    const bool listed = ignored.contains(name);
    std::string problem;
    formats::OnnxModel model;
    try {
      model = formats::read_onnx((path / "model.onnx").string());
      if (!all_known(model)) {
        ++counts.without_operator;
        if (listed) counts.failures.push_back(name + ": listed, but its operators are not known");
        continue;
      }
      problem = run_case(path, model);
    } catch (const Error& error) {
      problem = error.what();
    }
    std::ranges::replace(problem, '\n', ';');
    if (problem.empty()) {
      ++counts.passed;
      if (model.graph.nodes.size() == 1) ++counts.by_operator[model.graph.nodes[0].op_type];
      if (listed) counts.failures.push_back(name + ": passes, but is listed as ignored");
    } else if (listed) {
      ++counts.ignored;
    } else {
      counts.failures.push_back(name + ": " + problem);
    }
  }
  for (const auto& [name, reason] : ignored) {
    if (!fs::is_directory(folder / name)) {
      counts.failures.push_back(name + ": listed, but there is no such test");
    }
  }
}

int run(const std::string& folder, const std::string& list) {
  Counts counts;
  run_all(folder, read_ignored(list), counts);
  for (const auto& [op, passed] : counts.by_operator) std::cout << op << " " << passed << "\n";
  for (const std::string& failure : counts.failures) std::cout << "FAILED " << failure << "\n";
  std::cout << counts.passed << " passed, " << counts.ignored << " ignored, "
            << counts.without_operator << " of operators that are not in the table, "
            << counts.failures.size() << " failed; " << counts.by_operator.size()
            << " operators have a passing test of their own\n";
  if (counts.by_operator.size() < kNeededOperators) {
    std::cout << "FAILED: at least " << kNeededOperators << " operators are needed\n";
    return 1;
  }
  return counts.failures.empty() ? 0 : 1;
}

}  // namespace
}  // namespace octavo

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: onnx_node_runner FOLDER IGNORED\n";
    return 2;
  }
  try {
    return octavo::run(argv[1], argv[2]);
  } catch (const octavo::Error& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
