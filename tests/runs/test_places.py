"""Runs of neurons on grids of different sides, and on none, from a file to the analysis."""

from __future__ import annotations

import json

import numpy as np

from support.ranks import hpcsnn
from support.runs import PLAIN, assert_same_run, succeeds

CONFIGURATION = """
duration_ms: 300
populations:
  eye: {grid: [8, 8], model: {poisson: {rate_hz: 60}}, record_spikes: true}
  cells: {grid: [12, 12], model: lif, record_spikes: true}
  near: {positions: {from_file: near.csv}, model: {poisson: {rate_hz: 60}}}
  far: {positions: {from_file: places/far.npy}, model: lif, record_spikes: true}
projections:
  ff: {source: eye, target: cells, connector: {gaussian: {p_max: 0.5, sigma: 1.5}}, synapse: additive_stdp, weight: 0.1,
       receptor: exponential_conductance, rewiring: {bamford: {p_max: 0.5, sigma: 1.5, block_side: 4}}}
  space: {source: near, target: far, connector: {gaussian: {p_max: 0.5, sigma: 1, cut_off: 2}}, synapse: additive_stdp,
          receptor: exponential_conductance, weight: 0.1, record_events: true,
          rewiring: {bamford: {p_max: 0.5, sigma: 0.5, block_side: 1}}}
"""


def test_a_run_goes_on_with_its_positions_and_its_analysis_says_what_it_leaves_out(tmp_path):
    random, here = np.random.default_rng(1), tmp_path / "here"
    (here / "places").mkdir(parents=True)
    np.save(here / "places" / "far.npy", random.random((70, 3)) * 4)
    near = random.random((60, 3)) * 4
    np.savetxt(here / "near.csv", near, delimiter=",", header="x,y,z", comments="")
    (here / "run.yaml").write_text(CONFIGURATION)
    run, straight = tmp_path / "run", tmp_path / "straight"
    begun = ("run", here / "run.yaml", *PLAIN, "--checkpoint-every", "100ms")
    for duration_ms, ranks in ((100, 2), (300, 1)):
        succeeds(*begun, "--set", f"duration_ms={duration_ms}", "--continue", "--out", run, ranks=ranks)
    succeeds(*begun, "--out", straight)
    assert_same_run(run, straight)
    summary = json.loads((run / "summary.json").read_text())["projections"]
    assert 0 < summary["ff"]["sigma_aff"] < 3
    assert 0 < summary["space"]["distance_mean"] < 2.1
    succeeds("analyze", run)
    page = (run / "report.html").read_text()
    for where in ("two grids of different sides", "positions"):
        assert f"Maps, receptive fields and nulls are of one grid, and left out between {where};" in page
    np.savetxt(here / "near.csv", near[::-1], delimiter=",", header="x,y,z", comments="")
    done = hpcsnn("resume", run, *PLAIN)
    assert done.returncode == 2
    said = " ".join(done.stderr.split())
    assert "populations.near.positions.from_file: " in said
    assert "is another file than the one that the run began with" in said
