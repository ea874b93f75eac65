// Brings a node of an older ONNX opset to its form at opset 21. Source of the rules: the version
// history of the operators, https://github.com/onnx/onnx/blob/main/docs/Changelog.md
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "formats/onnx_model.h"

namespace octavo::importers {

inline constexpr std::int64_t kOldestOpset = 7;
inline constexpr std::int64_t kNewestOpset = 28;

class OnnxUpgrader {
 public:
  /// Knows the ranks of inputs and initializers, which tell the old Softmax from the new one.
  explicit OnnxUpgrader(const formats::OnnxGraph& graph);

  /// One standard-domain node of `opset` as nodes of opset 21. Attributes that became inputs are
  /// given as Constant nodes with new names.
  std::vector<formats::OnnxNode> upgrade(formats::OnnxNode node, std::int64_t opset);

 private:
  std::string fresh(const std::string& base);
  std::string constant(Tensor tensor, const std::string& base, std::vector<formats::OnnxNode>& out);
  void attributes_to_inputs(formats::OnnxNode& node, std::vector<formats::OnnxNode>& out);
  bool flat_softmax(formats::OnnxNode& node, std::vector<formats::OnnxNode>& out);
  void note_rank(const formats::OnnxNode& node);
  const std::size_t* rank(const std::string& name) const;

  std::map<std::string, std::size_t> ranks_;
  std::map<std::string, std::size_t> lengths_;  // elements of the constants made here
  std::size_t made_ = 0;
};

}  // namespace octavo::importers
