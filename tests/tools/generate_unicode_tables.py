"""Writes src/tokenizer/unicode_flags.inc and unicode_maps.inc: what the `tokenizers` package takes each code point for.

The package's Rust crates carry Unicode tables of several versions (character categories, normalization, case, grapheme
clusters); ids agree only where these do, whatever the system's own Unicode library says. So every property is read off
the package itself, one code point at a time, except for grapheme clusters, which its interface does not show: those
come from the `tables.rs` of the crate unicode-segmentation that the package was built with.

    python tests/tools/generate_unicode_tables.py --segmentation .../unicode-segmentation-1.13.3/src/tables.rs

Made with tokenizers 0.23.3. Encoding: little-endian base-128 integers in base64, see src/tokenizer/unicode.cc.
"""
import argparse
import base64
import re
import unicodedata

from tokenizers import Regex, normalizers, pre_tokenizers

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
# Bits of a flag word; keep in step with enum Flag of unicode.h. The lowest four bits are the grapheme class.
OTHER, SPACE, NONSPACING, MARK, PUNCTUATION, NUMERIC, WORD, LETTER, NUMBER, INCB_LINKER, INCB_EXTEND, PATTERN_SPACE = (
    1 << b for b in range(4, 16)
)
GRAPHEME = ["Any", "CR", "LF", "Control", "Extend", "ZWJ", "Regional_Indicator", "Prepend", "SpacingMark", "L", "V",
            "T", "LV", "LVT", "Extended_Pictographic", "InCB_Consonant"]


def varint(n):
    out = bytearray()
    while n >= 128:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def zigzag(n):
    return varint(n * 2 if n >= 0 else -n * 2 - 1)


def pieces(pre_tokenizer, text):
    return len(pre_tokenizer.pre_tokenize_str(text))


def observed_flags():
    clean = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    unaccent = normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False)
    nfd, strip, strip_accents = normalizers.NFD(), normalizers.Strip(), normalizers.StripAccents()
    bert, digits, words = (pre_tokenizers.BertPreTokenizer(), pre_tokenizers.Digits(individual_digits=True),
                           pre_tokenizers.Whitespace())
    letter, number, space = (pre_tokenizers.Split(Regex(p), "isolated") for p in (r"\p{L}", r"\p{N}", r"\s"))
    flags = [0] * 0x110000
    for c in CODE_POINTS:
        ch = chr(c)
        f = 0
        cleaned = clean.normalize_str(ch)
        if cleaned == "":
            f |= OTHER
        if strip.normalize_str(ch) == "":
            f |= SPACE
        assert (cleaned == " ") == bool(f & SPACE and not f & OTHER), hex(c)
        if nfd.normalize_str(ch) == ch and unaccent.normalize_str(ch) == "":
            f |= NONSPACING
        if strip_accents.normalize_str(ch) == "":
            f |= MARK
        if pieces(bert, "a" + ch + "a") == 3:
            f |= PUNCTUATION
        if pieces(digits, "a" + ch + "a") == 3:
            f |= NUMERIC
        n = pieces(words, "a" + ch + "a")
        if n == 1:
            f |= WORD
        assert (n == 2) == bool(f & SPACE), hex(c)
        if pieces(letter, "1" + ch + "1") == 3:
            f |= LETTER
        if pieces(number, "a" + ch + "a") == 3:
            f |= NUMBER
        if pieces(space, "a" + ch + "a") == 3:
            f |= PATTERN_SPACE
        flags[c] = f
    return flags


def rust_ranges(text, table, with_class):
    body = re.search(r"const %s: [^=]*= &\[(.*?)\];" % table, text, re.S).group(1)
    one = r"'(\\u\{[0-9a-f]+\}|.|\\.)'"
    pattern = r"\(\s*%s,\s*%s%s\s*\)" % (one, one, r",\s*[GE]C_(\w+)" if with_class else "")

    def code(s):
        return int(s[3:-1], 16) if s.startswith("\\u") else ord(s[-1])

    for m in re.finditer(pattern, body):
        yield code(m[1]), code(m[2]), m[3] if with_class else None


def add_graphemes(flags, path):
    text = open(path, encoding="utf-8").read()
    grapheme = text[text.index("pub mod grapheme"):]
    for first, last, name in rust_ranges(grapheme, "grapheme_cat_table", True):
        for c in range(first, last + 1):
            flags[c] |= GRAPHEME.index(name)
    for first, last, _ in rust_ranges(text, "InCB_Extend_table", False):
        for c in range(first, last + 1):
            flags[c] |= INCB_EXTEND
    linker = re.search(r"fn is_incb_linker\(.*?\n\}", text, re.S).group(0)
    found = re.findall(r"'\\u\{([0-9a-fA-F]+)\}'(?:\s*\.\.=\s*'\\u\{([0-9a-fA-F]+)\}')?", linker)
    assert found, "no InCB linkers"
    for first, last in found:
        for c in range(int(first, 16), int(last or first, 16) + 1):
            flags[c] |= INCB_LINKER


def encode_flags(flags):
    combos, runs, start = [], [], 0
    for c in range(1, 0x110001):
        if c == 0x110000 or flags[c] != flags[start]:
            runs.append((c - start, flags[start]))
            start = c
    combos = sorted({f for _, f in runs}, key=lambda f: -sum(1 for _, g in runs if g == f))
    out = varint(len(combos)) + b"".join(varint(f) for f in combos) + varint(len(runs))
    for length, f in runs:
        out += varint(combos.index(f)) + varint(length)
    print(len(runs), "runs,", len(combos), "combinations")
    return out


def combining_classes():
    nfd = normalizers.NFD()

    def swaps(a, b):
        return nfd.normalize_str(a + b) == b + a and a != b

    # One code point for each class; it must be one that the package knows as well.
    low, high = "\u0334", "\u0345"
    known = {1: low, 240: high}
    for c in CODE_POINTS:
        if unicodedata.combining(chr(c)) and (swaps(chr(c), low) or swaps(high, chr(c))):
            known.setdefault(unicodedata.combining(chr(c)), chr(c))
    values = sorted(known)
    order = [known[k] for k in values]
    out = []
    for c in CODE_POINTS:
        ch = chr(c)
        if nfd.normalize_str(ch) != ch:
            continue
        if not (swaps(ch, low) or swaps(high, ch)) and ch != low and ch != high:
            continue
        value = [v for v, r in zip(values, order) if ch == r or not swaps(ch, r) and not swaps(r, ch)]
        assert len(value) == 1, (hex(c), value)
        out.append((c, value[0]))
    return out


def encode_mapping(entries):
    """entries: (code point, string), ascending."""
    out, previous = varint(len(entries)), 0
    for c, text in entries:
        out += varint(c - previous) + varint(len(text))
        previous = c
        for t in text:
            out += zigzag(ord(t) - c)
    return out


def maps():
    nfd, nfkd, nfc, lower = normalizers.NFD(), normalizers.NFKD(), normalizers.NFC(), normalizers.Lowercase()
    canonical, compatible, composed, lowered, by_parts = [], [], [], [], {}
    for c in CODE_POINTS:
        ch = chr(c)
        if 0xAC00 <= c < 0xAC00 + 11172:
            continue
        d, k, low = nfd.normalize_str(ch), nfkd.normalize_str(ch), lower.normalize_str(ch)
        if d != ch:
            canonical.append((c, d))
            if nfc.normalize_str(ch) == ch:
                by_parts[d] = ch
        if k != d:
            compatible.append((c, k))
        if low != ch:
            lowered.append((c, low))
    for parts, ch in by_parts.items():
        first = parts[:-1] if len(parts) == 2 else by_parts[parts[:-1]]
        assert nfc.normalize_str(first + parts[-1]) == ch
        composed.append((ord(ch), first + parts[-1]))
    composed.sort()
    classes = combining_classes()
    out = b"".join(encode_mapping(m) for m in (canonical, compatible, composed, lowered)) + varint(len(classes))
    previous = 0
    for c, value in classes:
        out += varint(c - previous) + varint(value)
        previous = c
    print(len(canonical), len(compatible), len(composed), len(lowered), len(classes))
    return out


def write(path, data):
    text = base64.b64encode(data).decode()
    with open(path, "w", encoding="ascii") as f:
        f.write("// Generated by tests/tools/generate_unicode_tables.py; do not edit.\n")
        for i in range(0, len(text), 96):
            f.write('"%s"\n' % text[i:i + 96])
    print(path, len(data), "bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--segmentation", required=True, help="tables.rs of the crate unicode-segmentation")
    parser.add_argument("--out", default="src/tokenizer")
    args = parser.parse_args()
    write(args.out + "/unicode_maps.inc", maps())
    flags = observed_flags()
    add_graphemes(flags, args.segmentation)
    write(args.out + "/unicode_flags.inc", encode_flags(flags))


main()
