"""Parts of a population on their way to disk: neurons taken, cut and joined, each with its values and its synapses."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn.engine.synapse_rows import SynapseRows
from hpcsnn.storage.snapshot import Part

# By id: a value, and the sources of its synapses.
NEURONS = st.dictionaries(
    st.integers(0, 30),
    st.tuples(st.integers(-9, 9), st.lists(st.integers(0, 9), unique=True, max_size=3).map(sorted)),
    min_size=1,
    max_size=8,
)


def part_of(neurons, ids, random):
    """A part with neurons in the order of `ids`, whose values lie in another order, as on a device."""
    lying = random.sample(ids, len(ids))
    places = np.array([lying.index(one) for one in ids], dtype=np.intp)
    values = np.array([neurons[one][0] for one in lying], dtype=np.int32)
    in_degree = np.array([len(neurons[one][1]) for one in ids], dtype=np.int32)
    sources = np.array([source for one in ids for source in neurons[one][1]], dtype=np.int32)
    rows = SynapseRows(in_degree, {"source": sources, "weight": sources.astype(np.float32) / 8})
    return Part(np.array(ids, dtype=np.int32), {"ab": rows}, {"state/V": values}, places)


def neurons_of(part):
    """By id what a part holds, in its order."""
    rows = part.rows["ab"]
    assert rows.columns["weight"].tolist() == (rows.columns["source"] / 8).tolist()
    cuts = np.cumsum(rows.in_degree)[:-1]
    sources = [row.tolist() for row in np.split(rows.columns["source"], cuts)]
    values = part.columns["state/V"][part.places].tolist()
    return dict(zip(part.ids.tolist(), zip(values, sources, strict=True), strict=True))


@settings(max_examples=25)
@given(NEURONS, st.randoms(use_true_random=False))
def test_taken_neurons_keep_their_values_and_synapses(neurons, random):
    ids = random.sample(sorted(neurons), len(neurons))
    part = part_of(neurons, ids, random)
    chosen = random.sample(range(len(ids)), random.randint(1, len(ids)))
    taken = part.take(np.array(chosen, dtype=np.intp))
    assert list(neurons_of(taken).items()) == [(ids[place], neurons[ids[place]]) for place in chosen]
    first = random.randint(0, len(ids) - 1)
    last = random.randint(first + 1, len(ids))
    assert list(neurons_of(part.between(first, last)).items()) == [(one, neurons[one]) for one in ids[first:last]]
    again = taken.take(np.arange(len(chosen))[::-1])
    assert list(neurons_of(again)) == [ids[place] for place in reversed(chosen)]


@settings(max_examples=25)
@given(NEURONS, st.integers(1, 4), st.randoms(use_true_random=False))
def test_joined_parts_have_all_neurons_ids_ascending(neurons, n_parts, random):
    shares = {}
    for one in random.sample(sorted(neurons), len(neurons)):
        shares.setdefault(random.randrange(n_parts), []).append(one)
    joined = Part.joined([part_of(neurons, share, random) for share in shares.values()])
    assert list(neurons_of(joined).items()) == sorted(neurons.items())


def test_bytes_are_those_of_values_and_synapses():
    rows = SynapseRows(np.int32([2, 1]), {"source": np.int32([0, 1, 4]), "weight": np.float32([0, 0, 0])})
    part = Part(
        np.int32([3, 5]), {"ab": rows, "cb": rows}, {"x": np.float32([1, 2]), "y": np.int64([1, 2])}, np.arange(2)
    )
    assert part.n_bytes == 2 * (2 * 4 + 3 * 8) + 2 * 4 + 2 * 8
