// The model families of import_hf(): one function a family, one row in families.inc.
#pragma once

#include "importers/models/builder.h"

namespace octavo::importers {

#define OCTAVO_FAMILY(model_type, function) void function(Builder& builder);
#include "importers/models/families.inc"
#undef OCTAVO_FAMILY

}  // namespace octavo::importers
