// What linear layers of every precision do with their weights before they pack them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "plan/plan_file.h"
#include "plan/steps/linear.h"

namespace octavo::plan {

/// The parts side by side as one matrix; the part itself when there is one alone.
LinearPart merge_parts(const std::vector<LinearPart>& parts);

/// The biases side by side, zeros where a part has none and up to `padded` floats; nothing when no
/// part has one.
std::shared_ptr<const Buffer> merge_bias(const std::vector<LinearPart>& parts, std::size_t padded);

/// What a file holds of the spec: all but the parts.
inline void linear_fields(auto& archive, auto& spec) {
  archive(spec.name, spec.x, spec.y, spec.residual, spec.activation);
}
/// Reads linear_fields() and checks that the views fit each other.
LinearSpec load_linear_spec(PlanReader& reader);
/// A bias that may be absent: a flag and a blob.
void save_bias(PlanWriter& writer, const std::shared_ptr<const Buffer>& bias);
std::shared_ptr<const Buffer> load_bias(PlanReader& reader, std::size_t floats);

/// "linear+gelu+residual", "tokens x 384 -> 1536".
StepInfo describe_linear(const LinearSpec& spec);

double linear_multiply_adds(const LinearSpec& spec, const PackedBatch& batch);

}  // namespace octavo::plan
