#include "importers/onnx_inline.h"

#include <map>
#include <tuple>

#include "importers/onnx_upgrade.h"
#include "octavo/error.h"

namespace octavo::importers {
namespace {

using formats::OnnxAttribute;
using formats::OnnxFunction;
using formats::OnnxNode;

constexpr int kMaxDepth = 32;
constexpr std::size_t kMaxNodes = std::size_t{1} << 20;
constexpr std::size_t kMaxCalls = std::size_t{1} << 16;

std::string normal_domain(const std::string& domain) { return domain == "ai.onnx" ? "" : domain; }

// 0 when the list does not name the standard domain.
std::int64_t standard_opset(const std::vector<formats::OnnxOpset>& imports) {
  std::int64_t out = 0;
  for (const auto& opset : imports) {
    if (normal_domain(opset.domain).empty()) out = opset.version;
  }
  if (out != 0 && (out < kOldestOpset || out > kNewestOpset)) {
    throw Error(ErrorCode::kUnsupported,
                {.message = "the model is of an ONNX opset that octavo does not read",
                 .place = "opset_import",
                 .expected = std::to_string(kOldestOpset) + " to " + std::to_string(kNewestOpset),
                 .found = std::to_string(out),
                 .fix = "export the model with opset 17"});
  }
  return out;
}

class Inliner {
 public:
  explicit Inliner(const formats::OnnxModel& model) : model_(model) {
    for (const OnnxFunction& function : model.functions) {
      const auto added = functions_.emplace(
          std::tuple(normal_domain(function.domain), function.name, function.overload), &function);
      if (!added.second) fail("a function is defined twice", function.name);
    }
  }

  std::vector<FlatNode> run() {
    const std::int64_t opset = standard_opset(model_.opset_imports);
    for (const OnnxNode& node : model_.graph.nodes) add(node, opset, 0);
    return std::move(out_);
  }

 private:
  [[noreturn]] static void fail(std::string message, const std::string& place) {
    throw Error(ErrorCode::kInvalidFile,
                {.message = std::move(message),
                 .place = "'" + place + "'",
                 .fix = "the model breaks the ONNX specification: export it again"});
  }

  void add(OnnxNode node, std::int64_t opset, int depth) {
    node.domain = normal_domain(node.domain);
    const auto function = functions_.find(std::tuple(node.domain, node.op_type, node.overload));
    if (function != functions_.end()) {
      expand(node, *function->second, depth);
      return;
    }
    if (node.domain.empty() && opset == 0) {
      fail("the model uses standard operators but names no opset for them", node.op_type);
    }
    if (out_.size() >= kMaxNodes) fail("functions unfold to too many nodes", node.op_type);
    out_.push_back({std::move(node), opset});
  }

  void expand(const OnnxNode& call, const OnnxFunction& function, int depth) {
    if (depth >= kMaxDepth) fail("functions call each other without end", function.name);
    if (call.inputs.size() > function.inputs.size() ||
        call.outputs.size() > function.outputs.size()) {
      fail("a call has more inputs or outputs than its function", function.name);
    }
    // Calls are counted too: a body may consist of calls alone.
    if (++calls_ > kMaxCalls) fail("functions unfold to too many nodes", function.name);
    const std::string prefix = function.name + "//" + std::to_string(calls_) + "/";
    std::map<std::string, std::string> names{{"", ""}};
    std::vector<std::pair<std::string, std::string>> copies;
    for (std::size_t i = 0; i < function.inputs.size(); ++i) {
      names[function.inputs[i]] = i < call.inputs.size() ? call.inputs[i] : "";
    }
    for (std::size_t i = 0; i < call.outputs.size(); ++i) {
      if (call.outputs[i].empty()) continue;
      const auto known = names.find(function.outputs[i]);
      if (known != names.end()) {
        copies.emplace_back(known->second, call.outputs[i]);
      } else {
        names[function.outputs[i]] = call.outputs[i];
      }
    }
    const auto rename = [&](std::string& name) {
      name = names.emplace(name, prefix + name).first->second;
    };
    const std::int64_t opset = standard_opset(function.opset_imports);
    for (const OnnxNode& original : function.nodes) {
      OnnxNode node = original;
      node.name = prefix + node.name;
      for (std::string& name : node.inputs) rename(name);
      for (std::string& name : node.outputs) rename(name);
      node.attributes.clear();
      for (const OnnxAttribute& attribute : original.attributes) {
        bind(attribute, call, function, node);
      }
      add(std::move(node), opset, depth + 1);
    }
    for (const auto& [from, to] : copies) {
      OnnxNode copy;
      copy.name = prefix + to;
      copy.op_type = "Identity";
      copy.inputs = {from};
      copy.outputs = {to};
      out_.push_back({std::move(copy), kNewestOpset});
    }
  }

  // Adds the attribute to `node`; a reference takes the call's value or the default, or vanishes.
  static void bind(const OnnxAttribute& attribute, const OnnxNode& call,
                   const OnnxFunction& function, OnnxNode& node) {
    if (attribute.ref_attr_name.empty()) {
      node.attributes.push_back(attribute);
      return;
    }
    for (const auto* list : {&call.attributes, &function.attribute_defaults}) {
      for (const OnnxAttribute& given : *list) {
        if (given.name != attribute.ref_attr_name) continue;
        node.attributes.push_back(given);
        node.attributes.back().name = attribute.name;
        return;
      }
    }
  }

  const formats::OnnxModel& model_;
  std::map<std::tuple<std::string, std::string, std::string>, const OnnxFunction*> functions_;
  std::vector<FlatNode> out_;
  std::size_t calls_ = 0;
};

}  // namespace

std::vector<FlatNode> inline_functions(const formats::OnnxModel& model) {
  return Inliner(model).run();
}

}  // namespace octavo::importers
