"""One projection at one checkpoint, shard by shard: a value per target neuron, and sums that join to the whole.

These are the tasks that Dask runs, here or on a cluster: each reads the synapses of some shards, writes a value a
neuron to its own chunks of the results, and returns sums. No task holds more than the synapses of `NEURONS_A_TASK`
neurons at a time.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from hpcsnn.analysis.displacement import DisplacementMap, has_places
from hpcsnn.analysis.nulls import drawn_sources, shuffled_within_rows
from hpcsnn.analysis.topography import ReceptiveFields, grid_displacement, receptive_fields
from hpcsnn.engine.synapse_rows import SynapseRows
from hpcsnn.network import Grid, Projection
from hpcsnn.storage.network_store import StoredNetwork
from hpcsnn.storage.shards import ShardGrid

NEURONS_A_TASK = 1 << 14
Box = tuple[slice, slice]
_WEIGHT_BINS = 20

# What is kept for each target neuron and checkpoint: (unit, meaning).
OF_NEURONS = {"in_degree": ("synapses", "in-degree")}
OF_FIELDS = {
    "sigma_aff": ("grid units", "spread of the afferents, synapses counted alike"),
    "sigma_aff_null": ("grid units", "the same for sources drawn from the formation profile"),
    "deviation": ("grid units", "distance of the receptive field's centre from the neuron's place (AD)"),
    "deviation_null": ("grid units", "the same for sources drawn from the formation profile"),
    "sigma_aff_weighted": ("grid units", "spread of the afferents, weighted"),
    "sigma_aff_weighted_null": ("grid units", "the same with weights shuffled among a neuron's synapses"),
    "deviation_weighted": ("grid units", "distance of the weighted centre from the neuron's place (AD)"),
    "deviation_weighted_null": ("grid units", "the same with weights shuffled among a neuron's synapses"),
    "centre_x": ("grid units", "weighted centre of the receptive field minus the neuron's place, in x"),
    "centre_y": ("grid units", "weighted centre of the receptive field minus the neuron's place, in y"),
}
# What is judged against its null.
JUDGED = ("sigma_aff", "deviation", "sigma_aff_weighted", "deviation_weighted")


@dataclass(frozen=True)
class Subject:
    """What a task has to know of a projection.

    ``index`` is its place in the order of declaration and ``seed`` the run's: with the step and the task's number the
    key of the nulls' random numbers. ``profile`` is the chance to form by squared distance, None if unknown.
    ``weight_edges`` bound the bins of weight histograms; weights beyond them count in the outermost bins.
    ``weight_unit`` is the weights', as the synapse model says it (empty: it says none).
    """

    name: str
    index: int
    seed: int
    source_grid: Grid
    target_grid: Grid
    profile: NDArray[np.float64] | None
    weight_edges: NDArray[np.float64]
    weight_unit: str = ""

    @classmethod
    def of(cls, projection: Projection, index: int, seed: int) -> Subject:
        """The subject that a declared projection is."""
        rule, connector, profile = projection.rewiring, projection.connector, None
        if rule is not None and rule.model.profile is not None:
            profile = rule.model.profile(rule.values)
        elif connector.model.profile is not None:
            profile = connector.model.profile(connector.values)
        edges = np.linspace(*_weight_range(projection), _WEIGHT_BINS + 1)
        unit = next((one.unit for one in projection.synapse_variables if one.name == "weight"), "")
        return cls(projection.name, index, seed, projection.source.grid, projection.target.grid, profile, edges, unit)

    @property
    def has_places(self) -> bool:
        """Whether there are distances, and so receptive fields."""
        return has_places(self.source_grid, self.target_grid)

    @property
    def variables(self) -> dict[str, tuple[str, str]]:
        """Names, units and meanings of what is kept for each neuron."""
        if not self.has_places:
            return OF_NEURONS
        without_profile = {"sigma_aff_null", "deviation_null"} if self.profile is None else set()
        return OF_NEURONS | {name: about for name, about in OF_FIELDS.items() if name not in without_profile}

    @property
    def judged(self) -> tuple[str, ...]:
        """Variables that have a null beside them."""
        return tuple(name for name in JUDGED if f"{name}_null" in self.variables)

    def tasks(self) -> list[list[int]]:
        """Shards of each task: they depend on the grid alone, so that the nulls do too."""
        shards = ShardGrid.of(self.target_grid)
        at_a_time = max(1, NEURONS_A_TASK // (shards.shard[0] * shards.shard[1]))
        every = list(range(shards.n_shards))
        return [every[first : first + at_a_time] for first in range(0, len(every), at_a_time)]


def _weight_range(projection: Projection) -> tuple[float, float]:
    model = projection.synapse.model
    if model.weight_range is not None:
        return model.weight_range(projection.synapse.values)
    bound = projection.weight_bound
    given = projection.given_weights
    least = min(projection.weight, 0.0 if given is None else given.least)
    signed = least < 0 or bool(model.on_pre_spike)
    return (-bound if signed else 0.0), bound


@dataclass(frozen=True)
class Tally:
    """Sums over the synapses of some targets.

    Attributes:
        n, weight_sum, n_below_half: synapses, their weights, and those below half of the furthest bin edge in size.
        in_degrees, out_degrees: number of neurons by degree, shape (highest degree + 1,).
        weights: synapses by weight bin.
        displacement: synapses by displacement; None without places.
    """

    n: int
    weight_sum: float
    n_below_half: int
    in_degrees: NDArray[np.int64]
    out_degrees: NDArray[np.int64]
    weights: NDArray[np.int64]
    displacement: DisplacementMap | None

    def __add__(self, other: Tally) -> Tally:
        both = None
        if self.displacement is not None and other.displacement is not None:
            both = self.displacement + other.displacement
        return Tally(
            self.n + other.n,
            self.weight_sum + other.weight_sum,
            self.n_below_half + other.n_below_half,
            added([self.in_degrees, other.in_degrees]),
            added([self.out_degrees, other.out_degrees]),
            added([self.weights, other.weights]),
            both,
        )


@dataclass(frozen=True)
class Partial:
    """A tally of some shards, with out-degrees still by source: a source's synapses may be in several shards."""

    tally: Tally
    sources: NDArray[np.int32]
    counts: NDArray[np.int64]

    def __add__(self, other: Partial) -> Partial:
        sources, place = np.unique(np.concatenate([self.sources, other.sources]), return_inverse=True)
        counts = np.bincount(place, np.concatenate([self.counts, other.counts]), len(sources)).astype(np.int64)
        return Partial(self.tally + other.tally, sources, counts)


def create_arrays(results: Path, subject: Subject, n_times: int) -> None:
    """Make the empty arrays (time, y, x) that `measure` fills in, one chunk per shard and time."""
    grid, shard = subject.target_grid, ShardGrid.of(subject.target_grid).shard
    group = zarr.open_group(results, mode="a", zarr_format=3).require_group(subject.name)
    for name, (units, meaning) in subject.variables.items():
        group.create_array(
            name,
            shape=(n_times, grid.ny, grid.nx),
            chunks=(1, min(shard[0], grid.ny), min(shard[1], grid.nx)),
            dtype=np.float32,
            fill_value=np.nan,
            dimension_names=("time", "y", "x"),
            attributes={"units": units, "long_name": meaning},
        )


def measure(network: Path, subject: Subject, shards: Sequence[int], results: Path, time: int) -> Partial:
    """One task: the targets in some shards of one checkpoint.

    Raises:
        StorageError: a file of the checkpoint is missing or damaged.
    """
    stored = StoredNetwork(network)
    group = zarr.open_group(results / subject.name, mode="r+", zarr_format=3)
    partials = []
    for boxes in _pieces(ShardGrid.of(subject.target_grid), shards):
        ids = [_ids(subject.target_grid, box) for box in boxes]
        targets = np.concatenate(ids)
        rows = stored.rows(subject.name, targets)
        random = np.random.default_rng([subject.seed, subject.index, stored.step, int(targets[0])])
        values = _of_neurons(subject, targets, rows, random)
        bounds = np.cumsum([0, *map(len, ids)])
        for box, first, last in zip(boxes, bounds[:-1], bounds[1:], strict=True):
            shape = tuple(side.stop - side.start for side in box)
            for name, column in values.items():
                array: Any = group[name]
                array[(time, *box)] = column[first:last].reshape(shape)
        partials.append(_partial(subject, targets, rows))
    return reduce(operator.add, partials)


def _pieces(cut: ShardGrid, shards: Sequence[int]) -> list[list[Box]]:
    """What is looked at together: small shards whole, of a large one some rows of the grid at a time."""
    height = max(1, NEURONS_A_TASK // cut.shard[1])
    if height >= cut.shard[0]:
        return [[cut.box(shard) for shard in shards]]
    boxes = [cut.box(shard) for shard in shards]
    return [
        [(slice(y, min(y + height, rows.stop)), columns)]
        for rows, columns in boxes
        for y in range(rows.start, rows.stop, height)
    ]


def _ids(grid: Grid, box: Box) -> NDArray[np.int64]:
    """The neurons in a box, row by row."""
    rows, columns = box
    return (np.arange(rows.start, rows.stop)[:, None] * grid.nx + np.arange(columns.start, columns.stop)).ravel()


def _of_neurons(
    subject: Subject, targets: NDArray[np.int64], rows: SynapseRows, random: np.random.Generator
) -> dict[str, NDArray[Any]]:
    values: dict[str, NDArray[Any]] = {"in_degree": rows.in_degree}
    if not subject.has_places:
        return values
    grid, n, row, weight = subject.target_grid, len(targets), rows.row, rows.columns["weight"]
    dx, dy = grid_displacement(grid, targets[row], rows.columns["source"])

    def keep(name: str, suffix: str, fields: ReceptiveFields) -> None:
        values[f"sigma_aff{name}{suffix}"] = fields.sigma_aff
        values[f"deviation{name}{suffix}"] = fields.deviation

    keep("", "", receptive_fields(grid, row, dx, dy, np.ones(len(row)), n))
    if subject.profile is not None:
        drawn_row, drawn_x, drawn_y = drawn_sources(grid, rows.in_degree, subject.profile, random, targets)
        keep("", "_null", receptive_fields(grid, drawn_row, drawn_x, drawn_y, np.ones(len(drawn_row)), n))
    fields = receptive_fields(grid, row, dx, dy, weight, n)
    keep("_weighted", "", fields)
    values["centre_x"], values["centre_y"] = fields.centre.T
    shuffled = shuffled_within_rows(weight, row, random)
    keep("_weighted", "_null", receptive_fields(grid, row, dx, dy, shuffled, n))
    return values


def _partial(subject: Subject, targets: NDArray[np.int64], rows: SynapseRows) -> Partial:
    weight = rows.columns["weight"].astype(np.float64)
    edges = subject.weight_edges
    sources, counts = np.unique(rows.columns["source"], return_counts=True)
    displacement = None
    if subject.has_places:
        ends = {"pre": rows.columns["source"], "post": targets[rows.row], "weight": weight}
        displacement = DisplacementMap.of(subject.target_grid, ends)
    tally = Tally(
        n=len(weight),
        weight_sum=float(weight.sum()),
        n_below_half=int((np.abs(weight) < 0.5 * np.abs(edges[[0, -1]]).max()).sum()),
        in_degrees=np.bincount(rows.in_degree),
        out_degrees=np.zeros(0, dtype=np.int64),
        weights=np.histogram(np.clip(weight, edges[0], edges[-1]), edges)[0],
        displacement=displacement,
    )
    return Partial(tally, sources.astype(np.int32), counts)


def joined(subject: Subject, partials: Sequence[Partial]) -> Tally:
    """The tally of all targets, from all tasks of one checkpoint."""
    out_degree = np.zeros(subject.source_grid.size, dtype=np.int64)
    for partial in partials:
        out_degree[partial.sources] += partial.counts
    return replace(reduce(operator.add, (partial.tally for partial in partials)), out_degrees=np.bincount(out_degree))


def added(histograms: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Sum of histograms that begin at the same bin and may differ in length."""
    total = np.zeros(max(map(len, histograms)), dtype=np.int64)
    for histogram in histograms:
        total[: len(histogram)] += histogram
    return total


def judge(results: Path, subject: Subject, time: int, _after: Tally) -> dict[str, float]:
    """Means over neurons of what `measure` wrote, and p of a Wilcoxon signed-rank test of each value with its null.

    Each neuron's value is paired with one draw of its null, so that the pairs are exchangeable if chance alone made the
    map. p is NaN where nothing differs.
    """
    group = zarr.open_group(results / subject.name, mode="r", zarr_format=3)

    def of_neurons(name: str) -> NDArray[np.float64]:
        array: Any = group[name]
        return np.asarray(array[time], dtype=np.float64).ravel()

    from scipy.stats import wilcoxon  # takes longer to load than small runs take to analyse

    said: dict[str, float] = {}
    for name in subject.variables:
        if name.startswith(("sigma_aff", "deviation")):
            values = of_neurons(name)
            finite = values[np.isfinite(values)]
            said[f"{name}_mean"] = float(finite.mean()) if len(finite) else np.nan
    for name in subject.judged:
        difference = of_neurons(name) - of_neurons(f"{name}_null")
        difference = difference[np.isfinite(difference)]
        said[f"{name}_p"] = float(wilcoxon(difference).pvalue) if difference.any() else np.nan
    return said
