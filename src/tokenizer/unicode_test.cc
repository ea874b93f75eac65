// Normalization and graphemes, with the examples of the Unicode Standard.
#include "tokenizer/unicode.h"

#include <gtest/gtest.h>

namespace octavo::tokenizer {
namespace {

TEST(Unicode, Forms) {
  EXPECT_EQ(normalize("\u1e9b\u0323", Form::kNfc), "\u1e9b\u0323");  // UAX 15, figure 6
  EXPECT_EQ(normalize("\u1e9b\u0323", Form::kNfd), "\u017f\u0323\u0307");
  EXPECT_EQ(normalize("\u1e9b\u0323", Form::kNfkc), "\u1e69");
  EXPECT_EQ(normalize("\u1e9b\u0323", Form::kNfkd), "s\u0323\u0307");
  EXPECT_EQ(normalize("\uac01", Form::kNfd), "\u1100\u1161\u11a8");
  EXPECT_EQ(normalize("\u1100\u1161\u11a8", Form::kNfc), "\uac01");
  EXPECT_EQ(normalize("\u212b", Form::kNfc), "\u00c5");               // singleton
  EXPECT_EQ(normalize("\u0958", Form::kNfc), "\u0915\u093c");         // composition exclusion
  EXPECT_EQ(normalize("a\u0301\u0323", Form::kNfc), "\u1ea1\u0301");  // reordered, then composed
  EXPECT_EQ(normalize("a\u0315\u0300\u05ae\u0300b", Form::kNfc),
            "\u00e0\u05ae\u0300\u0315b");  // blocked
}

TEST(Unicode, LongRunsOfMarksAreSortedStably) {
  std::string marks, expected;
  for (int i = 0; i < 100; ++i) marks += i % 2 ? "\u0301\u0300" : "\u0323";
  for (int i = 0; i < 50; ++i) expected += "\u0323";
  for (int i = 0; i < 50; ++i) expected += "\u0301\u0300";
  EXPECT_EQ(normalize("x" + marks, Form::kNfd), "x" + expected);
}

TEST(Unicode, Lowercase) {
  EXPECT_EQ(lowercase("A\u00c9\u0130\u03a3\u1e9e"), "a\u00e9i\u0307\u03c3\u00df");
}

TEST(Unicode, InvalidSequences) {
  EXPECT_TRUE(is_valid_utf8("\U0010ffff\ud7ff\ue000"));
  for (const char* bad :
       {"\x80", "\xc1\x80", "\xe0\x9f\x80", "\xed\xa0\x80", "\xf0\x8f\x80\x80", "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80", "abcdefgh\xe2\x82", "abcdefgh\xff"}) {
    EXPECT_FALSE(is_valid_utf8(bad)) << bad;
    EXPECT_TRUE(is_valid_utf8(replace_invalid_utf8(bad)));
  }
}

std::vector<std::size_t> clusters(std::u32string_view text) {
  GraphemeBreaker breaker;
  std::vector<std::size_t> sizes;
  for (const char32_t c : text) {
    if (breaker.boundary_before(c)) sizes.push_back(0);
    ++sizes.back();
  }
  return sizes;
}

TEST(Unicode, Graphemes) {
  using Sizes = std::vector<std::size_t>;
  EXPECT_EQ(clusters(U"\r\na\u0301"), (Sizes{2, 2}));
  EXPECT_EQ(clusters(U"\U0001f1e6\U0001f1e7\U0001f1e8"), (Sizes{2, 1}));
  EXPECT_EQ(clusters(U"\U0001f468\u200d\U0001f469\u200d\U0001f466"), (Sizes{5}));
  EXPECT_EQ(clusters(U"a\u200d\U0001f469"), (Sizes{2, 1}));
  EXPECT_EQ(clusters(U"\u1100\u1161\u11a8\uac00\u11a8"), (Sizes{3, 2}));
  EXPECT_EQ(clusters(U"\u0915\u094d\u0937"), (Sizes{3}));  // GB9c
  EXPECT_EQ(clusters(U"\u0600a"), (Sizes{2}));             // prepend
}

}  // namespace
}  // namespace octavo::tokenizer
