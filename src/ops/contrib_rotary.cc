// com.microsoft: RotaryEmbedding.
#include "ops/contrib.h"

namespace octavo::ops::reference {

/// Inputs x [batch, tokens, heads * size] or [batch, heads, tokens, size]; position_ids, one offset
/// or [batch, tokens]; cosines and sines [positions, rotated / 2]. The first `rotated` values of a
/// head turn in pairs: halves, or neighbours where `interleaved` is set.
std::vector<Tensor> contrib_rotary_embedding(const OpCall& call) {
  const Tensor x = call.input(0).to_float32();
  const Tensor cosine = call.input(2).to_float32(), sine = call.input(3).to_float32();
  const auto& attributes = call.attributes();
  if (attributes.int_or("is_packed_batching", 0) != 0) {
    call.fail("packed batching is not supported", "is_packed_batching 0");
  }
  require_rank(call, cosine, 2);
  if (sine.shape() != cosine.shape() || cosine.dim(1) < 1) {
    call.fail("cosines and sines differ in shape", shape_to_string(cosine.shape()),
              shape_to_string(sine.shape()));
  }
  const bool heads_first = x.rank() == 4;
  if (!heads_first) require_rank(call, x, 3);
  const std::int64_t given = attributes.int_or("rotary_embedding_dim", 0);
  const std::int64_t rotated = cosine.dim(1) * 2;
  const std::int64_t heads =
      heads_first ? x.dim(1) : std::max<std::int64_t>(attributes.int_or("num_heads", 0), 0);
  const std::int64_t width = x.shape().back();
  std::int64_t size = heads_first ? width : rotated;
  if (!heads_first && heads > 0) size = width / heads;
  if (size < rotated || (!heads_first && width % size != 0) || (given != 0 && given != rotated)) {
    call.fail("the rotated part does not fit the heads", "at most " + std::to_string(size),
              std::to_string(rotated));
  }
  const std::int64_t count = heads_first ? heads : width / size;
  const std::int64_t batch = x.dim(0), tokens = heads_first ? x.dim(2) : x.dim(1);
  const Tensor& positions = call.input(1);
  const std::vector<std::int64_t> places =
      positions.rank() <= 2 && !dtype_is_float(positions.dtype()) ? positions.to_int64s()
                                                                  : std::vector<std::int64_t>();
  const bool offset = places.size() == 1 && positions.rank() <= 1;
  if (!offset && positions.shape() != Shape{batch, tokens}) {
    call.fail("the positions do not fit the tokens", shape_to_string(Shape{batch, tokens}),
              shape_to_string(positions.shape()));
  }
  const bool interleaved = attributes.int_or("interleaved", 0) != 0;
  Tensor out = strided_copy(call, x, x.shape(), 0, row_major(x.shape()));
  const auto from = x.data<float>(), c = cosine.data<float>(), s = sine.data<float>();
  const auto to = out.mutable_data<float>();
  for (std::int64_t b = 0; b < batch; ++b) {
    for (std::int64_t t = 0; t < tokens; ++t) {
      std::int64_t place = places[offset ? 0 : static_cast<std::size_t>(b * tokens + t)];
      if (offset && place >= 0 && place < cosine.dim(0)) place += t;
      if (place < 0 || place >= cosine.dim(0)) {
        call.fail("a position is not in the table", "0 to " + std::to_string(cosine.dim(0) - 1),
                  std::to_string(place));
      }
      for (std::int64_t n = 0; n < count; ++n) {
        const std::int64_t first = heads_first ? ((b * count + n) * tokens + t) * size
                                               : (b * tokens + t) * width + n * size;
        for (std::int64_t i = 0; i < rotated / 2; ++i) {
          const auto x1 = static_cast<std::size_t>(first + (interleaved ? 2 * i : i));
          const auto x2 = x1 + static_cast<std::size_t>(interleaved ? 1 : rotated / 2);
          const auto angle = static_cast<std::size_t>(place * (rotated / 2) + i);
          to[x1] = from[x1] * c[angle] - from[x2] * s[angle];
          to[x2] = from[x2] * c[angle] + from[x1] * s[angle];
        }
      }
    }
  }
  return {from_float32(call, out, call.input(0).dtype())};
}

}  // namespace octavo::ops::reference
