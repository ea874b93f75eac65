"""octavo quantize with texts: static ranges, the cache, SmoothQuant, the table of layers, the quality gate."""
import json, os, unittest

from support import embedder, octavo, path

TEXTS = [f"the {a} of {b} and its {c}" for a in ("history", "music", "water", "city", "people")
         for b in ("north", "south", "river", "war", "time") for c in ("name", "work", "family", "age")]


def texts_file(count, name="texts.txt"):
    file = path(name)
    with open(file, "w") as out:
        out.writelines(line + "\n" for line in TEXTS[:count])
    return file


def data_set():
    folder = path("beir")
    os.makedirs(os.path.join(folder, "qrels"), exist_ok=True)
    with open(os.path.join(folder, "corpus.jsonl"), "w") as out:
        for i, text in enumerate(TEXTS[:40]):
            out.write(json.dumps({"_id": f"d{i}", "title": text.split()[1], "text": text}) + "\n")
    with open(os.path.join(folder, "queries.jsonl"), "w") as out:
        for i in range(0, 40, 4):
            out.write(json.dumps({"_id": f"q{i}", "text": TEXTS[i][4:20]}) + "\n")
    with open(os.path.join(folder, "qrels", "test.tsv"), "w") as out:
        out.write("query-id\tcorpus-id\tscore\n")
        out.writelines(f"q{i}\td{j}\t1\n" for i in range(0, 40, 4) for j in range(i, i + 4))
    return folder


def quantize(name, *args):
    return octavo("quantize", embedder(), "-o", path(name), "--force", "--mode", "static", *args)


class Calibration(unittest.TestCase):
    def test_ranges_come_from_texts_and_the_cache_is_kept(self):
        cache = path("ranges.json")
        for resumed in (0, 100):
            done = quantize("static", "--calibration", texts_file(100), "--calibration-cache", cache, "--json")
            self.assertEqual(done.returncode, 0, done.err)
            result = json.loads(done.out)
            self.assertEqual(result["calibration_samples"], 100)
            self.assertEqual(result["calibration_resumed"], resumed)
        with open(cache) as file:
            self.assertEqual(json.load(file)["samples"], 100)
        done = quantize("static", "--calibration", texts_file(60, "other.txt"), "--calibration-cache", cache)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("cache was made from something else", done.err)

    def test_methods_take_a_data_set_too(self):
        for method in ("moving_average", "percentile", "entropy"):
            done = quantize("methods", "--calibration", data_set(), "--calibration-method", method, "--samples", "10")
            self.assertEqual(done.returncode, 0, done.err)
            self.assertIn("steadier", done.err)

    def test_too_little_text_is_refused_before_anything_is_written(self):
        for count, words in ((0, "no text"), (3, "at least 8")):
            done = octavo("quantize", embedder(), "-o", path("never"), "--mode", "static", "--calibration",
                          texts_file(count, f"few{count}.txt"))
            self.assertEqual(done.returncode, 2, done.err)
            self.assertIn(words, done.err)
            self.assertFalse(os.path.exists(path("never")))

    def test_options_that_make_no_sense_are_refused(self):
        texts = texts_file(100)
        for args in (["--max-loss", "0.5%"], ["--eval", data_set()], ["--max-loss", "0.5", "--eval", data_set()],
                     ["--max-loss", "x%", "--eval", data_set()], ["--smooth-quant", "2"], ["--smooth-quant", "much"],
                     ["--calibration-method", "mse"], ["--calibration-method", "percentile", "--percentile", "101"]):
            done = quantize("nonsense", "--calibration", texts, *args)
            self.assertEqual(done.returncode, 2, f"{args}: {done.err}")

    def test_smooth_quant(self):
        for alpha in ("0.5", "search"):
            done = quantize("smooth", "--calibration", texts_file(100), "--smooth-quant", alpha, "--json")
            self.assertEqual(done.returncode, 0, done.err)
            smooth = json.loads(done.out)["smooth_quant"]
            self.assertGreater(smooth["activations"], 0)
            self.assertTrue(0 <= smooth["alpha"] <= 1)

    def test_layers_are_ranked(self):
        done = quantize("ranked", "--calibration", texts_file(100), "--sensitivity", "--json")
        self.assertEqual(done.returncode, 0, done.err)
        layers = json.loads(done.out)["sensitivity"]
        self.assertGreaterEqual(len(layers), 6)
        self.assertEqual([l["sqnr_db"] for l in layers], sorted(l["sqnr_db"] for l in layers))
        for layer in layers:
            self.assertTrue(0.5 < layer["cosine"] <= 1 + 1e-9, layer)

    def test_the_gate_holds_its_budget_and_names_what_it_excludes(self):
        done = quantize("gate", "--calibration", texts_file(100), "--max-loss", "1%", "--eval", data_set(), "--json")
        self.assertEqual(done.returncode, 0, done.err)
        result = json.loads(done.out)
        quality = result["quality"]
        self.assertLessEqual(quality["loss"], 0.01)
        ranked = [layer["node"] for layer in result["sensitivity"]]
        self.assertEqual(quality["excluded"], ranked[: len(quality["excluded"])])
        left = {node["name"] for node in result["nodes"] if not node["quantized"]}
        self.assertTrue(set(quality["excluded"]) <= left)
        with open(os.path.join(path("gate"), "octavo.json")) as file:
            self.assertAlmostEqual(json.load(file)["measured"]["loss"], quality["loss"])


if __name__ == "__main__":
    unittest.main()
