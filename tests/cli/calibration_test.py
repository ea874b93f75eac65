"""octavo quantize with texts: static ranges, the cache, SmoothQuant, the table of layers, the quality gate."""
import json, os, pty, shutil, subprocess, time, unittest
from html.parser import HTMLParser

from support import BINARY, embedder, octavo, path, read_npy

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


def own_data_set():
    """Judged as the float model ranks: its NDCG is 1, and rounding can only lose."""
    folder = path("own-beir")
    if os.path.isdir(folder):
        return folder
    shutil.copytree(data_set(), folder)
    with open(os.path.join(folder, "corpus.jsonl")) as file:
        documents = [json.loads(line) for line in file]
    with open(os.path.join(folder, "queries.jsonl")) as file:
        queries = [json.loads(line) for line in file]
    texts = [f"{d['title']} {d['text']}" for d in documents] + [q["text"] for q in queries]
    octavo("embed", embedder(), "-o", path("own.npy"), text="\n".join(texts) + "\n")
    rows = read_npy(path("own.npy"))
    score = lambda a, b: sum(x * y for x, y in zip(a, b))
    with open(os.path.join(folder, "qrels", "test.tsv"), "w") as out:
        out.write("query-id\tcorpus-id\tscore\n")
        for query, row in zip(queries, rows[len(documents):]):
            best = sorted(range(len(documents)), key=lambda i: -score(row, rows[i]))[:10]
            out.writelines(f"{query['_id']}\t{documents[i]['_id']}\t{10 - rank}\n" for rank, i in enumerate(best))
    return folder


def steep():
    """A gate that has to search: ranges that cut most of every activation off."""
    return ["--calibration", texts_file(100), "--calibration-method", "percentile", "--percentile", "90", "--tables", "float",
            "--max-loss", "0.01%", "--eval", own_data_set()]


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

    def test_figures_that_leave_no_text_are_refused(self):
        texts = texts_file(100)
        for flags, words in ((["--samples", "0"], "--samples"), (["--samples", "7"], "8 or more"), (["--samples=-5"], "-5"),
                             (["--max-length", "0"], "--max-length"), (["--max-length", "2"], "special tokens"),
                             (["--max-length=-1"], "-1"), (["--max-length", "1.5"], "1.5")):
            with self.subTest(flags):
                done = octavo("quantize", embedder(), "-o", path("never"), "--mode", "static", "--calibration", texts, *flags)
                self.assertEqual((done.returncode, done.out), (2, ""), done.err)
                self.assertIn(words, done.err)
                self.assertFalse(os.path.exists(path("never")))
        self.assertEqual(quantize("short", "--calibration", texts, "--samples", "8", "--max-length", "3").returncode, 0)

    def test_what_needs_texts_says_so(self):
        for mode in ("dynamic", "octavo", "int8"):
            for flags in (["--sensitivity"], ["--smooth-quant", "search"], ["--max-loss", "1%", "--eval", data_set()]):
                done = octavo("quantize", embedder(), "-o", path("never"), "--mode", mode, *flags)
                self.assertEqual(done.returncode, 2, done.err)
                self.assertIn(f"{flags[0]} needs texts", done.err)
                self.assertNotIn("static", done.err)
                self.assertNotIn("choose --mode", done.err)
        self.assertIn("static quantisation needs texts", quantize("never").err)

    def test_options_that_make_no_sense_are_refused(self):
        texts = texts_file(100)
        for args in (["--max-loss", "0.5%"], ["--eval", data_set()], ["--max-loss", "0.5", "--eval", data_set()],
                     ["--max-loss", "x%", "--eval", data_set()],
                     ["--sensitivity-metric", "ndcg"], ["--sensitivity-metric", "mse"], ["--smooth-quant", "2"], ["--smooth-quant", "much"],
                     ["--calibration-method", "mse"], ["--calibration-method", "percentile", "--percentile", "101"]):
            done = quantize("nonsense", "--calibration", texts, *args)
            self.assertEqual(done.returncode, 2, f"{args}: {done.err}")
        done = octavo("quantize", embedder(), "-o", path("nonsense"), "--mode", "float16", "--sensitivity", "--calibration", texts)
        self.assertEqual(done.returncode, 2, done.err)
        self.assertEqual(quantize("nonsense", "--report", path("no/folder.html")).returncode, 3)

    def test_smooth_quant(self):
        for alpha in ("0.5", "search"):
            done = quantize("smooth", "--calibration", texts_file(100), "--smooth-quant", alpha, "--json")
            self.assertEqual(done.returncode, 0, done.err)
            smooth = json.loads(done.out)["smooth_quant"]
            self.assertGreater(smooth["activations"], 0)
            self.assertTrue(0 <= smooth["alpha"] <= 1)

    def test_smoothed_ranges_belong_to_the_exclusions_that_smoothed_them(self):
        args = ["--format", "QDQ", "--calibration", texts_file(100), "--calibration-cache", path("smoothed.json")]
        for resumed in (0, 100):
            done = quantize("smoothed", *args, "--smooth-quant", "0.5", "--json")
            self.assertEqual(json.loads(done.out)["calibration_resumed"], resumed, done.err)
        for alpha, *other in (["0.5", "--exclude", "*query*"], ["0.50000001"]):
            done = quantize("smoothed", *args, "--smooth-quant", alpha, *other)
            self.assertEqual(done.returncode, 2, done.err)
            self.assertIn("cache was made from something else", done.err)

    def test_layers_are_ranked(self):
        done = quantize("ranked", "--calibration", texts_file(100), "--sensitivity", "--json")
        self.assertEqual(done.returncode, 0, done.err)
        layers = json.loads(done.out)["sensitivity"]
        self.assertGreaterEqual(len(layers), 6)
        self.assertEqual([l["sqnr_db"] for l in layers], sorted(l["sqnr_db"] for l in layers))
        for layer in layers:
            self.assertTrue(0.5 < layer["cosine"] <= 1 + 1e-9, layer)

    def test_layers_are_ranked_by_the_metric_that_is_asked_for(self):
        for metric, key, sign in (("cosine", "cosine", 1), ("ndcg", "score_loss", -1)):
            name, report = path(f"ranked-{metric}"), path(f"ranked-{metric}.html")
            evaluate = ["--eval", data_set()] if metric == "ndcg" else []
            done = quantize(f"ranked-{metric}", "--calibration", texts_file(100), "--sensitivity-metric", metric, *evaluate,
                            "--report", report, "--json")
            self.assertEqual(done.returncode, 0, done.err)
            result = json.loads(done.out)
            layers = result["sensitivity"]
            values = [sign * layer[key] for layer in layers]
            self.assertEqual(values, sorted(values))
            self.assertGreaterEqual(len(layers), 6)
            self.assertEqual(sorted(layer["place"] for layer in layers), list(range(len(layers))))
            with open(os.path.join(name, "octavo.json")) as file:
                self.assertEqual(json.load(file)["sensitivity"], {"metric": metric, "layers": layers})
            with open(report) as file:
                page = file.read()
            self.check_page(page, len(layers))
            compared = path("compared.html")
            done = octavo("compare", embedder(), name, "--no-speed", "--no-cache", "--texts", texts_file(20, "few.txt"),
                          "--report", compared, "--json")
            self.assertEqual(done.returncode, 0, done.err)
            plain, quantized = json.loads(done.out)["models"]
            self.assertNotIn("sensitivity", plain)
            self.assertEqual(quantized["sensitivity"]["layers"], layers)
            with open(compared) as file:
                self.check_page(file.read(), len(layers))
            self.assertIn(f"what {len(layers)} products cost alone", octavo("inspect", name).out)
        # What is made of it later was not measured.
        octavo("optimize", path("ranked-cosine"), "-o", path("ranked-again"), "--level", "1")
        with open(os.path.join(path("ranked-again"), "octavo.json")) as file:
            self.assertNotIn("sensitivity", json.load(file))

    def check_page(self, page, layers):
        HTMLParser().feed(page)
        self.assertIn("Sensitivity by layer", page)
        self.assertEqual(page.count("<rect "), layers)
        for outside in ("http://", "https://", "<script", "@import", "url("):
            self.assertNotIn(outside, page.replace("http://www.w3.org/2000/svg", ""))

    def test_what_was_measured_is_not_measured_again(self):
        cache = path("scores")
        args = [*steep(), "--score-cache", cache, "--json"]
        first = json.loads(quantize("again", *args).out)
        second = json.loads(quantize("again", *args).out)
        steps = first["quality"]["steps"]
        self.assertGreater(len(steps), 1, first["quality"])
        self.assertFalse(any(step["kept"] for step in steps))
        self.assertTrue(all(step.pop("kept") for step in second["quality"]["steps"]))
        for step in steps:
            step.pop("kept")
        self.assertEqual(second["quality"], first["quality"])
        self.assertEqual(second["sensitivity"], first["sensitivity"])
        # Another recipe, other texts of the data set, or no cache: measured.
        for other in (["--reduce-range"], ["--query-prompt", "query: "]):
            result = json.loads(quantize("again", *args, *other).out)
            self.assertFalse(any(step["kept"] for step in result["quality"]["steps"]), other)
        bare = [a for a in args if a not in ("--score-cache", cache)]
        result = json.loads(quantize("again", *bare, "--no-score-cache").out)
        self.assertFalse(any(step["kept"] for step in result["quality"]["steps"]))
        self.assertEqual([step["ndcg_at_10"] for step in result["quality"]["steps"]], [step["ndcg_at_10"] for step in steps])

    def test_a_gate_that_was_killed_goes_on_where_it_was(self):
        cache = path("killed-scores")
        args = [*steep(), "--score-cache", cache, "--json"]
        whole = json.loads(quantize("whole", *args[:-3], "--no-score-cache", "--json").out)
        command = [BINARY, "quantize", embedder(), "-o", path("killed"), "--force", "--mode", "static", *args]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline and not self.scores(cache):
            time.sleep(0.001)
        process.kill()
        process.wait()
        known = self.scores(cache)
        self.assertGreater(known, 0)
        result = json.loads(quantize("killed", *args).out)
        kept = sum(step["kept"] for step in result["quality"]["steps"])
        self.assertGreaterEqual(kept, min(known, len(result["quality"]["steps"])))
        strip = lambda quality: [(step["excluded"], step["ndcg_at_10"]) for step in quality["steps"]]
        self.assertEqual(strip(result["quality"]), strip(whole["quality"]))

    def test_a_terminal_shows_which_evaluation_runs(self):
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(BINARY, [BINARY, "quantize", embedder(), "-o", path("terminal"), "--force", "--mode", "static", *steep(),
                              "--no-score-cache"])
        shown = b""
        while True:
            try:
                piece = os.read(terminal, 65536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            shown += piece
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, shown)
        self.assertIn(b"evaluation 1 of at most", shown)
        table = shown.decode().split("Quality gate")[1]
        self.assertIn("exceeded", table)
        self.assertIn("holds", table)

    def scores(self, folder):
        """How many evaluations of quantised models a cache holds."""
        count = 0
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            if name.endswith(".json"):
                with open(os.path.join(folder, name)) as file:
                    count += sum(" score " in key for key in json.load(file)["numbers"])
        return count

    def test_lists_leave_the_model_alone(self):
        """A list with commas is one argument: the model may follow it."""
        names = [layer["name"] for layer in json.loads(octavo("quantize", embedder(), "-o", path("lists"), "--json").out)["nodes"]
                 if layer["op"] == "MatMul"][:3]
        done = octavo("quantize", "-o", path("lists"), "--force", "--exclude", ",".join(names[:2]), "--exclude", names[2],
                      "--json", embedder())
        self.assertEqual(done.returncode, 0, done.err)
        left = {node["name"] for node in json.loads(done.out)["nodes"] if not node["quantized"]}
        self.assertTrue(set(names) <= left)
        for flag, value in (("--exclude", names[0]), ("--exclude-op", "Gather,Gemm"), ("--calibration", texts_file(100)),
                            ("--keep-float", "Softmax,LayerNormalization")):
            mode = {"--calibration": ["--mode", "static"], "--keep-float": ["--mode", "float16"]}.get(flag, [])
            done = octavo("quantize", "-o", path("lists"), "--force", *mode, flag, value, embedder())
            self.assertEqual(done.returncode, 0, f"{flag}: {done.err}")

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
        self.assertTrue(quality["steps"][-1]["of_file"])
        done = octavo("eval", path("gate"), "--dataset", data_set(), "--reference", "--no-cache", "--json")
        self.assertEqual(json.loads(done.out)["ndcg_at_10"], quality["ndcg_at_10"], done.err)


if __name__ == "__main__":
    unittest.main()
