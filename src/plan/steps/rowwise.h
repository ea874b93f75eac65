// Steps that treat rows one by one: layer norm, element-wise operations, embedding sums, first
// tokens, rotary positions.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/elementwise/elementwise.h"
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

struct UnarySpec {
  std::string name;
  View x, y;
  kernels::Activation activation;  // kNone copies
};
std::unique_ptr<Step> make_unary(UnarySpec spec, IsaMask isa);

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

/// A term of an embedding sum: rows of `table` chosen by ids, or one row for all tokens.
struct EmbeddingTerm {
  enum class Index { kIds, kTypeIds, kPositions, kRow } index;
  std::size_t position_set = 0;  // for kPositions
  Tensor table;                  // float32 [rows, width]; kRow: [width]
};
struct EmbeddingSpec {
  std::string name;
  View y;
  std::vector<EmbeddingTerm> terms;
};
std::unique_ptr<Step> make_embedding(EmbeddingSpec spec);

struct FirstTokenSpec {
  std::string name;
  View x, y;  // tokens -> sequences
};
std::unique_ptr<Step> make_first_token(FirstTokenSpec spec);

/// In place on `x`.
struct RotarySpec {
  std::string name;
  View x;
  std::size_t heads, head_size;
  std::size_t table;  // index of the rotary table
};
std::unique_ptr<Step> make_rotary(RotarySpec spec, IsaMask isa);

}  // namespace octavo::plan
