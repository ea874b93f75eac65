// convert_embeddings() against numpy running sentence-transformers' quantize_embeddings() formulas:
//   int8: ((x - min) / ((max - min) / 255) - 128).astype(int8), uint8 without the shift, ubinary:
//   packbits(x > 0), binary: (packbits(x > 0) - 128).astype(int8).
#include <gtest/gtest.h>

#include "octavo/embedder.h"
#include "octavo/error.h"

namespace octavo {
namespace {

// numpy.random.default_rng(3).standard_normal((5, 11)), float32.
const std::vector<float> kRows = {
    0x1.053cd6p+1f,  -0x1.472008p+1f, 0x1.ac221ap-2f,  -0x1.22b2b2p-1f, -0x1.cf834cp-2f,
    -0x1.b98b02p-3f, -0x1.028ee8p+1f, -0x1.daff5cp-3f, -0x1.bafd36p-1f, 0x1.a9580cp+1f,
    0x1.ce6936p-3f,  -0x1.69180cp-2f, -0x1.2009d0p-2f, -0x1.560a2cp-1f, -0x1.0e1e58p+0f,
    -0x1.902e22p-2f, 0x1.ed8318p-2f,  -0x1.e88eccp-3f, 0x1.ea5f5ap-1f,  -0x1.9931dcp-3f,
    0x1.8d77fep-6f,  0x1.8bbaeap+0f,  0x1.171812p-1f,  -0x1.02ad58p-1f, -0x1.767448p-3f,
    0x1.14bfb6p-1f,  0x1.ef61eep+0f,  -0x1.14175ap-2f, -0x1.f2cee4p-3f, 0x1.0097a0p+0f,
    -0x1.c5de14p-1f, -0x1.2ab8b6p-2f, 0x1.c3dc26p-1f,  0x1.2923a4p-1f,  0x1.76da38p-4f,
    0x1.5717ecp-1f,  -0x1.6a0138p+1f, 0x1.05745ep+0f,  -0x1.eb568ep-1f, -0x1.ab2aacp+0f,
    0x1.1b1498p-2f,  0x1.66add2p-1f,  -0x1.c7711ep-2f, -0x1.138f56p+0f, 0x1.ac077ep-6f,
    -0x1.b01b20p-5f, 0x1.67d548p+0f,  0x1.7eac42p-1f,  0x1.8cef38p-3f,  0x1.1c93fep+0f,
    -0x1.a4e944p-3f, -0x1.da0f82p-1f, 0x1.2b09b0p-1f,  0x1.2a427ap-1f,  -0x1.b7f838p-3f};

std::vector<int> signed_values(const std::vector<std::byte>& bytes) {
  std::vector<int> out;
  for (const std::byte b : bytes) out.push_back(static_cast<signed char>(b));
  return out;
}

std::vector<int> unsigned_values(const std::vector<std::byte>& bytes) {
  std::vector<int> out;
  for (const std::byte b : bytes) out.push_back(std::to_integer<int>(b));
  return out;
}

TEST(EmbeddingTypes, Int8AndUint8EqualNumpy) {
  EXPECT_EQ(signed_values(convert_embeddings(kRows, 11, EmbeddingType::kInt8)),
            (std::vector<int>{127,  -128, 5,    33,   -128, -36,  -128, -36,  -124, 127,  -1,
                              -128, 91,   -128, -1,   -121, 49,   122,  121,  -17,  -96,  127,
                              -32,  69,   -68,  112,  127,  -43,  121,  127,  -128, -117, 62,
                              -28,  126,  36,   -128, 29,   -128, -78,  31,   127,  -128, -128,
                              -87,  113,  127,  127,  -58,  127,  127,  -128, 108,  -58,  -44}));
  EXPECT_EQ(unsigned_values(convert_embeddings(kRows, 11, EmbeddingType::kUint8)),
            (std::vector<int>{255, 0,   133, 161, 0,   91,  0,   91,  3,   255, 126, 0,   219, 0,
                              126, 6,   177, 250, 249, 110, 31,  255, 95,  197, 59,  240, 255, 84,
                              249, 255, 0,   10,  190, 99,  254, 164, 0,   157, 0,   49,  159, 255,
                              0,   0,   40,  241, 255, 255, 69,  255, 255, 0,   236, 69,  83}));
}

TEST(EmbeddingTypes, BinaryEqualsNumpy) {
  std::vector<float> eight;  // the first eight columns
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (i % 11 < 8) eight.push_back(kRows[i]);
  }
  EXPECT_EQ(unsigned_values(convert_embeddings(eight, 8, EmbeddingType::kUbinary)),
            (std::vector<int>{160, 5, 153, 233, 188}));
  EXPECT_EQ(signed_values(convert_embeddings(eight, 8, EmbeddingType::kBinary)),
            (std::vector<int>{32, -123, 25, 105, 60}));
}

TEST(EmbeddingTypes, WhatIsOutsideTheCalibrationIsClamped) {
  const std::vector<float> calibration = {0.0f, 1.0f}, rows = {-5.0f, 0.5f, 7.0f};
  EXPECT_EQ(unsigned_values(convert_embeddings(rows, 1, EmbeddingType::kUint8, calibration)),
            (std::vector<int>{0, 127, 255}));
  const std::vector<float> flat = {2.0f, 2.0f};  // no range at all
  EXPECT_EQ(unsigned_values(convert_embeddings(flat, 1, EmbeddingType::kUint8)),
            (std::vector<int>{0, 0}));
}

TEST(EmbeddingTypes, RefusesRowsThatAreNotWhole) {
  EXPECT_THROW(convert_embeddings(kRows, 10, EmbeddingType::kInt8), Error);
  EXPECT_THROW(convert_embeddings(kRows, 0, EmbeddingType::kInt8), Error);
  EXPECT_THROW(parse_embedding_type("int4"), Error);
}

}  // namespace
}  // namespace octavo
