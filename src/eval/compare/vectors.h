// Embeddings of the same texts by two models.
#pragma once

#include <span>
#include <string>

#include "octavo/compare.h"

namespace octavo::eval {

/// `baseline` and `other` are row-major [texts.size(), dims]. The cosine of two zero vectors is 1,
/// of one zero vector 0.
VectorAgreement agreement(std::span<const std::string> texts, std::span<const float> baseline,
                          std::span<const float> other, std::size_t dims);

}  // namespace octavo::eval
