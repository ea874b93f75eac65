// The record of how a model was made, which every model that octavo writes carries.
#pragma once

#include <string>

namespace octavo {

/// JSON: what the model was made from (`source`, `source_sha256`), by which `tool_version`, the
/// `recipe` (the verbs that were applied, with their options) and what was `measured` of the
/// result. Empty for a model that octavo did not write. Throws Error as Model::load().
std::string model_record(const std::string& model);

}  // namespace octavo
