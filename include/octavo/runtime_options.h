// How to run a model: shared by every class that runs one.
#pragma once

#include <string>

namespace octavo {

struct RuntimeOptions {
  int threads = 0;                 // 0: every core this process may use
  std::string isa = "native";      // "native", "portable", or a list such as "avx2,avx512"
  std::string precision = "fp32";  // what to compute in: "fp32", "bf16", "int8"
};

}  // namespace octavo
