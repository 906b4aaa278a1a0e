"""Changes and forks: a run that changes, one that goes on from another with a change, and all of them started again."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml

from hpcsnn.configuration.files import load_configuration
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.engine.simulation import Simulation
from hpcsnn.runs.stored.forks import prepare_fork
from hpcsnn.storage.checkpoints import committed
from hpcsnn.storage.restore import restore
from support.ranks import hpcsnn
from support.runs import PLAIN, RECORD, assert_same_run, digest_of_run, records_of, succeeds

TAU, PEAK, BASE = (
    f"populations.{key}" for key in ("target.model.tau_m_ms", "source.model.peak_hz", "source.model.base_hz")
)


NOISE = {"noise_current": {"std": 9, "every_ms": 0.7, "from_ms": 20, "neurons": {"every": 3}}}


LESION = {"populations.target": {"rectangle": [0, 0, 8, 8]}, "populations.source": "0..31"}


def described(folder, changes, duration_ms=400, stimulate=()):
    path = folder / "changing.yaml"
    raw = {"extends": "topomap", "duration_ms": duration_ms, "changes": changes}
    raw["populations"] = {"target": {"stimulate": list(stimulate)}}
    path.write_text(yaml.safe_dump(raw))
    return path


def test_a_change_is_a_run_that_goes_on_with_other_parameters(tmp_path):
    """Beside states that are put by hand into a network that was declared otherwise."""
    changes = [{"at_ms": 150.5, "set": {PEAK: 0, BASE: 0}}, {"at_ms": 250, "set": {TAU: 10}}]
    path, run = described(tmp_path, changes), tmp_path / "run"
    succeeds("run", path, *RECORD, *PLAIN, "--out", run, "--checkpoint-every", "100ms", "--keep", "20")
    assert [one.step for one in committed(run)] == [0, 1000, 1505, 2000, 2500, 3000, 4000]
    plain = tmp_path / "plain"
    succeeds("run", "topomap", "--set", "duration_ms=150.5", *PLAIN, "--out", plain)
    silent = [f"{PEAK}=0", f"{BASE}=0"]
    at_2500, at_4000 = (one for one in committed(run) if one.step in (2500, 4000))
    for state, overrides, end in (
        (committed(plain)[-1], silent, at_2500),
        (at_2500, [*silent, f"{TAU}=10"], at_4000),
    ):
        simulation = Simulation(load_configuration("topomap", overrides).network(), device="cpu")
        restore(simulation, state.network())
        simulation.run((end.step - state.step) * 0.1)
        assert simulation_digest(simulation) == end.network().digest()
    assert at_4000.network().digest() == digest_of_run(run)
    spikes = records_of(run).spikes("source")[:, 0]
    assert (spikes < 1505).sum() > 100
    assert not (spikes >= 1600).any(), "spikes are drawn for a stimulus, which lasts 20 ms"


@pytest.mark.parametrize("ranks", [pytest.param(2, marks=pytest.mark.slow), 3])
def test_changes_come_at_the_same_step_on_any_ranks_and_over_restarts(tmp_path, ranks):
    later = {"projections.ff.synapse.a_plus": 0.05, "populations.target.stimulate.0.std": 3}
    changes = [{"at_ms": 100, "set": {PEAK: 20}}, {"at_ms": 230.3, "set": later}]
    path = described(tmp_path, [*changes, {"at_ms": 50.3, "remove": LESION}], stimulate=[NOISE])
    straight, pieces = tmp_path / "straight", tmp_path / "pieces"
    succeeds("run", path, *RECORD, *PLAIN, "--out", straight)
    succeeds("run", path, "--set", "duration_ms=100", *RECORD, *PLAIN, "--out", pieces, ranks=ranks)
    for until in ("150ms", "230.3ms", "400ms"):
        succeeds("resume", pieces, "--until", until, *PLAIN, ranks=ranks)
    assert_same_run(straight, pieces)
    corner = np.arange(256).reshape(16, 16)[:8, :8].ravel()
    for population, removed in (("target", corner), ("source", np.arange(32))):
        steps, ids = records_of(pieces).spikes(population).T
        of_removed = np.isin(ids, removed)
        assert (steps[of_removed] < 503).all()
        assert of_removed.sum() > 10
        assert (steps[~of_removed] >= 503).sum() > 20


def test_a_fork_is_the_run_that_changes_there(tmp_path):
    """Also where the other run has changes of its own, before and behind; and a fork of a fork."""
    changes = [{"at_ms": 100, "set": {PEAK: 20}}, {"at_ms": 350, "set": {BASE: 9}}]
    run = tmp_path / "run"
    path = described(tmp_path, changes)
    succeeds("run", path, *RECORD, *PLAIN, "--out", run, "--checkpoint-every", "100ms", "--keep", "20")
    before = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
    fork, again = tmp_path / "fork", tmp_path / "again"
    succeeds("run", "--from", f"{run}@200ms", "--set", f"{TAU}=12", *PLAIN, "--out", fork, ranks=2)
    assert {file: file.read_bytes() for file in run.rglob("*") if file.is_file()} == before
    succeeds("run", fork / "config.yaml", *PLAIN, "--out", again)
    assert_same_run(fork, again)
    assert digest_of_run(fork) != digest_of_run(run)
    written = yaml.safe_load((fork / "config.yaml").read_text())
    assert written["changes"] == [*changes, {"at_ms": 200, "set": {TAU: 12}}]
    assert written["forked_from"] == [{"run": str(run), "step": 2000}]
    summary = json.loads((fork / "summary.json").read_text())
    assert summary["resumed_from_step"] == 2000
    assert (summary["changes"], summary["forked_from"]) == (written["changes"], written["forked_from"])
    second = tmp_path / "second"
    lesion = ["--set", "populations.target.remove={rectangle: [0, 0, 8, 8]}"]
    longer = ["--set", "duration_ms=450", "--set", f"{TAU}=30", *lesion]
    succeeds("run", "--from", fork, *longer, *PLAIN, "--out", second)
    succeeds("run", second / "config.yaml", *PLAIN, "--out", again, "--overwrite")
    assert_same_run(second, again)
    written = yaml.safe_load((second / "config.yaml").read_text())
    assert [one["step"] for one in written["forked_from"]] == [2000, 4000]
    assert written["changes"][-1]["remove"] == {"populations.target": {"rectangle": [0, 0, 8, 8]}}


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    folder = tmp_path_factory.mktemp("short")
    run = folder / "run"
    path = described(folder, [{"at_ms": 30, "set": {PEAK: 20}}], 50)
    succeeds("run", path, *PLAIN, "--out", run, "--checkpoint-every", "20ms", "--keep", "20")
    return run


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{run}@25ms"], "no checkpoint at 25 ms; there are some at 0s, 0.02s, 0.03s, 0.04s, 0.05s"),
        (["{run}@soon"], "--from: 'soon' is not allowed; must be a time with its unit"),
        (
            ["{run}@0.02s", "--set", "scale=2"],
            "--set scale: is not allowed with --from a run; a fork changes parameters",
        ),
        (["{run}@20ms", "--set", f"{TAU}=-1"], "tau_m_ms: -1 is not allowed"),
        (["{run}"], "duration_ms: 50 is not allowed; the fork begins there: --set duration_ms=..."),
        (["{run}@40ms", "--out", "{run}"], "holds a run already, which is kept"),
        (["{run}@40ms", "--out", "{run}", "--overwrite"], "is the run that the fork comes from; give another --out"),
        (["{run}/none"], "no run here"),
    ],
)
def test_what_is_no_fork_is_refused(short, tmp_path, arguments, said):
    words = [word.format(run=short) for word in arguments]
    out = [] if "--out" in words else ["--out", tmp_path / "out"]
    done = hpcsnn("run", "--from", *words, *out, *PLAIN)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert not (tmp_path / "out").exists()


def test_later_changes_may_be_others_where_a_run_is_resumed_and_earlier_ones_not(short):
    fork = prepare_fork(short, 20.0, [])
    assert fork.configuration.steps_of_changes() == [300]
    path = short / "config.yaml"
    text = path.read_text()
    try:
        path.write_text(text.replace("peak_hz: 20", "peak_hz: 21"))
        done = hpcsnn("resume", short, "--until", "60ms", *PLAIN)
        assert "changes: [{'at_ms': 30.0" in " ".join(done.stderr.split())
        path.write_text(text.replace("changes:\n", f"changes:\n- at_ms: 55\n  set: {{{TAU}: 9}}\n"))
        succeeds("resume", short, "--until", "60ms", *PLAIN)
    finally:
        path.write_text(text)
