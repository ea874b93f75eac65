// Activations as integers: with a scale found while running or by calibration, once a value however
// many products read it.
#pragma once

#include <map>

#include "quant/ranges.h"
#include "quant/rewriter.h"

namespace octavo::quant {

class Activations {
 public:
  Activations(Rewriter& rewriter, const Ranges& ranges) : rewriter_(rewriter), ranges_(ranges) {}

  /// A scale a tensor, found while running: DynamicQuantizeLinear, or for int8 the largest
  /// magnitude divided by 127.
  QuantizedValue dynamic(ir::ValueId x);
  /// Symmetric int8 with a scale a token row; the scale has the shape of x with 1 at its end.
  QuantizedValue rows(ir::ValueId x);
  /// Scale and zero point of calibration, as constants; `values` is left out.
  QuantizedValue calibrated(ir::ValueId x);
  /// QuantizeLinear with calibrated(x).
  QuantizedValue fixed(ir::ValueId x);
  /// QuantizeLinear and DequantizeLinear with calibrated(x): x rounded.
  ir::ValueId rounded(ir::ValueId x);

 private:
  /// max(|x|) / 127 and never zero; along the last axis, or of everything.
  ir::ValueId magnitude_scale(ir::ValueId x, bool by_row);

  Rewriter& rewriter_;
  const Ranges& ranges_;
  std::map<ir::ValueId, QuantizedValue> dynamic_, rows_, calibrated_, fixed_;
  std::map<ir::ValueId, ir::ValueId> rounded_;
};

}  // namespace octavo::quant
