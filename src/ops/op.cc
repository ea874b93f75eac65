#include "ops/op.h"

#include "octavo/error.h"

namespace octavo::ops {

const Tensor& OpCall::input(std::size_t i) const {
  const Tensor* tensor = optional(i);
  if (tensor == nullptr) {
    fail("an input is missing", "input " + std::to_string(i),
         std::to_string(inputs.size()) + " inputs");
  }
  return *tensor;
}

void OpCall::fail(std::string message, std::string expected, std::string found) const {
  throw Error(ErrorCode::kInvalidFile, {.message = std::move(message),
                                        .place = "operator " + node.op,
                                        .expected = std::move(expected),
                                        .found = std::move(found),
                                        .fix = "check the model and the shapes of its inputs"});
}

}  // namespace octavo::ops
