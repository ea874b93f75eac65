// Embedding tables, quantised.
#pragma once

#include "quant/rewriter.h"

namespace octavo::quant {

/// Gather of a constant table: as uint8 with one scale, dequantised after the lookup, or int8 rows
/// that are looked up with their scales.
void quantize_table(Rewriter& rewriter, const ir::Node& node);
/// Looks rows of a table up as quantize_table() says.
ir::ValueId lookup(Rewriter& rewriter, ir::ValueId table, ir::ValueId indices,
                   const std::string& name);

/// com.microsoft.EmbedLayerNormalization: with one scale a table QEmbedLayerNormalization, where
/// its kernel can take this node; with a scale a row lookups, sums and a layer norm.
void quantize_embedding(Rewriter& rewriter, const ir::Node& node);

}  // namespace octavo::quant
