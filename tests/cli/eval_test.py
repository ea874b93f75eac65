"""eval: what each of its modes takes, and the name it gives a task."""
import json, os, shutil, unittest

from support import dataset, embedder, main, octavo, path, reranker


def sts():
    with open(path("sts.csv"), "w") as out:
        for i, (a, b) in enumerate((("the water", "the sea"), ("a long day", "the fire"), ("the wind", "the wind and the fire"))):
            out.write(f"g\tf\ty\t{i}\t{i + 1}.0\t{a}\t{b}\n")
    return path("sts.csv")


def run_file():
    """Every document for every query, and of q0 a document of its own name."""
    with open(path("all.trec"), "w") as out:
        for q in range(3):
            out.writelines(f"q{q} Q0 d{d} {d + 1} {50 - d} x\n" for d in range(8))
        out.write("q0 Q0 q0 1 99 x\n")
    return path("all.trec")


def dataset_with_a_query_in_it():
    folder = path("same-ids")
    if not os.path.isdir(folder):
        shutil.copytree(dataset(), folder)
        with open(os.path.join(folder, "corpus.jsonl"), "a") as out:
            out.write(json.dumps({"_id": "q0", "title": "", "text": "the query itself"}) + "\n")
    return folder


class Eval(unittest.TestCase):
    def test_flags_of_another_mode_are_refused(self):
        prompts = [["--query-prompt", "query: "], ["--document-prompt", "passage: "]]
        similarity = [*prompts, ["--top-k", "5"], ["--top-n", "5"], ["--ignore-identical-ids"], ["--run-file", path("r.trec")]]
        reranking = [*prompts, ["--prompt", "query: "], ["--prompt-name", "query"], ["--top-k", "5"], ["--pooling", "cls"],
                     ["--dimensions", "4"], ["--no-normalize"], ["--normalize"]]
        modes = (([embedder(), "--sts", sts()], similarity),
                 ([reranker(), "--dataset", dataset_with_a_query_in_it(), "--rerank-run", run_file()], reranking),
                 ([embedder(), "--dataset", dataset()], [["--top-n", "5"], ["--task-name", "x"]]))
        for args, refused in modes:
            self.assertEqual(octavo("eval", *args, "--no-cache").returncode, 0)
            for flags in refused:
                with self.subTest(f"{args[1:]} {flags}"):
                    done = octavo("eval", *args, "--no-cache", *flags)
                    self.assertEqual((done.returncode, done.out), (2, ""), done.err)
                    self.assertIn("--normalize" if "normalize" in flags[0] else flags[0], done.err)

    def test_similarity_takes_a_prompt(self):
        run = lambda *flags: json.loads(octavo("eval", embedder(), "--sts", sts(), "--no-cache", "--json", *flags).out)
        plain, prompted = run("--prompt", ""), run("--prompt", "query: ")
        self.assertEqual(prompted["prompt"], "query: ")
        self.assertGreater(prompted["tokens"], plain["tokens"])

    def test_reranking_ignores_identical_ids(self):
        args = ("eval", reranker(), "--dataset", dataset_with_a_query_in_it(), "--rerank-run", run_file(), "--no-cache", "--json")
        out = path("reranked.trec")
        for flags, pairs in (((), 25), (("--ignore-identical-ids",), 24)):
            done = octavo(*args, *flags, "--run-file", out)
            self.assertEqual(json.loads(done.out)["pairs"], pairs, done.err)
            with open(out) as file:
                found = [line.split() for line in file]
            self.assertEqual(any(row[0] == row[2] for row in found), pairs == 25)
        best = json.loads(octavo(*args, "--ignore-identical-ids", "--top-n", "8").out)
        self.assertEqual(best["pairs"], 24, "the candidates behind it move up")

    def test_a_task_has_the_name_of_its_data_set(self):
        shutil.copytree(dataset(), path("scifact.v2"), dirs_exist_ok=True)
        for source, name in ((dataset(), "beir"), (dataset() + "/", "beir"), (dataset() + "/.", "beir"), (path("scifact.v2"), "scifact.v2")):
            octavo("eval", embedder(), "--dataset", source, "--no-cache", "--mteb-json", path("m.json"))
            with open(path("m.json")) as file:
                self.assertEqual(json.load(file)["task_name"], name, source)
        octavo("eval", embedder(), "--sts", sts(), "--no-cache", "--mteb-json", path("m.json"), "--split", "dev")
        with open(path("m.json")) as file:
            self.assertEqual(json.load(file)["task_name"], "sts")


if __name__ == "__main__":
    main()
