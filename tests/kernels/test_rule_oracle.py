"""Rules of rewiring against `rule_oracle`: the same bits whatever the rule, its numbers, the seed, delays and tiles."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import Grid, Network, Simulation, models
from hpcsnn.devices import HostDevice
from hpcsnn.models import rewiring
from hpcsnn.network.grid import BORDERS
from support.comparisons import assert_same
from support.lanes import some
from support.rule_oracle import RuleOracle
from support.rules import Swap, Tended, Wanderer

CHANCES = st.sampled_from([0.0, 0.1, 0.5, 1.0])
SIGMAS = st.sampled_from([0.6, 1.3, 2.5])
BLOCKS = {"attempts": st.sampled_from([3, 20]), "block_side": st.sampled_from([2, 4, 8])}
GOES = {"weak_below": st.just(0.1), "p_eliminate_weak": CHANCES, "p_eliminate": CHANCES}
PLACES = {**BLOCKS, **GOES, "max_in_degree": st.sampled_from([1, 3, 7, 40])}
GAUSSIAN = {"p_max": st.sampled_from([0.3, 1.0]), "sigma": SIGMAS}
GROWTH = {
    "updates_a_pairing": st.sampled_from([1, 3]), "tau_calcium_ms": st.sampled_from([3.0, 50.0]),
    "beta_calcium": st.just(0.1), "vacant_loss": st.sampled_from([0.0, 0.1, 0.7]),
    **{f"{side}_set_point": st.sampled_from([0.1, 0.3]) for side in ("axon", "dendrite")},
    **{f"{side}_eta": st.sampled_from([0.0, 0.05]) for side in ("axon", "dendrite")},
    **{f"{side}_growth_per_s": st.sampled_from([0.0, 800.0, 3000.0]) for side in ("axon", "dendrite")},
}  # fmt: skip
RULES = {
    "bamford": (models.Bamford, {**BLOCKS, **GOES, **GAUSSIAN}),
    "bamford_2010": (rewiring.Bamford2010, {**PLACES, **GAUSSIAN}),
    "last_to_fire": (rewiring.LastToFire, {**PLACES, **GAUSSIAN, "recent_ms": st.sampled_from([0.1, 0.4, 2.0])}),
    "local_proposals": (rewiring.LocalProposals, {**PLACES, "sigma": SIGMAS, "p_form": st.sampled_from([0.3, 1.0])}),
    "deep_r": (
        rewiring.DeepR,
        {
            "temperature": st.sampled_from([0.0, 1.0, 10.0]), "decay": st.sampled_from([0.0, 20.0]),
            "w_max": st.just(0.2), "p_positive": CHANCES,
        },
    ),
    "homeostatic": (rewiring.Homeostatic, GROWTH),
    "swap": (Swap, {**BLOCKS, **GAUSSIAN, "p_swap": CHANCES}),
    "wanderer": (Wanderer, {"most_age": st.sampled_from([1, 6])}),
    "tended": (Tended, {"most_age": st.sampled_from([0, 5])}),
}  # fmt: skip
PLASTIC = ("bamford", "last_to_fire", "swap", "homeostatic")


@st.composite
def networks(draw, name, trigger):
    rule, parameters = RULES[name]
    values = {key: draw(value) for key, value in parameters.items()}
    if trigger == "call":  # every_ms stays a parameter, of which growth depends
        rule = dataclasses.replace(rule, trigger="call")
    values["every_ms"] = draw(st.sampled_from([0.1, 0.4]))
    network, grid = Network(seed=draw(st.integers(0, 2**64 - 1))), Grid(8, 8, draw(st.sampled_from(BORDERS)))
    network.add_population("input", grid, models.Poisson(rate_hz=draw(st.sampled_from([100.0, 1500.0]))))
    cells = models.LIF(V_threshold_mV=-66.0, refractory_ms=0.5)
    network.add_population("cells", grid, cells, {"V_mV": models.Normal(-67, 2)}, record_spikes=True)
    rewired = {"rewiring": rule(**values), "record_events": True, "capacity": draw(st.sampled_from([None, 1]))}
    network.add_projection(
        "rewired", "input", "cells", models.FixedProbability(p=draw(st.sampled_from([0.0, 0.05]))),
        models.ExponentialCurrent(tau_ms=2.0), draw(st.sampled_from([0.05, 0.15])),
        models.AdditiveSTDP() if name in PLASTIC else models.Static(),
        delay_ms=draw(st.sampled_from([0.1, 0.3, 0.7])), **rewired,
    )  # fmt: skip
    network.add_projection(
        "among", "cells", "cells", models.OneToOne(), models.ExponentialCurrent(), 0.5,
        delay_ms=draw(st.sampled_from([0.2, 1.0])),
    )  # fmt: skip
    return network


def assert_same_events(simulation, oracle):
    ours = sorted(map(tuple, simulation.events("rewired").tolist()))
    assert ours == sorted(oracle.events["rewired"])


@pytest.mark.parametrize(
    ("name", "trigger"), some([(name, when) for name in RULES for when in ("every_ms", "call")], 3)
)
def test_random_numbers_of_a_rule_bit_by_bit(name, trigger):
    happened = []

    @settings(max_examples=12 if trigger == "every_ms" else 5)
    @given(networks(name, trigger), st.sampled_from([1, 2, 8]), st.integers(8, 30))
    def case(network, tile, n_steps):
        happened.append(compare(network, tile, n_steps))

    case()
    assert sum(happened) > 50, "little came or went"


def compare(network, tile, n_steps):
    """Both side by side; the number of events."""
    simulation, oracle = Simulation(network, device=HostDevice(("-O1",)), tile=tile), RuleOracle(network)
    on_call = "rewired" in simulation.program.on_call
    for part in [2] * (n_steps // 2) if on_call else (n_steps // 2, n_steps - n_steps // 2):
        simulation.run(0.1 * part)
        oracle.run(part)
        if on_call:
            simulation.rewire("rewired")
            oracle.rewire("rewired", oracle.step)
        assert_same(network, simulation, oracle)
        assert_same_events(simulation, oracle)
        simulation.state.stores["rewired"].check()
    for name, total in oracle.sums.items():
        assert simulation.state.read(f"rewired.sum_{name}")[0] == total
    return len(oracle.events["rewired"])


def test_the_table_of_displacements_draws_the_gaussian():
    """Walker's table: what each entry and its aliases add up to is the chance asked for, to the 32 bits of a number."""
    dx, dy, chances = rewiring.selections.local_profile(1.7, 12, 8)
    other, keep = rewiring.selections.alias_table(chances)
    n = len(chances)
    drawn = np.bincount(other, (1 - keep / 2.0**32) / n, n) + keep / 2.0**32 / n
    np.testing.assert_allclose(drawn, chances / chances.sum(), atol=2.0**-31)
    assert len(set(zip(dx.tolist(), dy.tolist(), strict=True))) == n == 12 * 8
