// The bounded reader: values, positions and refusals.
#include "base/byte_reader.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <vector>

#include "base/checked.h"
#include "base/memory_budget.h"
#include "base/utf8.h"

namespace octavo {
namespace {

std::vector<std::byte> bytes(std::initializer_list<int> values) {
  std::vector<std::byte> out;
  for (const int value : values) out.push_back(static_cast<std::byte>(value));
  return out;
}

template <typename Body>
Error caught(Body body) {
  try {
    body();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return {ErrorCode::kInternal, "nothing"};
}

TEST(ByteReader, ReadsLittleEndianAndKeepsPositions) {
  const auto data = bytes({1, 0x78, 0x56, 0x34, 0x12, 8, 7, 6, 5, 4, 3, 2, 1, 'a', 'b', 'c'});
  ByteReader reader(data, "f", 100);
  EXPECT_EQ(reader.u8("a"), 1);
  EXPECT_EQ(reader.u32_le("b"), 0x12345678u);
  EXPECT_EQ(reader.u64_le("c"), 0x0102030405060708u);
  EXPECT_EQ(reader.offset(), 113u);
  ByteReader inner = reader.sub(2, "d");
  EXPECT_EQ(inner.offset(), 113u);
  EXPECT_EQ(inner.text(2, "e"), "ab");
  EXPECT_TRUE(inner.done());
  EXPECT_EQ(reader.remaining(), 1u);
  EXPECT_EQ(reader.bytes(0, "f").size(), 0u);
}

TEST(ByteReader, RefusesToReadPastTheEnd) {
  const auto data = bytes({1, 2, 3});
  for (const std::size_t count : {std::size_t{4}, std::numeric_limits<std::size_t>::max()}) {
    ByteReader reader(data, "model.bin", 10);
    const Error error = caught([&] { reader.bytes(count, "raw_data"); });
    EXPECT_EQ(error.code(), ErrorCode::kInvalidFile);
    EXPECT_EQ(error.info().file, "model.bin");
    EXPECT_EQ(error.info().place, "raw_data, byte 10");
    EXPECT_EQ(error.info().expected, std::to_string(count) + " bytes");
    EXPECT_EQ(error.info().found, "3 bytes");
    EXPECT_EQ(reader.remaining(), 3u);
  }
  ByteReader reader(data, "f");
  EXPECT_THROW(reader.u32_le("x"), Error);
  EXPECT_THROW(reader.u64_le("x"), Error);
  EXPECT_THROW(reader.sub(4, "x"), Error);
}

TEST(ByteReader, ReadsVarints) {
  const auto value = [](std::initializer_list<int> raw) {
    const auto data = bytes(raw);
    ByteReader reader(data, "f");
    const auto out = reader.varint("v");
    EXPECT_TRUE(reader.done());
    return out;
  };
  EXPECT_EQ(value({0}), 0u);
  EXPECT_EQ(value({0x7f}), 127u);
  EXPECT_EQ(value({0xac, 0x02}), 300u);
  EXPECT_EQ(value({0x80, 0x00}), 0u);
  EXPECT_EQ(value({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}),
            std::numeric_limits<std::uint64_t>::max());
  EXPECT_THROW(value({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}), Error);
  EXPECT_THROW(value({0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00}), Error);
  EXPECT_THROW(value({0x80}), Error);
  EXPECT_THROW(value({}), Error);
}

TEST(Checked, FindsOverflowAndNegativeDimensions) {
  constexpr std::size_t kMax = std::numeric_limits<std::size_t>::max();
  EXPECT_EQ(checked_add(kMax - 1, 1), kMax);
  EXPECT_FALSE(checked_add(kMax, 1));
  EXPECT_FALSE(checked_mul(kMax / 2 + 1, 2));
  const auto elements = [](std::initializer_list<std::int64_t> shape) {
    return checked_elements(std::vector(shape));
  };
  EXPECT_EQ(elements({}), 1u);
  EXPECT_EQ(elements({2, 3, 4}), 24u);
  EXPECT_EQ(elements({5, 0}), 0u);
  EXPECT_FALSE(elements({-1}));
  EXPECT_FALSE(elements({-1, 0}));
  EXPECT_FALSE(elements({std::int64_t{1} << 32, std::int64_t{1} << 32}));
}

TEST(MemoryBudget, RefusesBeyondTwiceTheFile) {
  MemoryBudget budget(1000, 0, "f");
  EXPECT_NO_THROW(budget.charge(15u << 20, "x"));
  EXPECT_NO_THROW(budget.charge(0, "x"));
  EXPECT_EQ(caught([&] { budget.charge(2000, "x"); }).code(), ErrorCode::kInvalidFile);
  EXPECT_THROW(budget.charge(std::numeric_limits<std::size_t>::max(), "x"), Error);
  EXPECT_THROW(budget.charge(std::size_t{1} << 33, std::size_t{1} << 33, "x"), Error);
  EXPECT_THROW(MemoryBudget(10, std::size_t{1} << 40, "f").charge(1, "x"), Error);
}

TEST(Utf8, AcceptsExactlyTheScalarValues) {
  std::array<char, 4> buffer;
  for (std::uint32_t code = 0; code < 0x110000; ++code) {
    const auto size = static_cast<std::size_t>(utf8_encode(code, buffer.data()) - buffer.data());
    const bool surrogate = code >= 0xd800 && code < 0xe000;
    EXPECT_EQ(utf8_sequence({buffer.data(), size}), surrogate ? 0u : size) << code;
    if (size > 1) {
      EXPECT_EQ(utf8_sequence({buffer.data(), size - 1}), 0u) << code;
    }
  }
  for (const char* bad :
       {"\x80", "\xbf", "\xc0\xaf", "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xc3(", "\xe2\x28\xa1", "\xe2\x82\x28"}) {
    EXPECT_FALSE(is_utf8(bad)) << bad;
  }
  EXPECT_TRUE(is_utf8("na\u00efve \u4e2d \U0001f600"));
}

}  // namespace
}  // namespace octavo
