"""Compares octavo's tokenizers, id for id, with the `tokenizers` package.

    python tests/tokenizer/compare_tokenizers.py --lines build/release/tokenize_lines [--tier plain|models]
    python tests/tokenizer/compare_tokenizers.py --octavo build/release/octavo [TOKENIZER ...]

Texts: the SciFact corpus (../shared/data or $OCTAVO_SHARED), 20,000 random Unicode strings (seeded), pairs, truncation
and decoding (these three with --lines only). Tokenizers: those of tests/data/tokenizers, all-MiniLM-L6-v2, and with
--tier models those of $OCTAVO_MODELS; and small ones made here for the components that no model of ours uses.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time

from tokenizers import Tokenizer

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MODELS = os.environ.get("OCTAVO_MODELS", os.path.expanduser("~/.cache/octavo/models"))
SHARED = os.environ.get("OCTAVO_SHARED", os.path.join(ROOT, "..", "shared"))
PLAIN = [("goldens/unigram", os.path.join(ROOT, "tests/data/tokenizers/unigram-sentencepiece/tokenizer.json")),
         ("goldens/bpe", os.path.join(ROOT, "tests/data/tokenizers/bpe-sentencepiece/tokenizer.json")),
         ("all-MiniLM-L6-v2", os.path.join(MODELS, "all-MiniLM-L6-v2/tokenizer.json"))]
REAL = [(name, os.path.join(MODELS, path)) for name, path in [
    ("bge-small-en-v1.5", "onnx/bge-small-en-v1.5/tokenizer.json"),
    ("e5-small-v2", "onnx/e5-small-v2/tokenizer.json"),
    ("qwen2.5", "tokenizers/qwen2.5/tokenizer.json"),
    ("llama3", "tokenizers/llama3/tokenizer.json")]]

RANGES = [  # (weight, first, last)
    (20, 0x61, 0x7A), (6, 0x41, 0x5A), (6, 0x30, 0x39), (8, 0x20, 0x20), (6, 0x21, 0x2F), (4, 0x3A, 0x7E),
    (2, 0x00, 0x1F), (1, 0x7F, 0xA0), (5, 0xA1, 0x17F), (3, 0x180, 0x2FF), (6, 0x300, 0x36F), (3, 0x370, 0x3FF),
    (4, 0x400, 0x52F), (3, 0x590, 0x5FF), (3, 0x600, 0x6FF), (2, 0x700, 0x8FF), (4, 0x900, 0xDFF), (3, 0xE00, 0xFFF),
    (4, 0x1100, 0x11FF), (2, 0x1200, 0x1AAF), (2, 0x1AB0, 0x1DFF), (3, 0x1E00, 0x1FFF), (4, 0x2000, 0x206F),
    (3, 0x2070, 0x2BFF), (2, 0x2C00, 0x2FFF), (4, 0x3000, 0x30FF), (2, 0x3100, 0x33FF), (5, 0x4E00, 0x9FFF),
    (1, 0xA000, 0xABFF), (4, 0xAC00, 0xD7FF), (1, 0xE000, 0xF8FF), (2, 0xF900, 0xFAFF), (2, 0xFB00, 0xFDFF),
    (2, 0xFE00, 0xFE2F), (3, 0xFE30, 0xFFFD), (3, 0x10000, 0x1FFFF), (1, 0x16FE0, 0x16FFF), (1, 0x1D100, 0x1D7FF),
    (4, 0x1F1E6, 0x1F1FF), (4, 0x1F300, 0x1FAFF), (1, 0x20000, 0x323AF), (1, 0xE0000, 0xE01EF), (1, 0x40000, 0x10FFFF)]
SPACES = [0x20, 0x9, 0xA, 0xD, 0xB, 0xC, 0x85, 0xA0, 0x1680, 0x2002, 0x2009, 0x200B, 0x2028, 0x2029, 0x202F, 0x205F,
          0x3000, 0xFEFF, 0x2581]
JOINERS = ["\u200d", "\ufe0f", "\u200c", "\u0301", "\u0323", "\u0345", "\u3099", "\u094d", "\u1161", "\u11a8", "\u0130",
           "\u00df", "'s", "'S", "'\u017f", "'ll", "'RE", "\r\n", "\n\n", "  ", "<s>", "</s>", "[MASK]", "[SEP]",
           "<|im_end|>", "<|endoftext|>", "\u2581", "<0x41>", "\U0001d15e", "\u302e", "\ufdfa", "\u1e9e", "...", "\x00"]


def random_strings(count, seed):
    rng = random.Random(seed)
    weights = [w for w, _, _ in RANGES]
    out = []
    for _ in range(count):
        length = rng.choice([1, 2, 3, 5, 8, 13, 21, 34, 60, 120])
        focus = rng.choices(RANGES, weights, k=rng.choice([1, 2, 3, 6])) if rng.random() < 0.6 else None
        parts = []
        while len(parts) < length:
            kind = rng.random()
            if kind < 0.08:
                parts.append(chr(rng.choice(SPACES)) * rng.choice([1, 1, 1, 2, 5]))
            elif kind < 0.16:
                parts.append(rng.choice(JOINERS))
            elif kind < 0.18:
                parts.append(chr(rng.choice([0x300, 0x323, 0x345, 0x5B0, 0x64B, 0x1D165])) * rng.randint(2, 20))
            else:
                _, first, last = rng.choice(focus) if focus else rng.choices(RANGES, weights)[0]
                c = rng.randint(first, last)
                parts.append(chr(c) if not 0xD800 <= c < 0xE000 else "\ud7ff")
        out.append("".join(parts))
    return out


def small_tokenizers():
    """Tokenizers for the components that no model of ours has, with a vocabulary of bytes or of characters."""
    words = ["[UNK]", "[CLS]", "[SEP]", "a", "b", "th", "the", "e", " ", "1", "12", "x", "##a", "##e", "\u2581", "\u2581a", "\u00e9"]
    wordlevel = {"type": "WordLevel", "vocab": {w: i for i, w in enumerate(words)}, "unk_token": "[UNK]"}
    pieces = [["<unk>", 0.0]] + [[chr(c), -5.0 - c / 100] for c in range(0x21, 0x17F)] + [
        [" ", -2.0], ["\u2581", -2.0], ["\u2581a", -1.5], ["the", -1.0], ["12", -3.0]]
    unigram = {"type": "Unigram", "unk_id": 0, "vocab": pieces, "byte_fallback": False}
    alphabet = [chr(c) for c in list(range(0x21, 0x7F)) + list(range(0xA1, 0xAD)) + list(range(0xAE, 0x144))]
    byte_bpe = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                "vocab": {t: i for i, t in enumerate(alphabet + ["th", "the", "\u0120a", "\u0120t", "\u0120th", "12", "aa", "aaa", "aaaa"])},
                "merges": ["t h", "\u0120 t", "th e", "\u0120 a", "\u0120t h", "1 2", "a a", "aa a", "aa aa"]}
    suffix_bpe = {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": "##",
                  "end_of_word_suffix": "</w>", "fuse_unk": True, "byte_fallback": False,
                  "vocab": {t: i for i, t in enumerate(["<unk>", "t", "##h", "##e", "e</w>", "##e</w>", "th", "the</w>", "a", "##a", "##a</w>", "a</w>", "aa"])},
                  "merges": ["t ##h", "th ##e</w>", "a ##a"]}
    added = [{"id": 900, "content": "[MASK]", "single_word": False, "lstrip": True, "rstrip": True, "normalized": False, "special": True},
             {"id": 901, "content": "The", "single_word": True, "lstrip": False, "rstrip": False, "normalized": True, "special": False},
             {"id": 902, "content": "Ab", "single_word": False, "lstrip": False, "rstrip": True, "normalized": True, "special": False},
             {"id": 903, "content": "e\u0301", "single_word": False, "lstrip": True, "rstrip": False, "normalized": True, "special": False},
             {"id": 904, "content": "...", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}]
    lower = {"type": "Lowercase"}

    def split(pattern, behavior, invert=False):
        return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}

    def replace(pattern, content):
        return {"type": "Replace", "pattern": pattern, "content": content}

    normalizers = {
        "none": None, "nfc": {"type": "NFC"}, "nfd": {"type": "NFD"}, "nfkc": {"type": "NFKC"}, "nfkd": {"type": "NFKD"},
        "lower": lower, "nmt": {"type": "Nmt"}, "strip": {"type": "Strip", "strip_left": True, "strip_right": True},
        "accents": {"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "StripAccents"}, lower]},
        "bert-cased": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": False},
        "bert-raw": {"type": "BertNormalizer", "clean_text": False, "handle_chinese_chars": False, "strip_accents": True, "lowercase": True},
        "bert-lower": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": False, "lowercase": True},
        "replace": {"type": "Sequence", "normalizers": [replace({"String": "``"}, '"'), replace({"Regex": " {2,}"}, " "), replace({"String": " "}, "\u2581"), {"type": "Prepend", "prepend": "\u2581"}]},
        "replace-empty": {"type": "Sequence", "normalizers": [replace({"Regex": "[aeiou]"}, ""), {"type": "Strip", "strip_left": True, "strip_right": False}]},
        "byte-level": {"type": "ByteLevel"},
    }
    pre_tokenizers = {
        "none": None, "whitespace": {"type": "Whitespace"}, "whitespace-split": {"type": "WhitespaceSplit"},
        "bert": {"type": "BertPreTokenizer"}, "punctuation": {"type": "Punctuation", "behavior": "Contiguous"},
        "digits": {"type": "Digits", "individual_digits": False},
        "each-digit": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, {"type": "Punctuation", "behavior": "MergedWithPrevious"}]},
        "metaspace-first": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": True},
        "metaspace-never": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "never", "split": True},
        "metaspace-after": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": True}]},
        "next": split({"String": " "}, "MergedWithNext"), "previous": split({"Regex": "[ae]"}, "MergedWithPrevious"),
        "removed": split({"Regex": "[a-m]+|\\d"}, "Removed", True), "isolated": split({"Regex": "\\s|[!-/]"}, "Isolated"),
        "contiguous": split({"Regex": "[a-m]"}, "Contiguous"),
        "byte-level": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
    }
    bert_post = {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]}
    roberta_post = {"type": "RobertaProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1], "trim_offsets": True, "add_prefix_space": True}
    out = {}

    def make(name, model, normalizer, pre_tokenizer, post=None, decoder=None):
        out[name] = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": normalizers[normalizer],
                     "pre_tokenizer": pre_tokenizers[pre_tokenizer], "post_processor": post, "decoder": decoder, "model": model}

    for n in normalizers:
        make("normalizer " + n, unigram, n, "metaspace-first", bert_post)
    for p in pre_tokenizers:
        make("pre-tokenizer " + p, unigram, "none", p, roberta_post)
    make("wordlevel", wordlevel, "lower", "whitespace")
    make("byte bpe", byte_bpe, "nfc", "byte-level", {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
         {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True})
    make("suffix bpe", suffix_bpe, "lower", "whitespace", None, {"type": "BPEDecoder", "suffix": "</w>"})
    for name, expression in {
            "cl100k": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
            "llama3": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
            "gpt2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"}.items():
        pre_tokenizers[name] = {"type": "Sequence", "pretokenizers": [split({"Regex": expression}, "Isolated"), {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": False}]}
        make("pattern " + name, unigram, "none", name)
    return out


class Octavo:
    def __init__(self, args, path):
        self.command = [args.lines, path] if args.lines else [args.octavo, "tokenize", path, "--json"]
        self.full = bool(args.lines)

    def __call__(self, lines):
        text = "".join(json.dumps(line) + "\n" for line in lines)
        run = subprocess.run(self.command, input=text.encode(), stdout=subprocess.PIPE, check=True)
        return [json.loads(line) for line in run.stdout.decode().split("\n") if line]


class Mismatches:
    def __init__(self):
        self.count = 0

    def check(self, what, got, expected, text):
        if got != expected:
            self.count += 1
            if self.count <= 10:
                print("MISMATCH %s on %r\n  octavo     %s\n  tokenizers %s" % (what, text, str(got)[:600], str(expected)[:600]))


def compare(name, path, args, texts, mismatches):
    start = time.time()
    oracle = Tokenizer.from_file(path)
    oracle.no_truncation()
    oracle.no_padding()
    octavo = Octavo(args, path)
    for text, got, expected in zip(texts, octavo(texts), oracle.encode_batch(texts)):
        mismatches.check(name, (got["ids"], got["type_ids"]), (expected.ids, expected.type_ids), text)
    rng = random.Random(7)
    pairs = [(rng.choice(texts)[:200], rng.choice(texts)[:200]) for _ in range(1000)]
    for pair, got in zip(pairs, octavo([{"text": a, "pair": b} for a, b in pairs])):
        expected = oracle.encode(*pair)
        mismatches.check(name + " pair", (got["ids"], got["type_ids"]), (expected.ids, expected.type_ids), pair)
    if octavo.full:
        compare_truncation(name, oracle, octavo, pairs, rng, mismatches)
        compare_decoding(name, oracle, octavo, texts[-3000:], mismatches)
    print("%-32s %6d texts  %5.1f s" % (name, len(texts), time.time() - start), flush=True)


def compare_truncation(name, oracle, octavo, pairs, rng, mismatches):
    lines = []
    for a, b in pairs:
        line = {"text": a, "max_length": rng.choice([5, 6, 8, 13, 32]), "special": rng.random() < 0.8,
                "strategy": rng.choice(["longest_first", "longest_first", "only_first", "only_second"]),
                "truncate_left": rng.random() < 0.3}
        if rng.random() < 0.7:
            line["pair"] = b
        lines.append(line)
    for line, got in zip(lines, octavo(lines)):
        oracle.enable_truncation(line["max_length"], strategy=line["strategy"],
                                 direction="left" if line["truncate_left"] else "right")
        try:
            e = oracle.encode(line["text"], line.get("pair"), add_special_tokens=line["special"])
            expected = (e.ids, e.type_ids)
        except Exception:
            expected = "error"
        mismatches.check(name + " truncation", "error" if "error" in got else (got["ids"], got["type_ids"]), expected, line)
    oracle.no_truncation()


def compare_decoding(name, oracle, octavo, texts, mismatches):
    ids = [oracle.encode(t).ids for t in texts]
    lines = [{"decode": i, "skip": n % 2 == 0} for n, i in enumerate(ids)]
    for line, got in zip(lines, octavo(lines)):
        if line["decode"]:
            mismatches.check(name + " decode", got, oracle.decode(line["decode"], skip_special_tokens=line["skip"]), line)


def scifact():
    path = os.path.join(SHARED, "data/scifact/corpus.jsonl")
    if not os.path.exists(path):
        if os.environ.get("CI"):
            sys.exit("the SciFact corpus is missing: " + path)
        print("left out: the SciFact corpus is not at ../shared/data")
        return []
    with open(path, encoding="utf-8") as f:
        return [d["title"] + " " + d["text"] for d in map(json.loads, f)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", help="the tokenize_lines tool")
    parser.add_argument("--octavo", help="the octavo binary")
    parser.add_argument("--tier", choices=["plain", "models"])
    parser.add_argument("--random", type=int, default=20000)
    parser.add_argument("tokenizers", nargs="*")
    args = parser.parse_args()
    corpus, strings, mismatches = scifact(), random_strings(args.random, seed=20240607), Mismatches()
    chosen = [(t, t) for t in args.tokenizers] + {"plain": PLAIN, "models": REAL, None: []}[args.tier]
    for name, path in chosen:
        if os.path.exists(path):
            compare(name, path, args, corpus + strings, mismatches)
        elif os.environ.get("CI"):
            sys.exit("a tokenizer is missing: " + path)
        else:
            print("left out: the tokenizer %s is not at %s" % (name, path))
    if args.tier == "plain":
        with tempfile.TemporaryDirectory() as folder:
            for name, content in small_tokenizers().items():
                path = os.path.join(folder, "tokenizer.json")
                with open(path, "w", encoding="utf-8") as f:
                    json.dump(content, f)
                compare(name, path, args, strings[:1000], mismatches)
    print("%d mismatches" % mismatches.count)
    sys.exit(mismatches.count > 0)


main()
