"""Spikes and events on disk: the segments that count, of all ranks, in order; nothing of others."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn.engine.recording.recorded import Taken
from hpcsnn.engine.recording.rows import Average, Rows, SynapseValues
from hpcsnn.errors import StorageError
from hpcsnn.storage.checkpoints import checksums, files_below
from hpcsnn.storage.records import SEGMENT, Records, make_segment, segment_name, write_segment
from support.unpacked import place


def table(rows, width):
    return np.array(rows, dtype=np.int32).reshape(-1, width)


def write(folder, first, last, rank, spikes, events=()):
    segment = folder / segment_name(first, last)
    segment.mkdir(parents=True, exist_ok=True)
    taken = Taken({"a": table(spikes, 2)}, {"ab": table(events, 4)})
    return write_segment(segment, rank, taken, 0.1, {"ab": ("lost", "worn")})


SPIKES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5)), max_size=12)


@settings(max_examples=5)
@given(st.lists(SPIKES, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_spikes_of_all_ranks_come_by_step_and_id(tmp_path_factory, of_ranks, random):
    folder = tmp_path_factory.mktemp("records")
    cut = random.randint(0, 9)
    for rank, spikes in enumerate(of_ranks):
        write(folder, 0, cut, rank, [one for one in spikes if one[0] < cut])
        write(folder, cut, 10, rank, [one for one in spikes if one[0] >= cut])
    records = Records(folder, [segment_name(0, cut), segment_name(cut, 10)])
    everything = sorted(one for spikes in of_ranks for one in spikes)
    assert [tuple(row) for row in records.spikes("a").tolist()] == everything
    assert records.spikes("a").dtype == np.int32


def test_events_come_by_step_then_target_then_source(tmp_path):
    write(tmp_path, 0, 10, 0, [], [(7, 1, 4, 0), (2, 5, 3, 1)])
    write(tmp_path, 0, 10, 1, [], [(7, 0, 5, 0), (7, 9, 3, 2), (7, 0, 4, 1)])
    records = Records(tmp_path, [segment_name(0, 10)])
    expected = [[2, 5, 3, 1], [7, 9, 3, 2], [7, 0, 4, 1], [7, 1, 4, 0], [7, 0, 5, 0]]
    assert records.events("ab").tolist() == expected


def test_only_the_segments_that_count_are_read(tmp_path):
    write(tmp_path, 0, 10, 0, [(1, 1)])
    write(tmp_path, 10, 20, 0, [(11, 1)])
    write(tmp_path, 10, 15, 0, [(11, 2)])  # of a run that was cut off later and resumed earlier
    records = Records(tmp_path, [segment_name(0, 10), segment_name(10, 20)])
    assert records.spikes("a").tolist() == [[1, 1], [11, 1]]
    assert [path.parent.name for path in records.parts()] == records.segments
    assert Records(tmp_path, []).spikes("a").shape == (0, 2)


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """A segment of several chunks, by step, and its rows."""
    folder = tmp_path_factory.mktemp("long")
    chance = np.random.default_rng(2)
    steps = np.sort(chance.integers(0, 1000, 700_000, dtype=np.int32))
    rows = np.stack([steps, chance.integers(0, 50, len(steps), dtype=np.int32)], axis=1)
    write(folder, 0, 1000, 0, rows)
    return folder, rows[np.lexsort((rows[:, 1], rows[:, 0]))]


@settings(max_examples=20)
@given(st.integers(0, 1001), st.integers(0, 1001))
def test_steps_are_found_among_many_chunks(long, first, last):
    folder, rows = long
    found = Records(folder, [segment_name(0, 1000)]).spikes("a", first, last)
    np.testing.assert_array_equal(found, rows[(rows[:, 0] >= first) & (rows[:, 0] <= last)])


def test_chunks_of_other_steps_are_not_read(long, tmp_path):
    folder, rows = long
    part = tmp_path / segment_name(0, 1000) / "rank_0.zarr"
    part.parent.mkdir()
    data = bytearray((folder / part.parent.name / part.name).read_bytes())
    data[place(folder / part.parent.name / part.name, "spikes/a/c/2/0") + 100] ^= 1
    part.write_bytes(data)
    records = Records(tmp_path, [part.parent.name])
    last_of_first = int(rows[200_000, 0])
    assert len(records.spikes("a", 0, last_of_first)) == (rows[:, 0] <= last_of_first).sum()
    with pytest.raises(StorageError, match=f"^{part}: spikes of a cannot be read: "):
        records.spikes("a", 999, 999)


def test_some_neurons_alone(long):
    folder, rows = long
    found = Records(folder, [segment_name(0, 1000)]).spikes("a", neurons=np.array([7, 49]))
    np.testing.assert_array_equal(found, rows[np.isin(rows[:, 1], [7, 49])])


def test_reasons_are_those_that_were_written(tmp_path):
    write(tmp_path, 0, 10, 0, [(1, 1)])
    records = Records(tmp_path, [segment_name(0, 10)])
    assert (records.reasons("ab"), records.reasons("cd")) == (["lost", "worn"], None)


def test_a_name_that_leads_elsewhere_is_none_of_a_segment(tmp_path):
    with pytest.raises(StorageError, match=r"elsewhere: is no name of a segment$"):
        Records(tmp_path, ["../elsewhere"]).spikes("a")


def test_a_segment_written_again_forgets_what_was_there(tmp_path):
    write(tmp_path, 0, 10, 0, [(1, 1), (2, 2)])
    files = write(tmp_path, 0, 10, 0, [(3, 3)])
    segment = tmp_path / segment_name(0, 10)
    assert Records(tmp_path, [segment.name]).spikes("a").tolist() == [[3, 3]]
    assert files == checksums(segment, files_below(segment))


def test_names_are_those_of_any_rank_and_what_is_not_there_is_empty(tmp_path):
    write(tmp_path, 0, 10, 0, [(1, 1)])
    records = Records(tmp_path, [segment_name(0, 10)])
    assert (records.names("spikes"), records.names("events"), records.names("fields")) == (["a"], ["ab"], [])
    assert records.events("cd").shape == (0, 4)


def test_a_segment_never_takes_the_place_of_another(tmp_path):
    made = [make_segment(tmp_path / "records", 0, 10) for _ in range(3)]
    name = segment_name(0, 10)
    assert [folder.name for folder in made] == [name, f"{name}.2", f"{name}.3"]
    assert all(folder.is_dir() and SEGMENT.fullmatch(folder.name) for folder in made)
    for other in ("notes", ".DS_Store", f"{name}.zarr", "10-20"):
        assert not SEGMENT.fullmatch(other)


def test_a_free_name_is_looked_for_one_at_a_time(tmp_path):
    """A run may make a segment every few milliseconds."""
    make_segment(tmp_path / "records", 0, 10)
    tracemalloc.start()
    try:
        make_segment(tmp_path / "records", 0, 10)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 100_000


@pytest.mark.parametrize("steps", [(0, 10), (99, 1000), (2**31 - 2, 2**31 - 1)])
def test_names_of_segments_sort_as_their_steps_do(steps):
    assert segment_name(*steps).split("-") == [f"{step:010d}" for step in steps]
    assert segment_name(5, 10) < segment_name(10, 20) < segment_name(2**31 - 2, 2**31 - 1)


def test_variables_of_all_ranks_come_by_time_and_id(tmp_path):
    """Neurons are on other ranks in the second segment; one rank has none of them."""

    def rows(steps, ids):
        values = np.array([[100.0 * step + id_ for id_ in ids] for step in steps], np.float32)
        return Rows(np.array(steps, np.int32), np.array(ids, np.int32), values.reshape(len(steps), len(ids)), "mV")

    for first, last, ranks in ((0, 10, [[4, 9], [], [2, 7]]), (10, 20, [[9, 7, 4, 2]])):
        segment = make_segment(tmp_path, first, last)
        for rank, ids in enumerate(ranks):
            taken = rows(range(first + 5, last + 1, 5), ids)
            write_segment(segment, rank, Taken({}, {}, {"target/V_mV": taken}), 0.1, {})
    records = Records(tmp_path, [segment_name(0, 10), segment_name(10, 20)])
    assert records.variables() == [("target", "V_mV")]
    found = records.rows("target", "V_mV")
    assert found.steps.tolist() == [5, 10, 15, 20]
    assert (found.ids.tolist(), found.unit) == ([2, 4, 7, 9], "mV")
    np.testing.assert_array_equal(found.values, 100.0 * found.steps[:, None] + found.ids)
    with pytest.raises(StorageError, match="g of target was not recorded"):
        records.rows("target", "g")


def test_averages_are_in_the_first_ranks_part_and_follow_each_other(tmp_path):
    for first, last in ((0, 10), (10, 20)):
        segment, steps = make_segment(tmp_path, first, last), np.array([first + 5, last], np.int32)
        low, high = (np.float32(sign) * steps.astype(np.float32) for sign in (-1, 1))
        of_first = {"target/V_mV": Average(steps, steps / 3, low, high, "mV")}
        for rank, averages in enumerate((of_first, {})):
            write_segment(segment, rank, Taken({}, {}, averages=averages), 0.1, {})
    records = Records(tmp_path, [segment_name(0, 10), segment_name(10, 20)])
    assert (records.variables("averages"), records.variables()) == ([("target", "V_mV")], [])
    found = records.average("target", "V_mV")
    assert (found.steps.tolist(), found.unit) == ([5, 10, 15, 20], "mV")
    np.testing.assert_array_equal([found.mean, found.min, found.max], [found.steps / 3, -found.steps, found.steps])
    array = found.as_xarray("V_mV", 0.1)
    assert array.sel(statistic="max", time=1.5) == 15
    assert array.attrs == {"long_name": "V_mV", "units": "mV"}
    with pytest.raises(StorageError, match="g of target was not recorded"):
        records.average("target", "g")


def test_variables_of_synapses_of_all_ranks_come_by_time_post_and_pre(tmp_path):
    def values(rows):
        steps, pre, post = table(rows, 3).T
        return SynapseValues(steps, pre, post, (1000 * steps + 10 * pre + post).astype(np.float32), "nS")

    parts = {(0, 10): ([(5, 7, 1), (5, 2, 1), (10, 2, 1)], [(5, 0, 0)], []), (10, 20): ([(15, 4, 3), (15, 9, 2)],)}
    for bounds, of_ranks in parts.items():
        segment = make_segment(tmp_path, *bounds)
        for rank, rows in enumerate(of_ranks):
            write_segment(segment, rank, Taken({}, {}, {}, {"ff/weight": values(rows)}), 0.1, {})
    records = Records(tmp_path, [segment_name(*bounds) for bounds in parts])
    assert records.variables("synapses") == [("ff", "weight")]
    found = records.synapses("ff", "weight")
    expected = [(5, 0, 0), (5, 2, 1), (5, 7, 1), (10, 2, 1), (15, 9, 2), (15, 4, 3)]
    assert list(zip(found.steps, found.pre, found.post, strict=True)) == expected
    np.testing.assert_array_equal(found.values, 1000 * found.steps + 10 * found.pre + found.post)
    assert found.unit == "nS"
    with pytest.raises(StorageError, match="eligibility of ff was not recorded"):
        records.synapses("ff", "eligibility")
