// Extended grapheme clusters (UAX 29), rules GB3 to GB13.
#include "tokenizer/unicode.h"

namespace octavo::tokenizer {

bool GraphemeBreaker::boundary_before(char32_t c) {
  enum {
    kAny,
    kCr,
    kLf,
    kControl,
    kExtend,
    kZwj,
    kRegional,
    kPrepend,
    kSpacing,
    kL,
    kV,
    kT,
    kLv,
    kLvt,
    kPictograph,
    kConsonant
  };
  const std::uint16_t flags = unicode().flags(c);
  const int now = flags & kGraphemeMask, before = previous_;
  const auto control = [](int g) { return g == kCr || g == kLf || g == kControl; };
  bool boundary = true;
  if (before < 0)
    boundary = true;
  else if (before == kCr && now == kLf)
    boundary = false;
  else if (control(before) || control(now))
    boundary = true;
  else if (before == kL && (now == kL || now == kV || now == kLv || now == kLvt))
    boundary = false;
  else if ((before == kLv || before == kV) && (now == kV || now == kT))
    boundary = false;
  else if ((before == kLvt || before == kT) && now == kT)
    boundary = false;
  else if (now == kExtend || now == kZwj || now == kSpacing || before == kPrepend)
    boundary = false;
  else if (now == kConsonant)
    boundary = !(consonant_ && linker_);
  else if (before == kZwj && now == kPictograph)
    boundary = !pictograph_zwj_;
  else if (before == kRegional && now == kRegional)
    boundary = !odd_regional_;

  odd_regional_ = now == kRegional && !(before == kRegional && odd_regional_);
  pictograph_zwj_ = now == kZwj && pictograph_;
  pictograph_ = now == kPictograph || (now == kExtend && pictograph_);
  if (now == kConsonant) {
    consonant_ = true;
    linker_ = false;
  } else if (flags & kIncbLinker) {
    linker_ = true;
  } else if (!(flags & kIncbExtend)) {
    consonant_ = linker_ = false;
  }
  previous_ = now;
  return boundary;
}

}  // namespace octavo::tokenizer
