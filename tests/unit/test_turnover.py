"""How many synapses go and come by schedule, and which: sorting beside a plain program."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn.engine.rewiring.candidates import highest
from hpcsnn.engine.rewiring.retraction import weakest
from hpcsnn.models.rewiring import DeepRGuided, RigL, RigLSharedBudget, SparseEvolution, Update

RULES = (SparseEvolution, RigL, RigLSharedBudget)


def numbers(rule, number, n_synapses, n_pairs=10_000, **values):
    configured = rule.configure("here", values)
    return rule.turnover.numbers(configured.values, Update(number, n_synapses, n_pairs))


@pytest.mark.parametrize("rule", RULES)
def test_a_fraction_goes_and_comes_every_so_many_batches(rule):
    found = [numbers(rule, batch, 1003, every=7, fraction=0.25) for batch in range(22)]
    assert found == [(251, 251) if batch in (7, 14, 21) else (0, 0) for batch in range(22)]


def test_the_fraction_falls_as_a_cosine_and_then_nothing_is_rewired():
    found = [numbers(RigL, batch, 1000, every=10, fraction=0.4, decay_until=60)[1] for batch in range(10, 91, 10)]
    expected = [round(1000 * 0.2 * (1 + math.cos(math.pi * batch / 60))) for batch in range(10, 61, 10)]
    assert found == [*expected, 0, 0, 0]
    assert expected[2] == 200


@settings(max_examples=60)
@given(
    st.integers(1, 12), st.integers(0, 40), st.integers(1, 200), st.integers(50, 10_000), st.integers(0, 100),
    st.integers(0, 10),
)  # fmt: skip
def test_the_number_follows_a_cubic_to_its_final_one(every, begins, lasts, first, percent, tenth):
    """Whatever it began with: within rounding on the way, to the synapse in the end, and never the other way."""
    values = {
        "every": every, "fraction": tenth / 10, "sparse_from": begins, "sparse_until": begins + lasts,
        "final_probability": percent / 100,
    }  # fmt: skip
    n, final = first, round(percent / 100 * 10_000)
    for batch in range(begins + lasts + 2 * every):
        goes, comes = numbers(SparseEvolution, batch, n, **values)
        before, n = n, n + comes - goes
        assert goes >= 0
        assert comes >= 0
        if batch == 0 or batch % every:
            assert (goes, comes) == (0, 0)
            continue
        assert min(first, final) <= n <= max(first, final)
        assert (n - before) * (final - first) >= 0
        left = (1 - min(max(batch - begins, 0), lasts) / lasts) ** 3
        assert n == pytest.approx(final + left * (first - final), abs=1 + batch // every / 2)
        if n <= before:
            assert comes == round(tenth / 10 * n)
    assert n == final


def test_candidates_are_counted_by_what_comes_or_by_what_there_is():
    update = Update(20, 1000, 10_000)
    rig_l = RigL(every=10, fraction=0.1, candidates=6)
    assert RigL.guide.candidates(rig_l.values, update) == 600
    assert RigL.guide.candidates(rig_l.values, Update(21, 1000, 10_000)) == 0
    guided = DeepRGuided(candidates=0.35)
    assert DeepRGuided.guide.candidates(guided.values, update) == 350


VALUES = st.lists(
    st.tuples(st.integers(-3, 3), st.integers(0, 5), st.integers(0, 5)), max_size=30, unique_by=lambda one: one[1:]
)


@settings(max_examples=100)
@given(VALUES, st.integers(0, 35))
def test_the_weakest_of_all_are_those_of_a_sorted_list(rows, n):
    found = weakest(
        np.array([one[0] for one in rows], np.float32), np.array([one[1:] for one in rows], np.int64).reshape(-1, 2), n
    )
    assert [rows[at] for at in found] == sorted(rows)[:n]


@settings(max_examples=100)
@given(VALUES, st.integers(0, 35))
def test_the_highest_of_all_are_those_of_a_sorted_list(rows, n):
    found = highest(
        np.array([one[0] for one in rows], np.float32), np.array([one[1:] for one in rows], np.int64).reshape(-1, 2), n
    )
    assert [rows[at] for at in found] == sorted(rows, key=lambda one: (-one[0], one[1], one[2]))[:n]


def test_a_weight_of_zero_beside_a_negative_one_is_as_weak():
    found = weakest(np.array([0.0, -0.0, 0.0], np.float32), np.array([[1, 0], [0, 5], [0, 2]]), 2)
    assert found.tolist() == [2, 1]
