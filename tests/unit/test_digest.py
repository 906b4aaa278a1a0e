"""The digest: what it must not feel (order, and who holds what) and what it must (every bit)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn.engine.digest import digest_of, fingerprint, input_fingerprint, neuron_fingerprint, synapse_fingerprint

MASK = 2**64 - 1
WORDS = st.integers(0, 2**32 - 1)


def splitmix64(word):
    """The finaliser of Steele, Lea & Flood's generator, on Python's own numbers."""
    word = (word + 0x9E3779B97F4A7C15) & MASK
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & MASK
    return word ^ (word >> 31)


def slowly(rows):
    total = 0
    for row in rows:
        hashed = 0
        for word in row:
            hashed = splitmix64(hashed ^ word)
        total += hashed
    return total & MASK


def columns_of(rows, width, kinds=(np.int32, np.float32)):
    words = np.array(rows, dtype=np.uint32).reshape(-1, width)
    return [words[:, place].copy().view(kinds[place % 2]) for place in range(width)]


ROWS = st.integers(1, 4).flatmap(
    lambda width: st.tuples(st.lists(st.tuples(*[WORDS] * width), max_size=12), st.just(width))
)


@settings(max_examples=30)
@given(ROWS, st.randoms(use_true_random=False))
def test_it_is_a_sum_over_rows_in_any_order_and_any_shares(case, random):
    rows, width = case
    whole = fingerprint(columns_of(rows, width))
    assert whole == slowly(rows)
    mixed = random.sample(rows, len(rows))
    cut = random.randint(0, len(rows))
    parts = [fingerprint(columns_of(share, width)) for share in (mixed[:cut], mixed[cut:])]
    assert sum(parts) & MASK == whole


@settings(max_examples=30)
@given(ROWS.filter(lambda case: case[0]), st.data())
def test_it_feels_every_bit_and_every_place(case, data):
    rows, width = case
    columns = columns_of(rows, width)
    whole = fingerprint(columns)
    changed = [column.copy() for column in columns]
    column, row = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, len(rows) - 1))
    changed[column].view(np.uint32)[row] ^= np.uint32(1 << data.draw(st.integers(0, 31)))
    assert fingerprint(changed) != whole
    assert fingerprint([*columns, np.zeros(len(rows), np.int32)]) != whole
    assert fingerprint([column[:-1] for column in columns]) != whole


def test_the_sign_of_zero_and_a_payload_of_nan_count():
    ids = np.zeros(1, np.int32)
    values = [np.array([word], np.uint32).view(np.float32) for word in (0, 0x80000000, 0x7FC00000, 0x7FC00001)]
    assert len({fingerprint([ids, value]) for value in values}) == 4


def test_neurons_and_synapses_are_told_apart_by_name_and_not_by_place_in_the_table():
    ids, V, u = np.arange(4), np.float32([1, 2, 3, 4]), np.float32([5, 6, 7, 8])
    one = neuron_fingerprint({"id": ids, "V": V, "u": u})
    assert neuron_fingerprint({"u": u, "V": V, "id": ids.astype(np.int32)}) == one
    assert neuron_fingerprint({"id": ids, "V": u, "u": V}) != one
    pre, post, weight = np.int32([0, 1]), np.int32([2, 2]), np.float32([0.5, 0.25])
    one = synapse_fingerprint({"pre": pre, "post": post, "weight": weight})
    assert synapse_fingerprint({"weight": weight, "post": post, "pre": pre}) == one
    assert synapse_fingerprint({"pre": post, "post": pre, "weight": weight}) != one
    assert synapse_fingerprint({"pre": pre, "post": post, "weight": weight[::-1]}) != one


@pytest.mark.parametrize("kind", [np.int32, np.int64])
@given(data=st.data())
def test_input_in_flight_counts_by_neuron_and_step_of_arrival(kind, data):
    bound = np.iinfo(kind)
    n, ahead = data.draw(st.integers(0, 5)), data.draw(st.integers(1, 3))
    table = [[data.draw(st.integers(bound.min, bound.max)) for _ in range(n)] for _ in range(ahead)]
    ids = np.array(data.draw(st.permutations(range(20)))[:n])
    values = [np.array(row, dtype=kind) for row in table]
    whole = input_fingerprint(ids, values)
    size = bound.bits // 8

    def words(value):
        return [int.from_bytes(value.to_bytes(size, "little", signed=True)[at : at + 4], "little") for at in
                range(0, size, 4)]  # fmt: skip

    rows = [[int(identity), *(word for row in table for word in words(row[place]))] for place, identity in
            enumerate(ids)]  # fmt: skip
    assert whole == slowly(rows)
    order = np.array(data.draw(st.permutations(range(n))), dtype=np.intp)
    assert input_fingerprint(ids[order], [row[order] for row in values]) == whole


RECORD = {"a": {"spikes": 3, "fingerprint": 5}, "b": {"spikes": 0, "fingerprint": 0}}


def test_the_record_is_one_whatever_the_order_of_names():
    turned = {name: dict(reversed(RECORD[name].items())) for name in ("b", "a")}
    one = digest_of(7, RECORD, {"a": 1, "b": 2}, {"ab": 3})
    assert digest_of(7, turned, {"b": 2, "a": 1}, {"ab": 3}, {}) == one
    assert len(one) == 64
    others = [
        digest_of(8, RECORD, {"a": 1, "b": 2}, {"ab": 3}),
        digest_of(7, {**RECORD, "a": {"spikes": 3, "fingerprint": 6}}, {"a": 1, "b": 2}, {"ab": 3}),
        digest_of(7, RECORD, {"a": 2, "b": 1}, {"ab": 3}),
        digest_of(7, RECORD, {"a": 1, "b": 2}, {"ab": 4}),
        digest_of(7, RECORD, {"a": 1, "b": 2}, {"ab": 3}, {"ab": 0}),
    ]
    assert len({one, *others}) == 6
