// What convert, optimize and quantize have in common beside write_model.h.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "tasks/model_files.h"

namespace octavo::tasks {

/// Importers of checkpoints number kept tokens, which is the same wherever rows are padded. The
/// implementations that the checkpoints come from number all tokens, or all ids that are no
/// padding: what is written does as they do. Graphs of ONNX files stay as they are.
void number_as_checkpoints_do(const ModelFiles& source, ir::Graph& graph);

/// Bytes of the files that are there.
std::size_t size_of(const std::vector<std::string>& files);

/// "a,b".
std::string joined(const std::vector<std::string>& words);

}  // namespace octavo::tasks
