#!/usr/bin/env python3
"""Prints the tables of src/kernels/gemm/gelu_avx512.inl.h (run clang-format over that file afterwards). Needs numpy."""
from math import erf, pi, sqrt, tanh

import numpy as np

INTERVALS, DEGREE = 16, 5


def erf_form(t: float) -> float:
    return 0.5 * erf(t / sqrt(2))


def tanh_form(t: float) -> float:
    return 0.5 * tanh(sqrt(2 / pi) * (t + 0.044715 * t**3))


def fit(h, limit: float) -> np.ndarray:
    """Coefficients [interval, power] of h in intervals around multiples of limit / 15."""
    step = limit / (INTERVALS - 1)
    table = np.zeros((INTERVALS, DEGREE + 1))
    for i in range(INTERVALS):
        low, high = 0.0 if i == 0 else -0.5, 0.0 if i == INTERVALS - 1 else 0.5
        if i < INTERVALS - 1:
            curve = np.polynomial.Chebyshev.interpolate(
                lambda us, i=i: np.array([h((i + u) * step) for u in us]), DEGREE, domain=[low, high]
            ).convert(kind=np.polynomial.Polynomial)
            table[i, : len(curve.coef)] = curve.coef
        else:
            u = low + (high - low) * (0.5 + 0.5 * np.cos(np.pi * (np.arange(400) + 0.5) / 400))
            y = np.array([h((i + x) * step) for x in u]) - 0.5
            powers = np.vander(u, DEGREE + 1, increasing=True)[:, 1:]
            table[i] = np.r_[0.5, np.linalg.lstsq(powers, y, rcond=None)[0]]
    return table.astype(np.float32)


for name, h, limit in (("kGeluErfTable", erf_form, 5.4), ("kGeluTanhTable", tanh_form, 5.25)):
    print(f"constexpr GeluTable {name} = {{ {np.float32((INTERVALS - 1) / limit):.9g}f, {np.float32(limit):.9g}f, {{")
    for row in fit(h, limit).T:
        print("{" + ", ".join(f"{x:.9g}f" if "." in f"{x:.9g}" or "e" in f"{x:.9g}" else f"{x:.9g}.0f" for x in row) + "},")
    print("}};")
