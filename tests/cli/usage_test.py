"""Help, suggestions, exit codes, error messages."""
import json, os, unittest

from support import embedder, main, octavo, path, reranker

VERBS = ["embed", "search", "rerank", "tokenize", "run", "eval", "bench", "profile", "inspect", "doctor", "version", "convert", "optimize",
         "quantize", "compare"]
# One verb has four dozen settings of its own; it may take more than one screen.
SCREEN, LONGER = 46, {"quantize": 74}


class Help(unittest.TestCase):
    def check_screen(self, text, most=SCREEN):
        lines = text.rstrip("\n").split("\n")
        self.assertLessEqual(len(lines), most)
        for line in lines:
            self.assertLessEqual(len(line), 80, line)

    def test_overview_fits_a_screen_and_names_every_verb(self):
        done = octavo()
        self.assertEqual(done.returncode, 0)
        self.check_screen(done.out)
        for verb in VERBS:
            self.assertIn(f"\n  {verb} ", done.out)
        self.assertEqual(octavo("--help").out, done.out)

    def test_every_verb_has_a_screen_of_help_with_three_examples(self):
        for verb in VERBS:
            with self.subTest(verb):
                done = octavo(verb, "--help")
                self.assertEqual((done.returncode, done.err), (0, ""))
                self.check_screen(done.out, LONGER.get(verb, SCREEN))
                examples = done.out.split("\nExamples:\n")[1].strip().split("\n")
                self.assertEqual(len(examples), 3)
                self.assertTrue(all(f"octavo {verb}" in line for line in examples))
                self.assertEqual(len(set(examples)), 3)
                self.assertEqual(octavo("help", verb).out, done.out)
                self.assertEqual(octavo(verb, "-h").out, done.out)


class Usage(unittest.TestCase):
    def check(self, code, *args, says=(), text=""):
        done = octavo(*args, text=text)
        self.assertEqual(done.returncode, code, done.err)
        self.assertEqual(done.out, "")
        self.assertTrue(done.err.startswith("octavo: "), done.err)
        for part in says:
            self.assertIn(part, done.err)

    def test_unknown_verbs_and_flags_get_the_nearest_one(self):
        self.check(2, "embd", says=["embd", "did you mean 'embed'?"])
        self.check(2, "tokenise", says=["did you mean 'tokenize'?"])
        self.check(2, "embed", "m", "--prcision", "fp32", says=["--prcision", "did you mean --precision?"])
        self.check(2, "bench", "--thread=2", says=["did you mean --threads?"])
        self.check(2, "help", "sarch", says=["did you mean 'search'?"])

    def test_wrong_usage_is_exit_code_2(self):
        self.check(2, "embed", says=["MODEL"])
        self.check(2, "bench", "m", "--precision", "int3", says=["--precision"])
        self.check(2, "bench", embedder(), "--cases", "4by7", says=["BATCHxTOKENS", "4by7"])
        self.check(2, "bench", embedder(), "--precision", "fp32,fp32", says=["--precision", "different"])
        self.check(2, "bench", embedder(), "--cases", "1x8", "--sweep", says=["--sweep"])
        self.check(2, "embed", embedder(), "-o", path("x.csv"), says=[".npy"])
        self.check(2, "embed", embedder(), "--threads", "none", says=["--threads"])
        self.check(2, "embed", embedder(), "--isa", "sse9", says=["sse9"])
        self.check(2, "embed", embedder(), "--pooling", "median", says=["median"])
        self.check(2, "embed", embedder(), "--prompt-name", "nope", says=["nope"])
        self.check(2, "rerank", reranker(), says=["--query"])
        self.check(2, "eval", embedder(), says=["--dataset"])
        self.check(2, "search", embedder(), "--query", "a", says=["--corpus"])

    def test_missing_things_are_exit_code_3(self):
        for args in (["embed", path("none")], ["inspect", path("none")], ["tokenize", path("none")],
                     ["doctor", path("none")], ["embed", embedder(), path("none.txt")],
                     ["run", embedder(), "--inputs", path("none.safetensors"), "-o", path("o.safetensors")],
                     ["eval", embedder(), "--dataset", path("none")]):
            with self.subTest(args[0]):
                done = octavo(*args)
                self.assertEqual(done.returncode, 3, done.err)
                self.assertIn("none", done.err)

    def test_errors_are_json_with_json(self):
        done = octavo("embed", path("none"), "--json")
        self.assertEqual((done.returncode, done.out), (3, ""))
        error = json.loads(done.err)["error"]
        self.assertEqual(error["code"], "not_found")
        self.assertEqual(set(error) - {"while"}, {"code", "message", "file", "place", "expected", "found", "fix"})
        self.assertIn("none", error["file"])
        self.assertTrue(error["fix"])
        usage = octavo("embed", "--json", "--nrmalize")
        self.assertEqual(usage.returncode, 2)
        self.assertIn("--normalize", json.loads(usage.err)["error"]["fix"])

    def test_no_colours_and_no_progress_outside_a_terminal(self):
        done = octavo("embed", embedder(), text="a\nb\n")
        self.assertEqual(done.returncode, 0)
        self.assertNotIn("\033", done.out + done.err)
        self.assertNotIn("\r", done.err)

    def test_the_environment_caps_the_instruction_set(self):
        done = octavo("bench", embedder(), "--cases", "1x8", "--min-time", "0", "--json", env={"OCTAVO_ISA": "portable"})
        self.assertEqual(json.loads(done.out)["isa"], "portable")

    def test_version(self):
        self.assertRegex(octavo("version", "-q").out, r"^\d+\.\d+\.\d+\n$")
        self.assertEqual(set(json.loads(octavo("version", "--json").out)), {"version", "isa"})


if __name__ == "__main__":
    main()
