// The nodes that options leave as they are, and whether what they name is there at all.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"
#include "octavo/quantize.h"

namespace octavo::quant {

/// '*' stands for any characters, '?' for one.
bool matches_glob(std::string_view glob, std::string_view text);

class Exclusions {
 public:
  explicit Exclusions(const QuantizeOptions& options)
      : options_(options), matched_(options.exclude.size(), false) {}

  /// Why `node` stays as it is; empty for a node that is not excluded.
  std::string reason(const ir::Node& node);
  /// Error(kInvalidArgument) for a name or glob that no node had of which reason() was asked, and
  /// for operator types of which none was among them: a list of types may serve many models.
  void check() const;

 private:
  const QuantizeOptions& options_;
  std::vector<bool> matched_;
  bool matched_operator_ = false;
};

bool is_excluded(const QuantizeOptions& options, const ir::Node& node);

/// Error(kInvalidArgument) where no node of a report was quantised, with what kept them.
void check_something_is_left(const QuantizeOptions& options,
                             const std::vector<QuantizedNode>& report);

}  // namespace octavo::quant
