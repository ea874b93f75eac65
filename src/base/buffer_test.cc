// Buffers and errors: alignment, refusal of the impossible, the parts of a message.
#include "base/buffer.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <limits>

#include "octavo/error.h"

namespace octavo {
namespace {

TEST(Buffer, IsAlignedAndWritableToItsEnd) {
  for (const std::size_t size : {0, 1, 63, 64, 65, 4097, 3 << 20}) {
    Buffer buffer(size);
    EXPECT_EQ(buffer.size(), size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % 64, 0u);
    if (size != 0) std::memset(buffer.data(), 0x5a, size);
    EXPECT_EQ(buffer.bytes().size(), size);
  }
}

TEST(Buffer, RefusesWhatNoMachineHas) {
  for (const std::size_t size :
       {std::numeric_limits<std::size_t>::max(), std::numeric_limits<std::size_t>::max() - 64,
        std::size_t{1} << 62}) {
    EXPECT_THROW(Buffer{size}, Error);
  }
}

TEST(Error, TellsEveryPart) {
  Error error(
      ErrorCode::kInvalidFile,
      {.message = "broken", .place = "byte 8", .expected = "A", .found = "B", .fix = "mend it"});
  error.set_file("m.onnx").add_frame("loading m");
  const std::string text = error.what();
  for (const char* part : {"broken", "m.onnx", "byte 8", "A", "B", "mend it", "loading m"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part;
  }
  error.set_file("other").set_fix("other");
  EXPECT_EQ(error.info().file, "m.onnx");
  EXPECT_EQ(error.info().fix, "mend it");
  EXPECT_EQ(error_code_name(error.code()), "invalid_file");
}

TEST(Error, WithFrameAddsWhatWasBeingDone) {
  EXPECT_EQ(with_frame([] { return std::string("unused"); }, [] { return 4; }), 4);
  try {
    with_frame([] { return std::string("outer"); },
               [] {
                 with_frame([] { return std::string("inner"); },
                            [] { throw Error(ErrorCode::kIo, "x"); });
               });
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.frames(), (std::vector<std::string>{"inner", "outer"}));
  }
}

}  // namespace
}  // namespace octavo
