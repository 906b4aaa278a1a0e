"""What was recorded of a variable, in memory: of neurons, on average over them, or of synapses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

# Of averages.
STATISTICS = ("mean", "min", "max")


@dataclass(frozen=True)
class Rows:
    """A variable of some of a rank's neurons at some times.

    Attributes:
        steps: so many steps had been done, shape (n_times,), int32, ascending.
        ids: global ids of the neurons, shape (n_neurons,), int32.
        values: shape (n_times, n_neurons), as the variable is.
        unit: of the values; empty: they have none.
    """

    steps: NDArray[np.int32]
    ids: NDArray[np.int32]
    values: NDArray[np.generic]
    unit: str = ""

    def as_xarray(self, name: str, dt_ms: float, nx: int) -> xr.DataArray:
        """The same over ``time`` (ms) and ``neuron``, which is in row ``y`` and column ``x`` of a grid nx wide."""
        import xarray as xr

        y, x = np.divmod(self.ids, np.int32(nx))
        coordinates = {
            "time": ("time", self.steps * dt_ms, {"units": "ms", "long_name": "model time"}),
            "neuron": ("neuron", self.ids, {"long_name": "id"}),
            **{axis: ("neuron", place, {"units": "grid units"}) for axis, place in (("x", x), ("y", y))},
        }
        about = {"long_name": name, **({"units": self.unit} if self.unit else {})}
        return xr.DataArray(self.values, coordinates, ("time", "neuron"), name, about)


@dataclass(frozen=True)
class Average:
    """A variable at some times, over all neurons that were chosen, on whichever rank.

    Attributes:
        steps: so many steps had been done, shape (n_times,), int32, ascending.
        mean: the nearest to the exact mean, shape (n_times,), float64.
        min, max: the smallest and the largest value, shape (n_times,), as the variable is.
        unit: of all three; empty: they have none.
    """

    steps: NDArray[np.int32]
    mean: NDArray[np.float64]
    min: NDArray[np.generic]
    max: NDArray[np.generic]
    unit: str = ""

    @classmethod
    def joined(cls, parts: list[Average]) -> Average:
        """One after the other; there is at least one."""
        return _joined(parts)

    def as_xarray(self, name: str, dt_ms: float) -> xr.DataArray:
        """The same over ``time`` (ms) and ``statistic``, which is mean, min or max."""
        import xarray as xr

        time = ("time", self.steps * dt_ms, {"units": "ms", "long_name": "model time"})
        values = np.stack([self.mean, self.min.astype(np.float64), self.max.astype(np.float64)], axis=1)
        about = {"long_name": name, **({"units": self.unit} if self.unit else {})}
        return xr.DataArray(values, {"time": time, "statistic": list(STATISTICS)}, ("time", "statistic"), name, about)


@dataclass(frozen=True)
class SynapseValues:
    """A variable of all synapses that some of a rank's neurons had at some times: an entry a synapse and time.

    Attributes:
        steps: so many steps had been done, shape (n,), int32.
        pre, post: global ids of the two neurons, shape (n,), int32.
        values: shape (n,), as the variable is.
        unit: of the values; empty: they have none.
    """

    steps: NDArray[np.int32]
    pre: NDArray[np.int32]
    post: NDArray[np.int32]
    values: NDArray[np.generic]
    unit: str = ""

    @classmethod
    def joined(cls, parts: list[SynapseValues]) -> SynapseValues:
        """All entries of several, one after the other; there is at least one."""
        return _joined(parts)

    def in_order(self) -> SynapseValues:
        """The same by step, post, pre."""
        order = np.lexsort((self.pre, self.post, self.steps))
        steps, pre, post = self.steps[order], self.pre[order], self.post[order]
        return SynapseValues(steps, pre, post, self.values[order], self.unit)

    def as_pandas(self, name: str, dt_ms: float) -> pd.DataFrame:
        """The same as a table: ``time_ms``, ``pre``, ``post``, and the variable under its name."""
        import pandas as pd

        return pd.DataFrame({"time_ms": self.steps * dt_ms, "pre": self.pre, "post": self.post, name: self.values})


_Entries = TypeVar("_Entries", Average, SynapseValues)


def _joined(parts: Sequence[_Entries]) -> _Entries:
    """Several of one kind and unit, each of their arrays one after the other."""
    names = [one.name for one in fields(parts[0]) if one.name != "unit"]
    arrays: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return replace(parts[0], **arrays)
