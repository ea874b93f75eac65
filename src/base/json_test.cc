// JSON reading: the values of nlohmann-json on what is valid, its refusals on what is not.
#include "base/json.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

namespace octavo {
namespace {

void expect_equal(const JsonValue& ours, const nlohmann::json& reference) {
  switch (ours.type()) {
    case JsonType::kNull: EXPECT_TRUE(reference.is_null()); break;
    case JsonType::kBool: EXPECT_EQ(ours.as_bool(), reference.get<bool>()); break;
    case JsonType::kInt:
      ASSERT_TRUE(reference.is_number_integer());
      EXPECT_EQ(ours.as_int(), reference.get<std::int64_t>());
      break;
    case JsonType::kDouble: EXPECT_EQ(ours.as_double(), reference.get<double>()); break;
    case JsonType::kString: EXPECT_EQ(ours.as_string(), reference.get<std::string>()); break;
    case JsonType::kArray: {
      ASSERT_EQ(ours.size(), reference.size());
      std::size_t i = 0;
      for (const JsonValue element : ours.elements()) expect_equal(element, reference[i++]);
      EXPECT_EQ(i, reference.size());
      break;
    }
    case JsonType::kObject: {
      ASSERT_EQ(ours.size(), reference.size());
      for (const auto& [key, value] : reference.items()) {
        const auto found = ours.find(key);
        ASSERT_TRUE(found.has_value()) << key;
        expect_equal(*found, value);
      }
      break;
    }
  }
}

nlohmann::json random_value(std::mt19937& random, int depth) {
  const auto below = [&](unsigned n) { return static_cast<int>(random() % n); };
  const auto text = [&] {
    std::string out;
    static const char* const kPieces[] = {"a",      "\"",     "\\",         "\n",  "\x01",
                                          "\u00e9", "\u4e2d", "\U0001f600", "key", "/"};
    for (int n = below(6); n > 0; --n) out += kPieces[below(10)];
    return out;
  };
  switch (below(depth > 4 ? 5 : 7)) {
    case 0: return nullptr;
    case 1: return below(2) == 1;
    case 2: return static_cast<std::int64_t>(random()) * (below(2) == 1 ? 1 : -1000003);
    case 3: return std::ldexp(static_cast<double>(random()) - 2e9, below(400) - 200);
    case 4: return text();
    case 5: {
      auto out = nlohmann::json::array();
      for (int n = below(5); n > 0; --n) out.push_back(random_value(random, depth + 1));
      return out;
    }
    default: {
      auto out = nlohmann::json::object();
      for (int n = below(20); n > 0; --n)
        out[text() + std::to_string(n)] = random_value(random, depth + 1);
      return out;
    }
  }
}

TEST(Json, ReadsRandomDocumentsAsTheReferenceDoes) {
  std::mt19937 random(7);
  for (int i = 0; i < 500; ++i) {
    const auto reference = random_value(random, 0);
    for (const std::string& text :
         {reference.dump(), reference.dump(2), reference.dump(-1, ' ', true)}) {
      SCOPED_TRACE(text);
      expect_equal(JsonDocument::parse(text, "x").root(), nlohmann::json::parse(text));
    }
  }
}

TEST(Json, AgreesWithTheReferenceOnDamagedDocuments) {
  std::mt19937 random(11);
  int refused = 0, accepted = 0;
  for (int i = 0; i < 4000; ++i) {
    std::string text = random_value(random, 0).dump(-1, ' ', i % 2 == 0);
    static const char kBytes[] = "{}[],:\"\\0123456789eE+-.truefalsn u\x80\xc3\xed\xf4\x7f\n";
    for (int n = 0; n <= i % 3; ++n)
      text[random() % text.size()] = kBytes[random() % (sizeof kBytes - 1)];
    SCOPED_TRACE(text);
    const auto reference = nlohmann::json::parse(text, nullptr, false);
    try {
      const auto ours = JsonDocument::parse(text, "x");
      ASSERT_FALSE(reference.is_discarded());
      expect_equal(ours.root(), reference);
      ++accepted;
    } catch (const Error& error) {
      if (error.info().message.find("same key twice") == std::string::npos) {
        EXPECT_TRUE(reference.is_discarded()) << error.what();
      }
      ++refused;
    }
  }
  EXPECT_GT(refused, 500);
  EXPECT_GT(accepted, 200);
}

TEST(Json, ReadsEdgesOfNumbers) {
  for (const char* text : {"0",
                           "-0",
                           "-0.0",
                           "1e0",
                           "1E+2",
                           "1.5e-3",
                           "288230376151711743",
                           "288230376151711744",
                           "-288230376151711744",
                           "9223372036854775807",
                           "-9223372036854775808",
                           "18446744073709551615",
                           "1000000000000000019884624838656",
                           "1.7976931348623157e308",
                           "2.2250738585072014e-308",
                           "5e-324",
                           "1e-400",
                           "-1e-99999999999999999999",
                           "0e999999",
                           "0.1",
                           "123456789012345678901234567890.5e-10",
                           "9007199254740993",
                           "0.000000000000000000000000000001e+20"}) {
    SCOPED_TRACE(text);
    const auto reference = nlohmann::json::parse(text);
    EXPECT_EQ(JsonDocument::parse(text, "x").root().as_double(), reference.get<double>());
  }
  EXPECT_EQ(JsonDocument::parse("-288230376151711743", "x").root().as_int(), -288230376151711743);
  EXPECT_EQ(JsonDocument::parse("512.0", "x").root().as_int(), 512);
}

TEST(Json, RefusesWhatIsNotJson) {
  for (const std::string text : {"",
                                 " ",
                                 "{",
                                 "[",
                                 "\"",
                                 "tru",
                                 "nul",
                                 "+1",
                                 "01",
                                 "1.",
                                 ".5",
                                 "1e",
                                 "1e+",
                                 "-",
                                 "NaN",
                                 "Infinity",
                                 "[1,]",
                                 "[,1]",
                                 "{\"a\":1,}",
                                 "{\"a\"}",
                                 "{a:1}",
                                 "{'a':1}",
                                 "[1 2]",
                                 "1 2",
                                 "// c\n1",
                                 "\"\\x\"",
                                 "\"\\u12\"",
                                 "\"\\ud800\"",
                                 "\"\\udc00\"",
                                 "\"\\ud800\\u0041\"",
                                 "\"\t\"",
                                 "\"\xff\"",
                                 "\"\xc0\x80\"",
                                 "\"\xed\xa0\x80\"",
                                 "\"\xf4\x90\x80\x80\"",
                                 "\"\xe4\xb8\"",
                                 "1e999",
                                 "-1e400",
                                 "[}",
                                 "{]",
                                 "\"\\",
                                 "\"\\\"",
                                 "\"\\u",
                                 "[1]]"}) {
    SCOPED_TRACE(text);
    try {
      JsonDocument::parse(text, "bad.json");
      FAIL() << "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidFile);
      EXPECT_EQ(error.info().file, "bad.json");
      EXPECT_FALSE(error.info().place.empty());
      EXPECT_FALSE(error.info().fix.empty());
    }
  }
  EXPECT_THROW(JsonDocument::parse(std::string("1\0", 2), "x"), Error);
}

TEST(Json, SaysLineAndByte) {
  try {
    JsonDocument::parse("{\n \"a\": 1,\n \"b\": x}", "bad.json");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.info().place, "line 3, byte 7");
    EXPECT_EQ(error.info().found, "'x'");
  }
}

TEST(Json, RefusesEqualKeysInSmallAndLargeObjects) {
  EXPECT_THROW(JsonDocument::parse(R"({"a":1,"b":2,"a":3})", "x"), Error);
  EXPECT_THROW(JsonDocument::parse(R"({"a":1,"\u0061":3})", "x"), Error);
  std::string large = "{";
  for (int i = 0; i < 100; ++i) large += "\"k" + std::to_string(i) + "\":0,";
  EXPECT_THROW(JsonDocument::parse(large + "\"k57\":1}", "x"), Error);
  EXPECT_EQ(JsonDocument::parse(large + "\"z\":1}", "x").root().size(), 101u);
}

TEST(Json, BoundsDepthAndMemory) {
  const auto nested = [](int n) {
    return std::string(static_cast<std::size_t>(n), '[') +
           std::string(static_cast<std::size_t>(n), ']');
  };
  EXPECT_NO_THROW(JsonDocument::parse(nested(128), "x"));
  EXPECT_THROW(JsonDocument::parse(nested(129), "x"), Error);
  EXPECT_THROW(JsonDocument::parse(std::string(1000000, '['), "x"), Error);
  std::string dense = "[0";
  for (int i = 0; i < 4000000; ++i) dense += ",0";
  EXPECT_THROW(JsonDocument::parse(dense + "]", "x"), Error);
  const auto document = JsonDocument::parse("\"" + std::string(5000000, 'x') + "\"", "x");
  EXPECT_EQ(document.root().as_string().size(), 5000000u);
  EXPECT_LT(document.memory(), 5300000u);
}

TEST(Json, TypedAccessNamesTheKey) {
  const auto document =
      JsonDocument::parse(R"({"hidden_size":"x","a":null,"n":1.5,"list":[1,"b"]})", "config.json");
  const auto root = document.root();
  try {
    root.at("hidden_size").as_int();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.info().file, "config.json");
    EXPECT_EQ(error.info().place, "key 'hidden_size'");
    EXPECT_EQ(error.info().expected, "an integer");
    EXPECT_EQ(error.info().found, "a string");
  }
  EXPECT_THROW(root.at("missing"), Error);
  EXPECT_THROW(root.at("n").as_int(), Error);
  EXPECT_THROW(root.at("n").as_string(), Error);
  EXPECT_THROW(root.at("list").members(), Error);
  EXPECT_THROW(root.elements(), Error);
  EXPECT_TRUE(root.find("a")->is_null());
  EXPECT_FALSE(root.get("a").has_value());
  EXPECT_EQ(root.int_or("a", 5), 5);
  EXPECT_EQ(root.string_or("missing", "d"), "d");
  EXPECT_THROW(root.bool_or("n", true), Error);
}

}  // namespace
}  // namespace octavo
