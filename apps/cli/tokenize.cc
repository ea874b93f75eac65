// octavo tokenize: texts to token ids, and ids to text.
#include <fmt/format.h>

#include <iterator>
#include <memory>

#include "flags.h"
#include "format.h"
#include "interrupt.h"
#include "octavo/tokenizer.h"
#include "verbs.h"

namespace octavo::cli {
namespace {

TruncationStrategy parse_strategy(const std::string& name) {
  if (name == "only_first") return TruncationStrategy::kOnlyFirst;
  if (name == "only_second") return TruncationStrategy::kOnlySecond;
  return TruncationStrategy::kLongestFirst;
}

void append_list(std::string& out, const std::vector<std::int32_t>& values,
                 std::string_view between) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out += between;
    out += fmt::format_int(values[i]).c_str();
  }
}

struct TokenizeCommand {
  explicit TokenizeCommand(Context& the_context) : context(the_context) {}

  Context& context;
  std::string model, tokenizer_file, format = "auto", strategy = "longest_first";
  std::vector<std::string> inputs;
  std::optional<std::size_t> max_length{};
  std::optional<bool> special_tokens{};
  bool decode = false, show_tokens = false;

  void run() {
    TextReader reader(inputs, decode ? TextFormat::kText : parse_text_format(format), interrupted);
    const Tokenizer tokenizer =
        Tokenizer::load(tokenizer_file.empty() ? find_tokenizer(model) : tokenizer_file);
    explain_terminal_input(context.console, inputs, decode ? "token ids" : "texts");
    if (decode) {
      decode_lines(reader, tokenizer);
    } else {
      encode_lines(reader, tokenizer);
    }
  }

  void encode_lines(TextReader& reader, const Tokenizer& tokenizer) {
    EncodeOptions options;
    options.add_special_tokens = special_tokens.value_or(true);
    options.max_length = max_length.value_or(0);
    options.strategy = parse_strategy(strategy);
    std::size_t texts = 0, truncated = 0;
    TextRecord record;
    std::string line;
    while (reader.next(record)) {
      const std::string& text = record.require_text();
      const Encoding encoding = record.pair ? tokenizer.encode_pair(text, *record.pair, options)
                                            : tokenizer.encode(text, options);
      ++texts;
      truncated += encoding.truncated ? 1 : 0;
      line.clear();
      if (context.console.json) {
        append_json(line, encoding, tokenizer);
      } else if (show_tokens) {
        for (const std::int32_t id : encoding.ids)
          line += (line.empty() ? "" : " ") + tokenizer.id_to_token(id);
      } else {
        append_list(line, encoding.ids, " ");
      }
      line += '\n';
      context.console.out() << line;
    }
    context.console.flush();
    warn_truncated(context.console, truncated, texts, "text", options.max_length, {});
  }

  void append_json(std::string& line, const Encoding& encoding, const Tokenizer& tokenizer) const {
    line += "{\"ids\": [";
    append_list(line, encoding.ids, ", ");
    line += "], \"type_ids\": [";
    append_list(line, encoding.type_ids, ", ");
    line += "]";
    if (show_tokens) {
      Json tokens = Json::array();
      for (const std::int32_t id : encoding.ids) tokens.push_back(tokenizer.id_to_token(id));
      line += ", \"tokens\": " + to_text(tokens, -1);
    }
    if (encoding.truncated) line += ", \"truncated\": true";
    line += "}";
  }

  void decode_lines(TextReader& reader, const Tokenizer& tokenizer) {
    TextRecord record;
    while (reader.next(record)) {
      const std::vector<std::int32_t> ids = parse_token_ids(
          record.require_text(), record.file + ", line " + std::to_string(record.line));
      const std::string text = tokenizer.decode(ids, !special_tokens.value_or(false));
      context.console.out() << (context.console.json ? to_text(Json{{"text", text}}, -1) : text)
                            << '\n';
    }
  }
};

}  // namespace

void define_tokenize(Command& command, Context& context) {
  const auto self = std::make_shared<TokenizeCommand>(context);
  CLI::App& app = command.app;
  app.add_option("MODEL", self->model, "a model, or a tokenizer.json or vocab.txt")
      ->required()
      ->group("Arguments");
  app.add_option("INPUT", self->inputs, "files with a text a line; standard input without")
      ->group("Arguments");
  app.add_flag("--tokens", self->show_tokens, "print the tokens' text (with --json: as well)");
  app.add_flag("--decode", self->decode, "the other way: lines of ids to text");
  app.add_flag_function(
      "--special-tokens,!--no-special-tokens",
      [self](std::int64_t value) { self->special_tokens = value > 0; },
      "add them to texts (default), keep them when decoding (default: no)");
  add_format_flag(app, self->format);
  add_max_length(app, self->max_length);
  app.add_option("--truncation", self->strategy,
                 "what of a pair is cut: longest_first, only_first, only_second")
      ->type_name("S")
      ->check(CLI::IsMember({"longest_first", "only_first", "only_second"}))
      ->group(kModelGroup);
  add_tokenizer_flag(app, self->tokenizer_file);
  command.about =
      "A line is plain text, a JSON string, or {\"text\": ..., \"pair\": ...}. Prints the ids of "
      "each; "
      "with --json {\"ids\": [...], \"type_ids\": [...]}. Nothing is cut without --max-length.";
  command.examples = {"echo \"Hello, world\" | octavo tokenize models/minilm --tokens",
                      "octavo tokenize tokenizer.json --json < texts.jsonl > ids.jsonl",
                      "echo \"101 7592 102\" | octavo tokenize models/minilm --decode"};
  command.run = [self] { self->run(); };
}

}  // namespace octavo::cli
