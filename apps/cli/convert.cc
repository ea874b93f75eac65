// octavo convert: a model as an ONNX directory.
#include "octavo/convert.h"

#include <fmt/format.h>

#include <memory>

#include "flags.h"
#include "format.h"
#include "verbs.h"

namespace octavo::cli {
namespace {

Json values_json(const std::vector<ModelInput>& values) {
  Json out = Json::array();
  for (const ModelInput& value : values)
    out.push_back({{"name", value.name}, {"dtype", value.dtype}, {"shape", value.shape}});
  return out;
}

std::string values_text(const std::vector<ModelInput>& values) {
  std::string out;
  for (const ModelInput& value : values) {
    std::string shape;
    for (const std::string& dim : value.shape) shape += (shape.empty() ? "" : ", ") + dim;
    out += fmt::format("{}{} [{}]", out.empty() ? "" : ", ", value.name, shape);
  }
  return out;
}

struct ConvertCommand {
  explicit ConvertCommand(Context& the_context) : context(the_context) {}

  Context& context;
  std::string model, directory;
  ConvertOptions options{};

  void run() {
    const ConvertResult result = convert_model(model, directory, options);
    std::size_t nodes = 0;
    for (const auto& [name, count] : result.ops) nodes += count;
    if (context.console.json) {
      return context.console.print_json({{"path", result.path},
                                         {"files", result.files},
                                         {"family", result.family},
                                         {"opset", result.opset},
                                         {"source_bytes", result.source_bytes},
                                         {"bytes", result.bytes},
                                         {"pooling", result.pooling},
                                         {"inputs", values_json(result.inputs)},
                                         {"outputs", values_json(result.outputs)},
                                         {"ops", result.ops}});
    }
    context.console.note(
        fmt::format("{}: {} ({}), opset {}, {}, {} beside it\n  inputs:  {}\n  outputs: {}",
                    result.path, result.family, bytes_text(result.bytes), result.opset,
                    plural(nodes, "node"), plural(result.files.size() - 1, "file"),
                    values_text(result.inputs), values_text(result.outputs)));
  }
};

}  // namespace

void define_convert(Command& command, Context& context) {
  const auto self = std::make_shared<ConvertCommand>(context);
  CLI::App& app = command.app;
  ConvertOptions& options = self->options;
  add_model(app, self->model);
  app.add_option("-o,--output", self->directory, "a new directory for the model")
      ->type_name("DIR")
      ->required();
  app.add_option("--opset", options.opset, "version of ONNX's operators, 11 to 21 (17)")
      ->type_name("N");
  app.add_option("--file-name", options.file_name, "the model's name in it (model.onnx)")
      ->type_name("NAME");
  app.add_flag("--external-data", options.external_data,
               "weights in a file of their own; above 2 GiB always");
  app.add_flag("--force", options.force, "write into a directory that holds files");
  app.add_flag("--sentence-embedding", options.sentence_embedding,
               "the model pools by itself, as its files say: output sentence_embedding")
      ->group("Pooling");
  app.add_option_function<std::string>(
         "--pooling",
         [&options](const std::string& name) { options.pooling = parse_pooling(name); },
         "the same with this pooling: cls, mean, max, last_token or another")
      ->type_name("NAME")
      ->group("Pooling");
  app.add_flag_function(
         "--normalize,!--no-normalize",
         [&options](std::int64_t value) { options.normalize = value > 0; },
         "scale its vectors to length 1, or do not")
      ->group("Pooling");
  command.about =
      "Tokenizer, config and pooling files go beside the model, with octavo.json: what it was made "
      "from and how. An ONNX model is written anew at the opset asked for.";
  command.examples = {"octavo convert models/minilm -o minilm-onnx",
                      "octavo convert models/minilm -o minilm-onnx --sentence-embedding",
                      "octavo convert model.onnx -o older --opset 11 --external-data"};
  command.run = [self] { self->run(); };
}

}  // namespace octavo::cli
