"""Flags of octavo quantize that contradict each other or say nothing, refused before anything is written."""
import json, os, unittest

from support import embedder, main, octavo, path, write_texts


class Flags(unittest.TestCase):
    def refused(self, *args, words):
        with self.subTest(" ".join(args)):
            done = octavo("quantize", embedder(), "-o", path("never"), *args)
            self.assertEqual((done.returncode, done.out), (2, ""), done.err)
            self.assertIn(words, done.err)
            self.assertFalse(os.path.exists(path("never")))

    def test_a_preset_does_not_override_the_mode(self):
        for mode in ("octavo", "int4", "int8", "float16", "bfloat16"):
            self.refused("--mode", mode, "--preset", "avx2", words="--preset")
        for mode in ("dynamic", "static"):
            done = octavo("quantize", embedder(), "-o", path(mode), "--mode", mode, "--preset", "avx2")
            self.assertNotIn("--preset", done.err)

    def test_what_says_nothing_in_a_mode_is_refused(self):
        rows = (["--weight-type", "QUInt8"], ["--asymmetric"], ["--activation-type", "QInt8"], ["--activation-symmetric"])
        for flags in rows:
            for mode in ("octavo", "float16", "bfloat16"):
                self.refused("--mode", mode, *flags, words=flags[0])
        for mode in ("int8", "int4"):
            for flags in rows[2:]:
                self.refused("--mode", mode, *flags, words=flags[0])
        for mode in ("octavo", "dynamic", "bfloat16", "int4"):
            self.refused("--mode", mode, "--no-keep-io-types", words="--no-keep-io-types")
            if mode != "bfloat16":
                self.refused("--mode", mode, "--keep-float", "Softmax", words="--keep-float")
        for mode in ("octavo", "dynamic", "float16"):
            for flags in (["--block-size", "64"], ["--accuracy-level", "4"]):
                self.refused("--mode", mode, *flags, words=flags[0])
        texts = write_texts(path("texts.txt"), 20)
        for mode in ("float16", "bfloat16"):
            for flags in (["--tables", "tensor"], ["--format", "QDQ"], ["--smooth-quant", "0.5", "--calibration", texts]):
                self.refused("--mode", mode, *flags, words=flags[0])
        for flags in (["--calibration", texts], ["--calibration-method", "entropy"], ["--samples", "50"], ["--max-length", "64"],
                      ["--calibration-cache", path("never.json")], ["--document-prompt", "d: "]):
            for mode in ("octavo", "dynamic", "float16", "int4"):
                self.refused("--mode", mode, *flags, words=flags[0])
        # Without static ranges texts measure, and no method finds anything with them.
        for flag in ("--calibration-method", "--calibration-cache"):
            self.refused("--mode", "dynamic", "--sensitivity", "--calibration", texts, flag, "minmax", words=flag)
        for flags in (["--pooling", "mean"], ["--eval-max-length", "64"], ["--query-prompt", "q: "], ["--score-cache", path("never")]):
            self.refused(*flags, words=flags[0])
        self.refused("--mode", "int4", "--format", "QDQ", "--accuracy-level", "4", words="--accuracy-level")
        self.refused("--mode", "static", "--calibration", texts, "--percentile", "99", words="--percentile")
        self.refused("--percentile", "99", words="--percentile")

    def test_what_is_usual_is_refused_too_where_nothing_reads_it(self):
        for mode, *flags in (("octavo", "--no-per-channel"), ("float16", "--no-reduce-range"), ("octavo", "--symmetric"),
                             ("dynamic", "--block-size", "32"), ("dynamic", "--accuracy-level", "0"), ("float16", "--tables", "rows"),
                             ("bfloat16", "--format", "QOperator"), ("float16", "--weight-type", "QInt8"), ("octavo", "--samples", "128"),
                             ("int4", "--keep-io-types"), ("dynamic", "--calibration-method", "minmax"),
                             ("octavo", "--activation-type", "QUInt8")):
            self.refused("--mode", mode, *flags, words=f"{flags[0]} says nothing in mode {mode}")

    def test_contradictions_are_refused(self):
        for one, other in (("--symmetric", "--asymmetric"), ("--per-channel", "--no-per-channel"), ("--no_reduce_range", "--reduce-range")):
            self.refused("--mode", "dynamic", one, other, words=f"{one} and {other} contradict")
        self.refused("--layout", "onnx-convert", "--file-name", "foo.onnx", words="--file-name")
        self.refused("--quantize", "QInt8", "--weight-type", "QUInt8", words="--weight-type")
        self.refused("--quantize", "Foo", words="--quantize: Foo")
        self.refused("--mode", "float16", "--keep-float", "Nope", words="Nope")
        self.refused("--mode", "bfloat16", "--keep-float", "Softmax", words="Softmax")

    def test_what_goes_together_is_taken(self):
        texts = write_texts(path("texts.txt"), 20)
        for flags in (["--mode", "dynamic", "--sensitivity", "--calibration", texts, "--samples", "10", "--max-length", "64"],
                      ["--smooth-quant", "0.5", "--calibration", texts, "--calibration-cache", path("smooth.json")],
                      ["--preset", "avx512_vnni", "--no-per-channel", "--symmetric", "--format", "QDQ"],
                      ["--mode", "int4", "--asymmetric", "--block-size", "32", "--accuracy-level", "4", "--tables", "rows"],
                      ["--quantize", "QUInt8", "--no_per_channel", "--activation-type", "QUInt8"],
                      ["--mode", "bfloat16", "--keep-float", "Gather,Nope"],
                      ["--mode", "float16", "--keep-float", "Softmax,Nope", "--keep-io-types"]):
            with self.subTest(" ".join(flags)):
                done = octavo("quantize", embedder(), "-o", path("taken"), "--force", *flags)
                self.assertEqual(done.returncode, 0, done.err)

    def test_onnx_convert_command_lines_are_taken_as_they_are(self):
        texts = write_texts(path("documents.txt"), 20)
        done = octavo("quantize", embedder(), "--output_parent_dir", path("parent"), "--quantize", "QInt8Static", "--optimize", "0",
                      "--calibration_dataset", texts, "--per_channel", "--reduce_range", "--json")
        self.assertEqual(done.returncode, 0, done.err)
        result = json.loads(done.out)
        self.assertEqual(result["path"], path("parent/tiny-embedder/onnx/model_opt0_QInt8Static.onnx"))
        self.assertEqual(result["calibration_samples"], 20)
        self.assertTrue(os.path.exists(path("parent/tiny-embedder/tokenizer.json")))

    def test_skip_shape_inference_turns_optimising_off_as_there(self):
        done = octavo("quantize", embedder(), "-o", path("unshaped"), "--layout", "onnx-convert", "--quantize", "QInt8", "--optimize", "2",
                      "--skip_shape_inference")
        self.assertEqual(done.returncode, 0, done.err)
        self.assertTrue(os.path.exists(path("unshaped/onnx/model_opt0_QInt8.onnx")))
        self.assertEqual(done.err.count("--skip_shape_inference"), 1, done.err)
        quiet = octavo("quantize", embedder(), "-o", path("unshaped"), "--force", "--quantize", "QInt8", "--skip_shape_inference", "-q")
        self.assertEqual((quiet.returncode, quiet.err), (0, ""))

    def test_one_place_to_write_to(self):
        for places in ([], ["-o", path("never"), "--output_parent_dir", path("never")]):
            done = octavo("quantize", embedder(), *places)
            self.assertEqual((done.returncode, done.out), (2, ""), done.err)
            self.assertIn("--output", done.err)
            self.assertFalse(os.path.exists(path("never")))

    def test_the_record_tells_recipes_apart(self):
        calibrated = ["--mode", "static", "--format", "QDQ", "--calibration", write_texts(path("texts.txt"), 20)]
        by_share = [*calibrated, "--calibration-method", "percentile"]
        for one, other in ((calibrated, [*calibrated, "--quantize-outputs"]),
                           (by_share, [*by_share, "--percentile", "99"]),
                           (calibrated, [*calibrated, "--max-length", "5"]),
                           (calibrated, [*calibrated, "--samples", "19"]),
                           (["--mode", "int4"], ["--mode", "int4", "--accuracy-level", "4"]),
                           (["--mode", "float16"], ["--mode", "float16", "--keep-float", "Softmax"])):
            with self.subTest(" ".join(other)):
                recipes = []
                for flags in (one, other):
                    done = octavo("quantize", embedder(), "-o", path("recorded"), "--force", *flags)
                    self.assertEqual(done.returncode, 0, done.err)
                    with open(os.path.join(path("recorded"), "octavo.json")) as file:
                        recipes.append(json.load(file)["recipe"])
                self.assertNotEqual(*recipes)


if __name__ == "__main__":
    main()
