// The verb table: a new verb is a file and a line here.
#include "verbs.h"

namespace octavo::cli {
namespace {

const std::vector<Verb>& table() {
  static const std::vector<Verb> verbs_table = {
      {"embed", "Use a model", "turn texts into vectors", define_embed},
      {"search", "Use a model", "answer queries over a file of passages", define_search},
      {"rerank", "Use a model", "order documents by relevance to a query", define_rerank},
      {"tokenize", "Use a model", "turn texts into token ids, or back", define_tokenize},
      {"run", "Use a model", "run a model on tensors", define_run},
      {"eval", "Measure a model", "quality on a data set", define_eval},
      {"compare", "Measure a model", "models beside a baseline", define_compare},
      {"bench", "Measure a model", "speed on this machine", define_bench},
      {"profile", "Measure a model", "where the time of a run goes", define_profile},
      {"convert", "Change a model", "write it as ONNX", define_convert},
      {"optimize", "Change a model", "write it with fewer and larger operators", define_optimize},
      {"quantize", "Change a model", "write it in fewer bits", define_quantize},
      {"inspect", "Look inside", "what a model consists of and how it will run", define_inspect},
      {"doctor", "Look inside", "what this machine and a model can do", define_doctor},
      {"version", "Look inside", "version and CPU features in use", define_version},
  };
  return verbs_table;
}

}  // namespace

std::span<const Verb> verbs() { return table(); }

}  // namespace octavo::cli
