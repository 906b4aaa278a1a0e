"""A run that is stopped and resumed is the run that never stopped: digest, spikes and events, on any ranks."""

from __future__ import annotations

import json
import re
import zipfile

import pytest
import yaml

from hpcsnn.storage.checkpoints import committed
from hpcsnn.storage.network_store import StoredNetwork
from support.ranks import hpcsnn
from support.runs import PLAIN, RECORD, assert_same_run, records_of, succeeds

# (scale, end, stops) in ms: arbitrary steps, some on the beat of stimulus and rewiring and some not.
CASES = [
    pytest.param(1, 20_000, (1234.5, 1234.6, 5000, 7777.7, 9020, 15_000.1, 19_999.9), marks=pytest.mark.slow),
    (3, 1_500, (0.1, 20, 300.3, 301, 599.9, 600, 1200.7)),
]
RANKS = (1, 3, 2, 4, 1, 2, 1)


def pairs(synapses):
    return set(zip(synapses["pre"].tolist(), synapses["post"].tolist(), strict=True))


@pytest.mark.parametrize(("scale", "end_ms", "stops_ms"), CASES)
def test_stopped_and_resumed_at_seven_steps_on_changing_ranks(scale, end_ms, stops_ms, tmp_path):
    straight, pieces = tmp_path / "straight", tmp_path / "pieces"
    size = ["--set", f"scale={scale}", *RECORD, *PLAIN]
    succeeds("run", "topomap", "--set", f"duration_ms={end_ms}", *size, "--out", straight)
    succeeds("run", "topomap", "--set", f"duration_ms={stops_ms[0]}", *size, "--out", pieces, ranks=2)
    for until_ms, ranks in zip((*stops_ms[1:], end_ms), RANKS, strict=True):
        done = succeeds("resume", pieces, "--until", f"{until_ms}ms", *PLAIN, ranks=ranks)
        assert f"{ranks} rank" in done.stdout
    assert_same_run(straight, pieces)
    assert len(records_of(pieces).segments) == 8
    assert succeeds("diff", straight, pieces).stdout.startswith(f"equal at step {round(end_ms / 0.1)}: digest ")
    one, other = (json.loads((run / "summary.json").read_text()) for run in (straight, pieces))
    for name, statistics in one["projections"].items():
        assert other["projections"][name] == pytest.approx(statistics, rel=1e-12)
    assert one["populations"] == other["populations"]


def test_events_account_for_every_change_of_the_wiring(tmp_path):
    """First wiring plus formed minus eliminated is the last wiring, pair by pair; no pair forms twice in a row."""
    run = tmp_path / "run"
    succeeds("run", "topomap", "--set", "duration_ms=1", *RECORD, *PLAIN, "--out", run)
    first = StoredNetwork(run / "network.zarr").synapses
    before = {
        name: set(zip(*(first(name)[end].tolist() for end in ("pre", "post")), strict=True)) for name in ("ff", "lat")
    }
    skip = {name: len(records_of(run).events(name)) for name in ("ff", "lat")}
    succeeds("resume", run, "--until", "8s", *PLAIN, ranks=3)
    last = StoredNetwork(run / "network.zarr").synapses
    summary = json.loads((run / "summary.json").read_text())
    for name in ("ff", "lat"):
        events = records_of(run).events(name)
        formed, eliminated = (int((events[:, 3] == 0).sum()), int((events[:, 3] > 0).sum()))
        counts = summary["projections"][name]
        assert (formed, eliminated) == (counts["formed"], counts["eliminated"])
        there = before[name]
        for _, pre, post, what in events[skip[name] :].tolist():
            if what == 0:
                assert (pre, post) not in there
                there.add((pre, post))
            else:
                there.remove((pre, post))
        assert there == pairs(last(name))


def files_in(network):
    """Size and CRC of each; which rank has written one says where in the zip it is."""
    with zipfile.ZipFile(network) as there:
        return {file.filename: (file.file_size, file.CRC) for file in there.infolist()}


def test_checkpoints_do_not_depend_on_the_ranks_that_wrote_them(tmp_path):
    """Same files, same bytes: every array of a checkpoint written by 1 and by 4 ranks."""
    for ranks in (1, 4):
        size = ["--set", "scale=3", "--set", "duration_ms=100"]
        succeeds("run", "topomap", *size, *PLAIN, "--out", tmp_path / str(ranks), ranks=ranks)
    one, four = (files_in(committed(tmp_path / str(ranks))[-1].network_path) for ranks in (1, 4))
    assert one == four
    assert len(one) > 50


def test_newest_checkpoints_are_kept_at_the_times_asked_for(tmp_path):
    run = tmp_path / "run"
    out = ["--out", run, "--checkpoint-every", "250ms", "--keep", "2"]
    succeeds("run", "topomap", "--set", "duration_ms=1100", *PLAIN, *out, ranks=2)
    assert [checkpoint.step for checkpoint in committed(run)] == [10_000, 11_000]
    assert json.loads((run / "summary.json").read_text())["checkpoints"]["written"] == 6  # that of the start included
    assert (run / "network.zarr").resolve() == committed(run)[-1].network_path.resolve()
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == [
        *("0000010000.json", "0000010000.zarr", "0000011000.json", "0000011000.zarr")
    ]
    # Records of the whole run stay, though the checkpoints that ended their segments are gone.
    succeeds("resume", run, "--from", "10000", "--until", "1200ms", *PLAIN)
    assert [checkpoint.step for checkpoint in committed(run)] == [10_000, 12_000]


def test_checkpoints_by_wall_time(tmp_path):
    run = tmp_path / "run"
    size = ["--set", "scale=3", "--set", "duration_ms=5000", "--checkpoint-every", "0.1s-wall", "--keep", "9999"]
    succeeds("run", "topomap", *size, *PLAIN, "--out", run, ranks=2)
    summary = json.loads((run / "summary.json").read_text())
    assert 2 <= summary["checkpoints"]["written"] <= summary["wall_s"] / 0.1 + 2
    assert len(committed(run)) == summary["checkpoints"]["written"]
    # One speed, whoever tells it: waiting for checkpoints belongs to the time that a run takes.
    assert summary["wall_s"] > summary["checkpoints"]["stall_s"] > 0
    shown = json.loads((run / "progress.json").read_text())["speed"]
    assert 1 / summary["wall_per_model_s"] == pytest.approx(shown, rel=0.1)


def test_what_may_change_on_resume_and_what_may_not(tmp_path):
    run = tmp_path / "run"
    succeeds("run", "topomap", "--set", "duration_ms=100", *PLAIN, "--out", run)
    configuration = yaml.safe_load((run / "config.yaml").read_text())
    changed = {
        **configuration,
        "tile": 4,
        "exchange": "allgather",
        "exchange_block": 1,
        "duration_ms": 200.0,
        "description": "longer",
    }
    (run / "config.yaml").write_text(yaml.safe_dump(changed))
    succeeds("resume", run, *PLAIN, ranks=2)
    straight = tmp_path / "straight"
    succeeds("run", "topomap", "--set", "duration_ms=200", *PLAIN, "--out", straight)
    assert_same_run(straight, run)
    changed["projections"]["ff"]["synapse"]["additive_stdp"]["w_max"] = 0.3
    (run / "config.yaml").write_text(yaml.safe_dump(changed))
    for ranks in (1, 2):
        done = hpcsnn("resume", run, "--until", "300ms", *PLAIN, ranks=ranks)
        assert done.returncode == 2
        assert done.stderr.replace("\n", "") == (
            "error: projections.ff.synapse.additive_stdp.w_max: 0.2 in the checkpoint, 0.3 in "
            f"{run / 'config.yaml'}; a resumed run may change only description, duration_ms, tile, exchange, "
            "exchange_block, checkpoint_every, checkpoint_keep, ranks and device: change it back, or start a new run"
        )


def test_a_resume_that_has_nothing_to_do_or_nothing_to_go_on_from(tmp_path):
    run = tmp_path / "run"
    done = hpcsnn("resume", run)
    assert (done.returncode, done.stderr) == (2, f"error: {run}: no run here (there is no config.yaml)\n")
    assert not run.exists()
    succeeds("run", "topomap", "--set", "duration_ms=100", *PLAIN, "--out", run)
    summary = (run / "summary.json").read_bytes()
    done = succeeds("resume", run, *PLAIN)
    assert done.stdout == (f"{run}: complete at 0.1 s: nothing to do; --until goes on\n")
    assert (run / "summary.json").read_bytes() == summary
    (run / "summary.json").unlink()
    done = succeeds("resume", run, *PLAIN)
    assert re.search(r"\n0 s of model time in \d\.\d\d s, to 0\.1 s; digest ", done.stdout)
    assert json.loads((run / "summary.json").read_text())["digest"] == json.loads(summary)["digest"]
    done = hpcsnn("resume", run, "--until", "50ms", *PLAIN)
    assert done.returncode == 2
    assert done.stderr.startswith("error: duration_ms: 50 is not allowed; the checkpoint is at 100 ms already: ")
    done = hpcsnn("resume", run, "--from", "77", *PLAIN)
    assert done.stderr == f"error: {run}: no checkpoint of step 77; there: 1000\n"
    done = hpcsnn("resume", run, "--until", "soon", *PLAIN)
    assert done.stderr == (
        "error: --until: 'soon' is not allowed; must be a time with its unit: 250ms, 10s, 5min, 2h\n"
    )
    done = hpcsnn("run", "topomap", "--checkpoint-every", "10 parsecs", "--out", tmp_path / "other")
    assert done.returncode == 2
    assert "checkpoint_every: '10 parsecs' is not allowed; must be a time with its unit" in done.stderr
    assert not (tmp_path / "other").exists()
