"""Rows of synapses without gaps, against lists of lists."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn.engine.synapse_rows import SynapseRows

# Rows of (source, weight): sources of a row differ.
ROWS = st.lists(
    st.dictionaries(st.integers(0, 40), st.floats(-1, 1, width=32), max_size=5).map(lambda row: sorted(row.items())),
    max_size=8,
)


def packed(rows):
    flat = [pair for row in rows for pair in row]
    columns = {
        "source": np.array([source for source, _ in flat], dtype=np.int32),
        "weight": np.array([weight for _, weight in flat], dtype=np.float32),
    }
    return SynapseRows(np.array([len(row) for row in rows], dtype=np.int32), columns)


def lists(rows):
    """The rows again, by their in-degrees alone."""
    pairs = list(zip(rows.columns["source"].tolist(), rows.columns["weight"].tolist(), strict=True))
    result, first = [], 0
    for n in rows.in_degree.tolist():
        result.append(pairs[first : first + n])
        first += n
    assert first == len(pairs), "every synapse is in a row"
    return result


@settings(max_examples=30)
@given(ROWS)
def test_row_and_place_say_where_each_synapse_is(rows):
    there = packed(rows)
    assert list(zip(there.row.tolist(), there.place.tolist(), strict=True)) == [
        (number, place) for number, row in enumerate(rows) for place in range(len(row))
    ]


@settings(max_examples=30)
@given(ROWS.filter(len), st.data())
def test_take_gives_the_rows_asked_for_in_that_order_and_again(rows, data):
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=10))
    taken = packed(rows).take(np.array(chosen, dtype=np.intp))
    assert lists(taken) == [rows[row] for row in chosen]


@settings(max_examples=30)
@given(ROWS, st.data())
def test_between_gives_a_run_of_rows_without_a_copy(rows, data):
    first = data.draw(st.integers(0, len(rows)))
    last = data.draw(st.integers(first, len(rows)))
    there = packed(rows)
    part = there.between(first, last)
    assert lists(part) == rows[first:last]
    for name, column in part.columns.items():
        assert column.size == 0 or np.shares_memory(column, there.columns[name])


@settings(max_examples=30)
@given(st.lists(ROWS, min_size=1, max_size=4))
def test_joined_gives_the_rows_of_all_parts_one_after_the_other(parts):
    joined = SynapseRows.joined([packed(rows) for rows in parts])
    assert lists(joined) == [row for rows in parts for row in rows]
    assert (joined.in_degree.dtype, joined.columns["source"].dtype) == (np.int32, np.int32)
    assert joined.columns["weight"].dtype == np.float32


@settings(max_examples=30)
@given(ROWS, st.randoms(use_true_random=False))
def test_ordered_translates_local_indices_and_sorts_each_row_by_source(rows, random):
    """Rows as a device copies them: sources by their places among those known, in any order within a row."""
    known_id = list(range(41))
    random.shuffle(known_id)
    local_of = {identity: local for local, identity in enumerate(known_id)}
    copied = [[(local_of[source], weight) for source, weight in random.sample(row, len(row))] for row in rows]
    assert lists(packed(copied).ordered(np.array(known_id, dtype=np.int32))) == rows


def test_bytes_are_those_of_all_arrays():
    assert packed([[(1, 0.5), (4, 0.25)], [], [(2, 1.0)]]).n_bytes == 3 * 4 + 3 * (4 + 4)


def test_rows_that_are_not_there_are_not_taken():
    with pytest.raises(IndexError):
        packed([[(1, 0.5)]]).take(np.array([1]))
