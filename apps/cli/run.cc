// octavo run: the graph of a model on tensors from a file.
#include <fmt/format.h>

#include <memory>

#include "flags.h"
#include "interrupt.h"
#include "octavo/array_io.h"
#include "octavo/model.h"
#include "verbs.h"

namespace octavo::cli {
namespace {

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string out;
  for (const std::int64_t dim : shape) out += (out.empty() ? "" : ", ") + std::to_string(dim);
  return "[" + out + "]";
}

struct RunCommand {
  explicit RunCommand(Context& the_context) : context(the_context) {}

  Context& context;
  std::string model, inputs, output;
  RuntimeOptions options{};

  void run() {
    const std::vector<NamedTensor> given = read_tensors(inputs);
    Model loaded = Model::load(model, options);
    const std::vector<NamedTensor> results = loaded.run(given);
    const Interruptible guard;
    write_tensors(output, results);
    Json list = Json::array();
    for (const NamedTensor& tensor : results) {
      list.push_back({{"name", tensor.name}, {"dtype", tensor.dtype}, {"shape", tensor.shape}});
      if (!context.console.json)
        context.console.note(
            fmt::format("{}: {} {}", tensor.name, tensor.dtype, shape_text(tensor.shape)));
    }
    if (context.console.json)
      context.console.print_json({{"outputs", list}, {"output", output}, {"isa", loaded.isa()}});
  }
};

}  // namespace

void define_run(Command& command, Context& context) {
  const auto self = std::make_shared<RunCommand>(context);
  CLI::App& app = command.app;
  add_model(app, self->model);
  app.add_option("--inputs", self->inputs, "a .safetensors file with the inputs by name")
      ->type_name("FILE")
      ->required();
  app.add_option("-o,--output", self->output, "a .safetensors file for the outputs by name")
      ->type_name("FILE")
      ->required();
  add_runtime_flags(app, context, self->options);
  command.about =
      "Inputs: input_ids, attention_mask (all ones when absent), token_type_ids (all zeros when "
      "absent), [batch, tokens], int32 or int64. 'octavo inspect MODEL' names them.";
  command.examples = {"octavo run models/minilm --inputs in.safetensors -o out.safetensors",
                      "octavo run model.onnx --inputs in.safetensors -o out.safetensors --json",
                      "octavo run models/minilm --inputs in.safetensors -o out.safetensors -q"};
  command.run = [self] { self->run(); };
}

}  // namespace octavo::cli
