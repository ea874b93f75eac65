// What products compute in.
#pragma once

#include <string_view>

namespace octavo::plan {

/// kInt8: activations symmetric int8 with a scale per token row, weights per output column, int32
/// sums. kBf16, kFp16: both operands rounded to bfloat16 or IEEE half, float32 sums. Everything
/// between products is float32, and so are products over sequences (poolers, classifiers).
enum class Precision { kFp32, kBf16, kInt8, kFp16 };

inline std::string_view precision_name(Precision precision) {
  switch (precision) {
    case Precision::kFp32: return "fp32";
    case Precision::kBf16: return "bf16";
    case Precision::kInt8: return "int8";
    case Precision::kFp16: return "fp16";
  }
  return "fp32";
}

}  // namespace octavo::plan
