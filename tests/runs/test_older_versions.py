"""Runs that a version before has written, with folders of many files: all commands read them, and they go on."""

from __future__ import annotations

import json
import shutil

import google_crc32c
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from hpcsnn import open_run
from hpcsnn.storage.checkpoints import checksums, committed, files_below
from support.ranks import hpcsnn
from support.runs import PLAIN, RECORD, assert_same_run, flip, succeeds
from support.unpacked import unpack

SIZE = ["--set", "scale=1", "--set", "duration_ms=300", *RECORD, *PLAIN]


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    run = tmp_path_factory.mktemp("original") / "run"
    succeeds("run", "topomap", *SIZE, "--checkpoint-every", "100ms", "--out", run, ranks=2)
    return run


def without_descriptions(group):
    """A folder whose arrays have no names of dimensions and no attributes, as before there were any."""
    for file in group.rglob("zarr.json"):
        about = json.loads(file.read_text())
        if about["node_type"] == "array":
            del about["dimension_names"]
            file.write_text(json.dumps(about | {"attributes": {}}))
        elif "dt_ms" in about["attributes"] and "format" not in about["attributes"]:  # of records
            file.write_text(json.dumps(about | {"attributes": {}}))
    return group


@pytest.fixture
def older(original, tmp_path):
    """The run as version 1 of checkpoints had it: what is a zip file is a folder, and all its files are listed."""
    run = tmp_path / "run"
    shutil.copytree(original, run, symlinks=True)
    for file in run.glob("records/*/rank_*.zarr"):
        without_descriptions(unpack(file))
    for checkpoint in committed(run):
        manifest = json.loads(checkpoint.manifest_path.read_text())
        network = without_descriptions(unpack(checkpoint.network_path))
        records = [name for name in files_below(run / "records") if name.parts[0] in manifest["segments"]]
        manifest |= {
            "version": 1,
            "files": checksums(network, files_below(network)),
            "record_files": checksums(run / "records", records),
        }
        del manifest["crc32c"]
        text = json.dumps(manifest, sort_keys=True)
        manifest["crc32c"] = google_crc32c.value(text.encode())
        checkpoint.manifest_path.write_text(json.dumps(manifest))
    assert len(committed(run)[-1].manifest()["files"]) > 100
    return run


def test_it_is_read(original, older):
    assert "files as written" in succeeds("verify", older).stdout
    assert succeeds("digest", older).stdout.split()[0] == succeeds("digest", original).stdout.split()[0]
    assert succeeds("diff", older, original).stdout.startswith("equal at step 3000")
    assert_same_run(original, older)


def test_it_goes_on_in_one_file_a_checkpoint(original, older):
    succeeds("resume", older, "--from", "1000", *PLAIN)
    assert_same_run(original, older)
    kinds = [(checkpoint.step, checkpoint.network_path.is_file()) for checkpoint in committed(older)]
    assert kinds == [(1000, False), (2000, True), (3000, True)]
    succeeds("verify", older)


def test_it_is_drawn_and_analysed(original, older):
    for run in (original, older):
        succeeds("plot", run)
        succeeds("analyze", run)
    drawn = [{path.name: path.read_bytes() for path in (run / "figures").glob("*.png")} for run in (original, older)]
    assert drawn[0].keys() == drawn[1].keys()
    differ = {name for name, picture in drawn[0].items() if picture != drawn[1][name]}
    assert differ <= {"recorded_target.png"}, "versions before stored no units"
    assert len(drawn[0]) == 13
    for name in ("ff", "lat"):
        first, second = (
            xr.open_zarr(run / "analysis.zarr", group=name, consolidated=False) for run in (original, older)
        )
        assert first.sizes["time"] == len(committed(original))
        xr.testing.assert_identical(first.load(), second.load())


def test_it_is_opened(original, older):
    one, other = open_run(original), open_run(older)
    assert one.times_ms == other.times_ms == [100, 200, 300]
    for name in ("source", "target"):
        pd.testing.assert_frame_equal(other.spikes(name, 50, 250), one.spikes(name, 50, 250))
        xr.testing.assert_identical(other.rates(name), one.rates(name))
        xr.testing.assert_equal(other.neurons(name, at_ms=100), one.neurons(name, at_ms=100))
    for name in ("ff", "lat"):
        pd.testing.assert_frame_equal(other.events(name), one.events(name))
        assert other.events(name)["reason"].cat.categories.tolist() == ["", "weak", "other"]
        pd.testing.assert_frame_equal(other.synapses(name), one.synapses(name))
        assert np.array_equal(other.synapses(name, format="scipy").data, one.synapses(name, format="scipy").data)
    xr.testing.assert_equal(other.tree().load(), one.tree().load())


def test_its_damage_is_named_by_file(older):
    shard = committed(older)[-1].network_path / "projections/ff/synapse/weight/c/0/0"
    flip(shard, -10)
    done = hpcsnn("verify", older)
    assert f"{shard}: has changed since it was written (CRC32C does not fit)" in done.stdout.replace("\n", "")
