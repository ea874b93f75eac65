"""profile on a tiny model."""
import json, os, re, unittest
from xml.etree import ElementTree

from support import embedder, main, octavo, path

SVG = "{http://www.w3.org/2000/svg}"


def profile(*args):
    done = octavo("profile", embedder(), "--cases", "4x16", "--min-time", "0.02", "--threads", "2", "--json", *args)
    assert done.returncode == 0, done.err
    return json.loads(done.out)


class Profile(unittest.TestCase):
    def test_rows_and_waiting_add_up_to_the_run(self):
        for by in ("op", "layer", "step"):
            for precision in ("fp32", "int8"):
                result = profile("--by", by, "--precision", precision)
                (case,) = result["results"]
                self.assertEqual((case["batch"], case["tokens"], result["threads"]), (4, 16, 2))
                rows = case["rows"]
                self.assertAlmostEqual(sum(r["share"] for r in rows) + case["waiting"]["share"], 1, places=6)
                self.assertAlmostEqual(sum(r["ms"] for r in rows) + case["waiting"]["ms"], case["total"]["ms"], delta=1e-6 * case["total"]["ms"])
                self.assertEqual([r["ms"] for r in rows], sorted((r["ms"] for r in rows), reverse=True))
                self.assertIsNone(case["others"])
                self.assertGreaterEqual(case["runs"], 3)
                self.assertEqual(case["total"]["calls"], sum(r["calls"] for r in rows))
                self.assertEqual(case["total"]["multiply_adds"], sum(r["multiply_adds"] or 0 for r in rows))

    def test_rates_follow_from_times_and_peaks(self):
        result = profile("--precision", "int8", "--by", "step")
        peaks = {peak["precision"]: peak["tops"] for peak in result["peaks"]["compute"]}
        rows = result["results"][0]["rows"]
        products = [r for r in rows if r["multiply_adds"]]
        self.assertTrue({r["op"].split("+")[0] for r in products} >= {"linear", "attention"})
        for row in products:
            self.assertAlmostEqual(row["tops"] * row["ms"] * 1e9, 2 * row["multiply_adds"], delta=1e-6 * row["multiply_adds"])
            peak = peaks["int8" if "_int8_" in row["kernel"] else "fp32"]
            self.assertAlmostEqual(row["share_of_peak"] * peak, row["tops"], delta=1e-6 * row["tops"])
            if row["weight_bytes"]:
                self.assertAlmostEqual(row["gb_per_second"] * row["ms"] * 1e6, row["weight_bytes"], delta=1e-6 * row["weight_bytes"])
        for row in rows:
            if not row["multiply_adds"]:
                self.assertEqual((row["tops"], row["gb_per_second"], row["share_of_peak"]), (None, None, None))
        self.assertEqual(sorted(r["name"] for r in rows), sorted(s["name"] for s in self.plan("int8")))

    def plan(self, precision):
        return json.loads(octavo("inspect", embedder(), "--plan", "--precision", precision, "--json").out)["plan"]

    def test_ops_and_layers_gather_the_steps_of_the_plan(self):
        plan = self.plan("fp32")
        (case,) = profile()["results"]
        calls = {}
        for step in plan:
            key = step["op"], step["shape"], step["kernel"]
            calls[key] = calls.get(key, 0) + 1
        self.assertEqual({(r["op"], r["shape"], r["kernel"]): r["calls"] for r in case["rows"]}, calls)
        (case,) = profile("--by", "layer")["results"]
        layers = {re.search(r"\.(\d+)\.", step["name"]).group(1) for step in plan if re.search(r"\.\d+\.", step["name"])}
        names = {r["name"] for r in case["rows"]}
        self.assertTrue(layers)
        self.assertEqual({n for n in names if n.startswith("layer ")}, {f"layer {i}" for i in layers})
        self.assertIn("embeddings", names)

    def test_top_keeps_the_sum(self):
        (case,) = profile("--by", "step", "--top", "3")["results"]
        self.assertEqual(len(case["rows"]), 3)
        self.assertEqual(case["others"]["calls"], case["total"]["calls"] - 3)
        shares = sum(r["share"] for r in case["rows"]) + case["others"]["share"] + case["waiting"]["share"]
        self.assertAlmostEqual(shares, 1, places=6)

    def test_text_has_a_table_a_case(self):
        done = octavo("profile", embedder(), "--cases", "1x8,2x8", "--min-time", "0", "--top", "2", "--threads", "1")
        self.assertEqual(done.returncode, 0, done.err)
        for part in ("1 text of 8 tokens", "2 texts of 8 tokens", "waiting", "others", "total", "100.0 %", "limits: fp32", "GB/s"):
            self.assertIn(part, done.out)

    def test_the_default_case_fits_the_model(self):
        result = json.loads(octavo("profile", embedder(), "--min-time", "0", "--json").out)["results"]
        with open(os.path.join(embedder(), "config.json"), encoding="utf-8") as file:
            limit = json.load(file)["max_position_embeddings"]
        self.assertEqual([(r["batch"], r["tokens"]) for r in result], [(32, min(256, limit))])

    def test_files(self):
        folded, svg = path("run.folded"), path("run.svg")
        result = profile("--folded", folded, "--svg", svg, "--by", "step")
        self.assertEqual((result["folded"], result["svg"]), (folded, svg))
        (case,) = result["results"]
        with open(folded, encoding="utf-8") as file:
            lines = file.read().splitlines()
        total = 0
        for line in lines:
            stack, count = line.rsplit(" ", 1)
            frames = stack.split(";")
            self.assertEqual(frames[0], "tiny-embedder")
            self.assertIn(len(frames), (2, 3))
            total += int(count)
        self.assertTrue(any(re.match(r"tiny-embedder;layer 0;\S.* linear\S* \d+->\d+ \d+$", line) for line in lines), lines)
        # Each line is rounded to a microsecond.
        self.assertLessEqual(abs(total - 1e3 * case["total"]["ms"]), 0.5 * (len(case["rows"]) + 2))
        with open(svg, encoding="utf-8") as file:
            text = file.read()
        root = ElementTree.fromstring(text)
        self.assertEqual(root.tag, SVG + "svg")
        self.assertIsNone(re.search(r"<script|href|url\(|<!ENTITY", text))
        titles = [t.text for t in root.iter(SVG + "title")]
        self.assertTrue(all(any(t.startswith(r["name"] + "\n") for t in titles) for r in case["rows"] if r["ms"] > 0))
        # Every text of a frame stands in an element that clips it.
        frames = root.findall(f"{SVG}g[@class='frame']")
        self.assertGreater(len(frames), len(case["rows"]))
        for frame in frames:
            self.assertEqual(frame.findall(SVG + "text"), [])

    def test_errors(self):
        def check(code, *args, says):
            done = octavo("profile", *args)
            self.assertEqual((done.returncode, done.out), (code, ""), done.err)
            self.assertIn(says, done.err)

        check(2, embedder(), "--by", "head", says="--by")
        check(2, embedder(), "--cases", "4by7", says="BATCHxTOKENS")
        check(2, embedder(), "--top", "0", says="--top")
        check(2, embedder(), "--precision", "fp32,int8", says="--precision")
        check(2, embedder(), "--cases", "1x8,2x8", "--svg", path("two.svg"), says="one case")
        check(2, says="MODEL")
        check(3, embedder(), "--svg", path("none/run.svg"), says="folder")
        check(3, path("no-model"), says="no-model")
        self.assertFalse(os.path.exists(path("two.svg")))


if __name__ == "__main__":
    main()
