"""What any rule of rewiring must keep to, as tests: for hpcsnn's own rules, and for yours.

In a test file of your own::

    from hpcsnn.testing import RuleConformance

    class TestMyRule(RuleConformance):
        rule = MyRule(p_form=0.1)

and pytest finds the tests; ``hpcsnn rules test my_rule.py`` runs them without pytest. What a rule needs of the network
around it goes into `network`, what only its author knows must come out into `check_end`.
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import cloudpickle
import numpy as np
from numpy.typing import NDArray

from hpcsnn.codegen.program import generate
from hpcsnn.devices.base import Device
from hpcsnn.devices.host import HostDevice
from hpcsnn.devices.vectorisation import not_vectorised
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.engine.simulation import Simulation
from hpcsnn.models import (
    LIF,
    AdditiveSTDP,
    Configured,
    ExponentialCurrent,
    FixedProbability,
    MovingGaussianPoisson,
    Normal,
    Poisson,
)
from hpcsnn.models.rewiring import RewiringRule
from hpcsnn.network import Grid, Network
from hpcsnn.network.fields import rewiring_fields, synapse_fields
from hpcsnn.runs.scripted.saving import write_network
from hpcsnn.storage.network_store import StoredNetwork
from hpcsnn.storage.restore import restore
from hpcsnn.testing.on_ranks import Conformance, last_word_on_ranks
from hpcsnn.testing.racing_threads import RacingThreads

PROJECTION = "rewired"
"""Name of the projection whose rule is tested."""


class RuleConformance(Conformance):
    """Tests of one rule. Set ``rule``; override the rest where the rule needs it.

    Attributes:
        rule: the rule with its parameters.
        duration_ms: model time that each test simulates, a whole number of steps; some synapses must come or go in it.
        keeps_total: whether the rule promises the number of all synapses; None: what its ``replace`` says.
        keeps_in_degree: whether it promises that of each target; None: likewise.
        ranks: numbers of MPI ranks that must give one answer.
    """

    rule: ClassVar[Configured[RewiringRule]]
    duration_ms: ClassVar[float] = 300.0
    keeps_total: ClassVar[bool | None] = None
    keeps_in_degree: ClassVar[bool | None] = None
    ranks: ClassVar[tuple[int, ...]] = (2, 3)
    _ended: ClassVar[Simulation]

    def network(self, seed: int = 1) -> Network:
        """The network that is simulated; the rule's projection in it is called ``rewired``.

        By default 16 x 16 Poisson neurons of 40 Hz (under a stimulus that moves every 20 ms, if the rule waits for one)
        onto as many LIF neurons, additive STDP, in-degree 12.
        """
        network = Network(seed=seed)
        grid = Grid(16, 16)
        waits = self.rule.model.trigger == "stimulus"
        source = MovingGaussianPoisson(base_hz=10, dwell_ms=20) if waits else Poisson(rate_hz=40)
        network.add_population("input", grid, source, record_spikes=True)
        network.add_population("cells", grid, LIF(), {"V_mV": Normal(-60, 5)}, record_spikes=True)
        network.add_projection(
            PROJECTION, "input", "cells", FixedProbability(p=12 / 256), ExponentialCurrent(tau_ms=5.0), 0.15,
            synapse=AdditiveSTDP(), delay_ms=1.0, rewiring=self.rule, record_events=True,
        )  # fmt: skip
        return network

    def check_end(self, simulation: Simulation) -> None:
        """More that must be true after ``duration_ms`` on one rank; raise AssertionError if it is not."""

    @classmethod
    def names_of_tests(cls) -> list[str]:
        """All but what the author knows, if the class says nothing of it."""
        untold = {"test_what_the_author_knows"} if cls.check_end is RuleConformance.check_end else set()
        return [name for name in super().names_of_tests() if name not in untold]

    def notes(self) -> list[str]:
        """What a rule's author may want to know of the network, though no promise is broken."""
        network = self.network()
        names = [name for name, population in network.populations.items() if not population.is_source]
        return [
            f"update loop of neuron {network.populations[name].model.name} (population {name}) is not vectorised: {why}"
            for name, why in not_vectorised(generate(network, n_ranks=1), names).items()
        ]

    # -- the tests -----------------------------------------------------------------------------------------------------

    def test_something_comes_or_goes(self) -> None:
        """Else the other tests would say nothing."""
        events = self._at_end().events(PROJECTION)
        assert len(events), f"no synapse came or went in {self.duration_ms:g} ms: give the rule more to do"

    def test_rows_and_lists_agree_and_no_pair_has_two_synapses(self) -> None:
        """Both directions of the index, entry by entry."""
        self._at_end().state.stores[PROJECTION].check()

    def test_events_account_for_every_change(self) -> None:
        """First wiring, with what formed, without what went, is the wiring at the end."""
        start = self._pairs(Simulation(self.network(), device=HostDevice(("-O1",))))
        simulation = self._at_end()
        wired = set(map(tuple, start.tolist()))
        # A pair may come and go in one step, but not come twice on end; the order within a step is not recorded.
        changes: Counter[tuple[int, int, int]] = Counter()
        for step, pre, post, what in simulation.events(PROJECTION).tolist():
            changes[step, pre, post] += -1 if what else 1
        for (step, pre, post), change in sorted(changes.items()):
            there = ((pre, post) in wired) + change
            assert there in (0, 1), f"step {step}: {pre} to {post} {'came' if there > 0 else 'went'} twice"
            (wired.add if there else wired.discard)((pre, post))
        assert wired == set(map(tuple, self._pairs(simulation).tolist()))

    def test_numbers_are_kept(self) -> None:
        """The total, or each target's in-degree, where the rule promises it."""
        rule = self._rule()
        total = rule.replaces_anywhere if self.keeps_total is None else self.keeps_total
        each = rule.replace == "target" if self.keeps_in_degree is None else self.keeps_in_degree
        n = self.network().projections[PROJECTION].target.size
        before = np.bincount(self._pairs(Simulation(self.network(), device=HostDevice(("-O1",))))[:, 1], minlength=n)
        after = np.bincount(self._pairs(self._at_end())[:, 1], minlength=n)
        if total:
            assert before.sum() == after.sum()
        if each:
            np.testing.assert_array_equal(before, after)

    def test_values_are_finite(self) -> None:
        """Of every variable of every synapse and neuron; and no weight is larger than the rule or synapse says."""
        simulation = self._at_end()
        network = simulation.network
        for columns in (simulation.synapses(PROJECTION), *(simulation.neurons(name) for name in network.populations)):
            for name, values in columns.items():
                assert np.isfinite(values).all(), f"{name} is not finite everywhere"
        projection = network.projections[PROJECTION]
        weight, bound = np.abs(simulation.synapses(PROJECTION)["weight"]).max(initial=0.0), projection.weight_bound
        if projection.synapse.model.deliver.strip() == "weight":
            assert weight <= bound * (1 + 1e-6), f"a weight of {weight:g} is beyond {bound:g}: give the rule its bound"

    def test_what_the_author_knows(self) -> None:
        """See `check_end`, which may do as it likes with its simulation."""
        self.check_end(self.simulated())

    def test_the_same_again_and_however_it_is_compiled(self) -> None:
        """One digest at -O0 and -O3: nothing left uninitialised, nothing that depends on the order of operations."""
        plain = self._digest(device=HostDevice(("-O0",)))
        assert plain == self._digest()
        assert plain == self._digest()

    def test_tiles_do_not_matter(self) -> None:
        """One digest with tiles of 1 and of 16 neurons per side."""
        assert self._digest(tile=1) == self._digest(tile=16)

    def test_racing_threads_do_not_matter(self) -> None:
        """One digest with the launches of a GPU, each kernel on several threads at once."""
        assert self._digest(device=RacingThreads()) == simulation_digest(self._at_end())

    def test_ranks_do_not_matter(self) -> None:
        """One digest on real MPI ranks."""
        alone = simulation_digest(self._at_end())
        for n_ranks in self.ranks:
            assert alone == self._digest_on(n_ranks), f"{n_ranks} ranks give another answer than one"

    def test_a_restart_does_not_matter(self) -> None:
        """One digest straight through and stored, restored with other tiles, and gone on with in the middle."""
        dt_ms, steps = self.network().dt_ms, self.network().steps(self.duration_ms)
        first = steps // 2 + 3
        stopped = self._simulation()
        on_call = PROJECTION in stopped.program.on_call
        if on_call:
            advance(stopped, self.duration_ms, range(5))
        else:
            stopped.run(first * dt_ms, progress=False)
        with tempfile.TemporaryDirectory() as folder:
            write_network(Path(folder) / "network.zarr", stopped)
            resumed = self._simulation(tile=4)
            restore(resumed, StoredNetwork(Path(folder) / "network.zarr"))
        if on_call:
            advance(resumed, self.duration_ms, range(5, 10))
        else:
            resumed.run((steps - first) * dt_ms, progress=False)
        assert simulation_digest(resumed) == simulation_digest(self._at_end())

    def test_an_update_changes_only_what_it_may(self) -> None:
        """Synapses of the projection and variables of the rule; no neuron, no spike, no other projection."""
        network = self.network()
        projection = network.projections[PROJECTION]
        on_call = dataclasses.replace(self._rule(), trigger="call")
        assert projection.rewiring is not None
        rewiring = dataclasses.replace(projection.rewiring, model=on_call)
        network.projections[PROJECTION] = dataclasses.replace(projection, rewiring=rewiring)
        simulation = Simulation(network, device=HostDevice(("-O1",)))
        simulation.run(network.steps(self.duration_ms) // 3 * network.dt_ms, progress=False)
        before = dict(_others(simulation))
        simulation.rewire(PROJECTION)
        for name, values in _others(simulation):
            np.testing.assert_array_equal(values, before[name], err_msg=f"the update has changed {name}")

    # -- how -----------------------------------------------------------------------------------------------------------

    def _rule(self) -> RewiringRule:
        rule = self.network().projections[PROJECTION].rule
        assert rule is not None
        return rule

    def _simulation(self, device: Device | None = None, tile: int = 8) -> Simulation:
        return Simulation(self.network(), device=device or HostDevice(("-O3",)), tile=tile)

    def simulated(self, device: Device | None = None, tile: int = 8) -> Simulation:
        """The network after ``duration_ms``, with an update after each tenth for a rule on call."""
        simulation = self._simulation(device, tile)
        advance(simulation, self.duration_ms)
        return simulation

    def _at_end(self) -> Simulation:
        """`simulated`, once for all tests of a class that only look at it."""
        if "_ended" not in vars(type(self)):
            type(self)._ended = self.simulated()
        return type(self)._ended

    def _digest(self, device: Device | None = None, tile: int = 8) -> str:
        return simulation_digest(self.simulated(device, tile))

    def _digest_on(self, n_ranks: int) -> str:
        return last_word_on_ranks("hpcsnn.testing.conformance", (self.network(), self.duration_ms), n_ranks)

    @staticmethod
    def _pairs(simulation: Simulation) -> NDArray[np.int32]:
        synapses = simulation.synapses(PROJECTION)
        return np.stack([synapses["pre"], synapses["post"]], axis=1)


def advance(simulation: Simulation, duration_ms: float, parts: range = range(10)) -> None:
    """Advance, with an update after each tenth for a rule that waits to be asked; `parts`: these tenths only."""
    if PROJECTION not in simulation.program.on_call:
        simulation.run(duration_ms, progress=False)
        return
    steps, dt_ms = simulation.network.steps(duration_ms), simulation.network.dt_ms
    for part in parts:
        simulation.run((steps * (part + 1) // 10 - steps * part // 10) * dt_ms, progress=False)
        simulation.rewire(PROJECTION)


def _others(simulation: Simulation) -> Iterator[tuple[str, NDArray[Any]]]:
    """Every array that an update of the rewired projection has no business with."""
    projection = simulation.network.projections[PROJECTION]
    its_own = {f"{PROJECTION}.{field.name}" for field in (*synapse_fields(projection), *rewiring_fields(projection))}
    for name in simulation.state.arrays:
        if name != "control" and name not in its_own:
            yield name, simulation.state.read(name)


def _main(path: str) -> None:
    """What each of several ranks does: advance the network that was pickled, and print its digest."""
    from mpi4py import MPI

    network, duration_ms = cloudpickle.loads(Path(path).read_bytes())
    # The smallest tiles: a rank then knows no more sources than it must.
    simulation = Simulation(network, comm=MPI.COMM_WORLD, device=HostDevice(("-O1",)), tile=1)
    advance(simulation, duration_ms)
    digest = simulation_digest(simulation)
    if simulation.rank == 0:
        print(digest, flush=True)


if __name__ == "__main__":
    _main(sys.argv[1])
