#!/usr/bin/env python3
"""Prints the tables of src/kernels/gemm/gelu_table.inl.h (run clang-format over that file afterwards). Needs numpy."""
from math import erf, pi, sqrt, tanh

import numpy as np

# As many intervals as a register has lanes.
SHAPES = ((16, 5), (8, 7))


def erf_form(t: float) -> float:
    return 0.5 * erf(t / sqrt(2))


def tanh_form(t: float) -> float:
    return 0.5 * tanh(sqrt(2 / pi) * (t + 0.044715 * t**3))


def fit(h, limit: float, intervals: int, degree: int) -> np.ndarray:
    """Coefficients [interval, power] of h in intervals around multiples of limit / (intervals - 1)."""
    step = limit / (intervals - 1)
    table = np.zeros((intervals, degree + 1))
    for i in range(intervals):
        low, high = 0.0 if i == 0 else -0.5, 0.0 if i == intervals - 1 else 0.5
        if i < intervals - 1:
            curve = np.polynomial.Chebyshev.interpolate(
                lambda us, i=i: np.array([h((i + u) * step) for u in us]), degree, domain=[low, high]
            ).convert(kind=np.polynomial.Polynomial)
            table[i, : len(curve.coef)] = curve.coef
        else:
            u = low + (high - low) * (0.5 + 0.5 * np.cos(np.pi * (np.arange(400) + 0.5) / 400))
            y = np.array([h((i + x) * step) for x in u]) - 0.5
            powers = np.vander(u, degree + 1, increasing=True)[:, 1:]
            table[i] = np.r_[0.5, np.linalg.lstsq(powers, y, rcond=None)[0]]
    return table.astype(np.float32)


def literal(x: float) -> str:
    text = f"{x:.9g}"
    return text + ("f" if "." in text or "e" in text else ".0f")


for intervals, degree in SHAPES:
    for name, h, limit in (("kGeluErfTable", erf_form, 5.4), ("kGeluTanhTable", tanh_form, 5.25)):
        per_unit = np.float32((intervals - 1) / limit)
        print(f"constexpr GeluTable {name} = {{ {literal(per_unit)}, {literal(np.float32(limit))}, {{")
        for row in fit(h, limit, intervals, degree).T:
            print("{" + ", ".join(literal(x) for x in row) + "},")
        print("}};")
