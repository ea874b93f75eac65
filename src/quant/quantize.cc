#include "quant/quantize.h"

#include <algorithm>
#include <map>

#include "octavo/error.h"
#include "quant/attention.h"
#include "quant/float16.h"
#include "quant/products.h"
#include "quant/tables.h"
#include "quant/targets.h"
#include "quant/weight_only.h"

namespace octavo::quant {
namespace {

bool has_microsoft_operators(const ir::Graph& graph) {
  for (std::size_t i = 0; i < graph.node_count(); ++i) {
    const ir::Node& node = graph.node(static_cast<ir::NodeId>(i));
    if (node.alive && node.domain == "com.microsoft") return true;
  }
  return false;
}

void check_ranges(const Targets& targets, const Ranges& ranges) {
  std::size_t missing = 0;
  std::string first;
  for (const std::string& name : targets.activations) {
    if (ranges.contains(name)) continue;
    if (missing++ == 0) first = name;
  }
  if (missing == 0) return;
  throw Error(ErrorCode::kInvalidArgument,
              {.message = "static quantisation needs ranges that calibration did not give",
               .place = "value '" + first + "'",
               .expected = std::to_string(targets.activations.size()) + " ranges",
               .found = std::to_string(targets.activations.size() - missing),
               .fix = "calibrate with the same options and exclusions: --calibration FILE"});
}

class Quantizer {
 public:
  Quantizer(ir::Graph& graph, const QuantizeOptions& options, const Ranges& ranges)
      : graph_(graph),
        options_(options),
        rewriter_(graph, options),
        activations_(rewriter_, ranges) {}

  std::vector<QuantizedNode> run(const Targets& targets) {
    microsoft_ = has_microsoft_operators(graph_);
    for (const Target& target : targets.nodes) {
      if (target.activation != ir::kNoValue) ++readers_[target.activation];
    }
    for (const Target& target : targets.nodes) {
      const ir::Node node = graph_.node(target.node);  // a copy: new nodes move the old
      switch (target.kind) {
        case TargetKind::kProduct: product(node, readers_[target.activation] > 1); break;
        case TargetKind::kAttention: attention(node); break;
        case TargetKind::kTable: quantize_table(rewriter_, node); break;
        case TargetKind::kEmbedding: quantize_embedding(rewriter_, node); break;
      }
    }
    return rewriter_.take_report();
  }

 private:
  bool qdq() const { return options_.format == QuantizeFormat::kQdq; }

  void product(const ir::Node& node, bool shared_input) {
    switch (options_.mode) {
      case QuantizeMode::kOctavo: return row_product(rewriter_, activations_, node);
      case QuantizeMode::kDynamic:
        return qdq() ? dynamic_qdq(rewriter_, activations_, node)
                     : dynamic_operator(rewriter_, activations_, node, microsoft_, shared_input);
      case QuantizeMode::kStatic:
        return qdq() ? static_qdq(rewriter_, activations_, node)
                     : static_operator(rewriter_, activations_, node);
      default: return weight_only_product(rewriter_, node);
    }
  }

  void attention(const ir::Node& node) {
    if (options_.mode == QuantizeMode::kDynamic || options_.mode == QuantizeMode::kStatic)
      return quantize_attention(rewriter_, activations_, node);
    rewriter_.left(node, "its projection cannot be taken out");
  }

  ir::Graph& graph_;
  const QuantizeOptions& options_;
  Rewriter rewriter_;
  Activations activations_;
  std::map<ir::ValueId, int> readers_;
  bool microsoft_ = false;
};

}  // namespace

QuantizeReport quantize(ir::Graph& graph, const QuantizeOptions& options, const Ranges& ranges,
                        const TensorStore* store) {
  check_quantize_options(options);
  QuantizeReport report;
  with_frame(
      [] { return std::string("quantising the graph"); },
      [&] {
        refuse_quantised(graph);
        prepare(graph, options, store);
        if (options.mode == QuantizeMode::kFloat16 || options.mode == QuantizeMode::kBFloat16) {
          report.nodes = convert_to_half(graph, options, report.clamped);
        } else {
          const Targets targets = quantizable(graph, options);
          if (options.mode == QuantizeMode::kStatic) check_ranges(targets, ranges);
          report.nodes = Quantizer(graph, options, ranges).run(targets);
          report.nodes.insert(report.nodes.end(), targets.left.begin(), targets.left.end());
        }
        graph.remove_dead();
        graph.verify();
      });
  report.quantized = static_cast<std::size_t>(std::ranges::count_if(
      report.nodes, [](const QuantizedNode& node) { return node.quantized; }));
  return report;
}

}  // namespace octavo::quant
