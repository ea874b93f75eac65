"""Arguments of the verbs that write models, refused before any work: names of files that would lie elsewhere."""
import os, unittest

from support import embedder, main, octavo, path

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


if __name__ == "__main__":
    main()
