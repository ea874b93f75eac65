"""Times octavo's tokenizer beside the `tokenizers` package: one thread each, alternating rounds in one run.

    python tests/tokenizer/bench_tokenizers.py --timer build/release/time_tokenizer [--rounds 5] [TOKENIZER ...]

The text is the SciFact corpus, a document at a time. The package is timed by encode(), by encode_batch() and by
encode_batch_fast() (without offsets), its parallelism off; the ratio is to the fastest of them. Best round of each.
"""
import argparse
import json
import os
import subprocess
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
from tokenizers import Tokenizer  # noqa: E402  (reads the variables above)

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MODELS = os.environ.get("OCTAVO_MODELS", os.path.expanduser("~/.cache/octavo/models"))
SHARED = os.environ.get("OCTAVO_SHARED", os.path.join(ROOT, "..", "shared"))
DEFAULT = [os.path.join(MODELS, "all-MiniLM-L6-v2/tokenizer.json")]


def timed(function):
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def bench(path, args, texts, file):
    oracle = Tokenizer.from_file(path)
    oracle.no_truncation()
    oracle.no_padding()
    timer = subprocess.Popen([args.timer, path, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    best = {}

    def note(name, seconds):
        best[name] = min(seconds, best.get(name, seconds))

    for _ in range(args.rounds):
        timer.stdin.write("go\n")
        timer.stdin.flush()
        seconds, tokens = timer.stdout.readline().split()
        note("octavo", float(seconds))
        seconds, encodings = timed(lambda: oracle.encode_batch(texts))
        note("encode_batch", seconds)
        note("encode_batch_fast", timed(lambda: oracle.encode_batch_fast(texts))[0])
        note("encode", timed(lambda: [oracle.encode(t) for t in texts])[0])
        assert sum(len(e.ids) for e in encodings) == int(tokens)
    timer.stdin.close()
    size = sum(len(t.encode()) for t in texts) / 1e6
    print("%s: %d texts, %.1f MB, %s tokens" % (path, len(texts), size, tokens))
    for name, seconds in best.items():
        print("  %-18s %8.1f ms  %7.1f MB/s" % (name, seconds * 1e3, size / seconds))
    others = min(s for name, s in best.items() if name != "octavo")
    print("  ratio              %8.1f  (to encode and encode_batch: %.1f)" % (
        others / best["octavo"], min(best["encode"], best["encode_batch"]) / best["octavo"]), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--timer", required=True, help="the time_tokenizer tool")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("tokenizers", nargs="*")
    args = parser.parse_args()
    with open(os.path.join(SHARED, "data/scifact/corpus.jsonl"), encoding="utf-8") as f:
        texts = [d["title"] + " " + d["text"] for d in map(json.loads, f)]
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.writelines(json.dumps(t) + "\n" for t in texts)
        file.flush()
        for path in args.tokenizers or DEFAULT:
            bench(path, args, texts, file.name)


main()
