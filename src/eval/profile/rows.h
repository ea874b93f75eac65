// Rows of a profile in the order of the plan, before anything is sorted or cut.
#pragma once

#include <cstddef>
#include <vector>

#include "octavo/profile.h"

namespace octavo::eval {

/// Seconds of a run that the rows share out: its time, or the sum of its steps should that be more.
double shared_seconds(const RunProfile& run, int threads);

/// In the order of each row's first step.
std::vector<ProfileRow> profile_rows(const ProfileResult& result, std::size_t index, ProfileBy by);

}  // namespace octavo::eval
