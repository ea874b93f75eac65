// What a graph does, found by running it: the shape of every value as a function of batch and
// sequence length, what each value depends on, and cheap evaluation of everything that does not
// depend on the weights.
//
// Products with weights are not computed (their shape is all that is wanted), so that probing costs
// milliseconds whatever the size of the model.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "ops/evaluate.h"

namespace octavo::passes {

/// A dimension: factor * batch^batch_power * sequence^sequence_power.
struct ProbeDim {
  std::int64_t factor = 0;
  int batch_power = 0;
  int sequence_power = 0;
  bool constant() const { return batch_power == 0 && sequence_power == 0; }
  bool batch() const { return factor == 1 && batch_power == 1 && sequence_power == 0; }
  bool sequence() const { return factor == 1 && batch_power == 0 && sequence_power == 1; }
  std::int64_t at(std::int64_t batch, std::int64_t sequence) const;
  bool operator==(const ProbeDim&) const = default;
};
using ProbeShape = std::vector<ProbeDim>;

/// Inputs of a run: right-padded rows, ids and token types of the whole [batch, sequence].
struct Batch {
  std::int64_t batch = 0;
  std::int64_t sequence = 0;
  std::vector<std::int64_t> lengths;  // kept tokens of each row
  std::vector<std::int64_t> ids, mask, types;
  bool kept(std::int64_t row, std::int64_t position) const {
    return position < lengths[static_cast<std::size_t>(row)];
  }
};

/// Random ids in [low, 16), `pad` at masked positions, random token types 0 and 1.
Batch make_batch(std::int64_t sequence, std::vector<std::int64_t> lengths, std::int64_t pad = 0,
                 std::int64_t low = 5);

class Probe {
 public:
  enum class Sizes { kTwo, kThree };

  /// Runs the graph at two sizes. Where it cannot, usable() is false and reason() says why. A third
  /// one, longer, tells shapes from those that only look the same for a few tokens: for what stays
  /// in a graph without another check.
  explicit Probe(const ir::Graph& graph, Sizes sizes = Sizes::kTwo);

  bool usable() const { return reason_.empty(); }
  const std::string& reason() const { return reason_; }

  ir::ValueId input_ids() const { return input_ids_; }
  ir::ValueId attention_mask() const { return attention_mask_; }  // kNoValue when there is none
  ir::ValueId token_type_ids() const { return token_type_ids_; }  // kNoValue when there is none

  /// Shape and type as found; nothing for a value that was not made, or whose shape follows no
  /// rule.
  const ProbeShape* shape(ir::ValueId value) const;
  std::optional<DType> dtype(ir::ValueId value) const;
  /// C of a value of shape [batch, sequence, C].
  std::optional<std::int64_t> token_channels(ir::ValueId value) const;

  /// True for what is computed from looked-up embeddings: the data of the model.
  bool depends_on_data(ir::ValueId value) const { return depends(value, kData); }
  /// True for what depends on the sizes of the inputs alone, and is no constant.
  bool depends_on_sizes_only(ir::ValueId value) const;

  /// Like make_batch(), with ids of all kinds: those that are often special come first, then others
  /// of the whole vocabulary. For evaluating what looks up no embeddings.
  Batch wide_batch(std::int64_t sequence, std::vector<std::int64_t> lengths,
                   std::int64_t pad) const;

  /// Values at any batch, with some values given. Error(kUnsupported) when the wanted ones would
  /// need the model's data beyond what is given.
  std::vector<Tensor> evaluate(const Batch& batch, std::span<const ir::ValueId> wanted,
                               const ops::Feeds& given = {}) const;
  Tensor evaluate_one(const Batch& batch, ir::ValueId wanted, const ops::Feeds& given = {}) const;

 private:
  enum Dependence : std::uint8_t { kSizes = 1, kValues = 2, kIds = 4, kData = 8 };
  struct Seen {
    Shape first, second, third;
    DType dtype = DType::kFloat32;
    bool made = false;
  };

  void find_inputs();
  void find_dependences();
  bool reads_ids(ir::ValueId indices) const;
  void run(const Batch& batch, Shape Seen::*shape);
  void run_long();
  void solve_shapes();
  ops::Feeds feeds(const Batch& batch) const;
  bool depends(ir::ValueId value, Dependence what) const;

  const ir::Graph& graph_;
  std::string reason_;
  ir::ValueId input_ids_ = ir::kNoValue, attention_mask_ = ir::kNoValue;
  ir::ValueId token_type_ids_ = ir::kNoValue, position_ids_ = ir::kNoValue;
  std::int64_t third_sequence_ = 0;  // 0: there was no such run
  std::int64_t vocabulary_ = 1000;   // rows of the table that input_ids look up
  std::vector<std::uint8_t> dependence_;
  std::vector<bool> lookup_;  // by node: reads a table by ids
  std::vector<Seen> seen_;
  std::vector<std::optional<ProbeShape>> shapes_;
};

}  // namespace octavo::passes
