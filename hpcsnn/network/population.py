"""Neurons of one model, and where they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpcsnn.models.base import Configured, Variable
from hpcsnn.models.neurons import NeuronModel
from hpcsnn.models.parameters import Normal, Uniform
from hpcsnn.models.stimuli import SourceModel
from hpcsnn.network.grid import Grid
from hpcsnn.network.recording.asked import Recording


@dataclass(frozen=True)
class Population:
    """Neurons of one model. ``grid`` with ny = 1 also serves a population without places. ``record`` is by variable, as
    `Simulation.neurons` names them; ``spikes_of`` are the ids of those whose spikes are recorded, None: of all."""

    name: str
    grid: Grid
    model: Configured[NeuronModel | SourceModel]
    initial: Mapping[str, float | Normal | Uniform | ArrayLike] = field(default_factory=dict)
    record_spikes: bool = False
    record: Mapping[str, Recording] = field(default_factory=dict)
    spikes_of: NDArray[np.int32] | None = None

    @property
    def size(self) -> int:
        """Number of neurons."""
        return self.grid.size

    @property
    def is_source(self) -> bool:
        """True for populations that spike by themselves."""
        return isinstance(self.model.model, SourceModel)

    @property
    def spikes(self) -> bool:
        """False where neurons have no threshold, and thus never spike."""
        return not isinstance(self.model.model, NeuronModel) or self.model.model.spikes

    @property
    def state(self) -> tuple[Variable, ...]:
        """State variables of each neuron."""
        return self.model.model.state
