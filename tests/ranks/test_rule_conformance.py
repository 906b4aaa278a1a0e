"""What every rule must keep to, for the shipped rules and for some that use what those do not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hpcsnn import Grid, Network, Simulation, models
from hpcsnn.codegen.constants import HaltReason
from hpcsnn.devices import HostDevice
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.models import Parameter, RewiringRule, Variable, rewiring
from hpcsnn.testing.conformance import PROJECTION, RuleConformance, advance
from support.rules import Swap, Tended, Wanderer

PLACES = {"max_in_degree": 16, "p_eliminate": 0.1, "p_eliminate_weak": 0.3, "attempts": 100, "every_ms": 0.5}
GROWTH = {"every_ms": 1.0, "updates_a_pairing": 7, "tau_calcium_ms": 100.0, "beta_calcium": 0.02}
GROWTH |= {f"{side}_growth_per_s": 80.0 for side in ("axon", "dendrite")}


class Crowded(RuleConformance):
    """Rows and lists of outgoing synapses begin with no room to spare, so that they grow in the middle of updates."""

    duration_ms = 60.0
    ranks = (2,)

    def network(self, seed: int = 1) -> Network:
        network = super().network(seed)
        few = models.FixedProbability(p=3 / 256)
        crowded = dataclasses.replace(network.projections[PROJECTION], capacity=1, connector=few)
        network.projections[PROJECTION] = crowded
        return network


class TestBamford(Crowded):
    rule = models.Bamford(p_max=0.8, sigma=2.0, attempts=300)


class TestBamford2010(Crowded):
    rule = rewiring.Bamford2010(p_max=1.0, sigma=2.5, **PLACES)


class TestLocalProposals(Crowded):
    rule = rewiring.LocalProposals(sigma=2.5, **PLACES)


class TestLastToFire(Crowded):
    """Delays of several steps, so that spikes are exchanged seldom; ranks know few sources beyond the rule's reach."""

    rule = rewiring.LastToFire(p_max=1.0, sigma=0.5, recent_ms=2.0, block_side=8, **PLACES)
    ranks = (3,)

    def network(self, seed: int = 1) -> Network:
        network = Network(seed=seed)
        network.add_population("input", Grid(32, 32), models.Poisson(rate_hz=40), record_spikes=True)
        network.add_population("cells", Grid(32, 32), models.LIF(), {"V_mV": models.Normal(-60, 5)})
        network.add_projection(
            PROJECTION, "input", "cells", models.OneToOne(), models.ExponentialCurrent(), 0.15, models.AdditiveSTDP(),
            rewiring=self.rule, record_events=True, capacity=1, delay_ms=0.7,
        )  # fmt: skip
        return network


class TestDeepR(Crowded):
    rule = rewiring.DeepR(temperature=0.05, decay=1.0, w_max=0.3)

    def network(self, seed: int = 1) -> Network:
        network = super().network(seed)
        static = dataclasses.replace(network.projections[PROJECTION], synapse=models.Static())
        network.projections[PROJECTION] = static
        return network


class TestSparseEvolution(Crowded):
    rule = rewiring.SparseEvolution(every=1, fraction=0.5, new_weight=0.1)

    def check_end(self, simulation):
        """Ten updates of half the synapses each."""
        events, n = simulation.events(PROJECTION), len(simulation.synapses(PROJECTION)["pre"])
        assert (events[:, 3] == 0).sum() == (events[:, 3] == 1).sum() == 10 * round(0.5 * n)


class TestHomeostatic(Crowded):
    rule = rewiring.Homeostatic(**GROWTH)
    ranks = (3,)


class TestSwap(Crowded):
    rule = Swap(attempts=60)


class TestWanderer(Crowded):
    """What goes comes back at the same target."""

    rule = Wanderer()


class TestTended(Crowded):
    """Sources and targets on grids of their own, so few sources that a rank may have none."""

    rule = Tended()
    ranks = (3,)

    def network(self, seed: int = 1) -> Network:
        network = Network(seed=seed)
        network.add_population("input", Grid(5, 3), models.Poisson(rate_hz=60), record_spikes=True)
        network.add_population("cells", Grid(16, 12), models.LIF(), {"V_mV": models.Normal(-60, 5)})
        network.add_projection(
            PROJECTION, "input", "cells", models.FixedProbability(p=0.05), models.ExponentialCurrent(), 0.15,
            rewiring=self.rule, record_events=True, capacity=1, delay_ms=0.4,
        )  # fmt: skip
        return network


# Elements that are counted, not grown, on grids that differ; a source sees its out-degree and the rule has no reasons.
Dealt = RewiringRule(
    "dealt",
    "Every source wants as many synapses as it has had spikes lately, every target three.",
    parameters={"updates": Parameter(3, "", "updates a pairing", ctype="int", minimum=1)},
    source_variables=(Variable("wanted", 0, "synapses", "int"), Variable("seen", 0, "synapses", "int")),
    update_source="seen = out_degree; wanted = (wanted + out_degree + (int)(random() >> 30)) % 9;",
    pairing=rewiring.Pairing(offers="wanted - out_degree", demands="3 - in_degree", every="updates"),
)


class TestDealt(TestTended):
    rule = Dealt()

    def check_end(self, simulation):
        synapses, source = simulation.synapses(PROJECTION), simulation.neurons("input")
        assert np.bincount(synapses["post"]).max() <= 3
        assert {0, 2} == set(simulation.events(PROJECTION)[:, 3].tolist())
        assert source[f"{PROJECTION}.source.seen"].max() > 0


OnStimulus = RewiringRule(
    "on_stimulus",
    "Weak synapses go when the stimulus moves, and come back anywhere.",
    trigger="stimulus",
    select=rewiring.ALL_SYNAPSES,
    eliminate="weight < 0.15f ? 0.8f : 0.2f",
    replace="projection",
    initial="0.1f + 0.05f * random.uniform()",
)


class TestOnStimulus(Crowded):
    rule = OnStimulus()

    def network(self, seed: int = 1) -> Network:
        network = super().network(seed)
        moving = models.MovingGaussianPoisson(base_hz=40, peak_hz=300, sigma=2, dwell_ms=5)
        stimulus = dataclasses.replace(network.populations["input"], model=moving)
        network.populations["input"] = stimulus
        rewired = dataclasses.replace(network.projections[PROJECTION], source=stimulus)
        network.projections[PROJECTION] = rewired
        return network

    def check_end(self, simulation):
        steps = np.unique(simulation.events(PROJECTION)[:, 0])
        assert steps.tolist() == list(range(49, 600, 50))


class TestOnCall(Crowded):
    rule = dataclasses.replace(Tended, trigger="call")()


Arriving = RewiringRule(
    "arriving",
    "Synapses go by chance, and come anywhere by chance.",
    parameters={"p_come": models.probability(0.01, "chance of each pair without a synapse")},
    select=rewiring.ALL_SYNAPSES,
    eliminate="0.25f",
    arrivals="p_come",
    initial="0.1f + 0.05f * random.uniform()",
)


class TestArriving(Crowded):
    rule = Arriving(every_ms=5.0)


class TestSharing(Crowded):
    """By itself a projection that would share a budget has its own."""

    rule = dataclasses.replace(OnStimulus, name="sharing", trigger="call", replace="projections")()


Near = RewiringRule(
    "near",
    "Synapses go by chance and come back near; a hook asks for anyone, twice, and gets who is near, once.",
    select=rewiring.ALL_SYNAPSES,
    eliminate="0.25f",
    per_target="""
const int id = (int)(((uint64)random() * (uint32)n_sources) >> 32);
row.remove(row.find(post_id - 1));
row.propose(post_id);
row.propose(id);
row.propose(post_id);
row.propose(-1);
row.propose(n_sources);
""",
    proposals=3,
    replace="projection",
    reach_squared=lambda values: 5,
)


class TestNear(Crowded):
    """A rank knows no more sources than are near; what is refused for want of room is owed."""

    rule = Near(every_ms=5.0)
    ranks = (3,)
    keeps_total = False

    def network(self, seed: int = 1) -> Network:
        network = Network(seed=seed)
        network.add_population("input", Grid(32, 32), models.Poisson(rate_hz=40), record_spikes=True)
        network.add_population("cells", Grid(32, 32), models.LIF(), {"V_mV": models.Normal(-60, 5)})
        network.add_projection(
            PROJECTION, "input", "cells", models.OneToOne(), models.ExponentialCurrent(), 0.15, models.AdditiveSTDP(),
            rewiring=self.rule, record_events=True, capacity=2, rows_grow=False,
        )  # fmt: skip
        return network

    def check_end(self, simulation):
        synapses, store = simulation.synapses(PROJECTION), simulation.state.stores[PROJECTION]
        pre, post = synapses["pre"], synapses["post"]
        dx, dy = np.abs(pre % 32 - post % 32), np.abs(pre // 32 - post // 32)
        assert (np.minimum(dx, 32 - dx) ** 2 + np.minimum(dy, 32 - dy) ** 2 <= 5).all()
        assert np.bincount(post).max() == 2
        assert store.counter("refused") > 100
        # What went and did not come back, for itself or by a hook's proposal, is owed.
        owed = int(simulation.neurons("cells")[f"{PROJECTION}.target.owed"].sum())
        assert owed >= 1024 - len(pre)


@pytest.mark.parametrize("tested", [TestTended, TestWanderer, TestSwap, TestDealt, TestOnCall, TestNear])
def test_logs_of_events_that_fill_up_and_none_at_all(tested):
    """Room for one update's events only: the schedule halts at nearly every update, and no event is lost."""
    whole = tested().simulated()
    simulation = Simulation(tested().network(), device=HostDevice(("-O3",)), log_entries=0)
    advance(simulation, tested.duration_ms)
    stages = simulation.program.stages
    if PROJECTION not in simulation.program.on_call and not any(stage.meets for stage in stages):
        # Logs are taken after a call, and where ranks meet.
        assert simulation.halts[HaltReason.LOG_FULL] > 10
    np.testing.assert_array_equal(simulation.events(PROJECTION), whole.events(PROJECTION))
    network = tested().network()
    network.projections[PROJECTION] = dataclasses.replace(network.projections[PROJECTION], record_events=False)
    unrecorded = Simulation(network, device=HostDevice(("-O1",)))
    advance(unrecorded, tested.duration_ms)
    assert simulation_digest(unrecorded) == simulation_digest(simulation) == simulation_digest(whole)


class TestNarrow(RuleConformance):
    """Where few slots are within reach, only attempts on these are drawn."""

    rule = rewiring.Bamford(p_max=0.9, sigma=0.9, attempts=200, p_eliminate=0.2)

    def network(self, seed: int = 1) -> Network:
        network = super().network(seed)
        narrow = dataclasses.replace(network.projections[PROJECTION], connector=models.Gaussian(p_max=0.9, sigma=0.9))
        network.projections[PROJECTION] = narrow
        return network

    def check_end(self, simulation):
        within = simulation.state.struct.projection_rewired.n_within
        assert 0 < within < 128
