"""Stored files that somebody made up: what they say is not carried out by a terminal, nor allocated."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import zarr

from hpcsnn import Simulation
from hpcsnn.analysis.displacement import read_displacement
from hpcsnn.configuration.files import load_configuration
from hpcsnn.errors import StorageError
from hpcsnn.storage.network_store import StoredNetwork
from hpcsnn.storage.restore import restore
from hpcsnn.storage.run_directory import RunDirectory
from support.runs import PLAIN
from support.unpacked import unpack

SEQUENCE, WRITTEN_OUT = "\x1b]0;owned\x07\x9b2J", "\\x1b]0;owned\\x07\\x9b2J"
HUGE = 2**40


def rewrite(file, change):
    """Change a JSON file."""
    said = json.loads(file.read_text())
    change(said)
    file.write_text(json.dumps(said))


def metadata(copy, path):
    return unpack(RunDirectory(copy).network) / path / "zarr.json"


@pytest.mark.parametrize("command", ["info", "digest", "jobs"])
def test_no_sequence_of_a_summary_reaches_the_terminal(command, hpcsnn, copy):
    rewrite(copy / "summary.json", lambda said: said.update(digest=SEQUENCE, stopped_by=SEQUENCE, completed=False))
    done = hpcsnn(command, copy.parent if command == "jobs" else copy)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", done.said)
    assert "Traceback" not in done.said
    if command != "jobs":
        assert WRITTEN_OUT in done.said


def test_no_sequence_of_a_log_or_a_name_reaches_the_terminal(hpcsnn, tmp_path):
    (tmp_path / SEQUENCE).mkdir()
    (tmp_path / SEQUENCE / "config.yaml").write_text(f'"{SEQUENCE[:0]}x": [bold]\n')
    done = hpcsnn("jobs", tmp_path)
    assert WRITTEN_OUT in done.said
    assert hpcsnn("check", tmp_path / SEQUENCE / "config.yaml").said.count(WRITTEN_OUT) >= 1
    assert "\x1b" not in done.said


@pytest.mark.parametrize("file", ["summary.json", "progress.json"])
def test_values_of_other_kinds_are_told_or_count_as_not_there(file, hpcsnn, copy):
    """One field at a time is in tests/unit/test_run_reports.py."""
    rewrite(copy / file, lambda said: said.update({key: {"\x1b[31m": 10**400} for key in said}))
    for command in ("info", "digest", "jobs"):
        done = hpcsnn(command, copy)
        assert "Traceback" not in done.said
        assert "\x1b" not in done.said
        if (file, command) == ("summary.json", "digest"):
            assert done.said.startswith(f"error: {copy / file}: cannot be read: ")
        else:
            assert done.code == 0


def test_a_summary_with_a_value_of_another_kind_is_no_fault_of_a_figure_or_an_analysis(hpcsnn, copy):
    rewrite(copy / "summary.json", lambda said: said.update(steps=["x"]))
    done = hpcsnn("plot", copy)
    assert done.code == 2
    assert done.said.startswith(f"error: {copy / 'summary.json'}: cannot be read: steps: ['x'] is not allowed; ")
    assert hpcsnn("analyze", copy).code == 0
    assert "unfinished (no summary that can be read)" in (copy / "report.html").read_text()
    assert hpcsnn("resume", copy, *PLAIN).code == 0, "which writes it anew"
    assert hpcsnn("digest", copy).code == 0


@pytest.mark.parametrize("value", ["x", [1, 2], {"a": 1}, None])
@pytest.mark.parametrize("path", ["populations/target/state/V_mV", "projections/ff/synapse/weight"])
def test_a_fill_value_of_another_type_is_told(path, value, copy):
    rewrite(metadata(copy, path), lambda said: said.update(fill_value=value))
    with pytest.raises(StorageError, match=": cannot be read: "):
        StoredNetwork(RunDirectory(copy).network).digest()


def test_it_is_no_fault_of_a_command_either(hpcsnn, copy):
    rewrite(metadata(copy, "projections/ff/synapse/weight"), lambda said: said.update(fill_value={}))
    done = hpcsnn("digest", copy)
    assert done.code == 2
    assert done.said.startswith("error: ")
    assert "Traceback" not in done.said


SHAPES = {
    "populations/target/state/V_mV": [HUGE, HUGE],
    "populations/target/spikes_per_bin": [HUGE],
    "populations/target/in_flight": [HUGE, 2],
    "projections/ff/in_degree": [HUGE, HUGE],
    "projections/ff/synapse/weight": [HUGE, HUGE],
    "projections/ff/pre/pre_trace.last": [16, HUGE],
}


@pytest.mark.parametrize("path", SHAPES)
def test_a_shape_that_no_grid_asks_for_is_refused_before_it_is_allocated(path, copy):
    rewrite(metadata(copy, path), lambda said: said.update(shape=SHAPES[path]))
    stored = StoredNetwork(RunDirectory(copy).network)
    sides = " x ".join(map(str, SHAPES[path]))
    with pytest.raises(StorageError, match=rf"cannot be read: its shape is {sides}, must be "):
        if "/synapse/" in path or "in_degree" in path:
            stored.synapses("ff")
        else:
            stored.array(path)


def test_in_degrees_that_no_wiring_has_are_refused(copy):
    group = zarr.open_group(unpack(RunDirectory(copy).network), mode="r+")
    group["projections/ff/in_degree"][0, 0] = 2**31 - 1
    with pytest.raises(StorageError, match=r"in-degrees from \d+ to 2147483647, must be 0 to 256"):
        StoredNetwork(RunDirectory(copy).network).synapses("ff")


SOURCE = {"source": [16, 16]}


@pytest.mark.parametrize(
    "grids",
    [{"target": [HUGE, HUGE], **SOURCE}, {"target": "x", **SOURCE}, {}, [], {"target": [16], **SOURCE},
     {"target": [16, 16]}, {"target": [16, True], **SOURCE}],
)  # fmt: skip
def test_grids_that_are_none_are_told(grids, copy):
    rewrite(metadata(copy, "."), lambda said: said["attributes"].update(grids=grids))
    with pytest.raises(StorageError, match="damaged attributes"):
        StoredNetwork(RunDirectory(copy).network)


def test_a_state_of_another_network_is_not_restored(theirs):
    stored = StoredNetwork(RunDirectory(theirs).network)
    simulation = Simulation(load_configuration("topomap", ["scale=2"]).network(), device="cpu")
    with pytest.raises(StorageError, match=r"its populations are \{.*nx=16.*\}, those of the configuration \{.*nx=32"):
        restore(simulation, stored)


def test_a_map_of_displacements_is_as_large_as_its_axes(copy):
    folder = copy / "displacement.zarr"
    assert np.isfinite(read_displacement(folder, "ff", "end").count).all()
    rewrite(folder / "ff" / "end" / "count" / "zarr.json", lambda said: said.update(shape=[HUGE, HUGE]))
    with pytest.raises(StorageError, match=r"ff/end: cannot be read: arrays of "):
        read_displacement(folder, "ff", "end")
