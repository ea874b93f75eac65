// Steps that treat rows one by one: layer norm, element-wise operations, embedding sums, first
// tokens, rotary positions.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/elementwise/elementwise.h"
#include "plan/plan_file.h"
#include "plan/step.h"
#include "tensor/tensor.h"

namespace octavo::plan {

struct LayerNormSpec {
  std::string name;
  View x, y;
  Tensor scale;                // float32 [width]
  std::optional<Tensor> bias;  // float32 [width]
  float epsilon;
};
std::unique_ptr<Step> make_layer_norm(LayerNormSpec spec, IsaMask isa);
std::unique_ptr<Step> load_layer_norm(PlanReader& reader, IsaMask isa);

struct UnarySpec {
  std::string name;
  View x, y;
  kernels::Activation activation;  // kNone copies
};
std::unique_ptr<Step> make_unary(UnarySpec spec, IsaMask isa);
std::unique_ptr<Step> load_unary(PlanReader& reader, IsaMask isa);

/// y = act(a) op b, where b is a value or a constant row.
struct BinarySpec {
  std::string name;
  View a, y;
  std::optional<View> b;
  std::optional<Tensor> row;  // float32 [width]
  kernels::BinaryOp op;
  kernels::Activation activation = kernels::Activation::kNone;
};
std::unique_ptr<Step> make_binary(BinarySpec spec, IsaMask isa);
std::unique_ptr<Step> load_binary(PlanReader& reader, IsaMask isa);

/// A term of an embedding sum: rows of `table` chosen by ids, or one row for all tokens.
struct EmbeddingTerm {
  enum class Index { kIds, kTypeIds, kPositions, kRow } index;
  std::size_t position_set = 0;  // for kPositions
  Tensor table;                  // float32 [rows, width]; kRow: [width]
};
constexpr EmbeddingTerm::Index last_of(EmbeddingTerm::Index) { return EmbeddingTerm::Index::kRow; }
struct EmbeddingSpec {
  std::string name;
  View y;
  std::vector<EmbeddingTerm> terms;
};
std::unique_ptr<Step> make_embedding(EmbeddingSpec spec);
std::unique_ptr<Step> load_embedding(PlanReader& reader, IsaMask isa);

struct FirstTokenSpec {
  std::string name;
  View x, y;  // tokens -> sequences
};
std::unique_ptr<Step> make_first_token(FirstTokenSpec spec);
std::unique_ptr<Step> load_first_token(PlanReader& reader, IsaMask isa);

/// In place on `x`.
struct RotarySpec {
  std::string name;
  View x;
  std::size_t heads, head_size;
  std::size_t table;  // index of the rotary table
};
std::unique_ptr<Step> make_rotary(RotarySpec spec, IsaMask isa);
std::unique_ptr<Step> load_rotary(PlanReader& reader, IsaMask isa);

}  // namespace octavo::plan
