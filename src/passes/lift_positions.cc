// Names what embedding tables are read by. The indices of a Gather from a table are computed at
// several sizes; where they are
//   - the input ids or token types: they are read directly,
//   - one number everywhere: the table's row becomes a constant,
//   - 0, 1, 2 .. in every row, plus a constant; or RoBERTa's count of ids that are no padding:
//     they become ai.octavo.PositionIds.
// Compared are the kept tokens of right-padded batches. lift_exact_positions(), for graphs that are
// written out again, compares left-padded ones and gaps too, and leaves the mask out of PositionIds
// where the graph numbers all tokens, or all ids that are no padding, whatever the mask says.
#include <algorithm>
#include <cstring>
#include <functional>

#include "octavo/error.h"
#include "passes/match.h"
#include "passes/pass.h"

namespace octavo::passes {
namespace {

// A single position is one number, too.
constexpr std::int64_t kFewestPositions = 3;
constexpr std::int64_t kLongest = 37;  // sequences that indices are computed for

struct Sample {
  Batch batch;
  Shape shape;
  std::vector<std::int64_t> indices;  // [batch, sequence]
};

/// Indices of shape [B, S], [1, S], [S] or one number, as [B, S].
std::optional<std::vector<std::int64_t>> broadcast(const Tensor& found, const Batch& batch) {
  if (dtype_is_float(found.dtype()) || found.rank() > 2) return std::nullopt;
  const std::vector<std::int64_t> values = found.to_int64s();
  const auto at = [&](std::size_t from_end) {
    return found.rank() >= from_end ? found.dim(found.rank() - from_end) : 1;
  };
  const std::int64_t rows = at(2), columns = at(1);
  if ((rows != 1 && rows != batch.batch) || (columns != 1 && columns != batch.sequence)) {
    return std::nullopt;
  }
  std::vector<std::int64_t> out;
  for (std::int64_t b = 0; b < batch.batch; ++b) {
    for (std::int64_t s = 0; s < batch.sequence; ++s) {
      const std::int64_t index = (rows == 1 ? 0 : b) * columns + (columns == 1 ? 0 : s);
      out.push_back(values[static_cast<std::size_t>(index)]);
    }
  }
  return out;
}

/// True when `expected(sample)` agrees with the indices at every kept token.
bool agrees(const std::vector<Sample>& samples,
            const std::function<std::vector<std::int64_t>(const Batch&)>& expected) {
  for (const Sample& sample : samples) {
    const std::vector<std::int64_t> values = expected(sample.batch);
    for (std::int64_t i = 0; i < sample.batch.batch * sample.batch.sequence; ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (sample.batch.mask[at] == 0) continue;
      if (values[at] != sample.indices[at]) return false;
    }
  }
  return true;
}

std::vector<std::int64_t> plain_positions(const Batch& batch, std::int64_t offset) {
  std::vector<std::int64_t> out;
  for (std::int64_t i = 0; i < batch.batch * batch.sequence; ++i) {
    out.push_back(offset + i % batch.sequence);
  }
  return out;
}

std::vector<std::int64_t> counted_positions(const Batch& batch, std::int64_t padding) {
  std::vector<std::int64_t> out;
  for (std::int64_t b = 0; b < batch.batch; ++b) {
    std::int64_t count = 0;
    for (std::int64_t s = 0; s < batch.sequence; ++s) {
      const bool counts = batch.ids[out.size()] != padding;
      out.push_back(padding + (counts ? ++count : 0));
    }
  }
  return out;
}

std::vector<std::int64_t> kept_positions(const Batch& batch, std::int64_t offset) {
  std::vector<std::int64_t> out;
  for (std::int64_t b = 0; b < batch.batch; ++b) {
    std::int64_t count = 0;
    for (std::int64_t s = 0; s < batch.sequence; ++s) {
      out.push_back(offset + (batch.mask[out.size()] != 0 ? count++ : 0));
    }
  }
  return out;
}

/// The batch with every row turned round: padded on the left. `gap` masks one more token.
Batch turned(Batch batch, bool gap) {
  for (auto* values : {&batch.ids, &batch.mask, &batch.types}) {
    for (std::int64_t b = 0; b < batch.batch; ++b) {
      const auto row = values->begin() + b * batch.sequence;
      std::reverse(row, row + batch.sequence);
    }
  }
  if (gap) batch.mask[static_cast<std::size_t>(batch.sequence - 2)] = 0;
  return batch;
}

class Lifter {
 public:
  Lifter(ir::Graph& graph, PassContext& context, bool exact)
      : graph_(graph), context_(context), probe_(context.probe()), readers_(graph), exact_(exact) {}

  void run() {
    for (const ir::NodeId id : graph_.topological_order()) {
      const ir::Node& node = graph_.node(id);
      const Tensor* table = node.is("Gather") ? graph_.constant(node.input(0)) : nullptr;
      if (table == nullptr || table->rank() != 2 || !embeds(node, *table)) continue;
      const ir::Node* producer = graph_.producer(node.input(1));
      if (!makes_one(node) || producer == nullptr || producer->is("PositionIds", "ai.octavo"))
        continue;
      if (node.attributes.int_or("axis", 0) != 0) continue;
      if (probe_.depends_on_data(node.input(1))) continue;
      const ProbeShape* shape = probe_.shape(node.input(1));
      if (shape != nullptr && shape->size() == 2 && (*shape)[0].sequence() &&
          (*shape)[1].sequence()) {
        continue;  // one for each pair of tokens: attention's bias
      }
      const std::string where = "node '" + node.name + "'";
      try {
        if (const char* reason = lift(id, *table)) context_.near_miss(where, reason);
      } catch (const Error& error) {
        context_.near_miss(where, error.info().message);
      }
    }
  }

 private:
  /// A table of vectors, or the column with the scales of one.
  bool embeds(const ir::Node& gather, const Tensor& table) const {
    if (table.dim(1) >= 2) return true;
    for (const ir::NodeId id : readers_.of(gather.input(1))) {
      const ir::Node& beside = graph_.node(id);
      const Tensor* other = beside.is("Gather") ? graph_.constant(beside.input(0)) : nullptr;
      if (other != nullptr && other->rank() == 2 && other->dim(0) == table.dim(0) &&
          other->dim(1) >= 2)
        return true;
    }
    return false;
  }

  /// Only sums and products read the row: they do not mind whether it is repeated.
  bool broadcasts(ir::ValueId value) const {
    if (readers_.is_output(value)) return false;
    for (const ir::NodeId id : readers_.of(value)) {
      const ir::Node& node = graph_.node(id);
      if (node.is("Add") || node.is("Sub") || node.is("Mul") || node.is("Div")) continue;
      const bool same_shape = node.is("Cast") || node.is("DequantizeLinear");
      if (!same_shape || node.input(0) != value || !broadcasts(node.outputs[0])) return false;
    }
    return true;
  }

  /// Longer than a short table and of all kinds of ids: the rows are not looked up. Left out are
  /// lengths that the graph has no indices for.
  void add_long_samples(ir::ValueId indices, std::vector<Sample>& samples) const {
    for (const std::int64_t length : {kLongest, kLongest + 3}) {
      const Batch batch = probe_.wide_batch(length, {length, 2, 11, length - 1, length}, 1);
      try {
        const Tensor found = probe_.evaluate_one(batch, indices);
        if (auto values = broadcast(found, batch)) {
          samples.push_back({batch, found.shape(), std::move(*values)});
        }
      } catch (const Error&) {
      }
    }
  }

  const char* lift(ir::NodeId id, const Tensor& table) {
    const ir::ValueId indices = graph_.node(id).input(1), out = graph_.node(id).outputs[0];
    const std::int64_t longest = std::clamp(table.dim(0) - 4, std::int64_t{1}, kLongest);
    std::vector<Sample> samples;
    bool full = true;
    // Ids from 0: kept tokens may have the id of padding.
    std::vector<Batch> batches{make_batch(std::min<std::int64_t>(4, longest), {longest}, 0, 0),
                               make_batch(std::min<std::int64_t>(7, longest), {7, 3, 5}, 1, 0),
                               make_batch(longest, {longest, 2, 11}, 1, 0)};
    if (exact_ && longest > 2) {
      batches.push_back(turned(batches[1], false));
      batches.push_back(turned(batches[2], true));
    }
    for (const Batch& batch : batches) {
      const Tensor found = probe_.evaluate_one(batch, indices);
      auto values = broadcast(found, batch);
      if (!values) return "the indices are not one for each token";
      full &= found.shape() == Shape{batch.batch, batch.sequence};
      samples.push_back({batch, found.shape(), std::move(*values)});
    }
    add_long_samples(indices, samples);
    const std::int64_t first = samples[0].indices[0];
    if (full && agrees(samples, [](const Batch& b) { return b.ids; })) {
      return redirect(id, probe_.input_ids());
    }
    if (full && probe_.token_type_ids() != ir::kNoValue &&
        agrees(samples, [](const Batch& b) { return b.types; })) {
      return redirect(id, probe_.token_type_ids());
    }
    if (!full && !broadcasts(out)) return "its rows are read by more than sums and products";
    const auto constant = [&](const Batch& b) {
      return std::vector<std::int64_t>(b.ids.size(), first);
    };
    if (dtype_is_float(table.dtype()) && agrees(samples, constant) && broadcasts(out)) {
      return constant_row(out, table, first);
    }
    if (longest < kFewestPositions) return "the table is too short to tell positions by";
    if (agrees(samples, [&](const Batch& b) { return plain_positions(b, first); })) {
      return positions(id, -1, first, !exact_);
    }
    if (exact_ && agrees(samples, [&](const Batch& b) { return kept_positions(b, first); })) {
      return positions(id, -1, first, true);
    }
    for (std::int64_t padding = 0; padding < 4; ++padding) {
      if (agrees(samples, [&](const Batch& b) { return counted_positions(b, padding); })) {
        return positions(id, padding, 0, !exact_);
      }
    }
    return "the indices follow no known rule of positions";
  }

  const char* redirect(ir::NodeId id, ir::ValueId indices) {
    graph_.node(id).inputs[1] = indices;
    context_.fire();
    return nullptr;
  }

  const char* positions(ir::NodeId id, std::int64_t padding, std::int64_t offset, bool masked) {
    ir::Attributes attributes;
    attributes.set("padding_idx", padding);
    attributes.set("offset", offset);
    std::vector<ir::ValueId> inputs{probe_.input_ids()};
    if (masked) inputs.push_back(probe_.attention_mask());
    const ir::ValueId ids = graph_.emit("PositionIds", std::move(inputs), std::move(attributes),
                                        "ai.octavo", graph_.node(id).name + ".position_ids");
    return redirect(id, ids);
  }

  const char* constant_row(ir::ValueId out, const Tensor& table, std::int64_t index) {
    if (index < 0 || index >= table.dim(0)) return "the index is not in the table";
    Tensor row(table.dtype(), {table.dim(1)});
    std::memcpy(row.mutable_bytes(),
                table.bytes() + static_cast<std::size_t>(index) * row.byte_size(), row.byte_size());
    const ir::ValueId constant = graph_.add_constant(graph_.value(out).name, std::move(row));
    graph_.replace_uses(out, constant);
    context_.fire();
    return nullptr;
  }

  ir::Graph& graph_;
  PassContext& context_;
  const Probe& probe_;
  const Readers readers_;
  const bool exact_;
};

void run(ir::Graph& graph, PassContext& context, bool exact) {
  if (!context.probe().usable()) {
    context.near_miss("the graph", context.probe().reason());
    return;
  }
  Lifter(graph, context, exact).run();
}

}  // namespace

void lift_positions(ir::Graph& graph, PassContext& context) { run(graph, context, false); }
void lift_exact_positions(ir::Graph& graph, PassContext& context) { run(graph, context, true); }

}  // namespace octavo::passes
