// Nodes that know of tokens and sequences: tables, positions, rotary embedding, attention, the
// first token, the mean of the tokens.
#include <algorithm>
#include <cmath>
#include <limits>

#include "plan/lowering.h"
#include "plan/steps/attention.h"
#include "plan/steps/pooling.h"

namespace octavo::plan {

using ir::Node;
using ir::NodeId;
using ir::ValueId;
using kernels::Activation;

void Lowering::lower_positions(const Node& node) {
  const PositionSet set_{.padding_idx = node.attributes.int_or("padding_idx", -1),
                         .offset = node.attributes.int_or("offset", 0)};
  for (std::size_t i = 0; i < plan_->positions_.size(); ++i) {
    const PositionSet& known = plan_->positions_[i];
    if (known.padding_idx == set_.padding_idx && known.offset == set_.offset) {
      return set(node.outputs[0], Positions{i});
    }
  }
  if (plan_->positions_.size() == kMaxSets) refuse(node, "too many kinds of positions");
  plan_->positions_.push_back(set_);
  set(node.outputs[0], Positions{plan_->positions_.size() - 1});
}

void Lowering::lower_mean_tokens(const Node& node) {
  const View x = view(node.inputs[0], node);
  if (x.layout != Layout::kToken) refuse(node, "its input is no row a token");
  if (node.input(1) != ir::kNoValue && !std::holds_alternative<Mask>(get(node.input(1))))
    refuse(node, "its mask is not the attention mask");
  const View y = new_view(x.width, Layout::kSequence);
  plan_->steps_.push_back(make_mean_tokens({.name = node.name, .x = x, .y = y}));
  set(node.outputs[0], y);
}

void Lowering::lower_gather(const Node& node) {
  const std::int64_t axis = node.attributes.int_or("axis", 0);
  const Tensor* table = constant(node.inputs[0]);
  if (table == nullptr) {
    const Tensor* index = constant(node.inputs[1]);
    if (axis != 1 || index == nullptr || index->rank() != 0 || index->to_int64s().front() != 0) {
      refuse(node, "only the first token of a sequence can be taken");
    }
    const View x = view(node.inputs[0], node);
    if (x.layout != Layout::kToken) refuse(node, "its input is no row a token");
    const View y = new_view(x.width, Layout::kSequence);
    plan_->steps_.push_back(make_first_token({.name = node.name, .x = x, .y = y}));
    return set(node.outputs[0], y);
  }
  if (axis != 0 || table->rank() != 2) refuse(node, "its table is not [rows, width]");
  const std::int64_t rows = table->dim(0);
  EmbeddingTerm term{.index = EmbeddingTerm::Index::kIds, .table = table->to_float32().own()};
  const Lowered& index = get(node.inputs[1]);
  const auto lower_limit = [](std::int64_t& limit, std::int64_t value) {
    limit = limit == 0 ? value : std::min(limit, value);
  };
  if (std::holds_alternative<Ids>(index)) {
    lower_limit(plan_->vocabulary_, rows);
  } else if (std::holds_alternative<TypeIds>(index)) {
    term.index = EmbeddingTerm::Index::kTypeIds;
    lower_limit(plan_->type_rows_, rows);
  } else if (const auto* positions = std::get_if<Positions>(&index)) {
    term.index = EmbeddingTerm::Index::kPositions;
    term.position_set = positions->set;
    const PositionSet& set_ = plan_->positions_[positions->set];
    const std::int64_t first = set_.padding_idx < 0 ? set_.offset : set_.padding_idx + 1;
    if (first < 0 || first >= rows) refuse(node, "its table does not have its first position");
    plan_->max_tokens_ = std::min(plan_->max_tokens_, static_cast<std::size_t>(rows - first));
  } else {
    refuse(node, "its indices are neither ids, token types nor positions");
  }
  const auto width = static_cast<std::size_t>(table->dim(1));
  Sum sum{.terms = {}, .width = width};
  sum.terms.push_back(std::move(term));
  set(node.outputs[0], std::move(sum));
}

void Lowering::lower_rotary(const Node& node) {
  View x = view(node.inputs[0], node);
  const auto heads =
      static_cast<std::size_t>(std::max<std::int64_t>(1, node.attributes.require_int("num_heads")));
  const Tensor* frequencies = constant(node.input(1));
  if (frequencies == nullptr || x.layout != Layout::kToken || x.width % heads != 0 ||
      frequencies->elements() * 2 * heads != x.width) {
    refuse(node, "its frequencies do not fit its heads");
  }
  const Tensor floats = frequencies->to_float32();
  RotaryTable table;
  table.inverse_frequencies.assign(floats.data<float>().begin(), floats.data<float>().end());
  std::size_t index = 0;
  while (index < plan_->rotary_.size() &&
         plan_->rotary_[index].inverse_frequencies != table.inverse_frequencies) {
    ++index;
  }
  if (index == kMaxSets) refuse(node, "too many rotary tables");
  if (index == plan_->rotary_.size()) plan_->rotary_.push_back(std::move(table));
  // In place when nobody else reads these columns: the value itself, or a slice whose siblings are
  // other columns.
  const Node* maker = graph_.producer(node.inputs[0]);
  bool in_place = use_count(node.inputs[0]) == 1 && !shared_.contains(x.buffer);
  if (in_place && maker != nullptr && (maker->is("Slice") || maker->is("Split"))) {
    in_place = !is_output(maker->inputs[0]);
    for (const NodeId sibling : readers_[static_cast<std::size_t>(maker->inputs[0])]) {
      const Node& other = graph_.node(sibling);
      if (&other == maker) continue;
      if (!other.is("Slice") && !other.is("Split")) {
        in_place = false;
      } else if (!done_[static_cast<std::size_t>(sibling)]) {
        lower(sibling);
        done_[static_cast<std::size_t>(sibling)] = true;
      }
      for (const ValueId out : other.outputs) {
        const View* v = out == ir::kNoValue ? nullptr : std::get_if<View>(&get(out));
        if (v != nullptr && v->offset < x.offset + x.width && x.offset < v->offset + v->width)
          in_place = false;
      }
    }
  }
  if (!in_place) {
    const View copy = new_view(x.width, x.layout);
    plan_->steps_.push_back(make_unary(
        {.name = node.name + ".copy", .x = x, .y = copy, .activation = Activation::kNone}, isa_));
    x = copy;
  }
  plan_->steps_.push_back(make_rotary(
      {.name = node.name, .x = x, .heads = heads, .head_size = x.width / heads, .table = index},
      isa_));
  set(node.outputs[0], x);
}

void Lowering::lower_attention(const Node& node) {
  AttentionSpec spec{.name = node.name,
                     .q = view(node.inputs[0], node),
                     .k = view(node.input(1), node),
                     .v = view(node.input(2), node),
                     .y = {},
                     .heads = static_cast<std::size_t>(
                         std::max<std::int64_t>(1, node.attributes.require_int("num_heads"))),
                     .scale = node.attributes.float_or("scale", 0.0f),
                     .local_window = static_cast<std::size_t>(
                         std::max<std::int64_t>(0, node.attributes.int_or("local_window", 0))),
                     .relative_bias = std::nullopt};
  const ValueId mask = node.input(3);
  if (mask != ir::kNoValue && !std::holds_alternative<Mask>(get(mask)))
    refuse(node, "its mask is not attention_mask");
  if (spec.q.width % spec.heads != 0 || spec.k.width != spec.q.width ||
      spec.v.width != spec.q.width || spec.q.layout != Layout::kToken ||
      spec.k.layout != Layout::kToken || spec.v.layout != Layout::kToken) {
    refuse(node, "query, key and value have different shapes");
  }
  if (spec.scale == 0.0f)
    spec.scale = 1.0f / std::sqrt(static_cast<float>(spec.q.width / spec.heads));
  if (node.input(4) != ir::kNoValue) {
    const Tensor* bias = constant(node.input(4));
    if (bias == nullptr || bias->rank() != 2 ||
        static_cast<std::size_t>(bias->dim(0)) != spec.heads || bias->dim(1) % 2 != 1) {
      refuse(node, "its relative bias is not a constant [heads, 2 * radius + 1]");
    }
    spec.relative_bias = bias->to_float32().own();
  }
  if (precision_ == Precision::kInt8) spec.type = kernels::AttentionType::kInt8;
  if (precision_ == Precision::kBf16) spec.type = kernels::AttentionType::kBf16;
  spec.y = new_view(spec.q.width, Layout::kToken);
  const View y = spec.y;
  plan_->steps_.push_back(make_attention(std::move(spec), isa_));
  set(node.outputs[0], y);
}

}  // namespace octavo::plan
