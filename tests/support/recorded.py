"""A network of which something of every kind is recorded, and what looking at it after each step shows."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from hpcsnn import Network, Simulation
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.engine.recording.rows import Average
from support.networks import busy
from support.spike_traces import Trace

STEPS = 300
TARGETS = [0, 9, 10, 11, 63]
SPIKING = [*range(8, 24), 40]
RECORD: dict[str, dict[str, Any]] = {
    "noise": {"spikes": {"neurons": ["8..23", 40]}},
    "cells": {
        "own.source.pre_trace": 0.3,
        "own.target.post_trace": {"every_ms": 0.2, "neurons": {"every": 3}},
        "V_mV": {"every_ms": 0.2, "average": True},
        "drive.current": {"every_ms": 1.1, "average": True, "neurons": [0, "9..40"]},
    },
    "drive": {"weight": 0.7, "delay_steps": {"every_ms": 4, "targets": 63}},
    "own": {"weight": {"every_ms": 0.5, "targets": ["9..11", 0, 63]}},
}


def recorded_busy(record: dict[str, dict[str, Any]] = RECORD) -> Network:
    """Rows of synapses that begin with one place and grow while they are recorded."""
    return busy(capacity=1, record=record)


def watched() -> dict[str, Any]:
    """What is recorded of `recorded_busy`, by ``owner/variable``, from a simulation that is read after each step."""
    return _watched()[0]


def digest_without() -> str:
    """What `recorded_busy` comes to where nothing is recorded."""
    return _watched()[1]


@cache
def _watched() -> tuple[dict[str, Any], str]:
    simulation = Simulation(busy(capacity=1), device="cpu")
    seen: dict[str, list[Any]] = {"drive/weight": [], "drive/delay_steps": [], "own/weight": []}
    seen |= {"cells/V_mV": [], "cells/drive.current": []}
    traces = Traces(simulation.network)
    for step in range(1, STEPS + 1):
        simulation.run(simulation.network.dt_ms)
        for name, every, targets in (
            ("drive/weight", 7, None),
            ("drive/delay_steps", 40, [63]),
            ("own/weight", 5, TARGETS),
        ):
            if step % every == 0:
                projection, _, variable = name.partition("/")
                synapses = simulation.synapses(projection)
                there = np.ones(len(synapses["pre"]), bool) if targets is None else np.isin(synapses["post"], targets)
                columns = [synapses[column][there].tolist() for column in ("post", "pre", variable)]
                seen[name] += [(step, *row) for row in zip(*columns, strict=True)]
        for variable, every, ids in (("V_mV", 2, range(64)), ("drive.current", 11, [0, *range(9, 41)])):
            if step % every == 0:
                values = simulation.neurons("cells")[variable][list(ids)].tolist()
                mean = float(sum(map(Fraction, values)) / len(values))
                seen[f"cells/{variable}"].append((step, mean, min(values), max(values)))
        traces.follow(step - 1, simulation)
    seen |= traces.seen
    seen["noise/spikes"] = [(step, neuron) for step, neuron in _spikes(simulation) if neuron in SPIKING]
    return seen, simulation_digest(simulation)


class Traces:
    """Those of ``own``, from the spikes of ``cells`` alone."""

    def __init__(self, network: Network) -> None:
        own = network.projections["own"]
        taus_ms = (own.synapse.values[name] for name in ("tau_plus_ms", "tau_minus_ms"))
        self.pre, self.post = (Trace(own.source.size, network.dt_ms, tau_ms) for tau_ms in taus_ms)
        self.delay_steps = own.delay_steps
        self.seen: dict[str, list[Any]] = {"cells/own.source.pre_trace": [], "cells/own.target.post_trace": []}

    def follow(self, step: int, simulation: Simulation) -> None:
        """A step that has been done: spikes that arrived in it, and those of its end, which the traces hold whole."""
        steps, ids = simulation.spikes("cells")
        for neuron in ids[steps == step - self.delay_steps]:
            self.pre.spike(neuron, step - 1)
        for neuron in ids[steps == step]:
            self.post.spike(neuron, step)
        sources, targets = self.seen.values()
        if (step + 1) % 3 == 0:
            sources += [(step + 1, neuron, float(self.pre.at(neuron, step))) for neuron in range(64)]
        if (step + 1) % 2 == 0:
            targets += [(step + 1, neuron, float(self.post.at(neuron, step))) for neuron in range(0, 64, 3)]


def recorded_of(simulation: Simulation) -> dict[str, Any]:
    """The same from what a simulation has recorded on this rank; averages are of all ranks."""
    found: dict[str, Any] = {"noise/spikes": _spikes(simulation)}
    for variable, asked in RECORD["cells"].items():
        if isinstance(asked, dict) and asked.get("average"):
            found[f"cells/{variable}"] = averages_of(simulation.recorded_average("cells", variable))
            continue
        rows = simulation.recorded("cells", variable)
        found[f"cells/{variable}"] = _by_step(rows.steps, rows.ids, rows.values)
    for projection in simulation.network.projections:
        for variable in RECORD[projection]:
            values = simulation.recorded_synapses(projection, variable)
            columns = [part.tolist() for part in (values.steps, values.post, values.pre, values.values)]
            found[f"{projection}/{variable}"] = list(zip(*columns, strict=True))
    return found


def averages_of(average: Average) -> list[tuple[Any, ...]]:
    """Step, mean, min and max of each time."""
    parts = (average.steps, average.mean, average.min, average.max)
    return list(zip(*(part.tolist() for part in parts), strict=True))


def _by_step(steps: Any, ids: Any, values: Any) -> list[tuple[Any, ...]]:
    return [
        (int(step), int(neuron), value)
        for step, of_step in zip(steps, values.tolist(), strict=True)
        for neuron, value in zip(ids, of_step, strict=True)
    ]


def _spikes(simulation: Simulation) -> list[tuple[int, int]]:
    return list(zip(*(part.tolist() for part in simulation.spikes("noise")), strict=True))
