// What octavo quantize says of its result, for people and as JSON.
#pragma once

#include <ostream>

#include "quantize_flags.h"

namespace octavo::cli {

Json quantize_json(const QuantizeFlags& flags, const QuantizeResult& result);
void print_quantize_text(Console& console, const QuantizeFlags& flags,
                         const QuantizeResult& result);

}  // namespace octavo::cli
