"""A rule's ``update_if``: synapses for which it is false are left as they are, and go all the same where they may."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn import Grid, Network, Simulation, models
from hpcsnn.models import ALL_SYNAPSES, Parameter, RewiringRule, Variable
from support.devices import LAUNCHED

Ageing = RewiringRule(
    "ageing",
    "The strong ones age; what is old, or weak from the start, goes.",
    parameters={"strong": Parameter(0.5, "weight", "from which a synapse ages")},
    synapse_variables=(Variable("age", 0, "updates", "int"),),
    select=ALL_SYNAPSES,
    trigger="call",
    update="age += 1 + post_id % 3;",
    update_if="weight >= strong && pre_id != 7",
    eliminate="age > 6 || weight < 0.02f",
    initial="0.0f",
)


@pytest.mark.parametrize("device", ["cpu", *LAUNCHED])
@pytest.mark.parametrize("strong", [0.1, 0.9, 2.0])
def test_some_are_updated_and_the_others_may_still_go(device, strong):
    network = Network(seed=5)
    network.add_population("a", Grid(20, 5), models.Poisson())
    network.add_population("b", Grid(20, 1), models.LIF())
    network.add_projection(
        "ab", "a", "b", models.FixedProbability(p=0.7), models.DeltaCurrent(), models.Uniform(0.0, 1.0),
        models.Trained(),
        rewiring=Ageing(strong=strong),
    )  # fmt: skip
    simulation = Simulation(network, device=device)
    before = simulation.synapses("ab")
    for _ in range(3):
        simulation.rewire("ab")
        simulation.run(0.1)
    after = simulation.synapses("ab")
    ages = (before["weight"] >= np.float32(strong)) & (before["pre"] != 7)
    age = np.where(ages, 3 * (1 + before["post"] % 3), 0)
    stays = (age <= 6) & (before["weight"] >= np.float32(0.02))
    assert 0 < stays.sum() < len(stays)
    for name in ("pre", "post", "weight"):
        np.testing.assert_array_equal(after[name], before[name][stays])
    np.testing.assert_array_equal(after["age"], age[stays])
