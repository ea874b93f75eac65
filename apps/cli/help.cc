// Help texts, laid out for 80 columns.
#include <fmt/format.h>

#include <algorithm>

#include "command.h"
#include "format.h"
#include "octavo/system.h"

namespace octavo::cli {
namespace {

constexpr std::size_t kWidth = 80;

// CLI11 appends the checks of a value to its name, after a colon.
std::string value_name(const CLI::Option& option) {
  const std::string name = option.get_type_name();
  return name.substr(0, name.find(':'));
}

// "-o, --output FILE", "--[no-]normalize".
std::string option_label(const CLI::Option& option) {
  std::string out;
  const auto add = [&](const std::string& name) { out += (out.empty() ? "" : ", ") + name; };
  for (const std::string& name : option.get_snames()) add("-" + name);
  const auto& names = option.get_lnames();
  for (const std::string& name : names) {
    if (name.find('_') != std::string::npos) continue;  // another tool's spelling
    if (name.starts_with("no-") && std::count(names.begin(), names.end(), name.substr(3)) > 0)
      continue;
    const bool negatable = std::count(names.begin(), names.end(), "no-" + name) > 0;
    add((negatable ? "--[no-]" : "--") + name);
  }
  if (out.empty())
    out = option.get_name();
  else if (option.get_expected_max() > 0)
    out += " " + value_name(option);
  return out;
}

void add_row(std::string& out, const std::string& label, const std::string& text,
             std::size_t column) {
  std::string line = "  " + label;
  line.resize(std::max(line.size() + 2, column), ' ');
  out += line + wrap(text, kWidth, column, line.size()) + "\n";
}

std::string usage_line(const Verb& verb, const CLI::App& app) {
  std::string out = "octavo " + verb.name;
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) continue;
    const bool many = option->get_expected_max() > 1;
    const std::string name = option->get_name() + (many ? "..." : "");
    out += option->get_required() ? " " + name : " [" + name + "]";
  }
  return out + " [options]";
}

}  // namespace

std::string help_text(const Verb& verb, const Command& command) {
  std::string out = fmt::format("octavo {}: {}\n\nUsage: {}\n", verb.name, verb.summary,
                                usage_line(verb, command.app));
  if (!command.about.empty()) out += wrap(command.about, kWidth, 0, 0) + "\n";
  std::vector<std::string> groups;
  for (const CLI::Option* option : command.app.get_options()) {
    const std::string& group = option->get_group();
    if (!group.empty() && std::count(groups.begin(), groups.end(), group) == 0)
      groups.push_back(group);
  }
  for (const std::string& group : groups) {
    out += "\n" + group + ":\n";
    for (const CLI::Option* option : command.app.get_options()) {
      if (option->get_group() == group)
        add_row(out, option_label(*option), option->get_description(), 26);
    }
  }
  out += "\nExamples:\n";
  for (const std::string& example : command.examples) out += "  " + example + "\n";
  return out;
}

std::string overview_text() {
  std::string out = fmt::format(
      "octavo {}: runs transformer embedders and rerankers on CPUs\n\nUsage: octavo VERB ...\n",
      version());
  std::string group;
  for (const Verb& verb : verbs()) {
    if (verb.group != group) out += "\n" + verb.group + ":\n";
    group = verb.group;
    add_row(out, verb.name, verb.summary, 14);
  }
  out +=
      "\nA model is a directory as published (config.json, model.safetensors,\n"
      "tokenizer.json), an .onnx file, or a .safetensors file with its config beside\n"
      "it. Nothing is fetched from anywhere.\n"
      "\nExamples:\n"
      "  octavo embed models/all-MiniLM-L6-v2 texts.txt -o vectors.npy\n"
      "  octavo search models/all-MiniLM-L6-v2 --corpus docs.jsonl --query \"red wine\"\n"
      "  octavo doctor models/all-MiniLM-L6-v2\n"
      "\n'octavo help VERB' explains a verb.\n"
      "Exit codes: 0 ok, 1 failed, 2 usage, 3 not found.\n";
  return out;
}

}  // namespace octavo::cli
