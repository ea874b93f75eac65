#include "quant/smooth.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "octavo/error.h"

namespace octavo::quant {
namespace {

/// Which inputs of a normalisation are its scale and its bias.
struct Affine {
  std::size_t scale;
  std::optional<std::size_t> bias;
};

std::optional<Affine> affine_of(const ir::Node& node) {
  constexpr std::string_view kMicrosoft = "com.microsoft";
  if (node.is("LayerNormalization")) return Affine{1, 2};
  if (node.is("SimplifiedLayerNormalization")) return Affine{1, std::nullopt};
  if (node.is("SkipLayerNormalization", kMicrosoft)) return Affine{2, 3};
  if (node.is("SkipSimplifiedLayerNormalization", kMicrosoft)) return Affine{2, std::nullopt};
  if (node.is("EmbedLayerNormalization", kMicrosoft)) return Affine{5, 6};
  return std::nullopt;
}

/// The products that read one activation.
struct Group {
  ir::ValueId activation;
  std::vector<ir::NodeId> products;
};

std::vector<Group> groups_of(const Targets& targets) {
  std::vector<Group> out;
  for (const Target& target : targets.nodes) {
    if (target.kind != TargetKind::kProduct && target.kind != TargetKind::kAttention) continue;
    const auto at = std::find_if(out.begin(), out.end(), [&](const Group& group) {
      return group.activation == target.activation;
    });
    if (at == out.end()) {
      out.push_back({target.activation, {target.node}});
    } else {
      at->products.push_back(target.node);
    }
  }
  return out;
}

/// `rows` are multiplied (or divided) by one factor each: those of a matrix, or the elements of a
/// vector.
Tensor scaled(const Tensor& tensor, const std::vector<float>& factors, bool divide) {
  Tensor out(DType::kFloat32, tensor.shape());
  const auto from = tensor.data<float>();
  const auto to = out.mutable_data<float>();
  const std::size_t width = from.size() / factors.size();
  for (std::size_t i = 0; i < from.size(); ++i) {
    const float factor = factors[i / width];
    to[i] = divide ? from[i] / factor : from[i] * factor;
  }
  return out;
}

class Smoother {
 public:
  Smoother(ir::Graph& graph, double alpha)
      : graph_(graph), alpha_(alpha), readers_(graph.readers()) {}

  SmoothReport run(const Targets& targets,
                   const std::map<std::string, std::vector<float>>& maxima) {
    for (const Group& group : groups_of(targets)) {
      const auto found = maxima.find(graph_.value(group.activation).name);
      if (found == maxima.end()) continue;
      apply(group, factors(group, found->second, found->first));
    }
    graph_.remove_dead();
    return report_;
  }

 private:
  const Tensor& weight_of(ir::NodeId product) const {
    return *graph_.constant(graph_.node(product).input(1));
  }

  std::vector<float> factors(const Group& group, const std::vector<float>& activation,
                             const std::string& name) const {
    std::vector<float> weight(activation.size(), 0.0f), out(activation.size(), 1.0f);
    for (const ir::NodeId product : group.products) {
      const Tensor& w = weight_of(product);
      if (static_cast<std::size_t>(w.dim(0)) != activation.size()) {
        throw Error(ErrorCode::kInvalidArgument,
                    {.message = "the magnitudes are those of another value",
                     .place = "value '" + name + "'",
                     .expected = std::to_string(w.dim(0)) + " channels",
                     .found = std::to_string(activation.size())});
      }
      const auto values = w.data<float>();
      const auto columns = static_cast<std::size_t>(w.dim(1));
      for (std::size_t i = 0; i < values.size(); ++i)
        weight[i / columns] = std::max(weight[i / columns], std::abs(values[i]));
    }
    for (std::size_t j = 0; j < out.size(); ++j) {
      if (activation[j] == 0 || weight[j] == 0) continue;
      const double factor = std::pow(static_cast<double>(activation[j]), alpha_) /
                            std::pow(static_cast<double>(weight[j]), 1 - alpha_);
      out[j] = static_cast<float>(std::clamp(factor, 1e-5, 1e5));
    }
    return out;
  }

  void apply(const Group& group, const std::vector<float>& factors) {
    for (const ir::NodeId product : group.products) {
      const ir::ValueId weight = graph_.node(product).input(1);
      graph_.node(product).inputs[1] = graph_.add_constant(
          graph_.value(weight).name + "/smooth", scaled(*graph_.constant(weight), factors, false));
    }
    ++report_.activations;
    if (fold(group, factors)) {
      ++report_.folded;
      return;
    }
    Tensor inverse(DType::kFloat32, {static_cast<std::int64_t>(factors.size())});
    std::transform(factors.begin(), factors.end(), inverse.mutable_data<float>().begin(),
                   [](float factor) { return 1 / factor; });
    const std::string name = graph_.value(group.activation).name + "/smooth";
    const ir::ValueId row = graph_.add_constant(name + "/factors", std::move(inverse));
    const ir::ValueId smoothed = graph_.emit("Mul", {group.activation, row}, {}, "", name);
    for (const ir::NodeId product : group.products) graph_.node(product).inputs[0] = smoothed;
  }

  /// Divides scale and bias of the normalisation; false where it must not or cannot be.
  bool fold(const Group& group, const std::vector<float>& factors) {
    const ir::NodeId maker = graph_.value(group.activation).producer;
    if (maker == ir::kNoNode) return false;
    const ir::Node& node = graph_.node(maker);
    const auto affine = affine_of(node);
    if (!affine || node.outputs[0] != group.activation) return false;
    for (const auto& output : graph_.outputs()) {
      if (output.value == group.activation) return false;
    }
    for (const ir::NodeId reader : readers_[static_cast<std::size_t>(group.activation)]) {
      if (std::find(group.products.begin(), group.products.end(), reader) == group.products.end())
        return false;
    }
    std::vector<std::size_t> slots{affine->scale};
    if (affine->bias && node.input(*affine->bias) != ir::kNoValue) slots.push_back(*affine->bias);
    for (const std::size_t slot : slots) {
      const Tensor* row = graph_.constant(node.input(slot));
      if (row == nullptr || row->dtype() != DType::kFloat32 || row->elements() != factors.size())
        return false;
    }
    for (const std::size_t slot : slots) {
      const ir::ValueId row = graph_.node(maker).input(slot);
      graph_.node(maker).inputs[slot] = graph_.add_constant(
          graph_.value(row).name + "/smooth", scaled(*graph_.constant(row), factors, true));
    }
    return true;
  }

  ir::Graph& graph_;
  double alpha_;
  std::vector<std::vector<ir::NodeId>> readers_;
  SmoothReport report_;
};

}  // namespace

std::vector<std::string> smoothable_values(const ir::Graph& graph, const Targets& targets) {
  std::vector<std::string> out;
  for (const Group& group : groups_of(targets)) out.push_back(graph.value(group.activation).name);
  return out;
}

SmoothReport smooth(ir::Graph& graph, const Targets& targets,
                    const std::map<std::string, std::vector<float>>& maxima, double alpha) {
  if (!(alpha >= 0 && alpha <= 1)) {
    throw Error(ErrorCode::kInvalidArgument, {.message = "alpha of SmoothQuant is out of range",
                                              .expected = "0 to 1; 0.5 is usual",
                                              .found = std::to_string(alpha)});
  }
  return Smoother(graph, alpha).run(targets, maxima);
}

}  // namespace octavo::quant
