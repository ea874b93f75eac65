// A profile as frames: the model, its layers, their steps, and the waiting of the threads.
#pragma once

#include <cstddef>

#include "eval/report/flame_graph.h"
#include "octavo/profile.h"

namespace octavo::eval {

/// Values are seconds of the run; a colour an op, in the order of their shares.
FlameGraph flame_graph_of(const ProfileResult& result, std::size_t index);

}  // namespace octavo::eval
