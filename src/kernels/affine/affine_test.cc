// Every row of the affine kernels, bit for bit against the formulas of affine.h in scalar code.
#include "kernels/affine/affine.h"

#include <cfloat>
#include <cmath>
#include <limits>

#include "kernels/gemm/layout.h"
#include "kernels/test_support.h"

namespace octavo::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr Steps kSteps[] = {{0, false}, {128, false}, {255, false}, {7, false},
                            {0, true},  {-128, true}, {127, true}};

template <class Body>
void each(Body body) {
  for_each_runnable(affine_kernels(), body);
}

int saturate(double rounded, Steps steps) {
  const double value = rounded + steps.zero;
  if (std::isnan(value)) return 0;
  return static_cast<int>(
      std::clamp(value, steps.is_signed ? -128.0 : 0.0, steps.is_signed ? 127.0 : 255.0));
}

int byte_of(std::uint8_t byte, Steps steps) {
  return steps.is_signed ? int{static_cast<std::int8_t>(byte)} : int{byte};
}

void check_quantize(const AffineKernel& kernel, const std::vector<float>& values, float scale) {
  GuardedFloats x(values);
  for (const Steps steps : kSteps) {
    std::vector<std::uint8_t> y(values.size() + 1, 0xee);
    kernel.quantize(x.data(), values.size(), scale, steps, y.data());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const volatile float quotient = values[i] / scale;
      ASSERT_EQ(byte_of(y[i], steps), saturate(std::nearbyint(double{quotient}), steps))
          << values[i] << " / " << scale << " zero " << steps.zero << " at " << i;
    }
    ASSERT_EQ(y.back(), 0xee);
  }
}

TEST(Affine, QuantizesEveryLength) {
  each([](const AffineKernel& kernel) {
    for (std::size_t count = 1; count < 150; ++count) {
      check_quantize(kernel, random_floats(count, 3 + count, 2.0f), 0.013f);
    }
  });
}

TEST(Affine, QuantizesTiesToEven) {
  each([](const AffineKernel& kernel) {
    std::vector<float> x;
    for (int q = -700; q < 700; ++q) x.push_back((static_cast<float>(q) + 0.5f) * 0.25f);
    check_quantize(kernel, x, 0.25f);
  });
}

TEST(Affine, QuantizesSpecialValues) {
  const std::vector<float> specials{0.0f, -0.0f,   kInfinity, -kInfinity, kNan,  -kNan, 1e-45f,
                                    1.0f, FLT_MAX, -FLT_MAX,  0x1p23f,    3e9f,  -3e9f, 254.5f,
                                    0.5f, -0.5f,   127.5f,    -128.5f,    1e30f, -1e30f};
  each([&](const AffineKernel& kernel) {
    for (const float scale : {1.0f, 0.0f, 1e-40f, FLT_MAX, kInfinity, kNan, -0.3f}) {
      check_quantize(kernel, specials, scale);
    }
  });
}

TEST(Affine, DequantizesEveryByte) {
  std::vector<std::uint8_t> x(256);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<std::uint8_t>(i);
  each([&](const AffineKernel& kernel) {
    for (const Steps steps : kSteps) {
      for (const float scale : {0.017f, 1e-39f, kInfinity, FLT_MAX}) {
        for (const std::size_t count : {256, 1, 15, 31, 33}) {
          GuardedFloats y(count);
          kernel.dequantize(x.data(), count, scale, steps, y.data());
          for (std::size_t i = 0; i < count; ++i) {
            const float wanted = static_cast<float>(byte_of(x[i], steps) - steps.zero) * scale;
            ASSERT_TRUE(same_bits(y.data()[i], wanted) || std::isnan(wanted)) << i;
          }
        }
      }
    }
  });
}

TEST(Affine, FindsTheRange) {
  each([](const AffineKernel& kernel) {
    for (std::size_t count = 1; count < 80; ++count) {
      for (const float shift : {0.0f, 5.0f, -5.0f}) {
        auto values = random_floats(count, static_cast<std::uint32_t>(count), 3.0f);
        for (float& v : values) v += shift;
        GuardedFloats x(values);
        float low = 1, high = -1;
        ASSERT_TRUE(kernel.range(x.data(), count, &low, &high));
        ASSERT_EQ(low, std::min(0.0f, *std::min_element(values.begin(), values.end())));
        ASSERT_EQ(high, std::max(0.0f, *std::max_element(values.begin(), values.end())));
        for (const float special : {kNan, kInfinity, -kInfinity}) {
          x.data()[count / 2] = special;
          ASSERT_FALSE(kernel.range(x.data(), count, &low, &high));
        }
      }
    }
  });
}

// Sums up to the ends of int32, corrections that wrap.
struct Sums {
  std::vector<std::int32_t> sums;
  std::vector<std::uint32_t> right, left;
  std::uint32_t row = 0x9e3779b9u;

  explicit Sums(std::size_t count, bool wild) {
    std::mt19937 random(static_cast<std::uint32_t>(count));
    for (std::size_t j = 0; j < count; ++j) {
      sums.push_back(static_cast<std::int32_t>(wild ? random() : random() % 20000 - 10000));
      right.push_back(wild ? random() : random() % 100);
      left.push_back(wild ? random() : 0);
    }
  }
  SumsArgs args() const {
    return {.sums = sums.data(),
            .right = right.data(),
            .left = left.data(),
            .row = row,
            .count = sums.size()};
  }
  std::int32_t at(std::size_t j) const {
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(sums[j]) + right[j] -
                                     row * left[j]);
  }
};

TEST(Affine, FinishesSums) {
  each([](const AffineKernel& kernel) {
    for (const bool wild : {false, true}) {
      for (std::size_t count = 1; count < 70; ++count) {
        const Sums sums(count, wild);
        std::vector<std::int32_t> ints(count);
        kernel.correct(sums.args(), ints.data());
        const auto factors = random_floats(count, 5, 0.01f), bias = random_floats(count, 6, 9.0f);
        GuardedFloats wide(count);
        kernel.widen(sums.args(), factors.data(), bias.data(), wide.data());
        std::vector<double> doubles(factors.begin(), factors.end());
        if (count > 3) doubles[1] = kNan, doubles[2] = HUGE_VAL, doubles[3] = 0.5;
        for (std::size_t j = 0; j < count; ++j) {
          ASSERT_EQ(ints[j], sums.at(j));
          const volatile float product = static_cast<float>(sums.at(j)) * factors[j];
          ASSERT_TRUE(same_bits(wide.data()[j], product + bias[j]));
        }
        for (const Steps steps : kSteps) {
          std::vector<std::uint8_t> y(count);
          kernel.requantize(sums.args(), doubles.data(), steps, y.data());
          for (std::size_t j = 0; j < count; ++j) {
            ASSERT_EQ(byte_of(y[j], steps),
                      saturate(std::nearbyint(sums.at(j) * doubles[j]), steps))
                << sums.at(j) << " * " << doubles[j];
          }
        }
      }
    }
  });
}

TEST(Affine, CollectsParts) {
  each([](const AffineKernel& kernel) {
    for (std::size_t count = 1; count < 70; ++count) {
      std::vector<float> c(count);
      for (std::size_t j = 0; j < count; ++j) c[j] = static_cast<float>(j) * 16777215.0f;
      for (float& v : c) v = std::min(v, 16777216.0f);
      std::vector<std::int32_t> sums(count, 7);
      kernel.collect(c.data(), count, false, sums.data());
      kernel.collect(c.data(), count, true, sums.data());
      for (std::size_t j = 0; j < count; ++j) {
        ASSERT_EQ(sums[j], 2 * static_cast<std::int32_t>(c[j]));
      }
    }
  });
}

TEST(Affine, FillsTiles) {
  each([](const AffineKernel& kernel) {
    std::vector<std::uint8_t> x(200);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<std::uint8_t>(37 * i + 11);
    for (std::size_t count = 1; count <= x.size(); ++count) {
      for (const std::uint8_t flip : {std::uint8_t{0}, std::uint8_t{0x80}}) {
        std::vector<std::byte> tiles(4 * kTileSize, std::byte{0xee});
        const std::uint32_t sum = kernel.tile(x.data(), count, flip, tiles.data());
        std::uint32_t wanted = 0;
        for (std::size_t p = 0; p < 4 * kTileSize; ++p) {
          const std::size_t at = p / kTileSize * kTileBytes + p % kTileSize;
          const bool row = p % kTileSize < kTileBytes, used = p / kTileSize * kTileBytes < count;
          int byte = 0xee;
          if (row && used) byte = at < count ? x[at] ^ flip : 0;
          if (row && at < count) wanted += static_cast<std::uint32_t>(byte);
          ASSERT_EQ(static_cast<int>(tiles[p]), byte) << count << " at " << p;
        }
        ASSERT_EQ(sum, wanted);
      }
    }
  });
}

TEST(Affine, ChoiceFollowsTheInstructionSets) {
  EXPECT_EQ(choose_affine(0).name, "affine_portable");
  EXPECT_EQ(choose_affine(~IsaMask{0}).name, affine_kernels().back().name);
}

}  // namespace
}  // namespace octavo::kernels
