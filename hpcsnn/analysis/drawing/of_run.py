"""The figures of a stored run, drawn here or by other processes; matplotlib is loaded where they are drawn."""

from __future__ import annotations

from functools import partial
from itertools import chain
from pathlib import Path

from hpcsnn.analysis.drawing.processes import Drawing, drawn
from hpcsnn.storage.network_store import StoredNetwork

_FIGURE = "hpcsnn.analysis.drawing.figures:draw_figure"
_OF_PROJECTION = ("displacement", "map", "recorded")
_OF_POPULATION = ("raster", "intervals", "recorded")


def draw_figures(
    network_path: Path, folder: Path, file_format: str = "png", drawing: Drawing | None = None
) -> list[Path]:
    """Draw every figure that the stored network has data for.

    Args:
        network_path: a ``network.zarr``; displacement maps are read from ``displacement.zarr`` beside it.
        folder: where the files go; made if missing.
        file_format: of the files, one of `FORMATS`.
        drawing: who draws; None: this process.

    Returns:
        The files: rates; of each projection its displacements, its map and recorded variables of its synapses; degrees
        and weights; and of each population what was recorded of it, a raster, intervals between spikes, and variables.

    Raises:
        StorageError: no stored network there.
    """
    stored = StoredNetwork(network_path)
    of_projections = [(kind, name) for name in stored.projections for kind in _OF_PROJECTION]
    of_populations = [(kind, name) for name in stored.populations for kind in _OF_POPULATION]
    wanted = [("rates", ""), *of_projections, ("degrees_and_weights", ""), *of_populations]
    tasks = [partial(drawn, _FIGURE, kind, owner, network_path, folder, file_format) for kind, owner in wanted]
    return list(chain.from_iterable(drawing.draw(tasks) if drawing is not None else [task() for task in tasks]))
