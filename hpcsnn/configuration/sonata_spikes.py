"""Spikes of a SONATA file as columns: ``/spikes/POPULATION/node_ids`` and ``timestamps`` (ms)."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.errors import shown

_MS = (None, "ms", "millisecond", "milliseconds")


def columns_of_sonata(contents: bytes, population: str) -> tuple[list[str], list[NDArray[Any]]]:
    """Names and columns of a population's spikes; of the only one, where `population` is empty.

    Raises:
        ModuleNotFoundError: h5py is not installed.
        ValueError: not such a file or population, or times in another unit than ms.
    """
    import h5py

    with h5py.File(io.BytesIO(contents), "r") as file:
        spikes = _inside(file, "spikes", h5py.Group)
        if not population:
            names = [shown(name) for name in list(spikes)[:20]]
            if len(spikes) != 1:
                raise ValueError(
                    f"has spikes of {', '.join(names) or 'nothing'}; name one behind a colon, as in spikes.h5:NAME"
                )
            population = next(iter(spikes))
        of = _inside(spikes, population, h5py.Group)
        ids, times = (_inside(of, name, h5py.Dataset) for name in ("node_ids", "timestamps"))
        unit = times.attrs.get("units")
        if (unit.decode(errors="replace") if isinstance(unit, bytes) else unit) not in _MS:
            raise ValueError(f"has timestamps in {shown(unit)}; must be in ms")
        return ["neuron", "time_ms"], [np.asarray(ids[:]), np.asarray(times[:], dtype=np.float64)]


def _inside(group: Any, name: str, kind: Any) -> Any:
    """What is in this file itself: what is in others is not ours to open."""
    import h5py

    if not isinstance(group.get(name, getlink=True), h5py.HardLink) or group.get(name, getclass=True) is not kind:
        raise ValueError(f"has no {kind.__name__.lower()} {shown(name)} in {shown(group.name)} of its own")
    found = group[name]
    if kind is h5py.Dataset and (
        found.is_virtual or found.external or found.ndim != 1 or found.dtype.kind not in "iuf"
    ):
        raise ValueError(f"has {shown(found.name)}, which is no list of numbers in this file")
    return found
