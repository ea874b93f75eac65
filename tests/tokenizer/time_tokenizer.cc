// Times the encoding of a file of texts on one thread, a round for each line on standard input:
// prints the seconds and the number of tokens. For bench_tokenizers.py.
#include <chrono>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "octavo/tokenizer.h"

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::cerr << "usage: time_tokenizer TOKENIZER TEXTS.jsonl\n";
    return 2;
  }
  const octavo::Tokenizer tokenizer = octavo::Tokenizer::load(argv[1]);
  std::vector<std::string> texts;
  std::ifstream file(argv[2]);
  for (std::string line; std::getline(file, line);) {
    texts.push_back(nlohmann::json::parse(line).get<std::string>());
  }
  for (std::string line; std::getline(std::cin, line);) {
    const auto start = std::chrono::steady_clock::now();
    std::size_t tokens = 0;
    for (const std::string& text : texts) tokens += tokenizer.encode(text).ids.size();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    std::cout << seconds.count() << ' ' << tokens << std::endl;
  }
  return 0;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
