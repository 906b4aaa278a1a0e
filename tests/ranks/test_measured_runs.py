"""A run that is measured: what it leaves, on one and two ranks, and what it refuses."""

from __future__ import annotations

import json

import pytest

from support.ranks import hpcsnn
from support.runs import succeeds

SHORT = ["run", "topomap", "--set", "duration_ms=20", "--measure", "--device", "cpu"]


@pytest.mark.parametrize("ranks", [1, 2])
def test_it_leaves_its_summary_and_where_it_ran(ranks, tmp_path):
    run = tmp_path / "run"
    succeeds(*SHORT, "--out", run, ranks=ranks)
    left = {path.name for path in run.iterdir()} - {".lock"}
    assert left == {"config.yaml", "progress.json", "progress.jsonl", "summary.json"}
    summary = json.loads((run / "summary.json").read_text())
    assert summary["completed"]
    assert summary["checkpoints"]["written"] == 0
    machine, ping = summary["machine"], summary["ping"]
    assert machine["nodes"][0]["memory_bytes"] > 0
    assert machine["versions"]["mpi"] != ("none" if ranks > 1 else "")
    if ranks == 1:
        assert ping == []
        return
    assert machine["binding"]
    seconds = {(one["kind"], one["bytes"]): one["seconds"] for one in ping}
    assert {kind for kind, _ in seconds} == {"exchange", "shift", "allgather"}
    assert seconds["exchange", 0] < seconds["allgather", 256 * 1024], "what stays on a node is no message"
    assert all(0 < value < 1 for value in seconds.values())
    assert {one["ranks"] for one in ping} == {2}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--checkpoint-every", "10ms"], "checkpoint_every: '10ms' is not allowed; a measured run keeps no checkpoint"),
        (["--set", "populations.target.record_spikes=true"], "populations.target.record_spikes: True is not allowed"),
        (["--continue"], "--measure: is not allowed with --continue or --from"),
    ],
    ids=["checkpoints", "records", "going on"],
)
def test_what_it_would_have_to_keep_is_refused(words, message, tmp_path):
    done = hpcsnn(*SHORT, *words, "--out", tmp_path / "run")
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "run").exists()
