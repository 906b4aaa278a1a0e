"""How a run's wiring came about: every checkpoint and every recorded rewiring event, as xarray datasets in Zarr.

``analysis.zarr`` in the run directory has a group a projection (values per target neuron and checkpoint, means with p,
histograms, displacement maps, event counts) and the group ``_populations`` (rates). `hpcsnn.analysis.connectivity` and
`hpcsnn.analysis.rewiring_events` hold the tasks behind them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from dask.delayed import delayed
from numpy.typing import NDArray
from rich.console import Console

from hpcsnn.analysis.connectivity import Subject, Tally, create_arrays, joined, judge, measure
from hpcsnn.analysis.displacement import distances_of
from hpcsnn.analysis.growth import grows, growth_dataset, sides
from hpcsnn.analysis.rewiring_events import EventCount, count_events, time_bins
from hpcsnn.analysis.tasks import compute
from hpcsnn.configuration.files import parse_configuration
from hpcsnn.configuration.schema import Configuration
from hpcsnn.configuration.trust import check_named
from hpcsnn.errors import StorageError
from hpcsnn.network import Network, Projection
from hpcsnn.network.places.lattice import Lattice
from hpcsnn.storage.checkpoints import Checkpoint, committed
from hpcsnn.storage.network_store import StoredNetwork
from hpcsnn.storage.records import Records
from hpcsnn.storage.run_directory import RunDirectory

# The group of the populations' rates: a name that no projection can have.
POPULATIONS = "_populations"


@dataclass(frozen=True)
class Evolution:
    """The results of one run, and what they are results of.

    ``projections`` holds a dataset per projection, ``populations`` the rates; both as written to `path`, read lazily.
    """

    path: Path
    configuration: Configuration
    network: Network
    steps: list[int]
    projections: dict[str, xr.Dataset]
    populations: xr.Dataset


def analyse(run: Path, console: Console, scheduler: str | None = None, trust: bool = False) -> Evolution:
    """Analyse all checkpoints and events of a run, in place of earlier results.

    Args:
        scheduler: address of a Dask scheduler; None: the threads of this process.
        trust: execute the Python files that the run names, if it is not one that this user began.

    Raises:
        StorageError: no checkpoint there, or a damaged one.
        ConfigurationError: no scheduler at that address, or Python files that are not this user's to run.
    """
    directory = RunDirectory(run)
    directory.check_run()
    directory.check_own()
    there = committed(run)
    if not there:
        raise StorageError(f"{run}: no checkpoint to analyse; run it again with --checkpoint-every")
    manifest = there[-1].manifest()
    check_named(directory.configuration, manifest["configuration"], directory.path, trust)
    configuration = parse_configuration(manifest["configuration"], directory.path)
    network = configuration.network()
    partial = directory.begin_analysis()
    subjects = {
        name: Subject.of(projection, index, network.seed)
        for index, (name, projection) in enumerate(network.projections.items())
    }
    records = Records(directory.records, manifest["segments"])
    tasks: dict[tuple[str, int | str], Any] = {}
    for name, subject in subjects.items():
        create_arrays(partial, subject, len(there))
        for time, checkpoint in enumerate(there):
            tasks[name, time] = _checkpoint_task(checkpoint, subject, partial, time)
        if network.projections[name].record_events and network.projections[name].rewiring is not None:
            tasks[name, "events"] = _events_task(network.projections[name], network, there[-1].step, records)
    results = dict(zip(tasks, compute(list(tasks.values()), scheduler, console, f"analysing {run}"), strict=True))
    for name, subject in subjects.items():
        dataset = _joined(subject, _times(there, network), [results[name, time] for time in range(len(there))])
        if grows(network.projections[name]):
            tallies = [results[name, time][0] for time in range(len(there))]
            dataset = dataset.merge(_growth(configuration, name, there, tallies))
        if (name, "events") in results:
            counts = results[name, "events"]
            dataset = dataset.merge(_events_dataset(network.projections[name], network, there[-1].step, counts))
        dataset.to_zarr(partial, group=name, mode="a", consolidated=False)
    _rates(there[-1].network()).to_zarr(partial, group=POPULATIONS, mode="a", consolidated=False)
    directory.end_analysis()
    return Evolution(
        directory.analysis,
        configuration,
        network,
        [checkpoint.step for checkpoint in there],
        {name: _opened(directory.analysis, name) for name in subjects},
        _opened(directory.analysis, POPULATIONS),
    )


def _growth(configuration: Configuration, name: str, there: list[Checkpoint], tallies: list[Tally]) -> xr.Dataset:
    """What a projection's rule grows, by the parameters that it had at each checkpoint."""
    return growth_dataset(
        [
            sides(configuration.at(checkpoint.step).network().projections[name], checkpoint.network(), tally.n)
            for checkpoint, tally in zip(there, tallies, strict=True)
        ]
    )


def _times(checkpoints: list[Checkpoint], network: Network) -> xr.Dataset:
    steps = np.array([checkpoint.step for checkpoint in checkpoints])
    about = {"units": "s", "long_name": "model time"}
    return xr.Dataset(
        coords={
            "time": ("time", steps * network.dt_ms * 1e-3, about),
            "step": ("time", steps, {"units": "steps", "long_name": "steps done"}),
        }
    )


def _opened(path: Path, group: str) -> xr.Dataset:
    return xr.open_zarr(path, group=group, chunks=None, consolidated=False, zarr_format=3)  # read when it is used


def _checkpoint_task(checkpoint: Checkpoint, subject: Subject, results: Path, time: int) -> Any:
    """(tally, means and p) of one projection at one checkpoint."""
    network = checkpoint.network_path.resolve()
    parts = [delayed(measure)(network, subject, shards, results.resolve(), time) for shards in subject.tasks()]
    tally = delayed(joined)(subject, parts)
    return delayed((tally, delayed(judge)(results.resolve(), subject, time, tally)))


def _events_task(projection: Projection, network: Network, n_steps: int, records: Records) -> Any:
    """Counts of a projection's events (kind, time, distance)."""
    count = EventCount(
        projection.name,
        _lattice_of(projection),
        network.dt_ms,
        time_bins(n_steps, network.dt_ms),
        1 + len(reasons_of(projection)),
    )
    return delayed(sum)([delayed(count_events)(part.resolve(), count) for part in records.parts()])


def _lattice_of(projection: Projection) -> Lattice | None:
    """By which events are counted by whole distances: those between positions may be any number."""
    lattice = distances_of(projection)
    return lattice if isinstance(lattice, Lattice) else None


def reasons_of(projection: Projection) -> tuple[str, ...]:
    """Why a synapse of the projection may go, by its rule."""
    return projection.rule.reasons if projection.rule else ()


def _joined(subject: Subject, times: xr.Dataset, of_checkpoints: list[tuple[Tally, dict[str, float]]]) -> xr.Dataset:
    tallies = [tally for tally, _ in of_checkpoints]
    said = [judgement for _, judgement in of_checkpoints]
    n = np.array([tally.n for tally in tallies], dtype=np.float64)
    some = np.where(n > 0, n, np.nan)
    edges, unit = subject.weight_edges, {"units": subject.weight_unit} if subject.weight_unit else {}
    in_degrees, out_degrees = (_stacked([getattr(t, name) for t in tallies]) for name in ("in_degrees", "out_degrees"))
    variables: dict[str, Any] = {
        "synapses": ("time", n.astype(np.int64), {"units": "synapses", "long_name": "number of synapses"}),
        "weight_mean": ("time", np.array([t.weight_sum for t in tallies]) / some, {**unit, "long_name": "mean weight"}),
        "weight_below_half": (
            "time",
            np.array([t.n_below_half for t in tallies]) / some,
            {"long_name": "share of weights whose size is below half of the largest that may be"},
        ),
        "in_degree_neurons": (("time", "degree_in"), in_degrees, {"long_name": "target neurons by in-degree"}),
        "out_degree_neurons": (("time", "degree_out"), out_degrees, {"long_name": "source neurons by out-degree"}),
        "weight_synapses": (
            ("time", "weight_bin"),
            np.stack([t.weights for t in tallies]),
            {"long_name": "synapses by weight"},
        ),
    }
    for direction, degrees in (("in", in_degrees), ("out", out_degrees)):
        mean, std = _moments(degrees)
        variables[f"{direction}_degree_mean"] = ("time", mean, {"long_name": f"mean {direction}-degree"})
        variables[f"{direction}_degree_std"] = (
            "time",
            std,
            {"long_name": f"standard deviation of {direction}-degrees"},
        )
    for name in said[0]:
        meaning = "p of Wilcoxon's signed-rank test against the null" if name.endswith("_p") else "mean over neurons"
        variables[name] = ("time", [judgement[name] for judgement in said], {"long_name": meaning})
    coords: dict[str, Any] = {
        **{str(name): times[name] for name in times.coords},
        "degree_in": _degrees("in", in_degrees),
        "degree_out": _degrees("out", out_degrees),
        "weight_bin": ("weight_bin", (edges[1:] + edges[:-1]) / 2, {**unit, "long_name": "weight, middle of the bin"}),
    }
    maps = [tally.displacement for tally in tallies if tally.displacement is not None]
    if maps:
        for what in ("count", "weight_sum"):
            stack = np.stack([getattr(m, what) for m in maps])
            meaning = f"{what} of synapses by displacement (post - pre)"
            variables[f"displacement_{what}"] = (("time", "dy", "dx"), stack, {"long_name": meaning})
        coords |= {
            axis: (
                axis,
                getattr(maps[0], axis),
                {"units": "grid units", "long_name": f"displacement in {axis[1]} (post - pre)"},
            )
            for axis in ("dx", "dy")
        }
    return xr.Dataset(variables, coords)


def _stacked(histograms: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    longest = max(map(len, histograms))
    return np.stack([np.pad(histogram, (0, longest - len(histogram))) for histogram in histograms])


def _degrees(direction: str, histograms: NDArray[np.int64]) -> tuple[str, NDArray[np.int64], dict[str, str]]:
    about = {"units": "synapses", "long_name": f"{direction}-degree"}
    return f"degree_{direction}", np.arange(histograms.shape[1]), about


def _moments(degrees: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of degrees from (time, degree) histograms."""
    values, n = np.arange(degrees.shape[1]), degrees.sum(axis=1)
    mean = degrees @ values / n
    return mean, np.sqrt(np.maximum(degrees @ values**2 / n - mean**2, 0.0))


def _events_dataset(projection: Projection, network: Network, n_steps: int, counts: NDArray[np.int64]) -> xr.Dataset:
    """Counts by kind, time and distance; distances beyond the furthest event are left out."""
    furthest = int(np.flatnonzero(counts.sum(axis=(0, 1))).max(initial=0))
    edges_s = time_bins(n_steps, network.dt_ms) * 1e-3
    return xr.Dataset(
        {
            "events": (
                ("event", "event_time", "distance"),
                counts[:, :, : furthest + 1],
                {
                    "long_name": "events",
                    "bin_s": float(edges_s[1] - edges_s[0]),
                    "has_places": _lattice_of(projection) is not None,
                },
            )
        },
        {
            "event": _names(["formed", *reasons_of(projection)]),
            "event_time": ("event_time", edges_s[:-1], {"units": "s", "long_name": "start of the time bin"}),
            "distance": (
                "distance",
                np.arange(furthest + 1),
                {"units": "grid units", "long_name": "distance from source to target"},
            ),
        },
    )


def _names(names: list[str]) -> NDArray[Any]:
    """Text as Zarr v3 has a specification for: of any length."""
    return np.array(names, dtype=object)


def _rates(stored: StoredNetwork) -> xr.Dataset:
    rates = {name: stored.rates_hz(name) for name in stored.populations}
    bin_s = next(iter(rates.values()))[1] * 1e-3
    values = np.stack([rate for rate, _ in rates.values()])
    return xr.Dataset(
        {
            "rate": (
                ("population", "rate_time"),
                values,
                {"units": "Hz", "long_name": "mean firing rate", "bin_s": bin_s},
            )
        },
        {
            "population": _names(list(rates)),
            "rate_time": (
                "rate_time",
                np.arange(values.shape[1]) * bin_s,
                {"units": "s", "long_name": "start of the bin"},
            ),
        },
    )
