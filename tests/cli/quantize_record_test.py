"""What octavo quantize says of what it made: the record of a written model, remarks, and sources it does not take."""
import hashlib, json, math, os, shutil, struct, unittest

from support import WORK, dataset, embedder, octavo, write_texts

MODES = (["--mode", "octavo"], ["--mode", "dynamic"], ["--mode", "int8"], ["--mode", "int4"], ["--mode", "float16"], ["--mode", "bfloat16"])


def path(name):
    return os.path.join(WORK, name)


def quantize(source, name, *args):
    return octavo("quantize", source, "-o", path(name), "--force", "--json", *args)


def record(name):
    with open(os.path.join(path(name), "octavo.json")) as file:
        return json.load(file)


def digest(*parts):
    with open(os.path.join(*parts), "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def embedder_with(name, number):
    """The embedder with `number` as one of its weights: the first of a product."""
    folder = path(name)
    shutil.copytree(embedder(), folder, dirs_exist_ok=True)
    file = os.path.join(folder, "model.safetensors")
    with open(file, "rb") as model:
        data = bytearray(model.read())
    (size,) = struct.unpack("<Q", data[:8])
    tensors = json.loads(data[8 : 8 + size])
    tensor = next(t for n, t in sorted(tensors.items()) if n.endswith("query.weight"))
    assert tensor["dtype"] == "F32", tensor
    struct.pack_into("<f", data, 8 + size + tensor["data_offsets"][0], number)
    with open(file, "wb") as model:
        model.write(data)
    return folder


class Record(unittest.TestCase):
    def test_source_of_one_file_has_its_digest(self):
        done = octavo("convert", embedder(), "-o", path("single"), "--force")
        self.assertEqual(done.returncode, 0, done.err)
        combined = "".join(digest(embedder(), name) + "\n" for name in ("model.safetensors", "config.json"))
        self.assertEqual(record("single")["source_sha256"], hashlib.sha256(combined.encode()).hexdigest())
        self.assertEqual(record("single")["source_files"], ["model.safetensors", "config.json"])
        shown = octavo("inspect", path("single")).out
        self.assertIn("of the sha256 of model.safetensors, config.json, a line each", shown)
        # A file that nothing was recorded of: `octavo run` and all others see it the same.
        os.makedirs(path("plain"), exist_ok=True)
        shutil.copy(os.path.join(path("single"), "model.onnx"), path("plain"))
        with open(os.path.join(path("plain"), "model.onnx"), "rb") as file:
            data = file.read().replace(b"octavo.record", b"nobody.record")
        with open(os.path.join(path("plain"), "model.onnx"), "wb") as file:
            file.write(data)
        done = quantize(os.path.join(path("plain"), "model.onnx"), "of-single")
        self.assertEqual(done.returncode, 0, done.err)
        self.assertEqual(record("of-single")["source_sha256"], digest(path("plain"), "model.onnx"))
        self.assertIn(f"sha256 {digest(path('plain'), 'model.onnx')[:16]} of model.onnx", octavo("inspect", path("of-single")).out)

    def test_recipe_names_the_texts(self):
        texts, more = write_texts(path("some.txt"), 60), write_texts(path("more.txt"), 50)
        done = quantize(embedder(), "texts", "--mode", "static", "--calibration", texts, "--calibration", more, "--calibration", dataset())
        self.assertEqual(done.returncode, 0, done.err)
        corpus = os.path.join(os.path.basename(dataset()), "corpus.jsonl")
        named = [("some.txt", digest(texts)), ("more.txt", digest(more)), (corpus, digest(dataset(), "corpus.jsonl"))]
        said = record("texts")["recipe"][-1]["options"]["calibration_texts"]
        self.assertEqual(said, ", ".join(f"{name} (sha256 {sha})" for name, sha in named))
        self.assertNotIn(WORK, said)
        self.assertEqual(quantize(embedder(), "dynamic", "--mode", "dynamic").returncode, 0)
        self.assertNotIn("calibration_texts", record("dynamic")["recipe"][-1]["options"])

    def test_measured_says_on_what(self):
        found = []
        for _ in range(2):  # the second time nothing is measured again
            done = quantize(embedder(), "gate", "--mode", "static", "--calibration", write_texts(path("texts.txt"), 100),
                            "--max-loss", "50%", "--eval", dataset(), "--query-prompt", "query: ")
            self.assertEqual(done.returncode, 0, done.err)
            found.append(record("gate")["measured"])
        self.assertEqual(found[0], found[1])
        on = found[0].pop("on")
        self.assertEqual(set(found[0]), {"score", "baseline_score", "loss"})
        parts = "".join(digest(dataset(), *name.split("/")) + "\n" for name in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv"))
        self.assertEqual(on.pop("data_set_sha256"), hashlib.sha256(parts.encode()).hexdigest())
        self.assertEqual(on, {"metric": "ndcg_at_10", "data_set": "beir", "split": "test", "pooling": "mean", "query_prompt": "query: ",
                              "document_prompt": on["document_prompt"], "max_length": on["max_length"]})
        self.assertGreater(int(on["max_length"]), 8)
        self.assertIn("measured on: ", octavo("inspect", path("gate")).out)
        self.assertIn("data_set beir", octavo("inspect", path("gate")).out)


class Remarks(unittest.TestCase):
    def test_asymmetric_weights_that_no_form_has(self):
        texts = write_texts(path("texts.txt"), 100)
        common = ["--mode", "static", "--calibration", texts, "--weight-type", "QUInt8", "--per-channel", "--asymmetric"]
        for form, said in (("QDQ", 1), ("QOperator", 0)):
            done = quantize(embedder(), "asymmetric", *common, "--format", form)
            self.assertEqual(done.returncode, 0, done.err)
            self.assertEqual(len(json.loads(done.out)["remarks"]), said)
            self.assertEqual(done.err.count("weights are symmetric although"), said, done.err)
            self.assertEqual(record("asymmetric")["recipe"][-1]["options"]["weight_symmetric"], "true" if said else "false")

    def test_weights_that_float16_cannot_hold(self):
        for number, count in ((-1e6, 1), (1.0, 0)):
            done = quantize(embedder_with("wide", number), "clamped", "--mode", "float16")
            self.assertEqual(done.returncode, 0, done.err)
            result = json.loads(done.out)
            self.assertEqual(len(result["remarks"]), count)
            if count:
                self.assertEqual((result["clamped"]["count"], result["clamped"]["largest"]), (1, 1e6))
                self.assertIn("beyond what float16 holds", done.err)
            else:
                self.assertIsNone(result["clamped"])
        for number in (math.nan, math.inf):
            for mode in MODES:
                done = quantize(embedder_with("odd", number), "refused", *mode)
                self.assertNotEqual(done.returncode, 0, mode)
                self.assertIn("weights are not finite", done.err)
                self.assertFalse(os.path.exists(path("refused")))

    def test_models_in_sixteen_bits(self):
        for made in ("float16", "bfloat16"):
            self.assertEqual(quantize(embedder(), made, "--mode", made).returncode, 0)
            for mode in MODES:
                done = quantize(path(made), "again", *mode)
                self.assertNotEqual(done.returncode, 0, mode)
                self.assertIn(f"the model is in {made} already", done.err)
                self.assertIn("float32 model", done.err)
                self.assertFalse(os.path.exists(path("again")))


if __name__ == "__main__":
    unittest.main()
