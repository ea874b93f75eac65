"""Arguments of the verbs that write models, refused before any work: names of files that would lie elsewhere, opsets and
shares out of range."""
import os, unittest

from support import dataset, embedder, main, octavo, path, write_texts

VERBS = ("convert", "optimize", "quantize")


class Refused(unittest.TestCase):
    def test_the_model_stays_in_its_directory_and_is_no_other_file(self):
        out = path("never")
        for verb in VERBS:
            for name in ("../model.onnx", os.path.join(embedder(), "model.onnx"), "tokenizer.json", "octavo.json", "onnx/"):
                with self.subTest(f"{verb} {name}"):
                    done = octavo(verb, embedder(), "-o", out, "--file-name", name)
                    self.assertEqual((done.returncode, done.out), (2, ""))
                    self.assertIn("--file-name", done.err)
                    self.assertFalse(os.path.exists(out))
        self.assertFalse(os.path.exists(os.path.join(embedder(), "model.onnx")))

    def test_a_model_in_a_folder_of_the_directory(self):
        out = path("folder")
        self.assertEqual(octavo("convert", embedder(), "-o", out, "--file-name", "onnx/model.onnx").returncode, 0)
        self.assertTrue(os.path.exists(os.path.join(out, "onnx", "model.onnx")))

    def test_a_place_that_cannot_be_written_comes_before_the_work(self):
        file, cache = path("file"), path("untouched.json")
        open(file, "w").close()
        calibrated = ["--mode", "static", "--calibration", write_texts(path("texts.txt"), 20), "--calibration-cache", cache]
        for verb in VERBS:
            # Nobody makes directories there, whoever asks.
            for place in (os.path.join(file, "out"), "/proc/out", "/proc/deep/out"):
                with self.subTest(f"{verb} {place}"):
                    done = octavo(verb, embedder(), "-o", place, *(calibrated if verb == "quantize" else []))
                    self.assertEqual((done.returncode, done.out), (1, ""), done.err)
                    self.assertIn("cannot make the output directory", done.err)
        for flag in ("--report", "--calibration-cache"):
            for place, code in (("/proc/it", 1), (path(""), 2), (path("no-folder/it"), 3)):
                done = octavo("quantize", embedder(), "-o", path("never"), *calibrated[:-2], flag, place)
                self.assertEqual((done.returncode, done.out), (code, ""), done.err)
                self.assertIn(place, done.err)
                self.assertIn(flag, done.err)
        self.assertFalse(os.path.exists(cache) or os.path.exists(path("never")))
        out = path("deep/er/out")
        self.assertEqual(octavo("quantize", embedder(), "-o", out, "--opset", "5").returncode, 2)
        self.assertFalse(os.path.exists(path("deep")))
        self.assertEqual(octavo("quantize", embedder(), "-o", out).returncode, 0)
        self.assertEqual(os.listdir(path("deep/er")), ["out"])

    def test_figures_out_of_range_come_before_the_model(self):
        gate = ("--eval", dataset(), "--calibration", path("no-texts"))
        qdq = ("--format", "QDQ", "--opset", "12", "--per-channel")
        cases = [(verb, "--opset", "--opset", opset) for verb in VERBS for opset in ("10", "30")]
        cases += [("quantize", "--opset", "--mode", mode, *qdq) for mode in ("dynamic", "static")]
        cases += [("quantize", "--opset", "--mode", "bfloat16", "--opset", "12")]
        cases += [("quantize", "--max-loss", "--mode", "static", "--max-loss", loss, *gate) for loss in ("nan%", "500%", "-1%", "inf%")]
        cases += [("quantize", "--smooth-quant", "--mode", "static", "--calibration", path("no-texts"), f"--smooth-quant={alpha}")
                  for alpha in ("5", "-0.1", "nan")]
        for verb, words, *flags in cases:
            with self.subTest(f"{verb} {flags}"):
                done = octavo(verb, path("no-model"), "-o", path("never"), *flags)
                self.assertEqual((done.returncode, done.out), (2, ""), done.err)
                self.assertIn(words, done.err)


if __name__ == "__main__":
    main()
