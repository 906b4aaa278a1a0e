"""A run with delays that differ and dendritic ones, stopped with input in flight and gone on with."""

from __future__ import annotations

from support.networks import SPREAD_DELAYS
from support.runs import PLAIN, digest_of_run, succeeds


def test_the_command_line_stops_and_goes_on_in_mid_flight(tmp_path):
    delays = [*SPREAD_DELAYS, "projections.lat.dendritic_delay_ms=2.5"]
    settings = [word for one in delays for word in ("--set", one)]
    straight, pieces = tmp_path / "straight", tmp_path / "pieces"
    succeeds("run", "topomap", "--set", "duration_ms=400", *settings, "--out", straight, *PLAIN)
    succeeds("run", "topomap", "--set", "duration_ms=123.4", *settings, "--out", pieces, *PLAIN, ranks=2)
    succeeds("resume", pieces, "--until", "400ms", *PLAIN)
    assert succeeds("diff", straight, pieces).stdout.startswith("equal at step 4000: digest ")
    assert digest_of_run(straight) == digest_of_run(pieces)
    said = succeeds("check", "topomap", *settings).stdout
    assert "0.5 .. 4" in said
    assert "0.2 .. 1.8 + 2.5 dendritic" in said
