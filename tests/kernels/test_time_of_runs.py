"""What a summary says of its ranks' time: of one part of a run that was resumed, of all parts if it has changes."""

from __future__ import annotations

import json

import pytest

from hpcsnn import Simulation
from hpcsnn.codegen.constants import TIMED_EVERY, HaltReason
from hpcsnn.configuration.files import load_configuration
from hpcsnn.devices import HostDevice
from hpcsnn.runs.experiment import Setting, resume_experiment, run_experiment
from hpcsnn.storage.run_directory import RunDirectory
from support.networks import every_rule, topographic_map

QUICK = HostDevice(("-O1",))
SETTING = Setting(device="cpu", figures=False)


def of_rank(summary):
    """The one rank's time, of which nothing is missing."""
    (measured,) = summary["per_rank"]
    assert measured["propagation_s"] == summary["wall_s"]
    assert sum(measured["phases_s"].values()) == pytest.approx(summary["wall_s"])
    assert min(measured["phases_s"].values()) >= 0.0
    assert summary["imbalance"] == 1.0
    return measured


def test_a_resumed_run_is_measured_from_where_it_went_on(tmp_path):
    """As its wall seconds are: what one process took, on ranks that another one may not have had."""
    configuration = load_configuration("topomap", ["duration_ms=30", "checkpoint_every=10ms"])
    first = of_rank(run_experiment(configuration, tmp_path / "run", SETTING))
    resumed = resume_experiment(tmp_path / "run", SETTING, until_ms=50.0)
    assert json.loads((tmp_path / "run" / "summary.json").read_text()) == resumed
    assert RunDirectory(tmp_path / "run").read_summary()["per_rank"] == resumed["per_rank"]
    second = of_rank(resumed)
    assert sum(first["cycle_us"]["counts"]) == 300 // TIMED_EVERY
    assert sum(second["cycle_us"]["counts"]) == 500 // TIMED_EVERY - 300 // TIMED_EVERY
    assert second["synapses"] == sum(one["synapses"] for one in resumed["projections"].values())


def test_a_run_with_changes_is_measured_as_a_whole(tmp_path):
    changes = "changes=[{at_ms: 20, set: {populations.source.model.moving_gaussian_poisson.peak_hz: 30}}]"
    summary = run_experiment(load_configuration("topomap", ["duration_ms=40", changes]), tmp_path / "run", SETTING)
    measured = of_rank(summary)
    assert sum(measured["cycle_us"]["counts"]) == 400 // TIMED_EVERY
    assert sum(measured["construction_s"].values()) == pytest.approx(summary["phases"]["start_up"])


def test_what_is_measured_anew_has_nothing_of_what_was_before():
    simulation = Simulation(topographic_map(scale=2), device=QUICK)
    simulation.run(30.0, progress=False)
    before = simulation.executable.measures
    simulation.executable.measure_anew()
    assert sum(simulation.executable.measures.phases_s.values()) == 0.0
    assert simulation.executable.measures.cycles.sum() == 0
    simulation.run(50.0, progress=False)
    measured = simulation.executable.measures
    assert measured.cycles.sum() == 800 // TIMED_EVERY - 300 // TIMED_EVERY
    assert 0.0 < sum(measured.phases_s.values()) <= simulation.advance_s - sum(before.phases_s.values())


def test_steps_that_halt_count_once():
    """Where rules meet, rows grow and logs are full, a step goes on where it was."""
    simulation = Simulation(every_rule(), device=QUICK, log_entries=3)
    simulation.run(150.0)
    assert simulation.halts[HaltReason.MEETING] > simulation.step // 100
    assert simulation.halts[HaltReason.LOG_FULL] > 10
    assert sum(simulation.measured()["cycle_us"]["counts"]) == simulation.step // TIMED_EVERY


def test_a_simulation_that_begins_again_is_measured_on():
    simulation = Simulation(topographic_map(), device=QUICK)
    simulation.run(50.0)
    before = simulation.measured()
    simulation.reset()
    assert simulation.measured()["phases_s"] == before["phases_s"]
    simulation.run(50.0)
    after = simulation.measured()
    assert sum(after["cycle_us"]["counts"]) == 2 * sum(before["cycle_us"]["counts"]) == 2 * (500 // TIMED_EVERY)
    assert after["phases_s"]["neurons"] > before["phases_s"]["neurons"]
    assert after["construction_s"] == before["construction_s"]
    assert after["exchange_rounds"] == after["sent"]["bytes"] == 0, "it is alone"


def test_a_slow_step_is_seen_where_it_belongs():
    """Sixty-four times the neurons take longer: the counts' middle moves up."""
    middles = []
    for scale in (1, 8):
        simulation = Simulation(topographic_map(scale=scale), device=QUICK)
        simulation.run(40.0)
        cycle_us = simulation.measured()["cycle_us"]
        seen = [edge for edge, n in zip(cycle_us["edges"], cycle_us["counts"], strict=False) for _ in range(n)]
        middles.append(seen[len(seen) // 2])
    assert middles[1] > 4 * middles[0]
