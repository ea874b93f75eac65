// What calibration finds and static quantisation needs: the range of every activation, by the name
// of its value.
#pragma once

#include <map>
#include <string>

namespace octavo::quant {

struct TensorRange {
  float min = 0;
  float max = 0;
};

using Ranges = std::map<std::string, TensorRange>;

}  // namespace octavo::quant
