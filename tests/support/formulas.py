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


def logarithm(x):
    """Of normal numbers above 0."""
    above = np.asarray(x, F).view(np.int32) - 0x3F3504F3
    n = (above >> 23).astype(F)
    f = ((above & 0x007FFFFF) + 0x3F3504F3).astype(np.int32).view(F) - F(1)
    high = F(0.14201719) + f * (F(-0.13160364) + f * (F(0.12761962) + f * F(-0.076344877)))
    q = F(0.33333331) + f * (F(-0.25000823) + f * (F(0.20001228) + f * (F(-0.16623336) + f * high)))
    return n * F(0.693359375) + ((f - f * f * (F(0.5) - f * q)) + n * F(-2.12194440e-4))


def sine_of_turns(turns):
    """Of less than 2^22 turns."""
    part = turns - ((turns + F(12582912)) - F(12582912))
    r = np.where(part > 0.25, F(0.5) - part, np.where(part < -0.25, F(-0.5) - part, part)).astype(F)
    q = r * r
    return r * (F(6.2831855) + q * (F(-41.34168) + q * (F(81.602234) + q * (F(-76.57507) + q * F(39.711494)))))
