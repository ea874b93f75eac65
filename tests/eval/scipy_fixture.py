"""Writes tests/eval/data/correlations.json: random pairs of samples with scipy's Pearson and Spearman coefficients.

    scipy_fixture.py tests/eval/data/correlations.json          (needs scipy)
"""

import json
import math
import random
import sys

from scipy import stats


def sample(rng, size, style):
    if style == 0:
        return [rng.gauss(0, 1) for _ in range(size)]
    if style == 1:  # human scores: many ties
        return [rng.randrange(0, 11) / 2 for _ in range(size)]
    if style == 2:  # cosines far from zero with a small spread
        return [0.9 + rng.random() * 1e-3 for _ in range(size)]
    return [math.exp(rng.uniform(-30, 30)) for _ in range(size)]


def main():
    rng = random.Random(11)
    cases = []
    for n in range(32):
        size = (3, 5, 20, 60)[n % 4]
        a, b = sample(rng, size, n // 4 % 4), sample(rng, size, rng.randrange(4))
        if n % 3 == 0:
            b = [x * 0.5 + y * 0.1 for x, y in zip(a, b)]
        if len(set(a)) < 2 or len(set(b)) < 2:
            raise ValueError("constant sample")
        cases.append({"a": a, "b": b, "ranks": stats.rankdata(a).tolist(),
                      "pearson": float(stats.pearsonr(a, b).statistic),
                      "spearman": float(stats.spearmanr(a, b).statistic)})
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        out.write("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")


if __name__ == "__main__":
    main()
