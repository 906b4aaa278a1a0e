"""Recorded variables of synapses are what looking at them after each step shows, while wiring changes and rows grow."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from hpcsnn import ConfigurationError, Simulation
from hpcsnn.codegen.constants import HaltReason
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.models import RewiringRule, Variable
from hpcsnn.models.rewiring import ALL_SYNAPSES
from hpcsnn.network.recording.asked import Recording
from support import rules
from support.devices import on_launched
from support.recorded import STEPS, digest_without, recorded_busy, recorded_of, watched


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
    assert len(simulation.recorded_synapses("own", "weight").steps) == simulation.recorded_bytes == 0


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
    for projection, variable, said in (
        ("own", "V", "projections.own.record: unknown name 'V'; allowed: weight"),
        ("noise", "weight", "projections.noise.record: unknown name 'weight'; allowed: (none)"),
    ):
        with pytest.raises(ConfigurationError, match=re.escape(said)):
            simulation.recorded_synapses(projection, variable)
