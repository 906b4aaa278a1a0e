"""Runs by the command line, and what two of them have in common."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np

from hpcsnn.storage.checkpoints import committed
from hpcsnn.storage.records import Records
from support.ranks import hpcsnn

PLAIN = ["--device", "cpu", "--no-figures"]
RECORD = [
    *("--set", "populations.source.record={spikes: {neurons: [0..99, 150..255]}, ff.source.pre_trace: 20}"),
    *("--set", "populations.target.record_spikes=true"),
    *("--set", "projections.ff.record_events=true", "--set", "projections.lat.record_events=true"),
    *(
        "--set",
        "populations.target.record={V_mV: {every_ms: 0.7, neurons: [0..9, 200]}, ff.g: {every_ms: 5}, "
        "ff.target.post_trace: {every_ms: 10, neurons: [7..20]}, lat.g: {every_ms: 2, average: true}}",
    ),
    *("--set", "projections.ff.record={weight: {every_ms: 20, targets: [0..9, 200]}}"),
]


def succeeds(*arguments: object, ranks: int = 1, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """``hpcsnn ARGUMENTS``, which must do what it is told."""
    done = hpcsnn(*arguments, ranks=ranks, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done


def digest_of_run(run: Path) -> str:
    """As its summary says it."""
    return json.loads((run / "summary.json").read_text())["digest"]


def newest_step(run: Path) -> int:
    """The step of the newest checkpoint; 0 before the first."""
    there = committed(run)
    return there[-1].step if there else 0


def records_of(run: Path) -> Records:
    """The spikes and events that the newest checkpoint vouches for."""
    return Records(run / "records", committed(run)[-1].manifest()["segments"])


def assert_same_run(one: Path, other: Path) -> None:
    """Digest as said and as stored, every spike and every event."""
    digests = {digest_of_run(run) for run in (one, other)}
    digests |= {line.split()[0] for line in succeeds("digest", one, other).stdout.splitlines()}
    assert len(digests) == 1
    ours, theirs = records_of(one), records_of(other)
    for name in ours.names("spikes"):
        np.testing.assert_array_equal(ours.spikes(name), theirs.spikes(name))
        assert len(ours.spikes(name)) > 0
    for name in ours.names("events"):
        np.testing.assert_array_equal(ours.events(name), theirs.events(name))
        assert len(ours.events(name)) > 0
    assert ours.variables() == theirs.variables()
    for names in ours.variables():
        first, second = ours.rows(*names), theirs.rows(*names)
        np.testing.assert_array_equal(first.steps, second.steps)
        np.testing.assert_array_equal(first.ids, second.ids)
        np.testing.assert_array_equal(first.values, second.values)
        assert first.values.any()
    assert ours.variables("averages") == theirs.variables("averages")
    for names in ours.variables("averages"):
        first, second = ours.average(*names), theirs.average(*names)
        for part in ("steps", "mean", "min", "max"):
            np.testing.assert_array_equal(getattr(first, part), getattr(second, part))
        assert (first.max > first.mean).any()
    assert ours.variables("synapses") == theirs.variables("synapses")
    for names in ours.variables("synapses"):
        first, second = ours.synapses(*names), theirs.synapses(*names)
        for part in ("steps", "pre", "post", "values"):
            np.testing.assert_array_equal(getattr(first, part), getattr(second, part))
        assert len(first.steps) > 0


def flip(path: Path, place: int) -> None:
    """One bit of a file."""
    data = bytearray(path.read_bytes())
    data[place] ^= 0x10
    path.write_bytes(data)
