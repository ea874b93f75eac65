// octavo convert: a model as an ONNX directory.
#include "octavo/convert.h"

#include <fmt/format.h>

#include <memory>

#include "flags.h"
#include "format.h"
#include "interrupt.h"
#include "octavo/publish.h"
#include "verbs.h"

namespace octavo::cli {
namespace {

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
  bool publish = false;

  void run() {
    const Interruptible guard;
    options.cancelled = interrupted;
    if (publish) return run_publish();
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

  void run_publish() {
    const ConvertOptions usual;
    if (options.file_name != usual.file_name || options.sentence_embedding || options.pooling ||
        options.normalize) {
      throw Error(ErrorCode::kInvalidArgument,
                  {.message = "--publish has names of its own, and models that give token vectors",
                   .expected = "--publish without --file-name, --sentence-embedding, --pooling and "
                               "--normalize",
                   .fix = "leave these out, or --publish"});
    }
    const PublishResult result = publish_model(model, directory,
                                               {.opset = options.opset,
                                                .force = options.force,
                                                .external_data = options.external_data,
                                                .cancelled = options.cancelled});
    if (context.console.json) {
      Json models = Json::array();
      for (const PublishedModel& each : result.models) {
        models.push_back({{"file", each.file},
                          {"what", each.what},
                          {"bytes", each.bytes},
                          {"nodes", each.nodes}});
      }
      return context.console.print_json({{"path", result.path},
                                         {"models", std::move(models)},
                                         {"files", result.files},
                                         {"opset", result.opset},
                                         {"source_bytes", result.source_bytes}});
    }
    Table table({"file", "size", "nodes", "what"});
    for (const PublishedModel& each : result.models)
      table.add({each.file, bytes_text(each.bytes), std::to_string(each.nodes), each.what});
    context.console.out() << table.text();
    context.console.note(
        fmt::format("octavo: {} written to {}", plural(result.files.size(), "file"), result.path));
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
  app.add_option("--opset", options.opset,
                 "version of ONNX's operators, 11 to 21 (17; 21 where needed)")
      ->type_name("N");
  app.add_option("--file-name", options.file_name, "the model's name in it (model.onnx)")
      ->type_name("NAME");
  app.add_flag("--external-data", options.external_data,
               "weights in a file of their own; above 2 GiB always");
  app.add_flag("--force", options.force, "write into a directory that holds files");
  app.add_flag("--publish", self->publish,
               "all that is published, one directory: onnx/model.onnx, model_O2 and "
               "model_quantized, with a model card");
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
                      "octavo convert models/minilm -o minilm-onnx --publish",
                      "octavo convert model.onnx -o older --opset 11 --external-data"};
  command.run = [self] { self->run(); };
}

}  // namespace octavo::cli
