"""The product's own functions once more, in NumPy and to the bit."""

from __future__ import annotations

import numpy as np

from support.draws import F


def exponential(x):
    """The polynomial of kernels/base/mathematics.cuh, once more."""
    with np.errstate(over="ignore"):
        within = np.clip(x, F(-88), F(89))
        n = (within * F(1.44269504) + F(12582912)) - F(12582912)
        r = (within - n * F(0.693359375)) - n * F(-2.12194440e-4)
        q = F(0)
        for coefficient in (0.0013814599, 0.0083687167, 0.041668389, 0.16666521, 0.49999994):
            q = F(coefficient) + r * q
        value = np.ldexp(F(1) + (r + r * r * q), n.astype(int))
    return np.where(x < F(-87.33654), F(0), value).astype(F)
