"""Chances as whole numbers: what kernels draw by these tables has the distribution meant, to 2^-32."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn.models.chance_tables import MOST_POISSON_EVENTS, poisson_table, survival_table, threshold64, thresholds

WORDS = 2**32


@settings(max_examples=30)
@given(st.floats(0, 1))
def test_a_threshold_is_a_chance_of_so_many_random_numbers(p):
    threshold = threshold64(p)
    assert abs(Fraction(threshold, WORDS) - Fraction(p)) <= Fraction(1, 2 * WORDS)
    assert thresholds(np.array([p, 0.0, 1.0])).tolist() == [threshold, 0, WORDS], "0 and 1 are exact"


def waiting_steps(survival, word):
    """As kernels/base/random.cuh says it, without its bisection."""
    return 1 + int((word <= survival.astype(np.int64)).sum())


@settings(max_examples=30)
@given(st.floats(0, 0.999), st.integers(1, 40))
def test_waiting_times_are_geometric(success, length):
    (survival,) = survival_table(np.array([success]), length)
    assert survival.shape == (length,)
    assert survival.dtype == np.uint32
    assert (np.diff(survival.astype(np.int64)) <= 0).all(), "or bisection would not find its place"
    for k in range(1, length + 1):
        # More than k trials are waited for where the word is not beyond the k-th entry.
        chance = (int(survival[k - 1]) + 1) / WORDS
        assert chance == pytest.approx((1 - success) ** k, abs=1.01 / WORDS, rel=1e-9)
        assert waiting_steps(survival, int(survival[k - 1])) > k
        assert survival[k - 1] == WORDS - 1 or waiting_steps(survival, int(survival[k - 1]) + 1) <= k


def test_each_row_of_waiting_times_is_of_its_own_chance():
    chances = np.array([0.0, 0.001, 0.5])
    table = survival_table(chances, 3)
    for row, chance in zip(table, chances, strict=True):
        np.testing.assert_array_equal(row, survival_table(np.array([chance]), 3)[0])
    assert (table[0] == WORDS - 1).all(), "what has no chance is waited for in vain, whatever is drawn"


def poisson_events(cumulative, word):
    return int((word > cumulative.astype(np.int64)).sum())


@settings(max_examples=30)
@given(st.floats(0, MOST_POISSON_EVENTS))
def test_counts_are_poisson(mean):
    cumulative = poisson_table(mean)
    assert (cumulative.shape, cumulative.dtype) == ((255,), np.uint32)
    assert (np.diff(cumulative.astype(np.int64)) >= 0).all()
    at_most, term = 0.0, math.exp(-mean)
    for k in range(255):
        at_most += term
        term *= mean / (k + 1)
        assert (int(cumulative[k]) + 1) / WORDS == pytest.approx(at_most, abs=1.01 / WORDS)
    assert 1 - at_most < 1 / WORDS, "more events than the table has are rarer than any random number"
    assert poisson_events(cumulative, 0) <= mean <= poisson_events(cumulative, WORDS - 1) or mean < 1e-9


def test_no_events_are_expected_where_there_is_no_mean():
    assert (poisson_table(0.0) == WORDS - 1).all()


def test_a_table_of_waiting_times_is_the_same_however_much_of_it_is_worked_out_at_once():
    success, length = np.linspace(0.0, 0.9, 2**13), 600  # more than goes at once
    table = survival_table(success, length)
    for row in (0, 1, 4000, len(success) - 1):
        np.testing.assert_array_equal(table[row], survival_table(success[row : row + 1], length)[0])
