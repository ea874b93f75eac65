"""tokenize and embed: forms of input and output, pipes, cut texts."""
import json, math, os, shutil, subprocess, unittest

from support import BINARY, ROOT, embedder, main, octavo, path, read_npy, read_safetensors

LINES = 'the water\n"the fire"\n{"_id": "x7", "text": "a long day"}\n{"id": 12, "text": "äé"}\n\n'


def embed(*args, text=LINES):
    done = octavo("embed", embedder(), *args, text=text)
    assert done.returncode == 0, done.err
    return done


def rows(text):
    return [json.loads(line)["embedding"] for line in text.splitlines()]


class Tokenize(unittest.TestCase):
    def setUp(self):
        with open(os.path.join(embedder(), "tokenizer.json")) as file:
            self.vocab = json.load(file)["model"]["vocab"]

    def test_lines_of_all_forms(self):
        the, of = self.vocab["the"], self.vocab["of"]
        text = 'The of\n"the"\n{"text": "the", "pair": "of"}\n"the end" he said\n'
        lines = [json.loads(line) for line in octavo("tokenize", embedder(), "--json", text=text).out.splitlines()]
        self.assertEqual(lines[0], {"ids": [2, the, of, 3], "type_ids": [0, 0, 0, 0]})
        self.assertEqual(lines[1], {"ids": [2, the, 3], "type_ids": [0, 0, 0]})
        self.assertEqual(lines[2], {"ids": [2, the, 3, of, 3], "type_ids": [0, 0, 0, 1, 1]})
        self.assertEqual(lines[3]["ids"][1], self.vocab['"'])

    def test_special_tokens_truncation_and_decoding(self):
        the, of = self.vocab["the"], self.vocab["of"]
        file = os.path.join(embedder(), "tokenizer.json")
        self.assertEqual(octavo("tokenize", file, "--no-special-tokens", text="the of").out, f"{the} {of}\n")
        done = octavo("tokenize", file, "--max-length", "3", text="the of\nthe\n")
        self.assertEqual(done.out, f"2 {the} 3\n2 {the} 3\n")
        self.assertIn("1 of 2 texts was longer than 3 tokens", done.err)
        pair = json.dumps({"text": "the of the", "pair": "of of"})
        done = octavo("tokenize", file, "--max-length", "6", "--truncation", "only_first", text=pair)
        self.assertEqual(done.out, f"2 {the} 3 {of} {of} 3\n")
        self.assertEqual(octavo("tokenize", file, "--decode", text=f"2 {the} {of} 3\n[{of}]\n").out, "the of\nof\n")

    def test_the_tokenizer_of_a_bare_onnx_lies_beside_it(self):
        os.makedirs(path("bare"))
        model = path("bare/bert-tiny.onnx")
        shutil.copyfile(os.path.join(ROOT, "tests/data/onnx/bert-sdpa-dynamo-opset18.onnx"), model)
        for verb in ("tokenize", "embed"):
            done = octavo(verb, model, text="the of")
            self.assertEqual(done.returncode, 3)
            self.assertIn("tokenizer", done.err)
        shutil.copyfile(os.path.join(embedder(), "tokenizer.json"), path("bare/bert-tiny-tokenizer.json"))
        want = octavo("tokenize", embedder(), text="the of").out
        self.assertEqual(octavo("tokenize", model, text="the of").out, want)
        self.assertEqual(octavo("tokenize", path("bare/bert-tiny-tokenizer.json"), text="the of").out, want)
        got = rows(octavo("embed", model, "--pooling", "mean", "--max-length", "32", text="the fire").out)[0]
        same = rows(embed("--pooling", "mean", text="the fire").out)[0]
        self.assertLess(max(abs(a - b) for a, b in zip(got, same)), 1e-5)
        shutil.copyfile(os.path.join(embedder(), "tokenizer.json"), path("bare/other-tokenizer.json"))
        self.assertEqual(octavo("tokenize", model, text="the of").returncode, 3)

    def test_broken_lines_name_file_and_line(self):
        with open(path("broken.jsonl"), "w") as file:
            file.write('"fine"\n{"text": "x"\n')
        done = octavo("tokenize", embedder(), path("broken.jsonl"), "--json")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(done.out.splitlines()), 1)
        error = json.loads(done.err)["error"]
        self.assertTrue(error["file"].endswith("broken.jsonl"))
        self.assertTrue(error["place"].startswith("line 2"), error["place"])
        done = octavo("tokenize", embedder(), text=b"\xff\xfe\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn("line 1", done.err)
        self.assertIn("UTF-8", done.err)


class Embed(unittest.TestCase):
    def test_the_three_formats_agree(self):
        want = rows(embed().out)
        self.assertEqual(len(want), 5)
        self.assertEqual({len(row) for row in want}, {64})
        for name in ("e.npy", "e.jsonl", "e.safetensors"):
            embed("-o", path(name))
        with open(path("e.jsonl")) as file:
            self.assertEqual(rows(file.read()), want)
        shape, flat = read_safetensors(path("e.safetensors"))["embeddings"]
        self.assertEqual(shape, [5, 64])
        self.assertEqual(read_npy(path("e.npy")), [list(flat[i * 64 : i * 64 + 64]) for i in range(5)])
        for got, row in zip(read_npy(path("e.npy")), want):
            self.assertLess(max(abs(a - b) for a, b in zip(got, row)), 1e-7)
            self.assertAlmostEqual(math.fsum(x * x for x in got), 1, places=5)
        self.assertFalse([name for name in os.listdir(path("")) if ".tmp" in name])

    def test_ids_are_kept(self):
        lines = [json.loads(line) for line in embed().out.splitlines()]
        self.assertEqual([line.get("_id", line.get("id")) for line in lines], [None, None, "x7", 12, None])

    def test_files_and_pipes_give_the_same(self):
        with open(path("a.txt"), "w") as file:
            file.write("the water\r\nthe fire")
        with open(path("b.txt"), "w") as file:
            file.write("\ufeffa long day\n")
        both = octavo("embed", embedder(), path("a.txt"), path("b.txt")).out
        self.assertEqual(rows(both), rows(embed(text="the water\nthe fire\na long day\n").out))

    def test_types(self):
        floats = rows(embed().out)
        low, high = [min(c) for c in zip(*floats)], [max(c) for c in zip(*floats)]
        for kind, offset in (("uint8", 0), ("int8", 128)):
            got = rows(embed("--type", kind).out)
            for row, values in zip(got, floats):
                for code, x, a, b in zip(row, values, low, high):
                    self.assertLessEqual(abs(code + offset - (x - a) / (b - a) * 255), 1.01)
        bits = [[sum((x > 0) << (7 - i) for i, x in enumerate(row[at : at + 8])) for at in range(0, 64, 8)] for row in floats]
        self.assertEqual(rows(embed("--type", "ubinary").out), bits)
        embed("--type", "binary", "-o", path("b.npy"))
        self.assertEqual(read_npy(path("b.npy")), [[x - 128 for x in row] for row in bits])

    def test_dimensions_normalization_and_prompts(self):
        full, short = rows(embed("--no-normalize").out)[0], rows(embed("--dimensions", "16").out)[0]
        norm = math.sqrt(sum(x * x for x in full[:16]))
        self.assertLess(max(abs(a - b / norm) for a, b in zip(short, full)), 1e-6)
        named = embed("--prompt-name", "query", text="the fire").out
        self.assertEqual(named, embed("--prompt", "question: ", text="the fire").out)
        self.assertEqual(named, embed(text="question: the fire").out)
        self.assertNotEqual(named, embed(text="the fire").out)
        for flag in ("--query-prompt", "--document-prompt"):
            self.assertEqual(named, embed(flag, "question: ", text="the fire").out)
            self.assertEqual(octavo("embed", embedder(), flag, "a", "--prompt", "b").returncode, 2)
        self.assertEqual(octavo("embed", embedder(), "--query-prompt", "a", "--document-prompt", "b").returncode, 2)

    def test_cut_texts_are_counted(self):
        text = "the " * 100 + "\nthe\n"
        done = embed("-o", path("cut.npy"), text=text)
        self.assertIn("1 of 2 texts was longer than 32 tokens and was cut; --max-length raises the limit up to 128", done.err)
        stats = json.loads(embed("-o", path("cut.npy"), "--json", text=text).out)
        self.assertEqual([stats[key] for key in ("texts", "tokens", "truncated", "dimensions")], [2, 35, 1, 64])
        self.assertEqual(stats["output"], path("cut.npy"))
        self.assertLessEqual({"seconds", "tokens_per_second", "isa", "threads"}, set(stats))
        self.assertEqual(embed("-q", text=text).err, "")
        longer = embed("--max-length", "128", "-o", path("cut.npy"), text=text)
        self.assertNotIn("cut;", longer.err)

    def test_no_text_is_an_empty_array(self):
        done = embed("-o", path("none.npy"), text="")
        self.assertEqual(read_npy(path("none.npy")), [])
        self.assertIn("no text", done.err)

    def test_a_failure_leaves_no_file(self):
        done = octavo("embed", embedder(), "-o", path("bad.npy"), text='{"text": "a"}\n{"title": "b"}\n')
        self.assertEqual(done.returncode, 1)
        self.assertIn("line 2", done.err)
        self.assertFalse([name for name in os.listdir(path("")) if name.startswith("bad.npy")])

    def test_a_reader_that_leaves_ends_it_quietly(self):
        with open(path("many.txt"), "w") as file:
            file.write("the water\n" * 9000)
        process = subprocess.Popen([BINARY, "embed", embedder(), path("many.txt")], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertTrue(process.stdout.readline().startswith(b'{"embedding":['))
        process.stdout.close()
        self.assertEqual(process.stderr.read(), b"")
        self.assertEqual(process.wait(), 0)
        process.stderr.close()

    def test_a_full_disk_is_a_failure(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([BINARY, "embed", embedder()], input=b"a\n", stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"standard output", done.stderr)


if __name__ == "__main__":
    main()
