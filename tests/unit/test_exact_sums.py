"""Means of exact sums are the nearest numbers to the true ones, whatever is added up; and orders are turned back."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn.network.recording.exact_sums import WINDOWS, means_of, values_of

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


def windows_of(values):
    """The sum of numbers as kernels have it: a whole number of 2^-149, cut into windows of 32 bits."""
    total = sum(map(Fraction, values), Fraction(0)) * 2**149
    assert total.denominator == 1
    lower, whole = [], int(total)
    for _ in range(WINDOWS - 1):
        lower.append(whole & 0xFFFFFFFF)
        whole >>= 32
    return [*lower, whole]


@settings(max_examples=100)
@given(st.lists(FLOATS, min_size=1, max_size=20), st.integers(0, 20))
def test_a_mean_is_the_nearest_number_to_the_true_one(values, cut):
    expected = float(sum(map(Fraction, values)) / len(values))
    parts = np.array([[windows_of(values[:cut])], [windows_of(values[cut:])]], np.int64)
    assert means_of(parts.sum(axis=0), len(values)).tolist() == [expected]


def test_no_times_have_no_means():
    assert means_of(np.empty((0, WINDOWS), np.int64), 3).shape == (0,)


@settings(max_examples=50)
@given(st.lists(FLOATS, min_size=2, max_size=9))
def test_the_order_of_floats_is_turned_back_into_them(values):
    floats = np.array([*values, -0.0, 0.0], np.float32)
    bits = floats.view(np.int32)
    order = np.where(bits < 0, bits ^ np.int32(0x7FFFFFFF), bits).astype(np.int32)
    np.testing.assert_array_equal(values_of(order, np.dtype(np.float32)).view(np.int32), bits)
    ranked = values_of(np.sort(order), np.dtype(np.float32))
    np.testing.assert_array_equal(ranked, np.sort(floats))
    np.testing.assert_array_equal(values_of(order, np.dtype(np.int32)), order)
