// The config files of sentence-transformers: an error, or values within their limits.
#include <cstdint>
#include <string_view>

#include "formats/hf_config.h"

namespace {

template <typename Body>
void attempt(Body&& body) {
  try {
    body();
  } catch (const octavo::Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace octavo::formats;
  attempt([&] {
    const auto document =
        octavo::JsonDocument::parse({reinterpret_cast<const char*>(data), size}, "fuzz");
    attempt([&] {
      const auto dense = parse_dense_config(document.root());
      if (dense.in_features <= 0 || dense.out_features <= 0) __builtin_trap();
    });
    attempt([&] {
      const auto pooling = parse_pooling_config(document.root());
      if (pooling.word_embedding_dimension.value_or(1) <= 0) __builtin_trap();
    });
    attempt([&] {
      for (const auto& module : parse_modules(document.root())) {
        if (module.path.starts_with('/') || module.path.find("..") == 0) __builtin_trap();
      }
    });
  });
  return 0;
}
