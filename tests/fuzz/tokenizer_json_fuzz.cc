// tokenizer.json from outside: loading gives a tokenizer or an octavo::Error, and what loads
// encodes and decodes.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "octavo/error.h"
#include "octavo/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const octavo::Tokenizer tokenizer = octavo::Tokenizer::from_json(text, "fuzz.json");
    const octavo::Encoding encoding = tokenizer.encode_pair(
        "The caf\u00e9, 12 \u4e2d\u0301 a\u200db", "\r\n <s> [MASK]\xff", {.max_length = 16});
    tokenizer.decode(encoding.ids);
    tokenizer.decode(encoding.ids, false);
  } catch (const octavo::Error&) {
  }
  return 0;
}
