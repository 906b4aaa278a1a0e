"""Synapses shared out over targets: exact numbers, one answer for any share of the targets, hypergeometric chances."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hpcsnn.codegen.random_streams import words
from hpcsnn.models.connectors.shares import hypergeometric, shares
from support.draws import philox


def drawn(targets, n_targets, owners, n_synapses, of_each=1, seed=1):
    """Array [owner, target] of numbers."""
    owners = np.asarray(owners, dtype=np.int64)
    found = np.zeros((owners.max(initial=0) + 1, n_targets), dtype=np.int64)
    owner, target, number = shares(
        np.asarray(sorted(targets), dtype=np.int64), n_targets, owners, np.asarray(n_synapses, dtype=np.int64),
        lambda first, behind, _: of_each * (behind - first), partial(words, seed, 5),
    )  # fmt: skip
    assert (number > 0).all()
    np.add.at(found, (owner, target), number)
    assert len(owner) == np.count_nonzero(found), "each pair once"
    return found


@settings(max_examples=60)
@given(st.data())
def test_a_rank_draws_what_is_its_own_of_one_answer(data):
    n_targets, of_each = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 5))
    degrees = data.draw(st.lists(st.integers(0, n_targets * of_each), min_size=1, max_size=6))
    seed = data.draw(st.integers(0, 2**64 - 1))
    whole = drawn(range(n_targets), n_targets, range(len(degrees)), degrees, of_each, seed)
    assert whole.sum(axis=1).tolist() == degrees
    assert whole.min() >= 0
    assert whole.max() <= of_each
    mine = data.draw(st.sets(st.integers(0, n_targets - 1)))
    part = drawn(mine, n_targets, range(len(degrees)), degrees, of_each, seed)
    others = [target for target in range(n_targets) if target not in mine]
    np.testing.assert_array_equal(part[:, sorted(mine)], whole[:, sorted(mine)])
    assert not part[:, others].any()


@settings(max_examples=80)
@given(st.integers(0, 300), st.integers(0, 300), st.data())
def test_halves_have_hypergeometric_numbers(n_first, n_second, data):
    if n_first + n_second == 0:
        return
    n_drawn = data.draw(st.integers(0, n_first + n_second))
    least, at_most = hypergeometric(n_drawn, n_first, n_second)
    exact = stats.hypergeom(n_first + n_second, n_first, n_drawn)
    np.testing.assert_allclose(at_most, exact.cdf(least + np.arange(len(at_most))), atol=1e-12)
    assert at_most[-1] == 1.0
    assert exact.sf(least + len(at_most) - 1) + exact.cdf(least - 1) < 1e-14


def test_large_numbers_are_drawn_like_small_ones():
    """3 10^9 synapses onto 10^6 targets of 10^6 places each: the first half is normal around its mean."""
    least, at_most = hypergeometric(3 * 10**9, 5 * 10**11, 5 * 10**11)
    chances = np.diff(at_most)
    values = least + 1 + np.arange(len(chances))
    mean = (values * chances).sum() / chances.sum()
    assert mean == pytest.approx(1.5e9, rel=1e-9)
    variance = ((values - mean) ** 2 * chances).sum() / chances.sum()
    assert variance == pytest.approx(3e9 / 4 * (1 - 3e-3), rel=1e-4)


def test_all_sets_of_targets_are_alike():
    """Of 5 targets 2, 20,000 times: each of the 10 pairs a tenth."""
    n = 20_000
    found = drawn(range(5), 5, range(n), [2] * n, seed=3)
    pairs = found @ (2 ** np.arange(5))
    kinds, counts = np.unique(pairs, return_counts=True)
    assert len(kinds) == 10
    assert 1e-4 < stats.chisquare(counts).pvalue < 1 - 1e-4


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1))
def test_words_are_those_that_kernels_draw(entity, step, number, seed):
    x, y, *_ = philox(entity, step, number, 7, seed)
    (word,) = words(seed, number, np.array([entity]), np.array([step]), 7)
    assert int(word) == x << 32 | y
