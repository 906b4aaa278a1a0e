"""Delays that differ: from a distribution to thresholds, exactly, and the ring that input waits in."""

from __future__ import annotations

import statistics
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError
from hpcsnn.models import Normal, Uniform
from hpcsnn.network.delays import InputRing, drawn_delays, input_ring

DT_MS = 0.1


def chances(delays):
    """Chance of each delay in steps: of a 64-bit random number that reaches so many thresholds."""
    edges = [0, *map(int, delays.thresholds), 2**64]
    assert edges == sorted(edges)
    steps = range(delays.first_steps, delays.last_steps + 1)
    return {step: Fraction(high - low, 2**64) for step, (low, high) in zip(steps, pairwise(edges), strict=True)}


def expected(cumulative, first, last):
    """Of a time in ms, rounded to steps and set to the ends beyond them."""
    at_most = [0.0, *(cumulative((step + 0.5) * DT_MS) for step in range(first, last)), 1.0]
    return {first + k: after - before for k, (before, after) in enumerate(pairwise(at_most))}


@settings(max_examples=40)
@given(st.floats(0.1, 20), st.floats(0.01, 5), st.floats(0, 1), st.floats(0, 1))
def test_a_normal_delay_has_the_normals_chances(mean, std, below, above):
    low, high = max(mean - 4 * std * below, DT_MS), mean + 4 * std * above
    delays = drawn_delays("here", Normal(mean, std, low, high), DT_MS)
    assert (delays.first_steps, delays.last_steps) == (round(low / DT_MS), round(high / DT_MS))
    exact = expected(statistics.NormalDist(mean, std).cdf, delays.first_steps, delays.last_steps)
    assert {step: float(chance) for step, chance in chances(delays).items()} == pytest.approx(exact, abs=1e-14)


@settings(max_examples=40)
@given(st.floats(0.1, 20), st.floats(0.01, 20))
def test_a_uniform_delay_has_equal_chances(low, width):
    delays = drawn_delays("here", Uniform(low, low + width), DT_MS)
    exact = expected(
        lambda at: min(max((at - low) / (low + width - low), 0.0), 1.0), delays.first_steps, delays.last_steps
    )
    assert {step: float(chance) for step, chance in chances(delays).items()} == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize(
    ("given_ms", "first", "last"),
    [
        (Normal(2, 0.25), 10, 30),
        (Normal(2, 5), 1, 220),
        (Normal(2, 0.25, low=1.9), 19, 30),
        (Normal(2, 0.25, high=2.2), 10, 22),
        (Normal(2, 0.25, low=5.0), 50, 50),
        (Normal(5, 0.25, high=0.5), 5, 5),
        (Normal(2, 0), 20, 20),
        (Uniform(0.26, 0.74), 3, 7),
        (Uniform(1, 1), 10, 10),
    ],
)
def test_a_normal_ends_at_four_deviations_unless_it_says_where(given_ms, first, last):
    delays = drawn_delays("here", given_ms, DT_MS)
    assert (delays.first_steps, delays.last_steps) == (first, last)
    assert sum(chances(delays).values()) == 1


@pytest.mark.parametrize(
    ("given_ms", "message"),
    [
        (
            Uniform(0.04, 2),
            r"uniform\.low: 0\.04 is not allowed; must be a number in ms of at least one step",
        ),
        (Normal(-3, 0.1), r"normal: mean -3, std 0\.1, so an end at -2\.6 is not allowed"),
        (Normal(1, 0.1, low=0.0), r"normal\.low: 0 is not allowed"),
        (Uniform(1, 6600), r"uniform: 1 \.\. 6600 ms are 65990 steps; at most 65536"),
        (Uniform(1, 1e12), r"uniform\.high: 1e\+12 is not allowed"),
    ],
)
def test_ends_that_cannot_be_are_named(given_ms, message):
    with pytest.raises(ConfigurationError, match=f"^here.{message}"):
        drawn_delays("here", given_ms, DT_MS)


@settings(max_examples=40)
@given(st.integers(0, 20), st.integers(0, 100), st.integers(1, 4))
def test_input_waits_in_a_ring_that_has_a_place_for_every_step_to_come(n_ahead, step, n_neurons):
    ring = InputRing(n_ahead)
    assert ring.slots & (ring.slots - 1) == 0
    assert n_ahead < ring.slots <= max(1, 2 * n_ahead), "one more is cleared while others wait"
    held = np.arange(ring.slots * n_neurons)
    ahead = ring.ahead(held, step)
    assert len(ahead) == n_ahead
    for k, values in enumerate(ahead):
        slot = (step + k) % ring.slots
        assert values.tolist() == [slot * n_neurons + neuron for neuron in range(n_neurons)]
        assert np.shares_memory(values, held)


@pytest.mark.parametrize(
    ("delay_ms", "dendritic_steps", "n_ahead"),
    [(None, 0, None), (None, 5, 5), (Uniform(1, 1), 0, 0), (Uniform(1, 3), 0, 20), (Uniform(1, 3), 7, 27)],
)
def test_input_is_ahead_by_what_delays_differ_and_the_dendritic_one(delay_ms, dendritic_steps, n_ahead):
    delays = None if delay_ms is None else drawn_delays("here", delay_ms, DT_MS)
    ring = input_ring("here", delays, dendritic_steps)
    assert (None if ring is None else ring.n_ahead) == n_ahead


def test_input_that_would_be_on_its_way_for_too_long_is_refused():
    assert input_ring("here", None, 2**16).slots == 2**17
    delays = drawn_delays("here", Uniform(1, 11), DT_MS)
    assert input_ring("here", delays, 2**16 - 100).n_ahead == 2**16
    with pytest.raises(
        ConfigurationError,
        match=r"^here\.dendritic_delay_ms: 65437 steps are not allowed beside the 100 from the smallest to the "
        r"largest delay_ms; at most 65536 together",
    ):
        input_ring("here", delays, 2**16 - 99)
