// Two measurements of the same peaks, taken for one.
#pragma once

#include "octavo/peaks.h"

namespace octavo::eval {

/// Other programs can only take from a peak: what another measurement reached was possible too.
void raise_peaks(MachinePeaks& peaks, const MachinePeaks& again);

}  // namespace octavo::eval
