// Every row of the quantisation kernels, bit for bit against the formulas of quantize.h in scalar
// code, in the layout spelled out here again.
#include "kernels/quantize/quantize.h"

#include <cfloat>
#include <cmath>
#include <limits>

#include "base/half.h"
#include "kernels/test_support.h"

namespace octavo::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct Quantized {
  float scale;
  std::vector<std::uint8_t> bytes;
};

Quantized quantize_row(const float* x, std::size_t width) {
  float top = 0;
  bool finite = true;
  for (std::size_t p = 0; p < width; ++p) {
    finite = finite && std::isfinite(x[p]);
    top = std::max(top, std::abs(x[p]));
  }
  Quantized out{finite ? top / 127.0f : kNan, {}};
  const volatile float inverse = finite && top > 1e-30f ? 127.0f / top : 0.0f;
  for (std::size_t p = 0; p < width; ++p) {
    const volatile float scaled = inverse == 0.0f ? 0.0f : x[p] * inverse;
    out.bytes.push_back(static_cast<std::uint8_t>(static_cast<int>(std::nearbyint(scaled)) + 128));
  }
  return out;
}

// Round to nearest even by comparing the neighbours.
std::uint16_t bf16_of(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const auto half = static_cast<std::uint16_t>(bits >> 16);
  if (std::isnan(x)) return half | 0x40;
  const std::uint32_t rest = bits & 0xffff;
  return rest > 0x8000 || (rest == 0x8000 && half % 2 == 1) ? half + 1 : half;
}

// All bytes of `out`: those of rows [first, last), and 0xee wherever nothing may be written.
void check(const QuantizeKernel& kernel, const std::vector<float>& values, std::size_t rows,
           std::size_t width, std::size_t ld, std::size_t first, std::size_t last,
           GuardedFloats::Edge edge) {
  SCOPED_TRACE(testing::Message() << "width " << width << " ld " << ld << " rows " << first
                                  << " to " << last);
  GuardedFloats x(values, edge);
  const std::size_t blocks = (rows + 15) / 16;
  const std::size_t tiles8 = (width + 63) / 64, tiles16 = (width + 31) / 32;
  GuardedFloats out8(blocks * tiles8 * 256, edge), out16(blocks * tiles16 * 256, edge);
  std::memset(out8.data(), 0xee, out8.size() * 4);
  std::memset(out16.data(), 0xee, out16.size() * 4);
  GuardedFloats scale(std::vector<float>(rows, -1.0f), edge);
  QuantizeArgs args{.x = x.data(),
                    .ld_x = ld,
                    .width = width,
                    .out = reinterpret_cast<std::byte*>(out8.data()),
                    .scale = scale.data()};
  kernel.int8(args, first, last);
  args.out = reinterpret_cast<std::byte*>(out16.data());
  args.scale = nullptr;
  kernel.bf16(args, first, last);
  GuardedFloats out_half(blocks * tiles16 * 256, edge);
  std::memset(out_half.data(), 0xee, out_half.size() * 4);
  args.out = reinterpret_cast<std::byte*>(out_half.data());
  kernel.fp16(args, first, last);

  const auto* got8 = reinterpret_cast<const std::uint8_t*>(out8.data());
  const auto* halves = reinterpret_cast<const std::uint16_t*>(out_half.data());
  const auto* got16 = reinterpret_cast<const std::uint16_t*>(out16.data());
  for (std::size_t i = 0; i < 16 * blocks; ++i) {
    const bool written = i >= first && i < last;
    const float* row = values.data() + i * ld;
    Quantized want;
    if (written) {
      want = quantize_row(row, width);
      ASSERT_TRUE(same_bits(scale.data()[i], want.scale) ||
                  (std::isnan(scale.data()[i]) && std::isnan(want.scale)))
          << scale.data()[i] << " for " << want.scale << " of row " << i;
    } else if (i < rows) {
      ASSERT_EQ(scale.data()[i], -1.0f);
    }
    for (std::size_t p = 0; p < 64 * tiles8; ++p) {
      const std::size_t at = ((i / 16 * tiles8 + p / 64) * 16 + i % 16) * 64 + p % 64;
      const int expected = !written ? 0xee : p < width ? want.bytes[p] : 128;
      ASSERT_EQ(int(got8[at]), expected) << "int8 at " << i << ", " << p;
    }
    for (std::size_t p = 0; p < 32 * tiles16; ++p) {
      const std::size_t at = ((i / 16 * tiles16 + p / 32) * 16 + i % 16) * 32 + p % 32;
      const std::uint16_t expected = !written ? 0xeeee : p < width ? bf16_of(row[p]) : 0;
      ASSERT_EQ(got16[at], expected) << "bf16 at " << i << ", " << p;
      if (written && p < width && std::isnan(row[p])) {
        ASSERT_TRUE(std::isnan(half_to_float(halves[at]))) << "fp16 at " << i << ", " << p;
        continue;
      }
      const std::uint16_t half = !written ? 0xeeee : p < width ? float_to_half(row[p]) : 0;
      ASSERT_EQ(halves[at], half) << "fp16 at " << i << ", " << p;
    }
  }
}

template <class Body>
void each(Body body) {
  for_each_runnable(quantize_kernels(), body);
}

TEST(Quantize, EveryWidthAndEdge) {
  each([](const QuantizeKernel& kernel) {
    for (std::size_t width = 1; width <= 200; ++width) {
      const std::size_t rows = 1 + width % 18, ld = width + width % 4;
      const auto edge = width % 2 ? GuardedFloats::Edge::kEnd : GuardedFloats::Edge::kBegin;
      const auto x = random_floats((rows - 1) * ld + width, 7 * width, 3.0f);
      check(kernel, x, rows, width, ld, 0, rows, edge);
    }
    check(kernel, random_floats(3 * 3072, 5), 3, 3072, 3072, 0, 3, GuardedFloats::Edge::kEnd);
  });
}

TEST(Quantize, RangesOfRows) {
  each([](const QuantizeKernel& kernel) {
    const auto x = random_floats(50 * 70, 3);
    for (std::size_t first : {0, 1, 15, 16, 17, 32, 49}) {
      for (std::size_t last : {0, 1, 16, 18, 33, 50}) {
        if (last < first) continue;
        check(kernel, x, 50, 70, 70, first, last, GuardedFloats::Edge::kEnd);
      }
    }
  });
}

// One special value among ordinary ones, at every place of a row, and rows full of it.
TEST(Quantize, SpecialValues) {
  const float specials[] = {0.0f,      -0.0f,         kInfinity, -kInfinity, kNan,     -kNan,
                            1e-45f,    -1e-45f,       0x1p-126f, 0x1p-127f,  1e-30f,   1.1e-30f,
                            FLT_MAX,   -FLT_MAX,      0.5f,      127.0f,     -127.5f,  0x1.01p0f,
                            0x1.03p0f, 0x1.fffffep0f, 3.4e38f,   2e-29f,     65519.0f, 65520.0f,
                            6e-8f,     2.9e-8f,       6.1e-5f};
  each([&](const QuantizeKernel& kernel) {
    for (const float special : specials) {
      SCOPED_TRACE(special);
      for (const std::size_t width : {1, 16, 37, 64, 75}) {
        for (std::size_t place = 0; place < width; ++place) {
          auto x = random_floats(width, 11);
          x[place] = special;
          check(kernel, x, 1, width, width, 0, 1, GuardedFloats::Edge::kEnd);
        }
        const std::vector<float> full(width, special);
        check(kernel, full, 1, width, width, 0, 1, GuardedFloats::Edge::kEnd);
      }
    }
  });
}

TEST(Quantize, HalvesRoundToEven) {
  each([](const QuantizeKernel& kernel) {
    std::vector<float> x{127.0f};  // the scale is 1: x is q before rounding
    for (int q = -127; q < 127; ++q) x.push_back(static_cast<float>(q) + 0.5f);
    check(kernel, x, 1, x.size(), x.size(), 0, 1, GuardedFloats::Edge::kEnd);
  });
}

TEST(Quantize, RowsOfAllMagnitudes) {
  each([](const QuantizeKernel& kernel) {
    for (int exponent = -149; exponent <= 127; ++exponent) {
      const auto x = random_floats(3 * 41, 200 + exponent, std::ldexp(1.0f, exponent));
      check(kernel, x, 3, 41, 41, 0, 3, GuardedFloats::Edge::kEnd);
    }
  });
}

TEST(Quantize, ErrorIsHalfAStep) {
  each([](const QuantizeKernel& kernel) {
    constexpr std::size_t width = 768;
    for (std::uint32_t seed = 1; seed <= 50; ++seed) {
      const auto x = random_floats(width, seed, std::ldexp(1.0f, static_cast<int>(seed) - 25));
      AlignedFloats out(16 * width / 4);
      float scale = 0;
      kernel.int8({.x = x.data(),
                   .ld_x = width,
                   .width = width,
                   .out = reinterpret_cast<std::byte*>(out.data()),
                   .scale = &scale},
                  0, 1);
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(out.data());
      for (std::size_t p = 0; p < width; ++p) {
        const int q = bytes[p / 64 * 1024 + p % 64] - 128;
        ASSERT_LE(std::abs(q), 127);
        ASSERT_LE(std::abs(x[p] - double(scale) * q), scale * (0.5 + 0x1p-15)) << p;
      }
    }
  });
}

TEST(Quantize, ChoiceFollowsTheInstructionSets) {
  EXPECT_EQ(choose_quantize(0).name, "quantize_portable");
  EXPECT_EQ(choose_quantize(~IsaMask{0}).name, quantize_kernels().back().name);
}

}  // namespace
}  // namespace octavo::kernels
