"""Distributions: values by the inverse of the distribution function, and how a configuration writes them."""

from __future__ import annotations

import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError
from hpcsnn.models.parameters import Normal, Uniform, described_distribution, parse_distribution

WORD = st.integers(0, 2**32 - 1)
NUMBER = st.floats(-1e6, 1e6)
NORMALS = st.builds(
    lambda mean, std, ends: Normal(mean, std, *ends),
    NUMBER,
    st.floats(0, 1e3),
    st.tuples(st.none() | NUMBER, st.none() | NUMBER).filter(lambda ends: None in ends or ends[0] <= ends[1]),
)
UNIFORMS = st.tuples(NUMBER, NUMBER).map(lambda ends: Uniform(*sorted(ends)))


def values(distribution, *words):
    return distribution.values(np.array(words, dtype=np.uint32)).tolist()


@settings(max_examples=40)
@given(NORMALS, WORD)
def test_a_word_is_a_place_of_the_normal_distribution(normal, word):
    (value,) = values(normal, word)
    exact = normal.mean
    if normal.std > 0:
        exact = statistics.NormalDist(normal.mean, normal.std).inv_cdf((word + 0.5) / 2**32)
    if normal.low is not None:
        exact = max(exact, normal.low)
    if normal.high is not None:
        exact = min(exact, normal.high)
    assert value == pytest.approx(exact, rel=1e-12, abs=1e-9)


@settings(max_examples=40)
@given(UNIFORMS, WORD)
def test_a_word_is_a_place_of_the_uniform_distribution(uniform, word):
    (value,) = values(uniform, word)
    assert value == pytest.approx(uniform.low + (uniform.high - uniform.low) * word / 2**32, rel=1e-12, abs=1e-9)
    assert uniform.low <= value <= uniform.high


def test_the_ends_of_the_words_are_alike_and_finite():
    low, high = values(Normal(0, 1), 0, 2**32 - 1)
    assert -low == pytest.approx(high)
    assert 6.0 < high < 7.0
    assert values(Uniform(2, 4), 0, 2**31) == [2.0, 3.0]
    assert values(Uniform(2, 4), 2**32 - 1)[0] < 4.0


@settings(max_examples=40)
@given(NORMALS | UNIFORMS)
def test_what_is_written_is_read_as_it_was(distribution):
    described = described_distribution(distribution)
    assert parse_distribution("here", described) == distribution
    ((_, arguments),) = described.items()
    assert all(type(value) is float for value in arguments.values()), "plain YAML"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({}, "here: unknown name ''; allowed: normal, uniform"),
        ({"normal": {}, "uniform": {}}, "here: unknown name 'normal, uniform'"),
        ({"norml": {}}, "here: unknown name 'norml'; allowed: normal, uniform. Did you mean 'normal'?"),
        ({"uniform": {"low": 1}}, "here.uniform: {'low': 1} is not allowed; must have numbers low, high"),
        ({"normal": [1, 2]}, "here.normal: [1, 2] is not allowed; must have numbers mean, std"),
        ({"normal": {"mean": "a", "std": 1}}, "here.normal.mean: 'a' is not allowed; must be a finite number"),
        ({"normal": {"mean": 0, "std": float("nan")}}, "here.normal.std: nan is not allowed; must be a finite number"),
        (
            {"normal": {"mean": 0, "std": 1, "low": 2, "high": 1}},
            "here.normal: low 2.0, high 1.0 is not allowed; high must be >=",
        ),
        (
            {"normal": {"mean": 0, "std": 1, "low": float("-inf")}},
            "here.normal.low: -inf is not allowed; must be a finite number",
        ),
        (
            {"uniform": {"low": 0, "high": float("inf")}},
            "here.uniform.high: inf is not allowed; must be a finite number",
        ),
        ({"uniform": {"low": True, "high": "b"}}, "here.uniform.low: True is not allowed; must be a finite number"),
    ],
)
def test_what_is_no_distribution_is_refused(spec, message):
    with pytest.raises(ConfigurationError) as error:
        parse_distribution("here", spec)
    assert str(error.value).startswith(message)
