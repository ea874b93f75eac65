// Writes the seeds of plan_fuzz: the metadata of a plan with every kind of step, one a precision.
//   make_plan_corpus tests/fuzz/corpus/plan
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

#include "ir/text.h"
#include "plan/plan.h"
#include "plan/plan_test_graph.h"

int main(int argc, char** argv) {
  using namespace octavo::plan;
  if (argc != 2) {
    std::cerr << "usage: make_plan_corpus FOLDER\n";
    return 2;
  }
  for (const Precision precision :
       {Precision::kFp32, Precision::kBf16, Precision::kFp16, Precision::kInt8}) {
    const auto plan = Plan::build(octavo::ir::parse(kPlanTestGraph), 0, nullptr, precision);
    PlanWriter writer;
    plan->save(writer);
    std::stringstream file;
    writer.write(file);
    const std::string bytes = file.str();
    std::uint64_t size = 0;
    std::memcpy(&size, bytes.data() + 24, sizeof size);
    std::ofstream(std::string(argv[1]) + "/" + std::string(precision_name(precision)),
                  std::ios::binary)
        << bytes.substr(64, size);
  }
}
