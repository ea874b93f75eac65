// The table of passes and the loop that runs it.
#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

#include "passes/pass.h"

namespace octavo::passes {

struct PipelineOptions {
  /// 0: the graph as it was imported; 1: the form that the packed plan runs.
  int level = 1;
  /// Names of passes that are left out.
  std::set<std::string, std::less<>> disabled{};
  /// As PassContext has it.
  const TensorStore* store = nullptr;
};

struct PassReport {
  std::string name;
  std::size_t fired = 0;
  double seconds = 0;
  std::vector<std::string> near_misses;
};

std::span<const Pass> all_passes();

/// Runs the passes of a table in order, as run_pipeline() does.
std::vector<PassReport> run_passes(ir::Graph& graph, std::span<const Pass> passes,
                                   const PipelineOptions& options);

/// Runs the passes of the table in order; dead nodes are removed and the graph is verified after
/// each. Error(kInvalidArgument) for a disabled name that is in no row; any other Error names the
/// pass.
std::vector<PassReport> run_pipeline(ir::Graph& graph, const PipelineOptions& options = {});

}  // namespace octavo::passes
