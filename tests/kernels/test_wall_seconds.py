"""A run's wall seconds, and the speed that is printed, count what its steps wait for checkpoints."""

from __future__ import annotations

import time

import pytest

from hpcsnn.cli.tables.of_runs import print_summary
from hpcsnn.configuration.files import load_configuration
from hpcsnn.runs import checkpointing
from hpcsnn.runs.experiment import Setting, run_experiment

WAIT_S = 0.2


def test_wall_seconds_and_speed_contain_stalls(tmp_path, monkeypatch, capsys):
    taken = checkpointing.take_snapshot

    def slowly(*arguments):
        time.sleep(WAIT_S)
        return taken(*arguments)

    monkeypatch.setattr(checkpointing, "take_snapshot", slowly)
    configuration = load_configuration("topomap", ["duration_ms=3", "checkpoint_every=1ms"])
    summary = run_experiment(configuration, tmp_path / "run", Setting(device="cpu", figures=False))
    assert summary["checkpoints"]["written"] == 4
    assert summary["checkpoints"]["stall_s"] >= 3 * WAIT_S, "the one at the end keeps no step waiting"
    assert summary["wall_s"] >= summary["checkpoints"]["stall_s"]
    assert summary["wall_per_model_s"] == pytest.approx(summary["wall_s"] / 0.003)
    print_summary(tmp_path / "run", summary)
    printed = f"0.003 s of model time in {summary['wall_s']:.2f} s ({0.003 / summary['wall_s']:.3g} x real time)"
    assert printed in " ".join(capsys.readouterr().out.split())
