// Tokenizing hostile texts of 1 MiB and ordinary text. The tokenizers: a small one of each family
// from tests/data/tokenizers, and any files named in $OCTAVO_BENCH_TOKENIZERS (separated by
// colons). Run from the repository root.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <map>
#include <string>

#include "octavo/tokenizer.h"

namespace {

constexpr std::size_t kSize = std::size_t{1} << 20;

std::string repeat(std::string_view unit) {
  std::string out;
  while (out.size() + unit.size() <= kSize) out += unit;
  return out;
}

const std::map<std::string, std::string>& texts() {
  static const std::map<std::string, std::string> all = {
      {"letter", repeat("a")},
      {"space", repeat(" ")},
      {"digit", repeat("7")},
      {"punctuation", repeat("<")},
      {"zero", repeat(std::string_view("\0", 1))},
      {"marks", repeat("\u0323\u0301")},
      {"letter_and_marks", "a" + repeat("\u0301\u0323")},
      {"emoji_joiners", repeat("\U0001f468\u200d")},
      {"joiners", repeat("\u200d")},
      {"flags", repeat("\U0001f1e6")},
      {"newline_space", repeat("\n ")},
      {"letter_space", repeat("a ")},
      {"alternating", repeat("ab")},
      {"ideograph", repeat("\u4e2d")},
      {"hangul", repeat("\uac01")},
      {"virama", repeat("\u0915\u094d")},
      {"ligature", repeat("\ufdfa")},
      {"prose",
       repeat(
           "The quick brown fox, aged 37, doesn't jump over the lazy dogs' kennel; it's asleep. ")},
  };
  return all;
}

void encode(benchmark::State& state, const octavo::Tokenizer& tokenizer, const std::string& text) {
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer.encode(text));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
}

const int registered = [] {
  std::vector<std::string> files = {"tests/data/tokenizers/unigram-sentencepiece/tokenizer.json",
                                    "tests/data/tokenizers/bpe-sentencepiece/tokenizer.json"};
  if (const char* more = std::getenv("OCTAVO_BENCH_TOKENIZERS")) {
    std::string list = more;
    for (std::size_t at = 0; at < list.size();) {
      const std::size_t end = std::min(list.find(':', at), list.size());
      files.push_back(list.substr(at, end - at));
      at = end + 1;
    }
  }
  for (const std::string& file : files) {
    const auto tokenizer = octavo::Tokenizer::load(file);
    const std::string folder = file.substr(0, file.rfind('/'));
    for (const auto& [name, text] : texts()) {
      benchmark::RegisterBenchmark(
          (folder.substr(folder.rfind('/') + 1) + "/" + name).c_str(),
          [tokenizer, &text](benchmark::State& s) { encode(s, tokenizer, text); })
          ->Unit(benchmark::kMillisecond);
    }
  }
  return 0;
}();

}  // namespace
