// Every kind of step that a file can hold.
#pragma once

#include <memory>
#include <string_view>

#include "plan/plan_file.h"
#include "plan/step.h"

namespace octavo::plan {

/// Reads what a step of this kind saved; its checks make run() safe whatever the file holds. Throws
/// Error(kInvalidFile), for an unknown kind too.
std::unique_ptr<Step> load_step(std::string_view kind, PlanReader& reader, IsaMask isa);

}  // namespace octavo::plan
