// The options that the pre-tokenizer and the decoder Metaspace share.
#pragma once

#include "tokenizer/component.h"

namespace octavo::tokenizer {

struct MetaspaceOptions {
  enum Scheme { kAlways, kFirst, kNever };
  std::string replacement;  // one character
  Scheme scheme = kAlways;
  bool split = true;
};
MetaspaceOptions read_metaspace(JsonValue json);

}  // namespace octavo::tokenizer
