#include "tasks/output_choice.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "octavo/error.h"

namespace octavo::tasks {
namespace {

using Output = ir::Graph::Output;

std::size_t rank_of(const ir::Graph& graph, const Output& output) {
  const auto& shape = graph.value(output.value).shape;
  return shape ? shape->size() : 0;
}

std::optional<Output> choose(const ir::Graph& graph, std::initializer_list<std::string_view> names,
                             std::size_t rank) {
  for (const std::string_view name : names) {
    for (const Output& output : graph.outputs()) {
      if (output.name == name) return output;
    }
  }
  for (const Output& output : graph.outputs()) {
    if (rank_of(graph, output) == rank) return output;
  }
  return std::nullopt;
}

OutputChoice keep(ir::Graph& graph, const Output& output, bool pooled) {
  graph.set_outputs({output});
  graph.remove_dead();
  return {.name = output.name, .pooled = pooled};
}

[[noreturn]] void refuse(const ir::Graph& graph, std::string expected) {
  std::string found;
  for (const Output& output : graph.outputs()) {
    found += (found.empty() ? "" : ", ") + output.name + " of rank " +
             std::to_string(rank_of(graph, output));
  }
  throw Error(ErrorCode::kUnsupported, {.message = "the model has no output for this task",
                                        .expected = std::move(expected),
                                        .found = found,
                                        .fix = "use a model that was exported for this task"});
}

}  // namespace

OutputChoice keep_embedding_output(ir::Graph& graph, bool prefer_pooled) {
  const auto tokens = choose(graph, {"last_hidden_state", "token_embeddings"}, 3);
  const auto pooled = choose(graph, {"sentence_embedding", "text_embeds"}, 2);
  const bool named =
      pooled && (pooled->name == "sentence_embedding" || pooled->name == "text_embeds");
  if (pooled && (!tokens || (prefer_pooled && named))) return keep(graph, *pooled, true);
  if (tokens) return keep(graph, *tokens, false);
  refuse(graph, "token rows [batch, sequence, width] or a pooled row [batch, width]");
}

OutputChoice keep_logits_output(ir::Graph& graph) {
  const auto logits = choose(graph, {"logits"}, 2);
  if (!logits) refuse(graph, "logits [batch, labels]");
  return keep(graph, *logits, true);
}

}  // namespace octavo::tasks
