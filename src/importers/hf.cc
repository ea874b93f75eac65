#include "importers/hf.h"

#include <array>

#include "importers/models/families.h"
#include "octavo/error.h"

namespace octavo::importers {
namespace {

struct Family {
  std::string_view model_type;
  void (*build)(Builder&);
};

constexpr std::array kFamilies = {
#define OCTAVO_FAMILY(model_type, function) Family{model_type, function},
#include "importers/models/families.inc"
#undef OCTAVO_FAMILY
};

}  // namespace

std::vector<std::string_view> hf_families() {
  std::vector<std::string_view> out;
  for (const Family& family : kFamilies) out.push_back(family.model_type);
  return out;
}

ir::Graph import_hf(const JsonValue& config, const formats::TensorSource& weights) {
  const JsonValue model_type = config.at("model_type");
  std::string known;
  for (const Family& family : kFamilies) {
    if (model_type.as_string() == family.model_type) {
      Builder builder(config, weights);
      family.build(builder);
      ir::Graph graph = builder.take();
      graph.verify();
      return graph;
    }
    if (!known.empty()) known += ", ";
    known += family.model_type;
  }
  throw Error(ErrorCode::kUnsupported, {.message = "octavo does not know this kind of model",
                                        .file = config.file(),
                                        .place = "key 'model_type'",
                                        .expected = known,
                                        .found = "'" + std::string(model_type.as_string()) + "'",
                                        .fix = "export the model to ONNX and load that"});
}

}  // namespace octavo::importers
