#include "quant/tables.h"

namespace octavo::quant {
namespace {

ir::Attributes one_int(const char* name, std::int64_t value) {
  ir::Attributes out;
  out.set(name, value);
  return out;
}

constexpr IntegerScheme kRowScheme{QuantizedType::kInt8, true, false};

/// The scales of rows as a column, to be looked up like the rows.
ir::ValueId scale_column(Rewriter& r, ir::ValueId scale) {
  const Tensor& scales = *r.graph().constant(scale);
  if (scales.rank() == 2) return scale;
  std::vector<ir::ValueId>& made = r.made_of(scale);
  if (made.empty()) {
    Tensor column = scales.reshaped({static_cast<std::int64_t>(scales.elements()), 1});
    made = {r.graph().add_constant(r.name(scale) + "_column", std::move(column))};
  }
  return made.front();
}

/// Positions 0 .. tokens - 1 of ids [batch, tokens], as [1, tokens].
ir::ValueId positions(Rewriter& r, ir::ValueId ids, const std::string& name) {
  const ir::ValueId shape = r.emit("Shape", {ids}, name + "/Shape", name + "/shape");
  const ir::ValueId one =
      r.graph().add_constant(name + "/one", Tensor::scalar<std::int64_t>(std::int64_t{1}));
  const ir::ValueId zero =
      r.graph().add_constant(name + "/zero", Tensor::scalar<std::int64_t>(std::int64_t{0}));
  const ir::ValueId tokens =
      r.emit("Gather", {shape, one}, name + "/tokens_Gather", name + "/tokens");
  const ir::ValueId range =
      r.emit("Range", {zero, tokens, one}, name + "/Range", name + "/positions_row");
  return r.emit("Unsqueeze", {range, r.integers(name + "/axis", {0})}, name + "/Unsqueeze",
                name + "/positions");
}

void open_embedding(Rewriter& r, const ir::Node& node) {
  const std::string& name = node.name;
  const auto rows = [&](std::size_t table, ir::ValueId ids, const std::string& what) {
    return lookup(r, node.input(table), ids, name + "/" + what);
  };
  ir::ValueId sum = rows(2, node.input(0), "word");
  const ir::ValueId position = node.input(8) != ir::kNoValue
                                   ? node.input(8)
                                   : positions(r, node.input(0), name + "/position");
  if (node.input(4) != ir::kNoValue) {
    sum = r.emit("Add", {sum, rows(4, node.input(1), "segment")}, name + "/segment_Add",
                 name + "/word_and_segment");
  }
  sum = r.emit("Add", {sum, rows(3, position, "position")}, name + "/position_Add", name + "/sum");
  ir::Attributes attributes;
  attributes.set("axis", std::int64_t{-1});
  attributes.set("epsilon", node.attributes.float_or("epsilon", 1e-12f));
  const ir::ValueId out = r.emit("LayerNormalization", {sum, node.input(5), node.input(6)},
                                 name + "/LayerNorm", "", std::move(attributes));
  const auto output = [&](std::size_t i) {
    return i < node.outputs.size() ? node.outputs[i] : ir::kNoValue;
  };
  if (output(2) != ir::kNoValue) r.graph().replace_uses(output(2), sum);
  if (output(1) != ir::kNoValue) {
    // Where each row ends: how many tokens are kept; zeros without a mask.
    ir::ValueId ends = ir::kNoValue;
    if (node.input(7) != ir::kNoValue) {
      ends = r.emit("ReduceSum", {node.input(7), r.integers(name + "/mask_axis", {1})},
                    name + "/mask_ReduceSum", "", one_int("keepdims", 0));
    } else {
      const ir::ValueId shape =
          r.emit("Shape", {node.input(0)}, name + "/ends_Shape", name + "/ends_shape");
      const ir::ValueId batch =
          r.emit("Slice",
                 {shape, r.integers(name + "/ends_from", {0}), r.integers(name + "/ends_to", {1})},
                 name + "/ends_Slice", name + "/ends_batch");
      ir::Attributes zeros;
      zeros.set("value", Tensor::from<std::int32_t>({1}, std::vector<std::int32_t>{0}));
      ends = r.emit("ConstantOfShape", {batch}, name + "/ends", "", std::move(zeros));
    }
    r.replace(output(1), ends);
  }
  r.replace(output(0), out);
  r.done(node, "int8 rows, LayerNormalization");
}

/// Why onnxruntime has no QEmbedLayerNormalization for a node; empty where it has.
std::string embedding_refusal(Rewriter& r, const ir::Node& node) {
  if (node.outputs.size() > 2 && node.outputs[2] != ir::kNoValue)
    return "QEmbedLayerNormalization does not give the sum of embeddings";
  if (node.input(8) != ir::kNoValue) return "QEmbedLayerNormalization takes no position ids";
  if (node.attributes.int_or("mask_index_type", 1) != 1)
    return "QEmbedLayerNormalization gives no other mask";
  for (const std::size_t i : {2u, 3u, 4u, 5u, 6u}) {
    if (i == 4 && node.input(i) == ir::kNoValue) continue;
    const Tensor* table = r.graph().constant(node.input(i));
    if (table == nullptr || table->dtype() != DType::kFloat32)
      return "its tables are not constants in float32";
  }
  return {};
}

}  // namespace

ir::ValueId lookup(Rewriter& r, ir::ValueId table, ir::ValueId indices, const std::string& name) {
  if (r.options().tables == QuantizedTables::kFloat)
    return r.emit("Gather", {table, indices}, name, name + "_rows");
  if (r.options().tables == QuantizedTables::kTensor) {
    const QuantizedValue q = r.weight(table, table_scheme(r.options()), std::nullopt);
    const ir::ValueId rows = r.emit("Gather", {q.values, indices}, name, name + "_rows_quantized");
    return r.emit("DequantizeLinear", {rows, q.scale, q.zero}, name + "_DequantizeLinear",
                  name + "_rows");
  }
  const QuantizedValue q = r.weight(table, kRowScheme, std::size_t{0});
  const ir::ValueId rows = r.emit("Gather", {q.values, indices}, name, name + "_rows_quantized");
  const ir::ValueId floats = r.emit("Cast", {rows}, name + "_Cast", name + "_rows_cast",
                                    one_int("to", static_cast<std::int64_t>(DType::kFloat32)));
  const ir::ValueId scales =
      r.emit("Gather", {scale_column(r, q.scale), indices}, name + "_scales", name + "_row_scales");
  return r.emit("Mul", {floats, scales}, name + "_scale_mul", name + "_rows");
}

void quantize_table(Rewriter& r, const ir::Node& node) {
  if (r.options().tables == QuantizedTables::kFloat) {
    r.left(node, "tables stay in float32");
    return;
  }
  const ir::ValueId out = node.outputs[0];
  r.replace(out, lookup(r, node.input(0), node.input(1), node.name));
  r.done(node, r.options().tables == QuantizedTables::kRows ? "int8 rows" : "uint8 table");
}

void quantize_embedding(Rewriter& r, const ir::Node& node) {
  if (r.options().tables == QuantizedTables::kFloat) {
    r.left(node, "tables stay in float32");
    return;
  }
  if (r.options().tables == QuantizedTables::kRows) return open_embedding(r, node);
  if (const std::string reason = embedding_refusal(r, node); !reason.empty())
    return r.left(node, reason);
  std::vector<QuantizedValue> tables;
  for (const std::size_t i : {2u, 3u, 4u, 5u, 6u}) {
    tables.push_back(node.input(i) == ir::kNoValue
                         ? QuantizedValue{}
                         : r.weight(node.input(i), table_scheme(r.options()), std::nullopt));
  }
  ir::Node quantized = node;
  quantized.op = "QEmbedLayerNormalization";
  quantized.name = node.name + "_quant";
  quantized.attributes = {};
  quantized.attributes.set("epsilon", node.attributes.float_or("epsilon", 1e-12f));
  quantized.inputs = {node.input(0), node.input(1)};
  for (const QuantizedValue& table : tables) quantized.inputs.push_back(table.values);
  quantized.inputs.push_back(node.input(7));
  for (const QuantizedValue& table : tables) quantized.inputs.push_back(table.scale);
  for (const QuantizedValue& table : tables) quantized.inputs.push_back(table.zero);
  quantized.outputs.clear();
  for (std::size_t i = 0; i < 2; ++i) {
    const bool there = i < node.outputs.size() && node.outputs[i] != ir::kNoValue;
    quantized.outputs.push_back(
        r.graph().add_value(there ? r.name(node.outputs[i]) : node.name + "_mask_index"));
  }
  const std::vector<ir::ValueId> outputs = quantized.outputs;
  r.graph().add_node(std::move(quantized));
  for (std::size_t i = 0; i < 2 && i < node.outputs.size(); ++i) {
    if (node.outputs[i] != ir::kNoValue) r.replace(node.outputs[i], outputs[i]);
  }
  r.done(node, "QEmbedLayerNormalization");
}

}  // namespace octavo::quant
