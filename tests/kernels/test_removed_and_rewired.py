"""Neurons that are removed, where wiring changes: no rule wires to or from them, on any ranks; what is there may go."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn import Grid, Network, Simulation, models
from hpcsnn.devices import HostDevice
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.models import rewiring
from support.rules import Swap, Tended, Wanderer
from support.thread_ranks import on_ranks

SIDE, REMOVED = 8, {"input": [0, 9, 27, 63], "cells": [1, 9, 30, 31]}
BLOCKS = {"attempts": 60, "block_side": 4}
GOES = {"weak_below": 0.1, "p_eliminate_weak": 0.5, "p_eliminate": 0.2}
SLOTS = {**BLOCKS, **GOES, "p_max": 1.0, "sigma": 2.5}
GROWTH = {"every_ms": 1.0, "updates_a_pairing": 2, "tau_calcium_ms": 50.0, "beta_calcium": 0.002, "vacant_loss": 0.1}
GROWING = {f"{side}_growth_per_s": 500.0 for side in ("axon", "dendrite")}


def fading(**slots):
    return models.RewiringRule(
        "fading", "A fifth goes in each update.", select=models.ALL_SYNAPSES, eliminate="0.2f", **slots
    )


RULES = {
    "bamford": models.Bamford(**SLOTS),
    "bamford_2010": rewiring.Bamford2010(**SLOTS, max_in_degree=20),
    "bogdan_2018": rewiring.LastToFire(**SLOTS, max_in_degree=20, recent_ms=2.0),
    "local_proposals": rewiring.LocalProposals(**BLOCKS, **GOES, sigma=2.5, max_in_degree=20),
    "deep_r": rewiring.DeepR(temperature=5.0, decay=20.0, w_max=0.2),
    "homeostatic": rewiring.Homeostatic(**GROWTH, **GROWING),
    "weakest": Swap(**BLOCKS, p_max=1.0, sigma=2.5, p_swap=0.5),
    "at the target": Wanderer(most_age=3),
    "proposed": Tended(most_age=3),
    "arrivals": fading(arrivals="p", parameters={"p": models.Parameter(0.05, "", "chance", above=0.0)})(),
    "projections": fading(replace="projections", trigger="call")(),
}


def network(rule, removed=True):
    network, grid = Network(seed=5), Grid(SIDE, SIDE)
    of = REMOVED if removed else dict.fromkeys(REMOVED)
    network.add_population("input", grid, models.Poisson(rate_hz=400.0), remove=of["input"])
    cells = models.LIF(V_threshold_mV=-66.0, refractory_ms=0.5)
    network.add_population("cells", grid, cells, {"V_mV": models.Normal(-67, 2)}, remove=of["cells"])
    network.add_projection(
        "wired", "input", "cells", models.FixedProbability(p=0.15), models.ExponentialCurrent(tau_ms=2.0), 0.15,
        models.Static(), rewiring=rule, record_events=True,
    )  # fmt: skip
    return network


def rewired(rule, removed=True, comm=None):
    """The first synapses, the events and the digest."""
    simulation = Simulation(network(rule, removed), comm=comm, tile=2, device=HostDevice(("-O0",)))
    if comm is not None:
        comm.exchange(simulation)
    if rule is RULES["homeostatic"]:  # elements that a neuron without calcium keeps
        simulation.set("input", **{"wired.source.axon_elements": 10.5})
        simulation.set("cells", **{"wired.target.dendrite_elements": 10.5})
    before = simulation.synapses("wired")
    for _ in range(4):
        simulation.run(3.0)
        if "wired" in simulation.program.on_call:
            simulation.rewire("wired")
    return before, simulation.events("wired"), simulation_digest(simulation), simulation.synapses("wired")


@pytest.mark.parametrize("name", RULES)
def test_no_synapse_forms_from_or_onto_them(name):
    """Without removal, the same rule forms some at these neurons."""
    before, events, digest, after = rewired(RULES[name])
    _, pre, post, what = events.T
    formed = what == 0
    at_removed = np.isin(pre, REMOVED["input"]) | np.isin(post, REMOVED["cells"])
    assert (formed & ~at_removed).sum() > 20
    assert not (formed & at_removed).any()
    _, others, _, _ = rewired(RULES[name], removed=False)
    of_them = np.isin(others[:, 1], REMOVED["input"]) | np.isin(others[:, 2], REMOVED["cells"])
    assert (of_them & (others[:, 3] == 0)).any()
    # Those that were there stay or go as the rule has it; no other ones are there.
    there = set(zip(after["pre"].tolist(), after["post"].tolist(), strict=True))
    first = set(zip(before["pre"].tolist(), before["post"].tolist(), strict=True))
    assert {(a, b) for a, b in there if a in REMOVED["input"] or b in REMOVED["cells"]} <= first
    assert (at_removed & ~formed).any(), "none of theirs has gone"
    assert on_ranks(3, lambda comm: rewired(RULES[name], comm=comm)[2]) == [digest] * 3


def test_a_rule_may_ask_which_neurons_are_removed():
    """What it asks for goes, at the first update, and nothing else does."""
    rule = models.RewiringRule(
        "cleared", "Synapses of removed neurons go.", select=models.ALL_SYNAPSES,
        eliminate="pre_removed || post_removed", reason="post_removed ? 1 : 0", reasons=("pre", "post"),
    )  # fmt: skip
    before, events, _, after = rewired(rule())
    of_pre, of_post = np.isin(before["pre"], REMOVED["input"]), np.isin(before["post"], REMOVED["cells"])
    assert (of_pre & of_post).any()
    step, pre, post, what = events[np.lexsort((events[:, 1], events[:, 2]))].T
    gone = of_pre | of_post
    assert set(step.tolist()) == {9}
    np.testing.assert_array_equal(pre, before["pre"][gone])
    np.testing.assert_array_equal(post, before["post"][gone])
    np.testing.assert_array_equal(what, 1 + of_post[gone])
    np.testing.assert_array_equal(after["pre"], before["pre"][~gone])
    _, others, _, _ = rewired(rule(), removed=False)
    assert len(others) == 0
