"""A rule's chances are in [0, 1], or the run says which was not; what is calculated with probabilities is a number."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn import Grid, Network, Simulation, SimulationError, models
from hpcsnn.testing.racing_threads import RacingThreads
from support.messages import as_pattern


def network_of(**slots):
    parameters = {"p": models.probability(0.25, ""), "q": models.probability(0.5, "")}
    rule = models.RewiringRule("mine", "", select=models.UNIFORM, parameters=parameters, **slots)
    network = Network(seed=3)
    network.add_population("cells", Grid(8, 8), models.LIF())
    network.add_projection(
        "own", "cells", "cells", models.FixedProbability(p=0.5), models.DeltaCurrent(), 0.1,
        rewiring=rule(attempts=100, block_side=4), record_events=True,
    )  # fmt: skip
    return network


@pytest.mark.parametrize(
    ("slot", "chance", "value"),
    [
        ("form", "1.5f", "1.5"),
        ("eliminate", "-1.0f", "-1"),
        ("form", "0.0f / 0.0f", "-?nan"),
        ("form", "p * 5", "1.25"),
        ("eliminate", "pre_id >= 0 ? 2 : p", "2"),
    ],
)
def test_a_chance_that_is_none_is_named(slot, chance, value):
    simulation = Simulation(network_of(**{slot: chance}), device="cpu")
    what = {"eliminate": "goes", "form": "forms"}[slot]
    said = rf"^projections\.own: rule mine, {slot}: {value} is the chance that the synapse from \d+ to \d+ {what} in "
    with pytest.raises(SimulationError, match=said):
        simulation.run(1.0)


def test_so_it_is_where_kernels_are_launched():
    simulation = Simulation(network_of(form="1.5f"), device=RacingThreads())
    with pytest.raises(SimulationError, match=as_pattern("rule mine, form: 1.5 is the chance that the synapse from ")):
        simulation.run(2.0)


# With p = 1/4 and q = 1/2.
CALCULATED = {
    "1.0f - p": 0.75, "p * 2": 0.5, "2 * p": 0.5, "p * q": 0.125, "p + q": 0.75, "q - p": 0.25, "p / q": 0.5,
    "-p + 1.0": 0.75, "p / 2": 0.125, "0.125 / p": 0.5, "p + 0.5f": 0.75, "0.5f + p": 0.75, "q - 0.25f": 0.25,
    "p * 5.0f - 1": 0.25, "(weight > 1e9f ? 1.0f - p : p) * 1.0f": 0.25,
}  # fmt: skip


def test_probabilities_are_calculated_with_as_numbers():
    names = {f"v{number}": expression for number, expression in enumerate(CALCULATED)}
    variables = tuple(models.Variable(name) for name in names)
    update = "".join(f"{name} = {expression};" for name, expression in names.items())
    simulation = Simulation(network_of(synapse_variables=variables, update=update), device="cpu")
    simulation.run(1.0)
    synapses = simulation.synapses("own")
    assert len(synapses["pre"]) > 1000
    for name, expression in names.items():
        np.testing.assert_array_equal(synapses[name], np.float32(CALCULATED[expression]), expression)
