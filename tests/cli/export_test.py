"""convert, optimize and quantize as their users meet them: files, records, refusals, interrupted and failing writes."""
import hashlib, json, os, resource, shutil, signal, subprocess, time, unittest

from support import BINARY, WORK, embedder, main, octavo, path, write_texts

COMPANIONS = {"1_Pooling/config.json", "config.json", "config_sentence_transformers.json", "modules.json", "octavo.json",
              "sentence_bert_config.json", "tokenizer.json", "tokenizer_config.json"}
VERBS = {"convert": (), "optimize": ("--level", "2"), "quantize": ("--mode", "dynamic")}


def files(folder):
    found = (os.path.join(root, name) for root, _, names in os.walk(folder) for name in names)
    return {os.path.relpath(name, folder) for name in found}


def digests(folder):
    def digest(name):
        with open(os.path.join(folder, name), "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    return {name: digest(name) for name in files(folder)}


def as_json(*args, text=""):
    done = octavo(*args, "--json", text=text)
    assert done.returncode == 0, done.err
    return json.loads(done.out)


class Written(unittest.TestCase):
    def setUp(self):
        self.before = digests(embedder())

    def tearDown(self):
        self.assertEqual(digests(embedder()), self.before, "the source was changed")
        self.assertEqual([name for name in os.listdir(WORK) if ".tmp-" in name], [])

    def test_files_records_and_reports(self):
        for verb, flags in VERBS.items():
            with self.subTest(verb):
                out = path(f"{verb}-out")
                report = as_json(verb, embedder(), "-o", out, *flags)
                self.assertEqual(files(out), COMPANIONS | {"model.onnx"})
                self.assertEqual(set(report["files"]), files(out))
                self.assertEqual(report["path"], os.path.join(out, "model.onnx"))
                self.assertEqual(report["bytes"], os.path.getsize(report["path"]))
                source = embedder()
                size = sum(os.path.getsize(os.path.join(source, n)) for n in ("model.safetensors", "config.json"))
                self.assertEqual(report["source_bytes"], size)
                for name in COMPANIONS - {"octavo.json"}:
                    with open(os.path.join(out, name), "rb") as a, open(os.path.join(source, name), "rb") as b:
                        self.assertEqual(a.read(), b.read(), name)
                inspected = as_json("inspect", out)
                with open(os.path.join(out, "octavo.json")) as file:
                    self.assertEqual(json.load(file), inspected["record"])
                record = inspected["record"]
                self.assertEqual((record["source"], [step["verb"] for step in record["recipe"]]), ("tiny-embedder", [verb]))
                self.assertEqual(inspected["embedding"]["pooling"], as_json("inspect", source)["embedding"]["pooling"])
                self.assertIn(f"  {verb}: ", octavo("inspect", out).out)

    def test_records_of_several_steps(self):
        first, second = path("first"), path("second")
        octavo("optimize", embedder(), "-o", first, "--level", "1")
        as_json("quantize", first, "-o", second, "--mode", "float16")
        one, two = as_json("inspect", first)["record"], as_json("inspect", second)["record"]
        self.assertEqual([step["verb"] for step in two["recipe"]], ["optimize", "quantize"])
        self.assertEqual((two["source"], two["source_sha256"]), (one["source"], one["source_sha256"]))

    def test_optimizing_a_quantised_model_keeps_it_quantised(self):
        for flags in (("--mode", "int4"), ("--mode", "int8")):
            small = as_json("quantize", embedder(), "-o", path("small"), "--force", *flags, "--format", "QDQ")
            for level in ("1", "2"):
                again = as_json("optimize", path("small"), "-o", path("small-again"), "--force", "--level", level)
                self.assertEqual(again["opset"], 21)
                self.assertLess(again["bytes"], 1.05 * small["bytes"], (flags, level))

    def test_a_directory_that_holds_files_needs_force(self):
        out = path("held")
        os.makedirs(out, exist_ok=True)
        with open(os.path.join(out, "mine.txt"), "w") as file:
            file.write("mine")
        for verb, flags in VERBS.items():
            before = digests(out)
            done = octavo(verb, embedder(), "-o", out, *flags)
            self.assertEqual((done.returncode, done.out), (2, ""))
            self.assertIn("--force", done.err)
            self.assertEqual(digests(out), before)
            self.assertEqual(octavo(verb, embedder(), "-o", out, "--force", *flags).returncode, 0)
            self.assertEqual(digests(out)["mine.txt"], before["mine.txt"])
            self.assertEqual(files(out), COMPANIONS | {"mine.txt", "model.onnx"})

    def test_refusals(self):
        out = path("never")
        cases = [(2, "convert", "--opset", "9"), (2, "convert", "--opset", "99"), (2, "optimize", "--level", "7"),
                 (2, "optimize", "--disable", "fuse_gelus"), (2, "quantize", "--mode", "int3"),
                 (2, "quantize", "--mode", "int8", "--format", "QDQ", "--opset", "17"),
                 (2, "quantize", "--mode", "int4", "--format", "QDQ", "--opset", "17"),
                 (2, "quantize", "--max-loss", "0.5%"), (2, "convert", "--publish", "--file-name", "x.onnx")]
        for code, verb, *flags in cases:
            with self.subTest(f"{verb} {flags}"):
                done = octavo(verb, embedder(), "-o", out, *flags)
                self.assertEqual((done.returncode, done.out), (code, ""), done.err)
                self.assertFalse(os.path.exists(out))
        for verb in VERBS:
            with self.subTest(verb):
                self.assertEqual(octavo(verb, path("none"), "-o", out).returncode, 3)
                self.assertEqual(octavo(verb, embedder()).returncode, 2)
                self.assertEqual(octavo(verb, embedder(), "-o", embedder(), "--force").returncode, 2)
                self.assertEqual(octavo(verb, embedder(), "-o", out + ".onnx").returncode, 2)
        # The model may follow an option that may be given again, wherever the others stand.
        for order in (("-o", path("listed0"), "--disable", "fuse_gelu,fuse_gemm", embedder()),
                      ("--disable", "fuse_gelu", embedder(), "-o", path("listed1"))):
            done = octavo("optimize", *order)
            self.assertEqual(done.returncode, 0, done.err)
        self.assertIn("did you mean fuse_gelu?", octavo("optimize", embedder(), "-o", out, "--disable", "fuse_gelus").err)

    def test_octavos_own_int8_runs_at_int8(self):
        out = path("own-int8")
        as_json("quantize", embedder(), "-o", out)
        shutil.copyfile(os.path.join(out, "model.onnx"), path("alone.onnx"))
        shutil.copyfile(os.path.join(out, "tokenizer.json"), path("tokenizer.json"))
        for model in (out, path("alone.onnx")):
            for flags, precision in (((), "int8"), (("--precision", "fp32"), "fp32"), (("--precision", "int8"), "int8"), (("--reference",), "fp32")):
                with self.subTest(f"{model} {flags}"):
                    summary = as_json("inspect", model, *flags)
                    self.assertEqual((summary["precision"], summary["asked_precision"]), (precision, "int8"))
            for cases in ((), ("--no-plan-cache",)):
                result = as_json("bench", model, "--cases", "1x8", "--min-time", "0", *cases)
                self.assertEqual((result["precision"], result["results"][0]["precision"]), ("int8", "int8"))

        def vector(model, *flags):
            octavo("embed", model, *flags, "--pooling", "mean", "-o", path("v.npy"), text="the water\n")
            with open(path("v.npy"), "rb") as file:
                return file.read()
        for model in (out, path("alone.onnx")):
            self.assertEqual(vector(model), vector(model, "--precision", "int8"))
            self.assertNotEqual(vector(model), vector(model, "--precision", "fp32"))
        compared = as_json("compare", embedder(), out, "--cases", "1x8", "--rounds", "1", "--no-cache")
        self.assertEqual([model["precision"] for model in compared["models"]], ["fp32", "int8"])
        self.assertIn("int8, as the model asks", octavo("doctor", out).out)
        plain = as_json("inspect", embedder())
        self.assertEqual((plain["precision"], plain["asked_precision"]), ("fp32", None))

    def test_a_file_that_rounds_activations_runs_at_int8(self):
        texts = write_texts(path("rounding.txt"), 40)
        rounding = (("dynamic",), ("dynamic", "--format", "QDQ"), ("dynamic", "--level", "2"), ("static", "--calibration", texts),
                    ("static", "--calibration", texts, "--format", "QDQ", "--level", "2"))
        for mode in (*rounding, ("int8",), ("int4",), ("int8", "--format", "QDQ"), ("float16",)):
            with self.subTest(mode):
                out, expected = path("rounding-" + "-".join(mode[:1] + mode[-3:]).replace("/", "_")), "int8" if mode in rounding else "fp32"
                as_json("quantize", embedder(), "-o", out, "--mode", *mode)
                summary = as_json("inspect", out)
                self.assertEqual((summary["precision"], summary["asked_precision"]), (expected, "int8" if mode in rounding else None))
                self.assertEqual(as_json("inspect", out, "--precision", "fp32")["precision"], "fp32")

    def test_what_a_file_leaves_in_float_stays_so(self):
        texts, out = write_texts(path("left.txt"), 40), path("left")
        products = lambda *flags: [step["kernel"][:9] for step in as_json("inspect", out, *flags)["plan"] if step["op"].startswith("linear")]
        for mode in (("octavo",), ("dynamic", "--format", "QDQ"), ("dynamic", "--level", "2"), ("static", "--calibration", texts)):
            with self.subTest(mode):
                written = as_json("quantize", embedder(), "-o", out, "--force", "--mode", *mode, "--exclude", "*intermediate*")
                self.assertEqual(len([n for n in written["nodes"] if "intermediate" in n["name"] and not n["quantized"]]), 3, written["nodes"])
                self.assertEqual((products().count("matmul_f3"), products("--precision", "int8").count("matmul_f3")), (3, 0))

    def test_texts_are_cut_at_the_position_table_however_a_file_runs(self):
        for flags in (("--mode", "dynamic"), ("--mode", "dynamic", "--format", "QDQ"), ("--mode", "dynamic", "--level", "2")):
            with self.subTest(flags):
                out = path("cut" + "".join(flags))
                as_json("quantize", embedder(), "-o", out, *flags)
                shutil.copyfile(os.path.join(out, "model.onnx"), path("bare.onnx"))
                shutil.copyfile(os.path.join(out, "tokenizer.json"), path("tokenizer.json"))
                for run in ((), ("--reference",)):
                    stats = as_json("embed", path("bare.onnx"), "--pooling", "cls", *run, "-o", path("cut.npy"), text="the water " * 200 + "\na day\n")
                    self.assertEqual((stats["texts"], stats["truncated"]), (2, 1), run)
                    done = octavo("embed", path("bare.onnx"), "--pooling", "cls", *run, "--max-length", "129", "-o", path("cut.npy"), text="a day\n")
                    self.assertEqual(done.returncode, 2, done.err)
                    self.assertIn("1 to 128", done.err)

    def test_reference_gives_a_text_the_same_bits_in_any_company(self):
        out = path("company")
        as_json("quantize", embedder(), "-o", out, "--mode", "dynamic")
        texts = ["the water", "a day", "the fire and the wind " * 7, "", "the sea", "x " * 90]

        def vectors(lines, *flags):
            octavo("embed", out, "--reference", "--pooling", "mean", *flags, "-o", path("v.npy"), text="".join(t + "\n" for t in lines))
            with open(path("v.npy"), "rb") as file:
                data = file.read()
            return data[10 + int.from_bytes(data[8:10], "little"):]
        together = vectors(texts, "--threads", "3")
        self.assertEqual(together, vectors(texts, "--threads", "1"))
        self.assertEqual(together, b"".join(vectors([text], "--threads", "2") for text in texts))

    def test_publish(self):
        out = path("published")
        report = as_json("convert", embedder(), "-o", out, "--publish")
        names = ["onnx/model.onnx", "onnx/model_O2.onnx", "onnx/model_quantized.onnx"]
        self.assertEqual([model["file"] for model in report["models"]], names)
        self.assertEqual(files(out), COMPANIONS | {"README.md", *names})
        self.assertEqual(set(report["files"]), files(out))
        with open(os.path.join(out, "README.md")) as file:
            card = file.read()
        for model, verb in zip(report["models"], ("convert", "optimize", "quantize")):
            file = os.path.join(out, model["file"])
            self.assertEqual(model["bytes"], os.path.getsize(file))
            self.assertIn(f"| `{model['file']}` |", card)
            self.assertIn(f"| {model['bytes'] / 1e6:.1f} MB | {model['nodes']} |", card)
            self.assertEqual([step["verb"] for step in as_json("inspect", file)["record"]["recipe"]], [verb])
        with open(os.path.join(out, "octavo.json")) as file:
            self.assertEqual(json.load(file)["recipe"][0]["verb"], "convert")
        # What lies beside the folder is found from within it too.
        inside = subprocess.run([BINARY, "inspect", "model_O2.onnx", "--json"], cwd=os.path.join(out, "onnx"), capture_output=True)
        self.assertEqual(json.loads(inside.stdout)["embedding"]["pooling"], "mean")
        plain, optimized, quantized = (model["bytes"] for model in report["models"])
        self.assertLess(quantized, plain / 2)
        compared = as_json("compare", out, os.path.join(out, names[1]), os.path.join(out, names[2]), "--no-speed",
                           "--no-cache", "--texts", os.path.join(out, "README.md"), "--format", "text")
        self.assertGreater(compared["models"][1]["embeddings"]["min_cosine"], 0.999999)
        self.assertGreater(compared["models"][2]["embeddings"]["min_cosine"], 0.97)
        self.assertEqual(octavo("convert", embedder(), "-o", out, "--publish").returncode, 2)
        self.assertEqual(octavo("convert", embedder(), "-o", out, "--publish", "--force").returncode, 0)
        self.assertEqual(files(out), COMPANIONS | {"README.md", *names})


class Broken(unittest.TestCase):
    """What stops in the middle leaves nothing, neither beside the old files nor instead of them."""

    def left_behind(self):
        return sorted(name for name in os.listdir(WORK) if name.startswith("broken"))

    def run_limited(self, *args):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        return subprocess.run([BINARY, *args], capture_output=True, text=True, preexec_fn=limit, timeout=60)

    def test_a_full_disk(self):
        for verb, flags in [*VERBS.items(), ("convert", ("--publish",)), ("convert", ("--external-data",))]:
            with self.subTest(f"{verb} {flags}"):
                done = self.run_limited(verb, embedder(), "-o", path("broken"), *flags)
                self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
                self.assertIn("cannot write the file", done.stderr)
                self.assertIn("File too large", done.stderr)
                self.assertEqual(self.left_behind(), [])

    def test_a_full_disk_leaves_the_old_model(self):
        out = path("kept")
        octavo("quantize", embedder(), "-o", out, "--mode", "int4")
        before = digests(out)
        done = self.run_limited("optimize", embedder(), "-o", out, "--force")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(digests(out), before)

    def stop(self, sent, step, verb, *flags):
        """Whether the signal came in time; the directory is there whole or not at all."""
        shutil.rmtree(path("broken"), ignore_errors=True)
        process = subprocess.Popen([BINARY, verb, embedder(), "-o", path("broken"), "-q", *flags],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.002 * step)
        process.send_signal(sent)
        code = process.wait(60)
        self.assertIn(code, (0, 128 + sent, -sent))
        left = self.left_behind()
        self.assertIn(left, [["broken"]] if code == 0 else [["broken"], []])  # it may come when all is done
        if left:
            self.assertEqual(len(files(path("broken"))), len(COMPANIONS) + (4 if "--publish" in flags else 1))
        return code != 0 and not left

    def test_control_c_and_being_asked_to_end(self):
        for sent in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(sent.name):
                self.assertGreater(sum(self.stop(sent, step, "convert", "--publish") for step in range(0, 40, 2)), 0)

    def test_every_verb_that_writes_puts_its_files_away(self):
        for verb, flags in VERBS.items():
            with self.subTest(verb):
                self.assertGreater(sum(self.stop(signal.SIGTERM, step, verb, *flags) for step in range(0, 20, 2)), 0)


if __name__ == "__main__":
    main()
