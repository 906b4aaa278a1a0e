"""Connectors: their tables on any share of the targets, and what they say of their synapses beforehand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError
from hpcsnn.models.connectors import (
    AllToAll,
    ExplicitList,
    FixedInDegree,
    FixedOutDegree,
    FixedProbability,
    FixedTotal,
    Gaussian,
    OneToOne,
)
from hpcsnn.models.tables import PlacementContext

N = 12
SYNAPSES = st.dictionaries(
    st.tuples(st.integers(0, N - 1), st.integers(0, N - 1)),
    st.floats(-2, 2, width=32, allow_subnormal=False),
    max_size=30,
)


def context(configured, ids, nx=N, ny=1):
    """The tables' surroundings on a rank that owns these targets."""
    ids = np.array(ids, dtype=np.int32)
    return PlacementContext(
        configured.constants(0.1) | dict(configured.values), 0.1, ids, ids % nx, ids // nx, nx, ny, nx, ny
    )


def tables(configured, ids, **grid):
    where = context(configured, ids, **grid)
    return {name: table.make(where) for name, table in configured.model.tables.items()}


def listed(synapses):
    pairs = list(synapses)
    return ExplicitList(
        pre=[pre for pre, _ in pairs], post=[post for _, post in pairs], weight=[synapses[pair] for pair in pairs]
    )


@settings(max_examples=40)
@given(SYNAPSES, st.sets(st.integers(0, N - 1)), st.randoms(use_true_random=False))
def test_a_rank_has_the_listed_synapses_of_its_targets_row_by_row(synapses, targets, random):
    ids = random.sample(sorted(targets), len(targets))  # local order is any order
    made = tables(listed(synapses), ids)
    assert len(made["first"]) == len(ids) + 1
    found = {}
    for row, post in enumerate(ids):
        here = slice(made["first"][row], made["first"][row + 1])
        sources = made["listed_pre"][here].tolist()
        assert sources == sorted(sources)
        found |= {
            (pre, post): weight for pre, weight in zip(sources, made["listed_weight"][here].tolist(), strict=True)
        }
    assert found == {pair: weight for pair, weight in synapses.items() if pair[1] in targets}


@settings(max_examples=40)
@given(SYNAPSES, st.sets(st.integers(0, N - 1)))
def test_a_list_says_which_sources_given_targets_need(synapses, targets):
    configured = listed(synapses)
    sources = ExplicitList.explicit_sources(configured.values, np.array(sorted(targets), dtype=np.int64))
    assert sorted(sources.tolist()) == sorted(pre for pre, post in synapses if post in targets)
    known = ExplicitList.listed(configured.values)
    posts, weights = [post for _, post in synapses], list(synapses.values())
    assert known.in_degrees.tolist() == [posts.count(post) for post in range(max(posts, default=-1) + 1)]
    assert known.n_synapses == len(synapses)
    if synapses:
        assert (known.weights.least, known.weights.most) == (min(weights), max(weights))
        assert known.weights.smallest == min((abs(weight) for weight in weights if weight), default=np.inf)
        for post, total in enumerate(known.weights.sums):
            assert total == pytest.approx(sum(abs(w) for (_, b), w in synapses.items() if b == post))
    assert ExplicitList.expected_in_degree(configured.values, N, N) * N == pytest.approx(len(synapses))


def test_lists_that_cannot_be_are_refused_before_anything_is_made():
    good = {"pre": [0, 1], "post": [1, 1], "weight": [0.5, 0.5]}
    ExplicitList(**good)
    for change, message in (
        ({"pre": [0]}, "pre has 1, post has 2, weight has 2 entries; must be equally many, one per synapse"),
        ({"pre": [0, -1]}, r"pre: -1 of synapse 1 is not allowed; must be a whole number >= 0"),
        ({"weight": [0.5, np.inf]}, "weight: inf of synapse 1 is not allowed; must be a finite number"),
        ({"pre": [0, 0]}, "the synapse from 0 to 1 is listed more than once"),
        (
            {"pre": [[0, 1]], "post": [[1, 1]], "weight": [[1, 1]]},
            r"pre: has shape \(1, 2\); must be a list of whole numbers",
        ),
        ({"post": ["x", 1]}, "post: 'x' of synapse 0 is not allowed; must be a whole number >= 0"),
        ({"pre": [0.9, 1.5]}, "pre: 0.9 of synapse 0 is not allowed; must be a whole number >= 0"),
        ({"pre": [0, True]}, "pre: True of synapse 1 is not allowed; must be a whole number >= 0"),
        ({"weight": [0.5, 1e-46]}, "weight: 1e-46 of synapse 1 is not allowed; kernels hold numbers from"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            ExplicitList(**good | change)


@settings(max_examples=40)
@given(st.integers(1, 9), st.integers(1, 9), st.floats(0.01, 1), st.floats(0.2, 2))
def test_a_gaussian_offers_each_place_on_the_torus_at_most_once_with_its_chance(nx, ny, p_max, sigma):
    made = tables(Gaussian(p_max=p_max, sigma=sigma), [0], nx=nx, ny=ny)
    places = [(int(x) % nx, int(y) % ny) for x, y in zip(made["offset_x"], made["offset_y"], strict=True)]
    assert len(set(places)) == len(places)
    for (x, y), threshold in zip(places, made["p_offset"].tolist(), strict=True):
        squared = min(x, nx - x) ** 2 + min(y, ny - y) ** 2
        assert threshold == pytest.approx(p_max * np.exp(-squared / (2 * sigma**2)) * 2**32, abs=0.51)
    assert (np.abs(made["offset_x"]) < nx).all(), "one turn around the torus brings each inside"
    assert (np.abs(made["offset_y"]) < ny).all()


@given(st.floats(0, 0.99))
@settings(max_examples=30)
def test_gaps_between_sources_have_the_waiting_times_of_independent_pairs(p):
    (gap,) = tables(FixedProbability(p=p), [0])["gap"]
    k = np.arange(1, len(gap) + 1)
    np.testing.assert_allclose((gap.astype(float) + 1) / 2**32, (1 - p) ** k, atol=1.01 / 2**32, rtol=1e-9)
    assert FixedProbability(p=p).constants(0.1)["gap_length"] == len(gap)


def test_degrees_are_bounded_where_the_mean_says_too_little():
    for most in (OneToOne.most_sources, OneToOne.most_targets):
        assert most({}, 7) == 1
        assert most({}, 0) == 0
    assert AllToAll.most_sources is None
    assert AllToAll.expected_in_degree(AllToAll().values, 7, 3) == 7
    assert OneToOne.expected_in_degree({}, 7, 14) == 0.5
    of_each_target, of_each_source = FixedInDegree(in_degree=5), FixedOutDegree(out_degree=5)
    assert FixedInDegree.expected_in_degree(of_each_target.values, 70, 14) == 5
    assert FixedInDegree.most_sources(of_each_target.values, 70) == 5
    assert FixedInDegree.most_targets is FixedOutDegree.most_sources is None
    assert FixedOutDegree.expected_in_degree(of_each_source.values, 70, 14) == 25
    assert FixedOutDegree.most_targets(of_each_source.values, 14) == 5
    assert FixedTotal.expected_in_degree(FixedTotal(n_synapses=35).values, 70, 14) == 2.5


@pytest.mark.parametrize("make", [AllToAll, lambda **of: FixedProbability(p=0.25, **of)])
def test_without_self_connections_a_target_has_one_candidate_less(make):
    by_all, by_others = (make(self_connections=allowed) for allowed in (True, False))
    expected = by_all.model.expected_in_degree
    assert expected(by_others.values, 8, 8) == pytest.approx(expected(by_all.values, 8, 8) * 7 / 8)
    profiles = [
        Gaussian.profile(Gaussian(p_max=0.5, sigma=1.0, self_connections=allowed).values) for allowed in (True, False)
    ]
    assert (profiles[0][0], profiles[1][0]) == (0.5, 0.0)
    np.testing.assert_array_equal(profiles[0][1:], profiles[1][1:])


@pytest.mark.parametrize(
    ("make", "sizes", "message"),
    [
        (lambda: FixedInDegree(in_degree=8), (7, 9), "in_degree: 8 is not allowed; must be <= 7, the sources "),
        (
            lambda: FixedInDegree(in_degree=7, self_connections=False),
            (7, 7),
            "in_degree: 7 is not allowed; must be <= 6",
        ),
        (
            lambda: FixedOutDegree(out_degree=8),
            (9, 7),
            "out_degree: 8 is not allowed; must be <= 7, the targets ",
        ),
        (
            lambda: FixedTotal(n_synapses=64),
            (9, 7),
            "n_synapses: 64 is not allowed; must be <= 63, the pairs ",
        ),
        (lambda: FixedTotal(n_synapses=43, self_connections=False), (7, 7), "43 is not allowed; must be <= 42, the "),
    ],
)
def test_more_synapses_than_there_are_places_for_are_refused(make, sizes, message):
    configured = make()
    with pytest.raises(ConfigurationError, match=f"^here.*{message}"):
        configured.model.check_sizes("here", configured.values, *sizes)
    fewer = {name: value - 1 if type(value) is int else value for name, value in configured.values.items()}
    configured.model.check_sizes("here", fewer, *sizes)


@pytest.mark.parametrize("value", [1, "false", [True], {"normal": {"mean": 1, "std": 0}}])
def test_self_connections_are_true_or_false(value):
    with pytest.raises(ConfigurationError, match=r"^all_to_all\.self_connections: .* is not allowed; must be true"):
        AllToAll(self_connections=value)
