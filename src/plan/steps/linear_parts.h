// What linear layers of every precision do with their weights before they pack them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "plan/steps/linear.h"

namespace octavo::plan {

/// The parts side by side as one matrix; the part itself when there is one alone.
LinearPart merge_parts(const std::vector<LinearPart>& parts);

/// The biases side by side, zeros where a part has none and up to `padded` floats; nothing when no
/// part has one.
std::unique_ptr<Buffer> merge_bias(const std::vector<LinearPart>& parts, std::size_t padded);

/// "linear+gelu+residual", "tokens x 384 -> 1536".
StepInfo describe_linear(const LinearSpec& spec);

double linear_multiply_adds(const LinearSpec& spec, const PackedBatch& batch);

}  // namespace octavo::plan
