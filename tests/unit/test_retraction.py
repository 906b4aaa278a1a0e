"""Which synapses go where a source has too many: against a search source by source."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn.engine.rewiring.retraction import of_least_key

SURPLUS = st.dictionaries(st.integers(0, 12), st.integers(0, 4), min_size=1, max_size=6)


@st.composite
def surplus_and_found(draw):
    """Keys are few, so that ties occur; a pair of source and target is there once."""
    surplus = draw(SURPLUS)
    pairs = draw(st.sets(st.tuples(st.sampled_from(sorted(surplus)), st.integers(0, 9)), max_size=25))
    found = [(source, draw(st.integers(0, 3)), target, number) for number, (source, target) in enumerate(pairs)]
    return draw(st.permutations(sorted(surplus.items()))), draw(st.permutations(found))


def slowly(found, surplus):
    return [row for source, n in sorted(surplus) for row in sorted(one for one in found if one[0] == source)[:n]]


def table(rows, width):
    return np.array(rows, dtype=np.int64).reshape(-1, width)


@settings(max_examples=30)
@given(surplus_and_found())
def test_of_each_source_the_least_keys_go_and_no_more_than_are_too_many(case):
    surplus, found = case
    going = of_least_key(table(found, 4), table(surplus, 2))
    assert [tuple(row) for row in going.tolist()] == slowly(found, surplus)


@settings(max_examples=30)
@given(surplus_and_found(), st.integers(1, 4), st.randoms(use_true_random=False))
def test_shares_may_choose_of_their_own_first(case, n_ranks, random):
    surplus, found = case
    shares = [[] for _ in range(n_ranks)]
    for row in found:
        random.choice(shares).append(row)
    of_shares = [of_least_key(table(share, 4), table(surplus, 2)) for share in shares]
    going = of_least_key(np.concatenate(of_shares), table(surplus, 2))
    assert [tuple(row) for row in going.tolist()] == slowly(found, surplus)
