// SmoothQuant (Xiao et al. 2023, arXiv:2211.10438): channels with large activations are divided by
// a factor that the weights are multiplied by, so that one scale a tensor fits both better. The
// graph computes what it did.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "quant/targets.h"

namespace octavo::quant {

struct SmoothReport {
  std::size_t activations = 0;  // smoothed
  std::size_t folded = 0;  // of them, by the normalisation that makes them; the others by a Mul
};

/// Names of the values that smooth() needs the largest magnitudes a channel of: what the products
/// among `targets` read.
std::vector<std::string> smoothable_values(const ir::Graph& graph, const Targets& targets);

/// For channel j of an activation X with the products W of `targets`:
///   s_j = max|X_j|^alpha / max|W_j|^(1 - alpha), X_j /= s_j, W_j *= s_j.
/// The division goes into scale and bias of the normalisation that makes X (LayerNormalization,
/// SimplifiedLayerNormalization, SkipLayerNormalization, SkipSimplifiedLayerNormalization,
/// EmbedLayerNormalization) when those products alone read X, else it is a Mul with a constant.
/// Channels that are zero in X or W are left alone. `maxima` by value name, as calibration gives
/// them; values it lacks are left alone. Error(kInvalidArgument) for alpha outside [0, 1] and for
/// maxima of another width.
SmoothReport smooth(ir::Graph& graph, const Targets& targets,
                    const std::map<std::string, std::vector<float>>& maxima, double alpha);

}  // namespace octavo::quant
