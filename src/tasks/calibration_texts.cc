#include "tasks/calibration_texts.h"

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "formats/sha256.h"
#include "octavo/error.h"
#include "octavo/text_input.h"
#include "octavo/tokenizer.h"

namespace octavo::tasks {
namespace {

std::vector<std::string> text_files(const CalibrationOptions& options) {
  std::vector<std::string> out;
  for (const std::string& file : options.files) {
    if (file == "-") {
      throw Error(ErrorCode::kInvalidArgument,
                  {.message = "calibration texts cannot come from standard input",
                   .expected = "files: they are read twice, to take texts from all of them",
                   .fix = "write them into a file first"});
    }
    const std::string corpus = (std::filesystem::path(file) / "corpus.jsonl").string();
    out.push_back(directory_exists(file) ? corpus : file);
  }
  return out;
}

/// The corpus of a BEIR directory has that directory's name before it, as all are called alike.
std::string name_in_record(const std::string& asked, const std::string& read) {
  const std::filesystem::path path = std::filesystem::absolute(read).lexically_normal();
  if (asked == read) return path.filename().string();
  return (path.parent_path().filename() / path.filename()).string();
}

/// A whole pass over the records; `use` sees the texts that are not empty.
template <typename F>
void for_texts(const std::vector<std::string>& files, F use) {
  TextReader reader(files, TextFormat::kAuto);
  TextRecord record;
  while (reader.next(record)) {
    std::string text = record.require_text();
    if (record.title && !record.title->empty()) text = *record.title + " " + text;
    if (text.find_first_not_of(" \t\r\n") != std::string::npos) use(std::move(text));
  }
}

std::string prompt_of(const ModelFiles& model, const CalibrationOptions& options) {
  if (options.prompt) return *options.prompt;
  const formats::SentenceTransformersConfig& st = model.sentence_transformers;
  std::vector<std::string> names{"document", "passage", "corpus"};
  if (st.default_prompt_name) names.push_back(*st.default_prompt_name);
  for (const std::string& name : names) {
    if (const auto it = st.prompts.find(name); it != st.prompts.end()) return it->second;
  }
  return {};
}

}  // namespace

std::string calibration_sources(const CalibrationOptions& options) {
  const std::vector<std::string> files = text_files(options);
  std::string out;
  for (std::size_t i = 0; i < files.size(); ++i) {
    out += (i == 0 ? "" : ", ") + name_in_record(options.files[i], files[i]) + " (sha256 " +
           formats::sha256_file(files[i]) + ")";
  }
  return out;
}

std::vector<quant::Sample> calibration_samples(const ModelFiles& model,
                                               const CalibrationOptions& options) {
  const std::vector<std::string> files = text_files(options);
  const Tokenizer tokenizer = Tokenizer::load(model.tokenizer_path(options.tokenizer));
  std::size_t total = 0;
  for_texts(files, [&](const std::string&) { ++total; });
  if (total < kFewestSamples) {
    throw Error(ErrorCode::kInvalidArgument,
                {.message = total == 0 ? "the calibration file holds no text"
                                       : "the calibration texts are too few",
                 .file = files.front(),
                 .expected = "at least " + std::to_string(kFewestSamples) +
                             " texts, a text a line; some hundreds are usual",
                 .found = std::to_string(total),
                 .fix = "add texts like those that the model is for"});
  }
  EncodeOptions encode;
  encode.max_length = options.max_length;
  if (const auto limit = tokenizer.model_max_length())
    encode.max_length = std::min(encode.max_length, *limit);
  const std::size_t wanted = std::min(options.samples, total);
  const std::string prompt = prompt_of(model, options);
  const std::size_t taken = tokenizer.encode(prompt).ids.size();
  if (encode.max_length <= taken) {
    throw Error(ErrorCode::kInvalidArgument,
                {.message = "the limit leaves no token of the texts",
                 .place = "--max-length",
                 .expected = "more than the " + std::to_string(taken) +
                             " that special tokens and the prompt take",
                 .found = std::to_string(encode.max_length),
                 .fix = "leave it out for 256"});
  }
  std::vector<quant::Sample> out;
  std::size_t at = 0;
  for_texts(files, [&](const std::string& text) {
    if (at * wanted / total != (at + 1) * wanted / total) {
      Encoding encoding = tokenizer.encode(prompt + text, encode);
      if (!encoding.ids.empty())
        out.push_back({std::move(encoding.ids), std::move(encoding.type_ids)});
    }
    ++at;
  });
  return out;
}

}  // namespace octavo::tasks
