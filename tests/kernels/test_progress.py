"""What a run shows while it goes."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from rich.console import Console

from hpcsnn import Simulation
from hpcsnn.runs.progress import Progress
from hpcsnn.storage.run_directory import RunDirectory
from support.networks import topographic_map


def test_progress_in_plain_lines_live_and_in_a_file(tmp_path):
    simulation = Simulation(topographic_map(), device="cpu")
    text = StringIO()
    with Progress(Console(file=text, width=200), 500.0, RunDirectory(tmp_path), plain_every_s=0.0) as progress:
        simulation.run(250.0, observe=progress.update, observe_every_s=0.0)
    lines = text.getvalue().splitlines()
    assert len(lines) >= 2
    for part in ("0.25 of 0.5 s", "x real time", " synapses ", "source ", "target ", " Hz", " left"):
        assert part in lines[-1], part
    written = json.loads((tmp_path / "progress.json").read_text())
    assert (written["end_s"], written["synapses"]) == (0.5, pytest.approx(3200, rel=0.2))
    assert 0 < written["model_s"] <= 0.25
    live = StringIO()
    with Progress(Console(file=live, width=200, force_terminal=True), 500.0, RunDirectory(tmp_path)) as progress:
        simulation.run(250.0, observe=progress.update, observe_every_s=0.0)
    assert "0.50 of 0.5 s" in live.getvalue()
    assert "\x1b[" in live.getvalue()
