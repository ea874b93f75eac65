// Conversion of embeddings to smaller types, as sentence-transformers' quantize_embeddings().
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "octavo/embedder.h"
#include "octavo/error.h"

namespace octavo {
namespace {

constexpr std::pair<EmbeddingType, std::string_view> kTypes[] = {
    {EmbeddingType::kFloat32, "float32"}, {EmbeddingType::kInt8, "int8"},
    {EmbeddingType::kUint8, "uint8"},     {EmbeddingType::kBinary, "binary"},
    {EmbeddingType::kUbinary, "ubinary"},
};

std::vector<std::byte> by_range(std::span<const float> rows, std::size_t dims, bool is_signed,
                                std::span<const float> calibration) {
  std::vector<float> low(dims), step(dims);
  for (std::size_t d = 0; d < dims; ++d) {
    float min = calibration[d], max = calibration[d];
    for (std::size_t i = d; i < calibration.size(); i += dims) {
      min = std::min(min, calibration[i]);
      max = std::max(max, calibration[i]);
    }
    low[d] = min;
    step[d] = (max - min) / 255.0f;
  }
  std::vector<std::byte> out(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::size_t d = i % dims;
    const float scaled = step[d] > 0 ? (rows[i] - low[d]) / step[d] : 0.0f;
    // numpy's astype drops the fraction, towards zero, after the shift.
    const float level = std::clamp(scaled, 0.0f, 255.0f) - (is_signed ? 128.0f : 0.0f);
    out[i] = static_cast<std::byte>(static_cast<int>(level));
  }
  return out;
}

std::vector<std::byte> by_sign(std::span<const float> rows, std::size_t dims, bool is_signed) {
  const std::size_t bytes = (dims + 7) / 8, count = rows.size() / dims;
  std::vector<std::byte> out(count * bytes);
  for (std::size_t r = 0; r < count; ++r) {
    for (std::size_t b = 0; b < bytes; ++b) {
      unsigned packed = 0;
      for (std::size_t bit = 0; bit < 8; ++bit) {
        const std::size_t d = b * 8 + bit;
        if (d < dims && rows[r * dims + d] > 0) packed |= 0x80u >> bit;
      }
      out[r * bytes + b] = static_cast<std::byte>(is_signed ? packed - 128u : packed);
    }
  }
  return out;
}

}  // namespace

EmbeddingType parse_embedding_type(std::string_view name) {
  std::string known;
  for (const auto& [type, text] : kTypes) {
    if (text == name) return type;
    known += (known.empty() ? "" : ", ") + std::string(text);
  }
  throw Error(ErrorCode::kInvalidArgument, {.message = "unknown embedding type",
                                            .expected = known,
                                            .found = "'" + std::string(name) + "'",
                                            .fix = "give one of the known names to --type"});
}

std::vector<std::byte> convert_embeddings(std::span<const float> rows, std::size_t dims,
                                          EmbeddingType type, std::span<const float> calibration) {
  if (dims == 0 || rows.size() % dims != 0 || calibration.size() % dims != 0) {
    throw Error(ErrorCode::kInvalidArgument,
                {.message = "the embeddings are no whole rows",
                 .expected = "a multiple of " + std::to_string(dims) + " values",
                 .found = std::to_string(rows.size())});
  }
  if (calibration.empty()) calibration = rows;
  switch (type) {
    case EmbeddingType::kInt8:
    case EmbeddingType::kUint8:
      return by_range(rows, dims, type == EmbeddingType::kInt8, calibration);
    case EmbeddingType::kBinary:
    case EmbeddingType::kUbinary: return by_sign(rows, dims, type == EmbeddingType::kBinary);
    case EmbeddingType::kFloat32: break;
  }
  std::vector<std::byte> out(rows.size_bytes());
  if (!out.empty()) std::memcpy(out.data(), rows.data(), out.size());
  return out;
}

}  // namespace octavo
