"""The figures of a stored run, drawn here or by other processes; matplotlib is loaded where they are drawn."""

from __future__ import annotations

from functools import partial
from itertools import chain
from pathlib import Path

from hpcsnn.analysis.drawing.processes import Drawing
from hpcsnn.storage.network_store import StoredNetwork

_OF_PROJECTION = ("displacement", "map")


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
        The files: rates, two figures of each projection, degrees and weights.

    Raises:
        StorageError: no stored network there.
    """
    of_projections = [(kind, name) for name in StoredNetwork(network_path).projections for kind in _OF_PROJECTION]
    wanted = [("rates", ""), *of_projections, ("degrees_and_weights", "")]
    tasks = [partial(_draw, kind, projection, network_path, folder, file_format) for kind, projection in wanted]
    return list(chain.from_iterable(drawing.draw(tasks) if drawing is not None else [task() for task in tasks]))


def _draw(kind: str, projection: str, network_path: Path, folder: Path, file_format: str) -> list[Path]:
    from hpcsnn.analysis.drawing.figures import draw_figure

    return draw_figure(kind, projection, network_path, folder, file_format)
