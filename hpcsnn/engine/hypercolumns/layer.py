"""A rank's hypercolumns: what they make of patterns, and what they learn from them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.engine.hypercolumns.wiring import first_connections, swapped
from hpcsnn.engine.simulation import Simulation
from hpcsnn.network.unsupervised.hypercolumns import HypercolumnRoom, Hypercolumns, hypercolumn_fields

_OWNER = "hypercolumns"
# `undecided` is added up in units of this, in nats.
_UNIT = 2.0**-20
# What is stored of a layer, beside its connections.
TRACES = ("p_unit", "p_joint")


class HypercolumnLayer:
    """The hypercolumns of one rank, whole ones; ranks make the same calls in the same order, with the same patterns.

    Args:
        simulation: of a network that has `Network.hypercolumns`.
    """

    def __init__(self, simulation: Simulation) -> None:
        layer = simulation.network.hypercolumns
        assert layer is not None
        self.layer: Hypercolumns = layer
        self._simulation, self._state = simulation, simulation.state
        self._run = simulation.executable.run
        self.ids = np.sort(simulation.placements[layer.population].global_id)
        part, values = self._state.struct.hypercolumns, layer.rule.values
        self._part = part
        part.n_groups, part.size, part.n_inputs = len(self.ids) // layer.size, layer.size, layer.n_inputs
        part.source_units, part.connections = layer.source_units, layer.connections
        self._rate = 1.0 / values["tau_patterns"]
        part.rate = self._rate
        part.least_probability, part.least_activity = values["least_probability"], values["least_activity"]
        part.initial_spread = values["initial_spread"]
        self._state.bind(part, _OWNER, "id", self._state.device.upload(self.ids))
        self._state.allocate(part, _OWNER, hypercolumn_fields(layer), HypercolumnRoom(len(self.ids)))
        # Of all ranks' hypercolumns, on every rank: what to listen to is decided for all together.
        n_groups = simulation.network.populations[layer.population].size // layer.size
        first_units = layer.size * np.arange(n_groups, dtype=np.int32)
        self.connected = first_connections(layer, simulation.network.seed, first_units)
        self.begun = False
        self._write("p_input", np.full(layer.n_inputs, 1.0 / layer.source_units, np.float32))
        self._run("begin_units", len(self.ids))
        self._wire()

    def learn(self, patterns: NDArray[np.float32]) -> tuple[float, int]:
        """Learn from patterns one after the other, then swap connections; a collective call.

        Args:
            patterns: (n, n_inputs), how active each channel is; of each hypercolumn of the source they add up to 1.

        Returns:
            Minus the logarithm of a hypercolumn's largest activity, added up over patterns and averaged over
            hypercolumns, in nats; and how many connections were swapped.
        """
        part = self._part
        if not self.begun:
            self._begin(patterns)
        self._show(patterns)
        for shown in range(len(patterns)):
            part.gain = self._rate / (1.0 - self._rate) ** (shown + 1)
            self._respond(shown)
            self._run("learn_units", len(self.ids))
        part.n_patterns, part.keep = len(patterns), (1.0 - self._rate) ** len(patterns)
        self._run("scale_units", len(self.ids))
        self._run("learn_inputs", self.layer.n_inputs)
        n_swapped = self._swap()
        undecided = int(self._simulation.communicator.total(self._read("undecided"))[0])
        return undecided * _UNIT / len(self.connected), n_swapped

    def respond(self, patterns: NDArray[np.float32]) -> NDArray[np.float32]:
        """The activity of this rank's units, (n, n_units), which changes nothing."""
        activity = np.empty((len(patterns), len(self.ids)), np.float32)
        self._show(patterns)
        for shown in range(len(patterns)):
            self._respond(shown)
            activity[shown] = self._read("activity")
        return activity

    def _begin(self, patterns: NDArray[np.float32]) -> None:
        """Let all units begin at what the first patterns have in common: one that were there sooner than others would
        answer to everything, and the others never learn."""
        mean = np.zeros(self.layer.n_inputs)
        for pattern in patterns:  # in their order
            mean += pattern
        self._write(
            "p_input", np.maximum(mean / len(patterns), self.layer.rule.values["least_probability"]).astype(np.float32)
        )
        self._run("begin_units", len(self.ids))
        self._wire()
        self.begun = True

    def _show(self, patterns: NDArray[np.float32]) -> None:
        self._write("pattern", patterns.ravel())
        self._write("undecided", np.zeros(1, np.int64))

    def _respond(self, shown: int) -> None:
        self._part.shown = shown
        self._run("add_support", len(self.ids))
        self._run("compete", self._part.n_groups)

    def _swap(self) -> int:
        """Connections anew, the same on every rank."""
        values, n_swapped = self.layer.rule.values, 0
        if values["swaps"]:
            self._run("inform", self._part.n_groups * self.layer.n_inputs)
            told = self._read("information").reshape(-1, self.layer.n_sources, self.layer.source_units)
            own = told[:, :, 0].copy()
            for unit in range(1, self.layer.source_units):
                own += told[:, :, unit]
            everyone = self._simulation.communicator.gather((self._own_numbers, own))
            of_all = np.empty((len(self.connected), self.layer.n_sources), np.float32)
            for numbers, of_rank in everyone:
                of_all[numbers] = of_rank
            self.connected, n_swapped = swapped(self.connected, of_all, values["swap_ratio"], values["swaps"])
        self._wire()
        return n_swapped

    @property
    def _own_numbers(self) -> NDArray[np.int32]:
        return self.ids[:: self.layer.size] // self.layer.size

    def _wire(self) -> None:
        self._write("connected", self.connected[self._own_numbers].ravel())
        self._run("make_weights", len(self.ids))

    # -- what is kept --------------------------------------------------------------------------------------------------

    def read_traces(self) -> dict[str, NDArray[np.float32]]:
        """Of this rank's units in the order of ids: ``p_unit`` (n_units,), ``p_joint`` (n_units, n_inputs), and
        ``bias`` and ``weight`` (n_units, connections * source_units); of all channels ``p_input`` (n_inputs,)."""
        units, weights = len(self.ids), self.layer.connections * self.layer.source_units
        weight = self._read("weight").reshape(-1, weights, self.layer.size).transpose(0, 2, 1)
        return {
            "p_unit": self._read("p_unit"),
            "p_joint": self._read("p_joint").reshape(units, self.layer.n_inputs),
            "p_input": self._read("p_input"),
            "bias": self._read("bias"),
            "weight": weight.reshape(units, weights),
        }

    def write_traces(
        self, connected: NDArray[np.int32], p_input: NDArray[np.float32], **of_units: NDArray[np.float32]
    ) -> None:
        """Put stored ones in their place: of all hypercolumns and channels, and of this rank's units."""
        self.connected = connected
        self._write("p_input", p_input)
        for name in TRACES:
            self._write(name, of_units[name].ravel())
        self._wire()

    def _read(self, name: str) -> NDArray[Any]:
        return self._state.read(f"{_OWNER}.{name}")

    def _write(self, name: str, values: NDArray[Any]) -> None:
        self._state.write(f"{_OWNER}.{name}", values)
