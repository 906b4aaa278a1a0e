"""A run directory to read: what it holds as tables, arrays and figures, whatever ranks wrote it, while it goes on too.

Nothing is read before it is asked for, nothing of the run is executed, and no link in it is followed. What counts is
what the newest checkpoint's manifest lists: that is the run, whatever else lies there.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from hpcsnn.atomic_files import refuse_link
from hpcsnn.checked_numbers import shown_time
from hpcsnn.configuration.files import plain_configuration
from hpcsnn.errors import ConfigurationError, StorageError, check_known, shown
from hpcsnn.runs.stored.kinds import is_training
from hpcsnn.runs.stored.manifest_contents import reasons_of
from hpcsnn.runs.stored.run_reader import RunReader
from hpcsnn.runs.stored.times import steps_between
from hpcsnn.storage.run_directory import RunDirectory

if TYPE_CHECKING:
    import neo
    import pandas as pd
    import xarray as xr
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

_Read = TypeVar("_Read")
_FORMATS = ("pandas", "scipy")


def open_run(path: str | Path) -> OpenedRun:
    """Open the directory of a run, to read what it holds.

    Args:
        path: what ``hpcsnn run`` was given as ``--out``, such as ``"runs/topomap"``; of any version, on any number of
            ranks, finished or not.

    Raises:
        ConfigurationError: not a path, or the directory of a training.
        StorageError: no run directory there, or one whose parts are links.
    """
    if not isinstance(path, (str, Path)):
        raise ConfigurationError(f"path: {shown(path)} is not allowed; must be the path of a run directory")
    return OpenedRun(Path(path))


class OpenedRun(RunReader):
    """A run directory; see `open_run`, which makes it. All times are model time in ms.

    Each call reads what is there then: of a run that goes on, the newest checkpoint is another one a moment later.

    Attributes:
        path: where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._directory = path, RunDirectory(path)
        if not self._directory.configuration.is_file():
            raise StorageError(
                f"{path}: no run here (there is no {self._directory.configuration.name}); must be a directory that "
                "hpcsnn run has made"
            )
        self._own(self._directory.configuration)
        if is_training(path):
            raise ConfigurationError(
                f"{path}: is a training, of which nothing is recorded over time; must be a directory that hpcsnn run "
                f"has made: hpcsnn run --from {path} makes one of the trained network"
            )

    def __repr__(self) -> str:
        return f"open_run({str(self.path)!r})"

    # -- what it is ----------------------------------------------------------------------------------------------------

    @property
    def summary(self) -> dict[str, Any]:
        """As in ``summary.json``.

        Raises:
            StorageError: the run has not ended yet.
        """
        self._own(self._directory.summary)
        return self._directory.read_summary()

    @property
    def configuration(self) -> dict[str, Any]:
        """As in ``config.yaml``, every default written out, as plain data.

        Raises:
            ConfigurationError: it is damaged.
        """
        return plain_configuration(self._own(self._directory.configuration))

    @property
    def times_ms(self) -> list[float]:
        """Times of the checkpoints that are stored, ascending: what `at_ms` may be.

        Raises:
            StorageError: the newest one cannot be read.
        """
        there = self._committed()
        dt_ms = self._manifest()["configuration"]["dt_ms"] if there else 0.0
        return [float(shown_time(checkpoint.step * dt_ms)) for checkpoint in there]

    # -- over time -----------------------------------------------------------------------------------------------------

    def spikes(
        self, population: str, from_ms: float = 0.0, to_ms: float | None = None, neurons: ArrayLike | None = None
    ) -> pd.DataFrame:
        """Recorded spikes: ``time_ms`` (float64) and ``neuron`` (int32), a row a spike, by time, then neuron.

        Where ``record`` asks for the spikes of some neurons, these are all that there are.

        Args:
            from_ms: of spikes at this time and later.
            to_ms: of spikes before this time; None: up to the newest checkpoint.
            neurons: ids, if not of all.

        Raises:
            ConfigurationError: no such population or neuron, no time.
            StorageError: its spikes, or those of a neuron, were not recorded; or records are missing or damaged.
        """
        import pandas as pd

        steps, dt_ms = self._spikes(population, from_ms, to_ms, neurons)
        return pd.DataFrame({"time_ms": steps[:, 0] * dt_ms, "neuron": steps[:, 1].copy()})

    def raster(
        self, population: str, from_ms: float = 0.0, to_ms: float | None = None, neurons: ArrayLike | None = None
    ) -> Figure:
        """A figure of `spikes`, which takes the same; where they are very many, of their number by time and neuron.

        Returns:
            A matplotlib Figure: ``figure.savefig("raster.png")``.

        Raises:
            ConfigurationError: as of `spikes`.
            StorageError: as of `spikes`.
        """
        from hpcsnn.analysis.drawing.raster_figure import raster_figure

        rows, dt_ms = self._spikes(population, from_ms, to_ms, neurons)
        end_ms = self._committed()[-1].step * dt_ms if to_ms is None else float(to_ms)
        return raster_figure(population, np.asarray(rows[:, 0] * dt_ms), rows[:, 1], (float(from_ms), end_ms))

    def events(self, projection: str, from_ms: float = 0.0, to_ms: float | None = None) -> pd.DataFrame:
        """Recorded rewiring: ``time_ms``, ``pre``, ``post``, ``kind``, ``reason``, a row an event, by time, post, pre.

        ``kind`` is formed or eliminated; ``reason`` is one of the rule's for an elimination, and empty for a formation.

        Args:
            from_ms: of events at this time and later.
            to_ms: of events before this time; None: up to the newest checkpoint.

        Raises:
            ConfigurationError: no such projection, no time.
            StorageError: its events were not recorded, or records are missing or damaged.
        """
        import pandas as pd

        records, dt_ms, said = self._records("projections", projection, "record_events", "events")
        rows = records.events(projection, *steps_between(from_ms, to_ms, dt_ms))
        step, pre, post, what = (column.copy() for column in rows.T)
        reasons = records.reasons(projection) or reasons_of(said)
        more = range(len(reasons), int(what.max(initial=0)))
        named = [*reasons, *(f"reason {number + 1}" for number in more)]
        kind = pd.Categorical.from_codes((what > 0).astype(np.int8), ["formed", "eliminated"])
        reason = pd.Categorical.from_codes(what, ["", *named])
        return pd.DataFrame({"time_ms": step * dt_ms, "pre": pre, "post": post, "kind": kind, "reason": reason})

    def recorded(self, population: str) -> dict[str, xr.DataArray]:
        """Variables that ``record`` asked for, by name, each over ``time`` (ms) and ``neuron`` with places ``x, y``; of
        averages over ``time`` and ``statistic``, which is mean, min or max.

        Raises:
            ConfigurationError: no such population.
            StorageError: nothing was recorded of it but spikes, or records are missing or damaged.
        """
        records, dt_ms, said = self._records("populations", population, "record", "variables")
        grid = self._network(None).grid(population)
        averages = set(records.variables("averages"))
        return {
            name: records.average(population, name).as_xarray(name, dt_ms)
            if (population, name) in averages
            else records.rows(population, name).as_xarray(name, dt_ms, grid.nx)
            for name in said["record"]
            if name != "spikes"
        }

    def recorded_synapses(self, projection: str) -> dict[str, pd.DataFrame]:
        """Variables of synapses that ``record`` asked for, by name: ``time_ms``, ``pre``, ``post`` and the variable.

        A row a synapse that was there at the time, by time, post, pre.

        Raises:
            ConfigurationError: no such projection.
            StorageError: nothing was recorded of its synapses, or records are missing or damaged.
        """
        records, dt_ms, said = self._records("projections", projection, "record", "variables")
        return {name: records.synapses(projection, name).as_pandas(name, dt_ms) for name in said["record"]}

    def rates(self, population: str) -> xr.DataArray:
        """Mean rate (Hz) of all neurons in successive bins of 100 ms, over ``time``; recorded or not.

        Raises:
            ConfigurationError: no such population.
            StorageError: there is no checkpoint, or it is damaged.
        """
        from hpcsnn.storage.network_tree import rates_of

        network = self._network(None)
        return rates_of(network, check_known("population", population, network.populations))

    # -- at one time ---------------------------------------------------------------------------------------------------

    def neurons(self, population: str, at_ms: float | None = None) -> xr.Dataset:
        """State of a population's neurons, names as of `Simulation.neurons`, over ``neuron`` with places ``x, y``.

        Args:
            at_ms: one of `times_ms`; None: the newest.

        Raises:
            ConfigurationError: no such population, no checkpoint of this time.
            StorageError: there is no checkpoint, or it is damaged.
        """
        from hpcsnn.storage.network_tree import neurons_of

        network = self._network(at_ms)
        return neurons_of(network, check_known("population", population, network.populations))

    def synapses(
        self, projection: str, at_ms: float | None = None, format: Literal["pandas", "scipy"] = "pandas"
    ) -> Any:
        """All synapses of a projection, by post, then pre.

        Args:
            at_ms: one of `times_ms`; None: the newest.
            format: ``"pandas"`` or ``"scipy"``.

        Returns:
            A DataFrame of ``pre``, ``post``, ``weight`` and the other variables, a row a synapse; or a
            ``scipy.sparse.csc_array`` of weights, shape (sources, targets), with an entry for each synapse, weights of
            zero included.

        Raises:
            ConfigurationError: no such projection or format, no checkpoint of this time.
            StorageError: there is no checkpoint, or it is damaged.
        """
        check_known("format", format, _FORMATS)
        network = self._network(at_ms)
        columns = network.synapses(check_known("projection", projection, network.projections))
        if format == "pandas":
            import pandas as pd

            return pd.DataFrame(columns)
        from scipy.sparse import csc_array

        shape = tuple(network.grid(end).size for end in network.ends(projection))
        starts = np.concatenate([[0], np.cumsum(np.bincount(columns["post"], minlength=shape[1]))])
        return csc_array((columns["weight"], columns["pre"], starts), shape=shape)

    def tree(self, at_ms: float | None = None) -> xr.DataTree:
        """All that a checkpoint holds, as ``xarray.open_datatree`` gives it: arrays of Dask, read when they are used.

        Args:
            at_ms: one of `times_ms`; None: the newest.

        Raises:
            ConfigurationError: no checkpoint of this time.
            StorageError: there is no checkpoint, or it is damaged.
        """
        from hpcsnn.storage.network_tree import network_tree

        return network_tree(self._network(at_ms))

    @property
    def analysis(self) -> xr.DataTree:
        """What ``hpcsnn analyze`` has left in ``analysis.zarr``, a group a projection, read when it is used.

        Raises:
            StorageError: it was not analysed yet, or what is there is damaged.
        """
        import xarray as xr

        path = self._directory.analysis
        if not path.is_dir():
            raise StorageError(f"{self.path}: was not analysed yet (there is no {path.name}); hpcsnn analyze does it")
        refuse_link(path, below=True, to="reads")
        try:
            return xr.open_datatree(path, engine="zarr", consolidated=False, chunks={})
        except Exception as error:  # whatever Zarr makes of metadata that are none
            raise StorageError(f"{path}: cannot be read: {error}") from error

    # -- for others ----------------------------------------------------------------------------------------------------

    def to_neo(self, from_ms: float = 0.0, to_ms: float | None = None) -> neo.Block:
        """What was recorded, for Neo and Elephant: one segment, and a group for each population.

        A ``SpikeTrain`` (ms) for each neuron of a population with ``record_spikes``, silent ones too, annotated with
        ``population`` and ``neuron``; an ``AnalogSignal`` for each variable of ``record``, a channel a neuron, whose
        ids are the array annotation ``neuron``.

        Args:
            from_ms: of what is at this time and later.
            to_ms: of spikes before this time, of variables up to it; None: up to the newest checkpoint.

        Raises:
            ConfigurationError: no times, or neo is not installed.
            StorageError: records are missing or damaged.
        """
        from hpcsnn.runs.stored.exchange.neo_blocks import neo_block

        return neo_block(self, from_ms, to_ms)

    def to_sonata(self, folder: str | Path, at_ms: float | None = None) -> list[Path]:
        """Write ``nodes.h5``, ``edges.h5``, ``spikes.h5``, reports, types and ``circuit_config.json`` of SONATA.

        Nodes of a grid have ``x, y``; edges ``syn_weight``, ``delay`` (ms, from the spike to the soma) and the other
        variables of the synapse model; spikes are all of those that were recorded, at the beginning of their steps.
        ``report_VARIABLE.h5`` has a variable that is recorded of neurons, of all populations that record it, as a soma
        report: float32, at the times of `recorded`. Averages are in none.

        Args:
            folder: where; it is made if it is not there.
            at_ms: of nodes and edges, one of `times_ms`; None: the newest.

        Returns:
            What was written.

        Raises:
            ConfigurationError: no path, no checkpoint of this time, or h5py is not installed.
            StorageError: a file is there already or cannot be written, or what is read is missing or damaged.
        """
        from hpcsnn.runs.stored.exchange.sonata_files import write_sonata

        return write_sonata(self, folder, at_ms)
