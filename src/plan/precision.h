// What products compute in.
#pragma once

#include <string_view>

namespace octavo::plan {

/// kInt8: activations symmetric int8 with a scale per token row, weights per output column, int32
/// sums. kBf16: both operands rounded to bfloat16, float32 sums. Everything between products is
/// float32 in both, and so are products over sequences (poolers, classifiers).
enum class Precision { kFp32, kBf16, kInt8 };

inline std::string_view precision_name(Precision precision) {
  switch (precision) {
    case Precision::kFp32: return "fp32";
    case Precision::kBf16: return "bf16";
    case Precision::kInt8: return "int8";
  }
  return "fp32";
}

}  // namespace octavo::plan
