"""Recorded synapses, spikes, traces and averages are what looking after each step shows, while rows grow."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from hpcsnn import ConfigurationError, Network, Simulation
from hpcsnn.codegen.constants import HaltReason
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.models import NeuronModel, RewiringRule, Variable
from hpcsnn.models.rewiring import ALL_SYNAPSES
from hpcsnn.network.recording.asked import Recording
from hpcsnn.testing.racing_threads import RacingThreads
from support import rules
from support.devices import on_launched
from support.recorded import STEPS, averages_of, digest_without, recorded_busy, recorded_of, watched


@pytest.mark.parametrize(("log_entries", "tile", "pieces_ms"), [(0, 8, [0.1, 7.3, 22.6]), (500, 2, [30.0])])
def test_recorded_is_what_was_there(log_entries, tile, pieces_ms):
    simulation = Simulation(recorded_busy(), device="cpu", log_entries=log_entries, tile=tile)
    for duration_ms in pieces_ms:
        simulation.run(duration_ms)
    assert simulation.halts[HaltReason.ROWS_FULL] > 1
    assert simulation.halts[HaltReason.LOG_FULL] > 10
    assert recorded_of(simulation) == watched()
    assert simulation_digest(simulation) == digest_without(), "recording changes no bit"
    assert len({pair[1:3] for pair in watched()["own/weight"]}) > 50, "wiring has changed"
    assert len({pair[3] for pair in watched()["own/weight"]}) > 20, "weights have changed"
    traces = {name: {row[2] for row in rows} for name, rows in watched().items() if name.endswith("_trace")}
    assert min(map(len, traces.values())) > 200
    assert simulation.recorded_bytes > 16 * len(watched()["drive/weight"])
    taken = simulation.take_recorded()
    assert len(taken.synapses["own/weight"].steps) == len(watched()["own/weight"])
    assert averages_of(taken.averages["cells/V_mV"]) == watched()["cells/V_mV"]
    assert len(simulation.recorded_synapses("own", "weight").steps) == simulation.recorded_bytes == 0
    assert averages_of(simulation.recorded_average("cells", "V_mV")) == []


@on_launched
def test_devices_with_many_threads_record_the_same(device):
    simulation = Simulation(recorded_busy(), device=device, log_entries=2000)
    simulation.run(0.1 * STEPS)
    assert recorded_of(simulation) == watched()


ON_CALL = RewiringRule(
    "on_call",
    "Synapses of which each has been at so many updates, and the older half of which goes.",
    trigger="call",
    synapse_variables=(Variable("age", 0, "updates", "int"),),
    select=ALL_SYNAPSES,
    update="age += 1 + (int)(random() >> 31);",
    eliminate="age > 4",
    replace="target",
)


def test_variables_of_a_rule_on_call_are_recorded_between_its_updates():
    network = rules.network(ON_CALL(), side=4)
    network.projections["ab"] = replace(network.projections["ab"], record={"age": Recording(1, np.array([3, 4]))})
    simulation = Simulation(network, device="cpu")
    expected = []
    for step in range(1, 13):
        simulation.run(0.1)
        synapses = simulation.synapses("ab")
        there = np.isin(synapses["post"], [3, 4])
        columns = (synapses[name][there].tolist() for name in ("pre", "post", "age"))
        expected += [(step, *row) for row in zip(*columns, strict=True)]
        simulation.rewire("ab")
    found = simulation.recorded_synapses("ab", "age")
    assert list(zip(found.steps, found.pre, found.post, found.values, strict=True)) == expected
    assert found.unit == "updates"
    assert len(set(found.pre.tolist())) > 4


def test_what_is_not_recorded_is_refused():
    simulation = Simulation(recorded_busy(), device="cpu")
    synapses, average = simulation.recorded_synapses, simulation.recorded_average
    of_cells = "populations.cells.record"
    for read, owner, variable, said in (
        (synapses, "own", "V", "projections.own.record: unknown name 'V'; allowed: weight"),
        (synapses, "noise", "weight", "projections.noise.record: unknown name 'weight'; allowed: (none)"),
        (average, "cells", "g", f"{of_cells}: unknown name 'g'; allowed: V_mV, drive.current"),
        (
            average,
            "cells",
            "own.source.pre_trace",
            f"{of_cells}.own.source.pre_trace: is recorded of each neuron;",
        ),
        (simulation.recorded, "cells", "V_mV", f"{of_cells}.V_mV: is recorded on average; read it by Simulation.recor"),
        (
            simulation.recorded,
            "own",
            "weight",
            "projections.own.record.weight: is recorded of each synapse; read",
        ),
    ):
        with pytest.raises(ConfigurationError, match=f"^{re.escape(said)}"):
            read(owner, variable)


@pytest.mark.parametrize("device", ["cpu", RacingThreads()])
def test_averages_of_any_numbers_are_exact(device):
    """Of floats of all sizes and both signs, those without their leading digit included, and of whole numbers."""
    chance, n = np.random.default_rng(3), 300
    floats = chance.choice([-1, 1], n) * chance.uniform(0.1, 1, n) * 10.0 ** chance.integers(-36, 39, n)
    floats[:9] = [0, 1.2e-38, -1.3e-38, 3.4e38, -3.4e38, 1, -1, 2e-38, -5e-38]
    counts = chance.integers(-(2**31) + 9, 2**31 - 9, n)
    state = (Variable("x"), Variable("count", 0, "", "int"))
    network, model = (
        Network(),
        NeuronModel("quarter", "", state=state, update="x *= 0.25f; count += 1;", threshold="false"),
    )
    average = {"every_ms": 0.1, "average": True}
    network.add_population("a", n, model(), {"x": floats, "count": counts}, record={"x": average, "count": average})
    simulation = Simulation(network, device=device)
    expected = {"x": [], "count": []}
    for step in (1, 2, 3):
        simulation.run(0.1)
        held = simulation.neurons("a")
        for name, rows in expected.items():
            values = held[name]
            mean = float(sum(map(Fraction, values.tolist())) / n)
            rows.append((step, mean, values.min().item(), values.max().item()))
    assert 0 < np.abs(held["x"][1]) < 1e-39
    for name, rows in expected.items():
        assert averages_of(simulation.recorded_average("a", name)) == rows
