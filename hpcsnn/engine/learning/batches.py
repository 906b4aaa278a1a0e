"""A batch of samples on one rank: played, their gradients added up, then one step of the optimiser.

A rank simulates whole samples, as many at a time as it has replicas of the network: by itself, or with others that
share the network with it. Ranks share out the samples of a batch and meet where gradients are added up, as whole
numbers, so that the answer does not depend on how many they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.devices import choose_device
from hpcsnn.devices.base import Device
from hpcsnn.engine.learning.arrays import fit_trained
from hpcsnn.engine.learning.feedback import SharedFeedback, draw_feedback, read_feedback, write_feedback
from hpcsnn.engine.learning.groups import Groups, of_all, output_ids, tile_side
from hpcsnn.engine.learning.lanes import Lanes
from hpcsnn.engine.learning.norms import squares
from hpcsnn.engine.learning.replicas import with_replicas
from hpcsnn.engine.learning.windows import Windows
from hpcsnn.engine.rewiring.candidates import draw_for_batch, gradient_sums
from hpcsnn.engine.simulation import Simulation
from hpcsnn.engine.synapse_rows import SynapseRows
from hpcsnn.models.learning.clipping import clipping_of_batch
from hpcsnn.models.learning.optimisers import constants_of_batch
from hpcsnn.network import Network, Projection
from hpcsnn.network.learning import feedback_projection, gradient_of, hidden_populations, trained_projections
from hpcsnn.network.learning_fields import GRADIENT_BITS


@dataclass(frozen=True)
class Played:
    """Samples as kernels play them: the spikes in each step of each sample, and what is asked of them.

    Attributes:
        spikes_before: spikes before each step, shape (n_samples * n_steps + 1,), int32.
        channels: of the spikes, shape (n_spikes,), int32.
        ids: by which random numbers of the samples are drawn, shape (n_samples,), uint32.
        labels: shape (n_samples,), int32; 0 where there are targets.
        first_scored: the first step that counts, shape (n_samples,), int32.
        targets: shape (n_samples, n_steps, n_outputs), float32, or None.
        teacher: by hidden population the rates that its neurons are taught, in spikes a step, by id, shape (n_samples,
            n_neurons); empty: there is no teacher.
        batch: its number, by which random numbers of the samples are drawn; 0 where nothing is learnt.
        lanes: of those that this rank plays the one that each sample goes on from, shape (n_samples,), or None.
    """

    spikes_before: NDArray[np.int32]
    channels: NDArray[np.int32]
    ids: NDArray[np.uint32]
    labels: NDArray[np.int32]
    first_scored: NDArray[np.int32]
    targets: NDArray[np.float32] | None = None
    lanes: NDArray[np.int64] | None = None
    teacher: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    batch: int = 0

    def __len__(self) -> int:
        return len(self.labels)


class Learner:
    """One rank's part of a network that learns (`hpcsnn.network.learning.learning_network`): all of it, unless ranks
    share it.

    Args:
        network: what learns.
        groups: the ranks; samples are shared out among groups, in each of which ranks share a network.
        device: as for `Simulation`.
        samples: of a batch.
        replicas: samples simulated at a time; None: as many as the device would rather have.

    Raises:
        ConfigurationError: more than one replica of a network that cannot share what it has.
    """

    def __init__(
        self,
        network: Network,
        groups: Groups,
        device: str | Device = "auto",
        samples: int = 1,
        replicas: int | None = None,
    ) -> None:
        chosen, sharing_ranks = choose_device(device, groups.everyone), groups.network.size
        tile = tile_side(network, sharing_ranks)
        network = with_replicas(network, chosen, -(-samples // groups.n_groups), replicas, sharing_ranks)
        learning = network.learning
        assert learning is not None
        self.simulation = Simulation(network, groups.network, chosen, tile)
        self.network, self.learning, self.groups = network, learning, groups
        self.state, self._executable = self.simulation.state, self.simulation.executable
        self._part = self.state.struct.learning
        self._windows = Windows(self.simulation) if learning.windowed else None
        self.own_lanes = np.array_split(np.arange(samples), groups.n_groups)[groups.number]
        self._at_rest = Lanes(self.state) if learning.carries_state else None
        self.lanes = self.lanes_at_rest()
        self.trained = trained_projections(network)
        rules = {one.name: one.rule for one in network.projections.values() if one.rule is not None}
        self.rewired = list(rules)
        # Each by itself, but for those that share a budget.
        sharing = tuple(name for name, rule in rules.items() if rule.replace == "projections")
        self._rewired_together = [(name,) for name in rules if name not in sharing] + [sharing] * bool(sharing)
        (source,) = (one.name for one in network.populations.values() if one.is_source)
        self._neuron_of = _places(self.simulation.placements[source].global_id, network.populations[source].size)
        self._output_ids = output_ids(self.simulation.placements[learning.readout].tiling)
        self._output_of = np.argsort(self._output_ids).astype(np.int32)
        if not learning.symmetric:
            draw_feedback(self.state, self._executable)
        for names in self._rewired_together:
            self.simulation.rewire(*names)  # the first wiring becomes one that the rule knows
        for projection in self.trained:
            fit_trained(self.state, projection)
        self._feedback = SharedFeedback(self.state) if learning.symmetric and self._shares else None

    @property
    def _shares(self) -> bool:
        """Whether this rank has a part of the network only."""
        return self.groups.network.size > 1

    # -- samples -------------------------------------------------------------------------------------------------------

    def lanes_at_rest(self) -> Lanes | None:
        """Those of this rank before any sample; None: each sample begins at rest."""
        return None if self._at_rest is None else self._at_rest.copies(len(self.own_lanes))

    def play(
        self, samples: Played, learns: bool, lanes: Lanes | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Run samples, and add up their gradients if the network `learns` from them; a collective call of the ranks
        that share it.

        Args:
            lanes: that samples go on from, and are kept in, if the network carries its state on.

        Returns:
            Loss and answer (the output of the largest score) of each, shape (n_samples,); nothing on ranks that have
            no readout.
        """
        n, state = len(samples), self.state
        if n == 0:
            return np.zeros(0, np.float32), np.zeros(0, np.int32)
        n_steps, n_replicas = self.learning.sample_steps, self.network.replicas
        spiking, spikes_before = self._neuron_of[samples.channels], samples.spikes_before
        if self._shares:  # each rank plays its own neurons' spikes
            own = spiking >= 0
            spiking = spiking[own]
            spikes_before = np.concatenate([[0], np.cumsum(own)]).astype(np.int32)[spikes_before]
        self._put("event_at", spikes_before)
        self._put("event_neuron", spiking)
        self._put("sample_id", samples.ids)
        self._part.batch_number = samples.batch
        self._put("label", self._output_of[samples.labels] if samples.targets is None else samples.labels)
        self._put("first_scored", samples.first_scored)
        if samples.targets is not None:
            self._put("target", samples.targets[:, :, self._output_ids])
        for name, rates in samples.teacher.items():
            own_rates = rates[:, self.simulation.placements[name].global_id]
            learner = getattr(self._part, f"population_{name}")
            state.bind(learner, f"learning.{name}", "teacher", state.device.upload(own_rates))
        self._put("sample_loss", np.zeros(n, np.float32))
        self._put("prediction", np.zeros(n, np.int32))
        self._part.learns, self._part.n_samples = int(learns), n
        self._part.steps_back = n_steps if learns else 0
        for projection in self.trained:
            self._run(f"freeze_{projection.name}", projection.source.size)
        if learns and self._feedback is not None:
            self._feedback.tell()
        elif learns and self.learning.symmetric:
            for hidden in hidden_populations(self.network):
                if feedback_projection(self.network, hidden) is not None:
                    self._run(f"feedback_{hidden.name}", hidden.size)
        rounds = -(-n // n_replicas)
        if lanes is not None:
            self._play_on(samples, lanes)
        elif self._windows is None:
            state.set_control("step", 0)
            self.simulation.run(rounds * n_steps * self.network.dt_ms, progress=False)
        elif learns:
            self._windows.learn(rounds)
        else:
            self._windows.evaluate(rounds)
        scored = slice(None) if self.groups.network.rank == 0 else slice(0)
        losses, answers = (state.read(f"learning.{name}")[scored] for name in ("sample_loss", "prediction"))
        return losses, self._output_ids[answers]

    def _play_on(self, samples: Played, lanes: Lanes) -> None:
        """Each sample from where its lane is."""
        assert samples.lanes is not None
        n_steps = self.learning.sample_steps
        for number, lane in enumerate(samples.lanes.tolist()):
            begin, end = number * n_steps, (number + 1) * n_steps
            lanes.put_back(lane, begin)
            self.state.set_control("step", begin)
            self.simulation.run(n_steps * self.network.dt_ms, progress=False)
            lanes.set_aside(lane, end)

    def _put(self, name: str, values: NDArray[Any]) -> None:
        self.state.bind(self._part, "learning", name, self.state.device.upload(values))

    def _run(self, kernel: str, items: int) -> None:
        self._executable.run(kernel, items)
        self.simulation.mend()

    # -- the end of a batch --------------------------------------------------------------------------------------------

    def gradient_arrays(self) -> Iterator[str]:
        """Names of the arrays that gradients are added up in."""
        for projection in self.trained:
            yield f"learning.{projection.name}.gradient"
        readout = self.network.populations[self.learning.readout]
        for name in gradient_of(readout).trained:
            yield f"learning.{readout.name}.gradient_{name}"

    def begin_batch(self, batch: int) -> None:
        """Draw what synapses may grow by the gradients of a batch, which counts from 1; a collective call."""
        draw_for_batch(self.state, self._executable, batch)

    def add_up(self) -> None:
        """Gradients of all groups, on every rank those of its part; a collective call."""
        if self.groups.n_groups > 1:
            for name in (*self.gradient_arrays(), *gradient_sums(self.state)):
                self.state.change(name, self.groups.peers.add_up)

    def forget(self) -> None:
        """Set all gradients to 0."""
        for name in self.gradient_arrays():
            self.state.arrays[name][...] = 0

    def optimise(self, batch: int, n_samples: int, epoch_batches: int) -> None:
        """One step of the optimiser; `batch` counts from 1, `n_samples` are those of all ranks."""
        optimiser = self.learning.optimiser
        for name, value in constants_of_batch(optimiser, self.network.dt_ms, batch, epoch_batches).items():
            setattr(self._part, f"optimiser_{name}", value)
        clipping = clipping_of_batch(optimiser, self._gradient_norm)
        self._part.gradient_factor, self._part.largest_gradient = clipping.factor, clipping.largest
        self._part.batch_samples = n_samples
        for name in self.hidden if self.learning.adaptive else ():
            self._run(f"adapt_{name}", self.network.populations[name].size)  # before gradients are set back to 0
        for projection in self.trained:
            self._run(f"optimise_{projection.name}", projection.target.size)
        self._run(f"optimise_{self.learning.readout}", len(self._output_ids))

    def _gradient_norm(self) -> float:
        """Of the whole batch's gradient, in the loss's unit; the same on all ranks, where gradients are added up."""
        own = squares(self.state.read(name) for name in self.gradient_arrays())
        return math.sqrt(sum(self.groups.network.gather(own))) * 2.0**-GRADIENT_BITS

    def rewire(self, batch: int) -> dict[str, int]:
        """An update of each rule; how many synapses were replaced, by projection. `batch` keys the random numbers."""
        self.state.set_control("step", batch)
        before = {name: self.state.stores[name].counter("eliminated") for name in self.rewired}
        for names in self._rewired_together:
            self.simulation.rewire(*names)
            self.simulation.mend()  # what shares a budget is ranked behind the last one's stages
        replaced = {name: self.state.stores[name].counter("eliminated") - n for name, n in before.items()}
        for name in self.rewired:
            fit_trained(self.state, self.network.projections[name])
        return self._total(replaced)

    def n_synapses(self, projection: str) -> int:
        """Synapses of a projection; a collective call."""
        return self._total({projection: self.state.stores[projection].n_synapses()})[projection]

    def _total(self, counts: Mapping[str, int]) -> dict[str, int]:
        """Of all ranks that share the network."""
        everyone = self.groups.network.gather(dict(counts))
        return {name: sum(each[name] for each in everyone) for name in counts}

    # -- what has been learnt ------------------------------------------------------------------------------------------

    @property
    def hidden(self) -> list[str]:
        """Names of the hidden populations."""
        return [one.name for one in hidden_populations(self.network)]

    def gradients_of_synapses(self, projection: Projection) -> dict[str, NDArray[Any]]:
        """``pre``, ``post`` and ``gradient`` (float64) of a projection's synapses, by post, then pre."""
        _, pre, post = self.state.stores[projection.name].pairs()
        sums = self.state.read(f"learning.{projection.name}.gradient")[: len(pre)]
        gradient = sums.astype(np.float64) * 2.0**-GRADIENT_BITS
        order = np.lexsort((pre, post))
        columns: dict[str, NDArray[Any]] = {"pre": pre[order], "post": post[order], "gradient": gradient[order]}
        return of_all(self.groups.network, columns, "post", "pre")

    def gradients_of_readout(self) -> dict[str, NDArray[Any]]:
        """Of each variable of the readout that is trained, one gradient (float64) per output, in the order of ids."""
        readout = self.network.populations[self.learning.readout]
        found = {}
        for name in gradient_of(readout).trained:
            sums = self.groups.network.broadcast(self.state.read(f"learning.{readout.name}.gradient_{name}"))
            found[name] = sums[self._output_of] * 2.0**-GRADIENT_BITS
        return found

    def feedback(self) -> dict[str, dict[str, NDArray[Any]]]:
        """By hidden population the weights of errors that learn, and their optimiser's variables; see `read_feedback`.

        Empty unless they learn.
        """
        return {name: read_feedback(self.state, name) for name in self.hidden if self.learning.adaptive}

    def restore(
        self,
        columns: dict[str, dict[str, NDArray[Any]]],
        kept: dict[str, NDArray[Any]],
        feedback: dict[str, dict[str, NDArray[Any]]],
    ) -> None:
        """Put synapses, as `Simulation.synapses` gives them, the readout's kept variables and `feedback` in place."""
        for projection in self.trained:
            rows = dict(columns[projection.name])
            pre, post = rows.pop("pre"), rows.pop("post")
            target, source = (self.simulation.placements[end.name] for end in (projection.target, projection.source))
            local = _places(target.global_id, projection.target.size)[post]
            own = np.flatnonzero(local >= 0)
            order = own[np.lexsort((pre[own], local[own]))]
            in_degree = np.bincount(local[own], minlength=target.n_own).astype(np.int32)
            local_source = _places(source.known_id, projection.source.size)[pre]
            ordered = {"source": local_source[order], **{name: column[order] for name, column in rows.items()}}
            self.state.restore_rows(self._executable, projection.name, SynapseRows(in_degree, ordered))
            fit_trained(self.state, projection)
        outputs = self.simulation.placements[self.learning.readout].global_id
        for name, values in kept.items():
            self.state.write_replicas(f"{self.learning.readout}.state_{name}", values[outputs])
        for name, arrays in feedback.items():
            write_feedback(self.state, name, arrays)

    def n_spikes(self, population: str) -> int:
        """Spikes of a population on this rank since it began."""
        return self.state.total_spikes(population)


def _places(ids: NDArray[np.int32], size: int) -> NDArray[np.int32]:
    """Where each neuron of a population of so many stands among `ids`; -1: nowhere."""
    places = np.full(size, -1, dtype=np.int32)
    places[ids] = np.arange(len(ids), dtype=np.int32)
    return places
