#include "tokenizer/unicode.h"

#include <algorithm>

namespace octavo::tokenizer {
namespace {

constexpr char kMaps[] =
#include "tokenizer/unicode_maps.inc"
    ;
constexpr char kFlags[] =
#include "tokenizer/unicode_flags.inc"
    ;

constexpr char32_t kHangulSyllable = 0xac00, kHangulL = 0x1100, kHangulV = 0x1161,
                   kHangulT = 0x11a7;
constexpr char32_t kCountV = 21, kCountT = 28, kHangulCount = 19 * kCountV * kCountT;

// Base-128 integers in base64.
class TableReader {
 public:
  explicit TableReader(std::string_view text) : text_(text) {
    for (int i = 0; i < 64; ++i) {
      values_[static_cast<unsigned char>(
          "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[i])] =
          static_cast<std::uint8_t>(i);
    }
  }
  std::uint32_t next() {
    std::uint32_t value = 0;
    for (int shift = 0;; shift += 7) {
      const std::uint32_t byte = next_byte();
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  }
  std::int32_t next_signed() {
    const std::uint32_t n = next();
    return static_cast<std::int32_t>(n >> 1) ^ -static_cast<std::int32_t>(n & 1);
  }

 private:
  std::uint32_t next_byte() {
    while (bits_ < 8) {
      buffer_ = buffer_ << 6 | values_[static_cast<unsigned char>(text_[at_++])];
      bits_ += 6;
    }
    bits_ -= 8;
    return buffer_ >> bits_ & 255;
  }
  std::string_view text_;
  std::size_t at_ = 0;
  std::uint32_t buffer_ = 0;
  int bits_ = 0;
  std::uint8_t values_[256] = {};
};

std::uint64_t pair_key(char32_t a, char32_t b) { return std::uint64_t{a} << 32 | b; }

}  // namespace

UnicodeTables::UnicodeTables() {
  TableReader flags(kFlags);
  std::vector<std::uint16_t> combos(flags.next());
  for (auto& combo : combos) combo = static_cast<std::uint16_t>(flags.next());
  char32_t at = 0;
  for (std::uint32_t runs = flags.next(); runs > 0; --runs) {
    const std::uint16_t value = combos[flags.next()];
    const std::uint32_t length = flags.next();
    flags_.set(at, at + length - 1, value);
    at += length;
  }

  TableReader maps(kMaps);
  starts_ = {0, 0};
  const auto read_mapping = [&](CodePointMap<std::uint16_t>* map) {
    char32_t c = 0;
    for (std::uint32_t count = maps.next(); count > 0; --count) {
      c += maps.next();
      const std::uint32_t length = maps.next();
      char32_t parts[2] = {};
      for (std::uint32_t i = 0; i < length; ++i) {
        const char32_t part = c + static_cast<char32_t>(maps.next_signed());
        if (map)
          text_.push_back(part);
        else
          parts[i & 1] = part;
      }
      if (map) {
        map->set(c, c, static_cast<std::uint16_t>(starts_.size() - 1));
        starts_.push_back(static_cast<std::uint32_t>(text_.size()));
      } else {
        composites_.emplace(pair_key(parts[0], parts[1]), c);
      }
    }
  };
  read_mapping(&canonical_);
  read_mapping(&compatible_);
  read_mapping(nullptr);
  read_mapping(&lower_);
  char32_t c = 0;
  for (std::uint32_t count = maps.next(); count > 0; --count) {
    c += maps.next();
    classes_.set(c, c, static_cast<std::uint8_t>(maps.next()));
  }
}

const UnicodeTables& unicode() {
  static const UnicodeTables tables;
  return tables;
}

char32_t UnicodeTables::compose(char32_t first, char32_t second) const {
  if (first - kHangulL < 19 && second - kHangulV < kCountV) {
    return kHangulSyllable + ((first - kHangulL) * kCountV + (second - kHangulV)) * kCountT;
  }
  if (first - kHangulSyllable < kHangulCount && (first - kHangulSyllable) % kCountT == 0 &&
      second > kHangulT && second < kHangulT + kCountT) {
    return first + (second - kHangulT);
  }
  const auto it = composites_.find(pair_key(first, second));
  return it == composites_.end() ? 0 : it->second;
}

std::span<const char32_t> decompose(char32_t c, const char32_t& self,
                                    std::array<char32_t, 3>& buffer) {
  if (c - kHangulSyllable < kHangulCount) {
    const char32_t s = c - kHangulSyllable;
    buffer = {kHangulL + s / (kCountV * kCountT), kHangulV + s / kCountT % kCountV,
              kHangulT + s % kCountT};
    return {buffer.data(), s % kCountT == 0 ? 2u : 3u};
  }
  const auto parts = unicode().canonical(c);
  return parts.empty() ? std::span<const char32_t>(&self, 1) : parts;
}

namespace {

struct Decomposed {
  std::vector<char32_t> points;
  std::vector<std::uint8_t> classes;
};

// Stable, by combining class; counting sort where the run is long, so that runs of marks cost
// linear time.
void order_run(Decomposed& text, std::size_t begin, std::size_t end, Decomposed& scratch) {
  if (end - begin < 2) return;
  if (end - begin <= 16) {
    for (std::size_t i = begin + 1; i < end; ++i) {
      for (std::size_t k = i; k > begin && text.classes[k - 1] > text.classes[k]; --k) {
        std::swap(text.classes[k - 1], text.classes[k]);
        std::swap(text.points[k - 1], text.points[k]);
      }
    }
    return;
  }
  std::array<std::size_t, 257> at{};
  for (std::size_t i = begin; i < end; ++i) ++at[text.classes[i] + 1u];
  for (std::size_t i = 1; i < at.size(); ++i) at[i] += at[i - 1];
  scratch.points.assign(text.points.begin() + static_cast<std::ptrdiff_t>(begin),
                        text.points.begin() + static_cast<std::ptrdiff_t>(end));
  scratch.classes.assign(text.classes.begin() + static_cast<std::ptrdiff_t>(begin),
                         text.classes.begin() + static_cast<std::ptrdiff_t>(end));
  for (std::size_t i = 0; i < scratch.points.size(); ++i) {
    const std::size_t to = begin + at[scratch.classes[i]]++;
    text.points[to] = scratch.points[i];
    text.classes[to] = scratch.classes[i];
  }
}

void compose_in_place(Decomposed& text) {
  const UnicodeTables& tables = unicode();
  std::size_t out = 0, starter = 0;
  bool have_starter = false;
  int last = -1;
  for (std::size_t i = 0; i < text.points.size(); ++i) {
    const char32_t c = text.points[i];
    const int cls = text.classes[i];
    if (have_starter && last < cls) {
      if (const char32_t composite = tables.compose(text.points[starter], c)) {
        text.points[starter] = composite;
        continue;
      }
    }
    if (cls == 0) {
      starter = out;
      have_starter = true;
      last = -1;
    } else {
      last = cls;
    }
    text.points[out] = c;
    text.classes[out++] = text.classes[i];
  }
  text.points.resize(out);
}

}  // namespace

std::string normalize(std::string_view text, Form form) {
  if (is_ascii(text)) return std::string(text);
  const UnicodeTables& tables = unicode();
  const bool compatible = form == Form::kNfkc || form == Form::kNfkd;
  Decomposed all, scratch;
  all.points.reserve(text.size());
  all.classes.reserve(text.size());
  std::size_t run = 0;  // where the current run of non-starters began
  std::array<char32_t, 3> buffer;
  for (const char *p = text.data(), *end = p + text.size(); p < end;) {
    const char32_t c = decode(p);
    std::span<const char32_t> parts;
    if (compatible) parts = tables.compatible(c);
    if (parts.empty()) parts = decompose(c, c, buffer);
    for (const char32_t part : parts) {
      const std::uint8_t cls = tables.combining_class(part);
      if (cls == 0) {
        order_run(all, run, all.points.size(), scratch);
        run = all.points.size() + 1;
      }
      all.points.push_back(part);
      all.classes.push_back(cls);
    }
  }
  order_run(all, run, all.points.size(), scratch);
  if (form == Form::kNfc || form == Form::kNfkc) compose_in_place(all);
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  for (const char32_t c : all.points) append_utf8(out, c);
  return out;
}

std::string lowercase(std::string_view text) {
  const UnicodeTables& tables = unicode();
  std::string out;
  out.reserve(text.size());
  for (const char *p = text.data(), *end = p + text.size(); p < end;) {
    const char* begin = p;
    const char32_t c = decode(p);
    if (c < 0x80) {
      out.push_back(static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c));
      continue;
    }
    const auto parts = tables.lower(c);
    if (parts.empty()) out.append(begin, p);
    for (const char32_t part : parts) append_utf8(out, part);
  }
  return out;
}

}  // namespace octavo::tokenizer
