"""A model's constants and tables, and the tables that traces decay by, put where kernels find them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.codegen.random_streams import Purpose, Tag, stream
from hpcsnn.codegen.random_streams import words as drawn_words
from hpcsnn.codegen.structs import LATTICE_NUMBERS
from hpcsnn.engine.arrays import RankArrays
from hpcsnn.errors import ConfigurationError, shown
from hpcsnn.models.base import Configured, Model
from hpcsnn.models.connectors.shares import Words
from hpcsnn.models.tables import PlacementContext
from hpcsnn.network import Network, Projection
from hpcsnn.network.fields import FINE_POWERS, NUMPY, decay_fields
from hpcsnn.network.places.lattice import Lattice
from hpcsnn.network.population import Stimulation, current_prefix
from hpcsnn.ranks.partition import Placement


class ValuesForTables(dict[str, Any]):
    """Parameters and derived constants by name, without those that differ between neurons: a table has one for all."""

    def __init__(self, configured: Configured[Model], constants: Mapping[str, float | int]) -> None:
        values = {name: value for name, value in configured.values.items() if name not in configured.arrays}
        super().__init__(values | {name: constants[name] for name in configured.model.derived if name in constants})
        self._model = configured.name

    def __missing__(self, name: str) -> Any:
        raise ConfigurationError(
            f"{self._model}.{name}: one value per neuron is not allowed; a table of this model depends on it, so it "
            "must be one number"
        )


def words_of(network: Network, projection: Projection) -> Words:
    """The random numbers by which a projection's tables are made, on any rank."""
    index = list(network.projections).index(projection.name)
    return partial(drawn_words, network.seed, stream(Purpose.CONNECT, index) | Tag.SHARE << 24)


def made_tables(
    configured: Configured[Model],
    dt_ms: float,
    here: Placement,
    source: Placement | None = None,
    words: Words | None = None,
) -> dict[str, np.ndarray[Any, Any]]:
    """A model's tables by name, as a rank needs them.

    Args:
        here: the population that the tables' rows belong to, on this rank.
        source: the sources of a projection, where it is one's.
        words: random numbers for the tables, where it is a projection's.
    """
    tables = configured.model.tables
    if not tables:
        return {}
    x, y = here.coordinates()
    grid, source_grid = here.tiling.grid, (source or here).tiling.grid
    values = ValuesForTables(configured, configured.constants(dt_ms))
    context = PlacementContext(
        *(values, dt_ms, here.global_id, x, y, grid.nx, grid.ny, source_grid.nx, source_grid.ny, words),
        periods=source_grid.periods,
        lattice=None if source_grid == grid else Lattice(source_grid, grid).axes,
        equal_grids=source_grid == grid and grid.positions is None,
    )
    return {
        name: _as_declared(f"{configured.name}.{name}", table.make(context), NUMPY[table.ctype])
        for name, table in tables.items()
    }


def _as_declared(where: str, made: Any, dtype: Any) -> NDArray[Any]:
    """A table as kernels read it.

    Raises:
        ConfigurationError: an entry that its type does not hold; names the table, the entry and its place.
    """
    entries = np.asarray(made)
    with np.errstate(invalid="ignore", over="ignore"):
        declared = np.ascontiguousarray(entries, dtype=dtype)
    held = np.isfinite(declared) if declared.dtype.kind == "f" else declared == entries
    for place in np.flatnonzero(~held)[:1]:
        raise ConfigurationError(
            f"{where}[{place}]: {shown(entries.ravel()[place])} is not allowed; must be a number that "
            f"{declared.dtype} holds"
        )
    return declared


def bind_model(
    state: RankArrays,
    part: Any,
    owner: str,
    prefix: str,
    configured: Configured[Model],
    here: Placement,
    source: Placement | None = None,
    words: Words | None = None,
) -> None:
    """Put a model's constants that are one number, and its tables, into the struct of its owner; as `made_tables`."""
    for name, value in configured.constants(state.network.dt_ms).items():
        setattr(part, prefix + name, value)
    for name, table in made_tables(configured, state.network.dt_ms, here, source, words).items():
        state.bind(part, owner, prefix + name, state.device.upload(table))
        setattr(part, f"n_{prefix}{name}", table.size)


def bind_places(state: RankArrays, projection: Projection, target: Placement) -> None:
    """Put what tells distances between unequal grids, or between positions, into the struct of a projection."""
    part, name = state.projection_part(projection.name), projection.name
    grids, cells = projection.grid_lattice, projection.cells
    if grids is not None:
        part.fineness = grids.fineness
        for axis, along in zip("xy", grids.axes, strict=True):
            for number in LATTICE_NUMBERS:
                setattr(part, f"lattice_{number}_{axis}", getattr(along, number))
    if cells is not None:
        part.cell_side = cells.side
        for of, numbers in (("origin", cells.origin), ("count", cells.shape)):
            for axis, value in zip("xyz", numbers, strict=True):
                setattr(part, f"cell_{of}_{axis}", value)
    for array, values in made_places(projection, target).items():
        state.bind(part, name, array, state.device.upload(values))


def made_places(projection: Projection, target: Placement) -> dict[str, NDArray[np.int32]]:
    """The arrays of `Projection.position_arrays`, as a rank needs them; coordinates are in points."""
    free, cells = projection.free_lattice, projection.cells
    if free is None or cells is None:
        return {}
    places = (free.source.points.ravel(), free.target.points[target.global_id].ravel())
    return dict(zip(projection.position_arrays, (*places, cells.first, cells.members), strict=True))


def bind_stimulation(
    state: RankArrays, part: Any, owner: str, number: int, stimulation: Stimulation, here: Placement
) -> None:
    """Put a current, when it flows and onto which of this rank's neurons into the struct of their population."""
    bind_model(state, part, owner, current_prefix(number), stimulation.current, here)
    ends = {f"from_step_{number}": stimulation.from_step, f"to_step_{number}": stimulation.to_step}
    if stimulation.ids is not None:
        chosen = np.isin(here.global_id, stimulation.ids).astype(np.int32)
        state.bind(part, owner, f"chosen_{number}", state.device.upload(chosen))
        if not chosen.any():  # no step of it costs this rank anything
            ends[f"to_step_{number}"] = stimulation.from_step
    for name, step in ends.items():
        setattr(part, name, step)


def bind_decays(state: RankArrays, projection: Projection) -> None:
    """Make the tables of decay^n, n = 256 coarse + fine, of each trace of a projection."""
    dt_ms, part = state.network.dt_ms, state.projection_part(projection.name)
    for trace, tau_ms in trace_taus_ms(projection, dt_ms):
        table = getattr(part, f"decay_{trace}")
        fine, coarse = decay_fields(dt_ms, tau_ms)
        for field, stride in ((fine, 1), (coarse, FINE_POWERS)):
            assert field.length is not None
            steps = stride * np.arange(field.length(None))
            powers = np.exp(-dt_ms / tau_ms * steps).astype(np.float32)
            state.bind(table, f"{projection.name}.decay_{trace}", field.name, state.device.upload(powers))
            if field is coarse:
                table.n_coarse = len(powers)


def trace_taus_ms(projection: Projection, dt_ms: float) -> list[tuple[str, float]]:
    """Name and time constant of each trace of a projection's synapse model and rule."""
    rule = projection.rewiring
    constants = (rule.constants(dt_ms) if rule else {}) | projection.synapse.constants(dt_ms)
    traces = (*projection.pre_traces, *projection.post_traces)
    return [(trace.name, float(constants[trace.tau])) for trace in traces]
