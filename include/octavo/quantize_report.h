// The report of a quantisation: what became of the model, what each layer costs, what the quality
// gate tried.
#pragma once

#include <string>

#include "octavo/quantize.h"

namespace octavo {

/// One HTML file without references to anything else; atomic. Throws kIo.
void write_quantize_report(const std::string& path, const std::string& model,
                           const QuantizeModelOptions& options, const QuantizeResult& result,
                           const std::string& command);

}  // namespace octavo
