"""run, rerank, search, eval, bench, inspect, doctor on tiny models."""
import json, os, re, unittest
from xml.etree import ElementTree

from support import ROOT, embedder, main, octavo, path, read_safetensors, reranker, write_safetensors


def as_json(*args, text=""):
    done = octavo(*args, "--json", text=text)
    assert done.returncode == 0, done.err
    return json.loads(done.out)


class Run(unittest.TestCase):
    def test_outputs_equal_the_reference_implementation(self):
        expected = read_safetensors(os.path.join(ROOT, "tests/data/models/bert/expected.safetensors"))
        names = ("input_ids", "attention_mask", "token_type_ids")
        write_safetensors(path("in.safetensors"), {name: expected[name] for name in names})
        info = as_json("run", embedder(), "--inputs", path("in.safetensors"), "-o", path("out.safetensors"))
        shape, got = read_safetensors(path("out.safetensors"))["last_hidden_state"]
        want_shape, want = expected["last_hidden_state"]
        self.assertEqual(shape, want_shape)
        self.assertEqual(info["outputs"][0]["shape"], shape)
        mask, width = expected["attention_mask"][1], shape[2]
        error = max(abs(got[i] - want[i]) for i in range(len(want)) if mask[i // width])
        self.assertLess(error, 2e-5)


class Rerank(unittest.TestCase):
    TEXT = "the water\nthe fire and the wind\na day\n"

    def test_sorted_with_positions(self):
        ranked = as_json("rerank", reranker(), "--query", "the sea", text=self.TEXT)
        self.assertEqual(sorted(r["index"] for r in ranked), [0, 1, 2])
        self.assertEqual(ranked, sorted(ranked, key=lambda r: -r["score"]))
        self.assertEqual(as_json("rerank", reranker(), "--query", "the sea", "--top-n", "1", text=self.TEXT), ranked[:1])
        lines = octavo("rerank", reranker(), "--query", "the sea", text=self.TEXT).out.splitlines()
        self.assertEqual(lines[0].split("\t")[1:], [str(ranked[0]["index"]), self.TEXT.splitlines()[ranked[0]["index"]]])

    def test_pairs_score_as_single_queries_do(self):
        ranked = as_json("rerank", reranker(), "--query", "the sea", text=self.TEXT)
        pairs = "".join(json.dumps({"query": "the sea", "text": t, "id": i}) + "\n" for i, t in enumerate(self.TEXT.splitlines()))
        done = octavo("rerank", reranker(), "--pairs", text=pairs)
        scores = {row["id"]: row["score"] for row in map(json.loads, done.out.splitlines())}
        self.assertEqual(scores, {row["index"]: row["score"] for row in ranked})


class Search(unittest.TestCase):
    def test_finds_the_text_itself_and_answers_from_the_cache(self):
        args = ("search", embedder(), "--corpus", os.path.join(ROOT, "samples/passages.jsonl"), "--query-prompt", "", "--cache", path("embeddings"))
        with open(os.path.join(ROOT, "samples/passages.jsonl")) as file:
            passages = [json.loads(line) for line in file]
        short = min(passages, key=lambda p: len(p["title"] + p["text"]))
        query = short["title"] + " " + short["text"]
        first = as_json(*args, "--query", query, "--query", "the water")
        self.assertEqual([r["query"] for r in first["results"]], [query, "the water"])
        best = first["results"][0]["hits"]
        self.assertEqual((len(best), best[0]["id"]), (3, short["_id"]))
        self.assertAlmostEqual(best[0]["score"], 1, places=5)
        again = as_json(*args, "--query", query, "--query", "the water")
        self.assertEqual(again["results"], first["results"])
        self.assertEqual((first["cached"], again["cached"]), (0, len(passages)))
        self.assertGreater(again["tokens"], 0)  # of the queries, which run every time
        self.assertGreater(again["tokens_per_second"], 0)
        self.assertLess(again["tokens"], first["tokens"])
        self.assertGreater(first["truncated"], 0)
        self.assertEqual(again["truncated"], first["truncated"])
        self.assertEqual(as_json(*args, "--no-cache", "--query", query)["cached"], 0)

    def test_speed_and_features_come_last(self):
        with open(path("corpus.jsonl"), "w") as file:
            file.write('{"_id": "a", "title": "", "text": "the water"}\n"plain"\n')
        done = octavo("search", embedder(), "--corpus", path("corpus.jsonl"), "--query", "water", "--no-cache")
        self.assertIn("the water", done.out)
        self.assertRegex(done.err.splitlines()[-1], r"tokens/s with (avx|portable)")


class Eval(unittest.TestCase):
    def test_keys_and_files(self):
        folder = path("beir")
        os.makedirs(folder + "/qrels", exist_ok=True)
        texts = ["the water", "the fire", "a long day"]
        with open(folder + "/corpus.jsonl", "w") as file:
            file.writelines(json.dumps({"_id": f"d{i}", "title": "", "text": t}) + "\n" for i, t in enumerate(texts))
        with open(folder + "/queries.jsonl", "w") as file:
            file.writelines(json.dumps({"_id": f"q{i}", "text": t}) + "\n" for i, t in enumerate(texts))
        with open(folder + "/qrels/test.tsv", "w") as file:
            file.write("query-id\tcorpus-id\tscore\n" + "".join(f"q{i}\td{i}\t1\n" for i in range(3)))
        args = ("eval", embedder(), "--dataset", folder, "--query-prompt", "", "--no-cache")
        result = as_json(*args, "--run-file", path("r.trec"), "--per-query", path("q.tsv"), "--mteb-json", path("m.json"))
        self.assertEqual((result["ndcg_at_10"], result["mrr_at_10"], result["recall_at_100"]), (1, 1, 1))
        self.assertEqual((result["documents"], result["queries"], result["truncated"]), (3, 3, 0))
        self.assertLessEqual({"map_at_1000", "precision_at_10", "seconds", "isa", "model_digest"}, set(result))
        with open(path("r.trec")) as file:
            self.assertEqual(len(file.read().splitlines()), 9)
        self.assertTrue(os.path.exists(path("q.tsv")) and os.path.exists(path("m.json")))
        self.assertRegex(octavo(*args).out, r"ndcg_at_10 +1\.00000")
        reranked = as_json("eval", reranker(), "--dataset", folder, "--rerank-run", path("r.trec"), "--no-cache")
        self.assertEqual((reranked["queries"], reranked["pairs"], reranked["candidates"]["ndcg_at_10"]), (3, 9, 1))


class Look(unittest.TestCase):
    def test_bench(self):
        result = as_json("bench", embedder(), "--precision", "fp32", "--cases", "1x8,2x16", "--threads", "1", "--min-time", "0.01")
        self.assertEqual([(r["batch"], r["tokens"]) for r in result["results"]], [(1, 8), (2, 16)])
        self.assertTrue(all(r["median_ms"] > 0 for r in result["results"]))
        self.assertEqual((result["threads"], result["precision"]), (1, "fp32"))
        for row in result["results"]:
            self.assertLessEqual(row["min_ms"], row["median_ms"])
            self.assertLessEqual(row["median_ms"], row["p90_ms"])
            self.assertGreater(row["share_of_peak"], 0)
            self.assertAlmostEqual(row["tops"] * row["median_ms"] * 1e9, 2 * row["multiply_adds"], delta=1e-3 * row["multiply_adds"])
            self.assertAlmostEqual(row["peak_tops"] * row["share_of_peak"], row["tops"], delta=1e-6 * row["tops"])
        self.assertGreater(result["results"][1]["multiply_adds"], 4 * result["results"][0]["multiply_adds"])
        (peak,) = result["peaks"]["compute"]
        self.assertEqual((peak["precision"], peak["threads"]), ("fp32", 1))

    def test_bench_has_an_interval_from_six_runs(self):
        run = lambda n: as_json("bench", embedder(), "--cases", "1x8", "--min-time", "0", "--min-runs", n, "--threads", "1")["results"][0]
        self.assertIsNone(run("5")["ci95_ms"])
        low, high = run("6")["ci95_ms"]
        self.assertLessEqual(low, high)

    def test_bench_takes_the_usual_cases_that_fit_and_refuses_others_at_once(self):
        args = ("bench", embedder(), "--min-time", "0", "--min-runs", "1")
        self.assertEqual([(r["batch"], r["tokens"]) for r in as_json(*args)["results"]], [(1, 16), (1, 128), (8, 128)])
        done = octavo(*args, "--cases", "1x8,1x129")
        self.assertEqual((done.returncode, done.out), (2, ""))
        self.assertIn("1x129", done.err)
        self.assertIn("at most 128", done.err)

    def test_bench_compares_in_rounds(self):
        result = as_json("bench", embedder(), "--precision", "fp32,int8", "--cases", "1x8", "--min-time", "0.01", "--rounds", "6")
        self.assertEqual([r["precision"] for r in result["results"]], ["fp32", "int8"])
        (comparison,) = result["comparisons"]
        (ratio,) = comparison["ratios"]
        self.assertLessEqual(ratio["ci95"][0], ratio["time_ratio"])
        apart = ratio["ci95"][0] > 1 or ratio["ci95"][1] < 1
        self.assertEqual(comparison["winner"] is not None, apart)
        few = as_json("bench", embedder(), "--precision", "fp32,int8", "--cases", "1x8", "--min-time", "0", "--rounds", "2")
        self.assertEqual(few["comparisons"][0]["verdict"], "within the noise")

    def test_bench_report(self):
        page = path("speed.html")
        done = octavo("bench", embedder(), "--report", page, "--cases", "1x8,1x16,2x16,4x16", "--min-time", "0", "--threads", "1")
        self.assertEqual(done.returncode, 0, done.err)
        with open(page, encoding="utf-8") as file:
            text = file.read()
        charts = re.findall(r"<svg.*?</svg>", text, re.S)
        self.assertEqual(len(charts), 4)
        for chart in charts:
            ElementTree.fromstring(chart)
        ElementTree.fromstring("<main>" + text.split("<main>")[1].split("</main>")[0] + "</main>")
        for part in ("<h2>Figures</h2>", "<h2>Limits of this machine</h2>", "<h2>Machine</h2>", "--cases 1x8,1x16,2x16,4x16"):
            self.assertIn(part, text)
        self.assertIsNone(re.search(r"<script|src=|href=|url\(", text))
        self.assertIn("weights ms", text)
        before = set(os.listdir(os.path.dirname(page)))
        self.assertEqual(octavo("bench", embedder(), "--report", path("none/speed.html"), "--cases", "1x8", "--min-time", "0").returncode, 3)
        self.assertEqual(set(os.listdir(os.path.dirname(page))), before)

    def test_inspect(self):
        result = as_json("inspect", embedder(), "--graph")
        self.assertEqual((result["family"], result["embedding"]["pooling"], result["embedding"]["max_length"]), ("bert", "mean", 32))
        self.assertEqual(result["embedding"]["prompts"]["query"], "question: ")
        self.assertTrue(result["plan"] and result["graph"])
        self.assertIn("input_ids", octavo("inspect", embedder()).out)

    def test_doctor(self):
        result = as_json("doctor", embedder())
        states = {check["check"]: check["state"] for check in result["model"]}
        self.assertEqual((states["loads"], states["embed, search, eval"]), ("ok", "ok"))
        self.assertGreater(result["cores"], 0)
        self.assertEqual(octavo("doctor").returncode, 0)


if __name__ == "__main__":
    main()
