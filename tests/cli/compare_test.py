"""compare on tiny models: the figures against eval and embed, which have oracles of their own."""
import json, math, os, shutil, unittest
from html.parser import HTMLParser

from support import ROOT, dataset, embedder, main, octavo, path, read_npy, write_texts


def embedder_of_half_width():
    folder = path("narrow")
    if not os.path.isdir(folder):
        shutil.copytree(embedder(), folder)
        for file in ("config.json", "model.safetensors"):
            shutil.copyfile(os.path.join(ROOT, "tests/data/models/mpnet", file), os.path.join(folder, file))
    return folder


def field(number, data):
    """A length-delimited field of protobuf."""
    size, length = len(data), b""
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + data


def add_output_of_ids(file):
    """Gives an ONNX file one more output, its input_ids."""
    with open(file, "rb") as model:
        data = model.read()
    at, out = 0, b""

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at, value, shift = at + 1, value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value

    node = field(1, b"input_ids") + field(2, b"same_ids") + field(3, b"same ids") + field(4, b"Identity")
    tensor = b"\x08\x07" + field(2, field(1, field(2, b"rows")) + field(1, field(2, b"tokens")))  # int64
    more = field(1, node) + field(12, field(1, b"same_ids") + field(2, field(1, tensor)))
    while at < len(data):
        start, tag = at, varint()
        if tag & 7 == 0:
            varint()
            out += data[start:at]
            continue
        assert tag & 7 == 2, tag
        size = varint()
        at += size
        out += field(7, data[at - size : at] + more) if tag >> 3 == 7 else data[start:at]
    with open(file, "wb") as model:
        model.write(out)


def compare(*args):
    done = octavo("compare", *args, "--json")
    assert done.returncode == 0, done.err
    return json.loads(done.out)


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


class Compare(unittest.TestCase):
    @staticmethod
    def texts():
        return write_texts(path("compare.txt"), 5)

    def test_quality_is_that_of_eval(self):
        data = dataset()
        result = compare(embedder(), embedder(), "--precision", "fp32,int8", "--dataset", data, "--no-speed", "--resamples", "500")
        baseline, other = result["models"]
        self.assertEqual((baseline["precision"], other["precision"]), ("fp32", "int8"))
        for model in (baseline, other):
            done = octavo("eval", embedder(), "--dataset", data, "--precision", model["precision"], "--json", "--no-cache")
            found = json.loads(done.out)
            (part,) = model["datasets"]
            for metric in ("ndcg_at_10", "map_at_1000", "recall_at_100"):
                self.assertAlmostEqual(part[metric]["value"], found[metric], places=12)
                low, high = part[metric]["ci95"]
                self.assertLessEqual(low, part[metric]["difference"] + 1e-12)
                self.assertGreaterEqual(high, part[metric]["difference"] - 1e-12)
                self.assertEqual(part[metric]["better"] + part[metric]["worse"] + part[metric]["equal"], 12)
        self.assertEqual(baseline["datasets"][0]["ndcg_at_10"]["difference"], 0)
        self.assertEqual(baseline["datasets"][0]["changed_queries"], [])
        changed = [abs(q["value"] - q["baseline"]) for q in other["datasets"][0]["changed_queries"]]
        self.assertEqual(changed, sorted(changed, reverse=True))
        self.assertGreater(baseline["weights_bytes"], 1000)

    def test_cosines_are_those_of_the_vectors(self):
        file = self.texts()
        with open(file) as lines:
            texts = lines.read().splitlines()
        other = compare(embedder(), embedder(), "--precision", "fp32,int8", "--texts", file, "--no-speed")["models"][1]
        rows = []
        for precision in ("fp32", "int8"):
            out = path(f"{precision}.npy")
            octavo("embed", embedder(), file, "-o", out, "--precision", precision)
            rows.append(read_npy(out))
        cosines = [cosine(a, b) for a, b in zip(*rows)]
        self.assertAlmostEqual(other["embeddings"]["mean_cosine"], sum(cosines) / 5, places=6)
        self.assertAlmostEqual(other["embeddings"]["min_cosine"], min(cosines), places=6)
        self.assertIn(other["embeddings"]["furthest_text"], texts)
        error = max(abs(x - y) for a, b in zip(*rows) for x, y in zip(a, b))
        self.assertAlmostEqual(other["embeddings"]["max_absolute_error"], error, places=6)

    def test_one_of_the_models_is_run_as_its_file_says(self):
        args = ("compare", embedder(), embedder(), "--precision", "fp32,reference", "--texts", self.texts(), "--json")
        done = octavo(*args, "--cases", "1x8", "--rounds", "1")
        self.assertEqual(done.returncode, 0, done.err)
        baseline, other = json.loads(done.out)["models"]
        self.assertEqual((baseline["precision"], other["precision"]), ("fp32", "reference"))
        self.assertGreater(other["embeddings"]["min_cosine"], 0.999999)
        whole = octavo(*args[:3], "--reference", *args[5:], "--no-speed")
        self.assertEqual([m["precision"] for m in json.loads(whole.out)["models"]], ["reference"] * 2)

    def test_the_precision_is_that_of_the_embeddings(self):
        """Embedding takes one output, timing all of them: one without a packed form is run node by node."""
        quantized = path("row-int8")
        self.assertEqual(octavo("quantize", embedder(), "-o", quantized, "--mode", "dynamic").returncode, 0)
        add_output_of_ids(os.path.join(quantized, "model.onnx"))
        args = (embedder(), quantized, "--texts", self.texts())
        report = path("timed.html")
        timing = ("--cases", "1x8", "--rounds", "1")
        for more, timed in ((["--no-speed"], [None, None]), ([*timing, "--report", report], ["fp32", "fp32"])):
            models = compare(*args, *more)["models"]
            self.assertEqual([m["precision"] for m in models], ["fp32", "int8"])
            self.assertEqual([m["timed_precision"] for m in models], timed)
        self.assertEqual([m["precision"] for m in compare(*args[:2], *timing)["models"]], ["fp32", "fp32"])
        done = octavo("compare", *args, *timing)
        self.assertRegex(done.out, r"row-int8 +int8 ")
        with open(report) as file:
            page = file.read()
        for text in (done.out, page):
            self.assertEqual(text.count("(timed in"), 1)
            self.assertIn("row-int8 (timed in fp32)", text)

    def test_the_report_stands_alone(self):
        report = path("compare.html")
        result = compare(embedder(), embedder(), "--names", "first,<second>", "--dataset", dataset(), "--rounds", "6",
                         "--cases", "1x8,1x16,4x8,8x8", "--report", report)
        ratios = [s["time_ratio"] for s in result["models"][1]["speed"]]
        self.assertEqual(len(ratios), 4)
        self.assertTrue(all(r > 0 for r in ratios))
        self.assertEqual({s["time_ratio"] for s in result["models"][0]["speed"]}, {1})
        with open(report) as file:
            page = file.read()
        HTMLParser().feed(page)
        self.assertGreaterEqual(page.count("<svg "), 3)
        for outside in ("http://", "https://", "<script", "@import", "url("):
            self.assertNotIn(outside, page.replace("http://www.w3.org/2000/svg", ""))
        self.assertIn("&lt;second&gt;", page)
        self.assertNotIn("<second>", page)

    def test_mistakes_are_told(self):
        for args, code, words in (
            ([embedder()], 2, "MODELS"),
            ([embedder(), embedder(), "--no-speed"], 2, "nothing to compare"),
            ([embedder(), embedder(), "--precision", "fp32,int8,int8"], 2, "--precision"),
            ([embedder(), path("absent"), "--dataset", dataset()], 3, "absent"),
            ([embedder(), embedder(), "--cases", "1x8", "--report", path("no/such/folder.html")], 3, "folder"),
            ([embedder(), embedder(), "--cases", "1x8", "--report", path("")], 2, "directory"),
            ([embedder(), embedder(), "--cases", "1x8", "--report", "/proc/report.html"], 1, "/proc/report.html"),
            ([embedder(), embedder(), "--texts", self.texts(), "--text-limit=-3"], 2, "-3"),
            ([embedder(), embedder(), "--cases", "1x8,1x1024"], 2, "1x1024"),
            ([embedder(), embedder(), "--cases", "1x8,1x1024", "--dataset", dataset()], 2, "1x1024"),
            ([embedder(), path("absent"), "--dataset", dataset(), "--no-speed"], 3, "absent"),
            ([embedder(), embedder(), "--precision", "fp32,int9", "--dataset", dataset(), "--no-speed"], 2, "int9"),
            ([embedder(), embedder(), "--dataset", dataset(), "--dataset", path("no-data"), "--no-speed"], 3, "no-data"),
        ):
            kept = path("mistakes")
            args += ["--cache", kept] if len(args) > 1 else []
            done = octavo("compare", *args)
            self.assertEqual(done.returncode, code, done.err)
            self.assertIn(words, done.err)
            self.assertFalse(os.path.exists(kept), "models were evaluated before the mistake was told")

    def test_no_limit_is_all_texts(self):
        for limit, count in (("0", 5), ("3", 3), ("9", 5)):
            models = compare(embedder(), embedder(), "--texts", self.texts(), "--text-limit", limit, "--no-speed")["models"]
            self.assertEqual(models[1]["embeddings"]["texts"], count)

    def test_usual_cases_are_those_that_the_models_take(self):
        models = compare(embedder(), embedder(), "--rounds", "1")["models"]
        self.assertEqual({s["tokens"] for s in models[1]["speed"]}, {16, 32, 64, 128})

    def test_models_of_other_widths(self):
        letters = path("letters.txt")  # the narrow model has a table of a hundred ids
        with open(letters, "w") as out:
            out.write("a b c\nd e\n")
        args = ("compare", embedder(), embedder_of_half_width(), "--texts", letters, "--no-speed")
        models = compare(*args[1:])["models"]
        self.assertEqual(models[1]["embeddings"], {"comparable": False})
        self.assertEqual(models[0]["embeddings"]["mean_cosine"], 1)
        done = octavo(*args)
        self.assertEqual(done.returncode, 0, done.err)
        self.assertRegex(done.out, r"narrow +fp32 .* - +-")


if __name__ == "__main__":
    main()
