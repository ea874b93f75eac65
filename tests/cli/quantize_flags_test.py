"""Flags of octavo quantize that contradict each other or say nothing, refused before anything is written."""
import os, unittest

from support import embedder, main, octavo, path


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


if __name__ == "__main__":
    main()
