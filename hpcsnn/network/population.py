"""Neurons of one model, and where they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpcsnn.brief import Brief
from hpcsnn.checked_numbers import LAST_STEP, whole_steps
from hpcsnn.errors import ConfigurationError, shown
from hpcsnn.models.base import Configured, Variable
from hpcsnn.models.currents import FROM, NEURONS, TO, CurrentModel
from hpcsnn.models.grouped.operation import GROUP_SIZE
from hpcsnn.models.neurons import NeuronModel
from hpcsnn.models.parameters import Normal, Uniform
from hpcsnn.models.stimuli import SourceModel
from hpcsnn.network.grid import Grid
from hpcsnn.network.recording.asked import Recording, chosen_neurons


@dataclass(frozen=True)
class Stimulation:
    """A current onto neurons of a population.

    Attributes:
        current: the model, with its parameters.
        from_step, to_step: the first step in which it flows, and the first in which it does no more.
        ids: of the neurons, global, ascending, int32; None: all.
    """

    current: Configured[CurrentModel]
    from_step: int
    to_step: int
    ids: NDArray[np.int32] | None


def checked_stimulation(where: str, given: object, grid: Grid, dt_ms: float) -> Stimulation:
    """A current that the user gives, onto a population of a grid; whether its values fit, `check_given` says.

    Raises:
        ConfigurationError: no current, a time between two steps, or neurons that there are not; names `where`.
    """
    if not isinstance(given, Configured) or not isinstance(given.model, CurrentModel):
        raise ConfigurationError(f"{where}: {shown(given)} is not a CurrentModel with its parameters")
    where = f"{where}.{given.name}"
    from_step = whole_steps(f"{where}.{FROM}", given.values[FROM], dt_ms)
    to_ms = given.values[TO]
    to_step = LAST_STEP if to_ms is None else whole_steps(f"{where}.{TO}", to_ms, dt_ms, least=1)
    return Stimulation(given, from_step, to_step, chosen_neurons(f"{where}.{NEURONS}", given.values[NEURONS], grid))


def current_prefix(number: int) -> str:
    """What stands in kernels before the names of the constants and tables of a population's current of this number."""
    return f"current_{number}_"


@dataclass(frozen=True, repr=False)
class Population(Brief):
    """Neurons of one model. ``grid`` with ny = 1 also serves a population without places. ``record`` is by variable, as
    `Simulation.neurons` names them; the currents of ``stimulations`` are added up in their order. ``spikes_of`` are the
    ids of those whose spikes are recorded, None: of all; ``removed`` of those that never spike, None: none."""

    name: str
    grid: Grid
    model: Configured[NeuronModel | SourceModel]
    initial: Mapping[str, float | Normal | Uniform | ArrayLike] = field(default_factory=dict)
    record_spikes: bool = False
    record: Mapping[str, Recording] = field(default_factory=dict)
    stimulations: tuple[Stimulation, ...] = ()
    spikes_of: NDArray[np.int32] | None = None
    removed: NDArray[np.int32] | None = None

    @property
    def size(self) -> int:
        """Number of neurons."""
        return self.grid.size

    @property
    def n_recorded(self) -> int:
        """Number of neurons whose spikes are recorded."""
        if not self.record_spikes:
            return 0
        return self.size if self.spikes_of is None else len(self.spikes_of)

    @property
    def is_source(self) -> bool:
        """True for populations that spike by themselves."""
        return isinstance(self.model.model, SourceModel)

    @property
    def spikes(self) -> bool:
        """False where neurons have no threshold, and thus never spike."""
        return not isinstance(self.model.model, NeuronModel) or self.model.model.spikes

    @property
    def group_size(self) -> int:
        """Neighbours in number that compare a value in each step; 0 of a model without groups."""
        model = self.model.model
        if not isinstance(model, NeuronModel) or model.group is None:
            return 0
        return int(self.model.values[GROUP_SIZE])

    @property
    def state(self) -> tuple[Variable, ...]:
        """State variables of each neuron."""
        return self.model.model.state

    def _headline(self) -> str:
        return f"Population {self.name}: {self.grid.nx} x {self.grid.ny} neurons, {self.model!r}"
