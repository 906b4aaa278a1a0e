"""A running network in a user's script: set, begun again, saved, and gone on with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from hpcsnn.checked_numbers import truth_value
from hpcsnn.engine import simulation as engine
from hpcsnn.engine.synapse_rows import SynapseRows
from hpcsnn.errors import ConfigurationError, StorageError, check_known, shown, unknown_name
from hpcsnn.models.parameters import Normal, Uniform
from hpcsnn.network.checks import checked_initial
from hpcsnn.network.neuron_arrays import column_of, neuron_arrays

if TYPE_CHECKING:
    from os import PathLike

    from hpcsnn.network import Network


class Simulation(engine.Simulation):
    """One rank's part of a running network; the ranks of `comm` make the same calls in the same order.

    Args:
        network: what to simulate.
        comm: an mpi4py communicator, or one of `hpcsnn.ranks.communicator`; None for one process.
        device: ``"auto"`` (a GPU a local rank if there is one, else the CPU), ``"cpu"``, ``"gpu"``, or a `Device`.
        tile: side of the square tiles of neurons that ranks own (a power of two); changes speed, never the answer.
        exchange_block: spikes a rank sends in the first round of an exchange, to each neighbour or to all; default:
            from the number of neurons.
        log_entries: spikes, or rewiring events, that are kept on the device before the host takes them; speed only.
        exchange: how ranks swap spikes, speed only: ``"neighbours"`` (each with those that can be wired to its neurons,
            where distance bounds all wiring), ``"allgather"`` (all with all), or ``"auto"`` (neighbours where it can).

    Attributes:
        network: what is simulated, as it was declared when the simulation was made.
        communicator: the ranks that simulate it; see `hpcsnn.ranks.communicator`.
        rank: this rank's number.
        n_ranks: how many ranks there are.
        device: what this rank runs on.
        tile: side of the tiles.
        halts: how often the schedule stopped on this rank for each `HaltReason`.
        startup_s: wall seconds until the first step could begin, compiling included.
        advance_s: wall seconds in `run`.

    Raises:
        ConfigurationError: more ranks than tiles, a number that is not allowed.
        DeviceError: no compiler, no GPU where one was asked for.
        SimulationError: too little memory.
    """

    def set(self, population: str, /, **values: Any) -> None:
        """Set variables of neurons, between two runs; every rank makes the same call.

        Args:
            population: whose neurons.
            values: by variable, as `neurons` names it (``**{"ff.g": 0.0}`` of a receptor), a number, or an array with a
                value for each neuron of the population in the order of ids, shape (n,), of which a rank takes what is
                of its own neurons.

        Raises:
            ConfigurationError: no such population or variable, or values that the variable cannot have; nothing is set.
        """
        check_known("population", population, self.network.populations)
        declared, placement = self.network.populations[population], self.placements[population]
        arrays = {column_of(one.path): one for one in neuron_arrays(self.network, declared) if one.path}
        known = [column for column in arrays if column is not None]
        written = {}
        for name, given in values.items():
            where = f"{population}.{name}"
            if name not in known:
                raise ConfigurationError(unknown_name(population, name, known))
            if isinstance(given, (dict, Normal, Uniform)):
                raise ConfigurationError(
                    f"{where}: {shown(given)} is not allowed between runs; must be one number or {declared.size} "
                    "values, one per neuron"
                )
            variable = arrays[name].field.variable
            assert variable is not None
            checked = np.asarray(checked_initial(where, variable, given, declared.size))
            own = checked[placement.global_id] if checked.ndim else np.full(placement.n_own, checked)
            written[arrays[name].name] = own.astype(arrays[name].field.dtype)
        for name, own in written.items():
            self.state.write(name, own)

    def reset(self, keep_weights: bool = True) -> None:
        """Go back to step 0, where every variable, stimulus and record is as at the beginning; a collective call.

        The same random numbers come again: a stimulus is the same spikes. A population that is to see other ones is in
        a network with another seed, for which `save` and `load` keep the synapses.

        Args:
            keep_weights: keep the synapses that there are now, with all that they carry; else the first wiring is back.

        Raises:
            ConfigurationError: neither true nor false.
            SimulationError: too little memory.
        """
        keep_weights = truth_value("keep_weights", keep_weights)
        kept: dict[str, SynapseRows] = {}
        for name, projection in self.network.projections.items() if keep_weights else ():
            ids = np.arange(len(self.placements[projection.target.name].global_id))
            rows = self.state.stores[name].packed(self.executable, ids)
            kept[name] = rows.with_local_sources(self.placements[projection.source.name].known_id)
        self._timing.keep(self)
        del self._host_stages, self._recorded, self.executable, self.program, self.state  # their memory is needed
        self._begin()
        self._rewired_at.clear()
        for name, rows in kept.items():
            self.state.restore_rows(self.executable, name, rows)

    def save(self, path: str | PathLike[str]) -> None:
        """Write all that the network's future depends on to a new file, a checkpoint's; a collective call.

        What was recorded is not in it. `load` goes on from it.

        Raises:
            StorageError: there is such a file, no such folder, or it cannot be written.
            SimulationError: a variable is not finite.
        """
        from hpcsnn.runs.scripted.saving import write_network

        write_network(Path(path), self)

    @classmethod
    def load(cls, path: str | PathLike[str], network: Network, **more: Any) -> Self:
        """A simulation that goes on, bit for bit, from where another one was saved; a collective call.

        Args:
            path: what `save` has written, or the network of a run's checkpoint.
            network: the same populations, projections and step; parameters of models may be others, which is a change.
            more: of how it is simulated, as for a new one: ``comm``, ``device``, ``tile``, .. of its own choice.

        Raises:
            StorageError: no such file, it is damaged, or of another network.
            ConfigurationError, DeviceError, SimulationError: as for a new simulation.
        """
        from hpcsnn.ranks.world import on_first_rank
        from hpcsnn.storage.network_store import StoredNetwork
        from hpcsnn.storage.restore import restore

        simulation = cls(network, **more)
        on_first_rank(simulation.communicator, lambda: _check(Path(path), simulation))
        restore(simulation, StoredNetwork(Path(path)))
        return simulation


def _check(path: Path, simulation: Simulation) -> None:
    """Refuse what is not there, and steps of another length, on rank 0 alone."""
    from hpcsnn.storage.network_store import StoredNetwork

    if not path.exists():
        raise StorageError(f"{path}: there is no such file")
    dt_ms = StoredNetwork(path).attributes.get("dt_ms")
    if dt_ms != simulation.network.dt_ms:
        raise StorageError(f"{path}: has steps of {dt_ms} ms, those of the network are {simulation.network.dt_ms:g} ms")
