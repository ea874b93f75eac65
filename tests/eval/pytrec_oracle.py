"""Random runs and judgements, and their metrics by pytrec-eval-terrier.

    pytrec_oracle.py compare METRICS_TOOL [--runs 2000] [--seed 1]   compares octavo's metrics with the oracle's
    pytrec_oracle.py fixture OUT.json                                 writes tests/eval/data/metrics.json

Needs pytrec-eval-terrier. The judgements of every query hold a grade of at least 0: trec_eval reads uninitialised
memory where all are negative.
"""

import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import pytrec_eval

CUTOFFS = (1, 3, 5, 10, 20, 100, 1000)
FAMILIES = {"ndcg": "ndcg_cut", "map": "map_cut", "recall": "recall", "precision": "P", "hit_rate": "success"}
MEASURES = {f"{name}.{','.join(map(str, CUTOFFS))}" for name in FAMILIES.values()} | {"map", "recip_rank"}
TOLERANCE = 1e-12


def random_id(rng):
    kind = rng.randrange(5)
    if kind == 0:
        return str(rng.randrange(10_000)).zfill(rng.randrange(1, 8))
    if kind == 1:
        return "".join(rng.choice("éßЖ漢😀aZ_-") for _ in range(rng.randrange(1, 5)))
    if kind == 2:
        return "d" * rng.randrange(1, 40) + str(rng.randrange(100))
    return "doc" + str(rng.randrange(100_000))


def random_score(rng, style):
    if style == 0:
        return rng.random()
    if style == 1:
        return float(rng.randrange(-3, 4))
    if style == 2:  # equal once rounded to float32
        return 0.5 + rng.randrange(3) * 0.125 + rng.random() * 1e-9
    if style == 3:
        return rng.choice((0.0, -0.0, 1.0))
    return rng.uniform(-1, 1) * 10.0 ** rng.randrange(-50, 45)


def random_case(rng, largest):
    """A run and judgements that share most but not all queries and documents."""
    run, qrels = {}, {}
    for q in range(rng.randrange(1, 5)):
        query = f"{random_id(rng)}q{q}"
        count = rng.choice((1, 2, 5, 12, 40, 130, largest))
        pool = list(dict.fromkeys(random_id(rng) for _ in range(rng.randrange(1, count + 1) + 3)))
        style = rng.randrange(5)
        if rng.random() < 0.9:
            found = rng.sample(pool, rng.randrange(1, len(pool) + 1))
            run[query] = {d: random_score(rng, style) for d in found}
        if rng.random() < 0.9:
            judged = rng.sample(pool, rng.randrange(1, min(len(pool), 60) + 1))
            judged += [random_id(rng) + "-unfound" for _ in range(rng.randrange(4))]
            grades = rng.choice(((1,), (0, 1), (0, 1, 2, 3), (-2, -1, 0, 1, 4), (0,), (0, 100)))
            qrels[query] = {d: rng.choice(grades) for d in judged}
            if max(qrels[query].values()) < 0:
                qrels[query][judged[0]] = max(grades)
    return run, qrels


def expected(run, qrels):
    values = pytrec_eval.RelevanceEvaluator(qrels, MEASURES).evaluate(run)
    out = {}
    for query, scores in values.items():
        row = {f"{name}_at_{k}": scores[f"{theirs}_{k}"] for name, theirs in FAMILIES.items() for k in CUTOFFS}
        reciprocal = scores["recip_rank"]
        for k in CUTOFFS:
            row[f"mrr_at_{k}"] = reciprocal if reciprocal * k >= 1 - 1e-9 else 0.0
        out[query] = row | {"map": scores["map"], "mrr": reciprocal}
    return out


def means(rows, names):
    return {name: sum(r[name] for r in rows.values()) / len(rows) if rows else 0.0 for name in names}


def write_case(directory, number, run, qrels):
    with open(directory / f"{number}.run", "w", encoding="utf-8") as out:
        for query, documents in run.items():
            for rank, (document, score) in enumerate(documents.items()):
                out.write(f"{query} Q0 {document} {rank + 1} {score!r} random\n")
    with open(directory / f"{number}.tsv", "w", encoding="utf-8") as out:
        out.write("query-id\tcorpus-id\tscore\n")
        for query, grades in qrels.items():
            for document, grade in grades.items():
                out.write(f"{query}\t{document}\t{grade}\n")


def compare(tool, runs, seed):
    rng = random.Random(seed)
    cases = [random_case(rng, 1300) for _ in range(runs)]
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        for number, (run, qrels) in enumerate(cases):
            write_case(directory, number, run, qrels)
        output = subprocess.run([tool, name, str(runs)], check=True, capture_output=True, text=True).stdout
    lines = output.splitlines()
    assert len(lines) == runs, f"{len(lines)} lines for {runs} runs"
    worst, queries, values, ties = 0.0, 0, 0, 0
    for number, (line, (run, qrels)) in enumerate(zip(lines, cases)):
        got, want = json.loads(line), expected(run, qrels)
        assert got["queries"].keys() == want.keys(), f"run {number}: other queries"
        assert got["without_judgements"] == len(run.keys() - qrels.keys()), f"run {number}"
        assert got["without_results"] == len(qrels.keys() - run.keys()), f"run {number}"
        want_mean = means(want, got["mean"].keys())
        for where, ours, theirs in [("mean", got["mean"], want_mean)] + [
            (q, got["queries"][q], want[q]) for q in want
        ]:
            assert ours.keys() == theirs.keys(), f"run {number}: other metrics"
            for metric, value in theirs.items():
                difference = abs(ours[metric] - value)
                assert difference <= TOLERANCE, f"run {number}, {where}, {metric}: {ours[metric]!r}, not {value!r}"
                worst, values = max(worst, difference), values + 1
        queries += len(want)
        ties += sum(len(set(d.values())) < len(d) for d in run.values())
    assert queries > runs and ties > runs / 4
    print(f"{runs} runs, {queries} queries ({ties} with ties in float64), {values} values: largest difference {worst:.3g}")


def fixture(path):
    rng = random.Random(7)
    cases = []
    while len(cases) < 40:
        run, qrels = random_case(rng, 150 if len(cases) else 1100)
        rows = expected(run, qrels)
        if not rows:
            continue
        compact = {q: {m: v for m, v in row.items() if v != 0} for q, row in rows.items()}
        cases.append({"run": run, "qrels": qrels, "expected": compact})
    with open(path, "w", encoding="utf-8") as out:
        out.write("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("compare")
    one.add_argument("tool")
    one.add_argument("--runs", type=int, default=2000)
    one.add_argument("--seed", type=int, default=1)
    two = commands.add_parser("fixture")
    two.add_argument("path")
    args = parser.parse_args()
    if args.command == "compare":
        compare(args.tool, args.runs, args.seed)
    else:
        fixture(args.path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
