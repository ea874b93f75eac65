// BertPreTokenizer: pieces between white space, every punctuation character a piece of its own.
#pragma once

#include "tokenizer/component.h"

namespace octavo::tokenizer {

class BertPreTokenizer : public PreTokenizer {
 public:
  void apply(Pieces& pieces) const override;
};

}  // namespace octavo::tokenizer
