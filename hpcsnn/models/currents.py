"""Currents onto neurons of any model. A new one is one more `CurrentModel` in this file, or in a file of the user's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from hpcsnn.checked_numbers import Limits, real_number
from hpcsnn.errors import ConfigurationError, unknown_name
from hpcsnn.models.base import Configured, Derived, Model
from hpcsnn.models.chance_tables import few_poisson_events, poisson_table
from hpcsnn.models.parameters import Parameter
from hpcsnn.models.tables import PlacementContext, Table

# What every current is given beside its parameters: when it flows, and onto which neurons.
FROM, TO, NEURONS = "from_ms", "to_ms", "neurons"
_GIVEN = (FROM, TO, NEURONS)
OF_EVERY_CURRENT = f"every current has {FROM} (0), {TO} (until the run ends) and {NEURONS} (all) beside its parameters"
_TIME = Limits("ms", minimum=0.0, in_kernels=False)


@dataclass(frozen=True, repr=False)
class CurrentModel(Model):
    """A model of a current that is added to the ``input_current`` of neurons, in the unit that their model has.

    ``current`` is a value: an expression, or statements of which every way ends in a ``return``. It is asked for in the
    steps of the interval that the user gives, ``from_step`` up to the one before ``to_step`` (2^31 - 1: no end), and
    for the chosen neurons. It sees ``step``, these two, ``dt_ms``, ``id``, ``neuron`` (index of this rank's neuron, for
    tables that have a row per neuron), and ``random4(entity, step, draw)``: four 32-bit random numbers that depend on
    nothing else (``draw`` below 2^16). It has no state. Parameters may differ between neurons, as a neuron model's.

    ``check_population(where, values, n_neurons, dt_ms)`` may refuse what does not fit the population or the step;
    ``must_end`` says that the user has to say when the current ends.
    """

    KIND: ClassVar[str] = "current"
    OF_NEURONS: ClassVar[bool] = True
    SEES: ClassVar[tuple[str, ...]] = ("step", "from_step", "to_step", "dt_ms", "id", "neuron", "random4")
    KEPT: ClassVar[Mapping[tuple[str, str], str]] = {
        ("parameter", name): "every current has it: when it flows, and onto which neurons" for name in _GIVEN
    }

    current: str = "0.0f"
    must_end: bool = False
    check_population: Callable[[str, Mapping[str, Any], int, float], None] | None = None

    def configure(self, where: str, values: Mapping[str, Any]) -> Configured[Self]:
        """The model with these values, ``from_ms`` (0), ``to_ms`` (None: no end) and ``neurons`` ("all").

        Raises:
            ConfigurationError: as of any model; a time that is none, or an interval that is empty.
        """
        own = {name: value for name, value in values.items() if name not in _GIVEN}
        for name in own:
            if name not in self.parameters and name not in self.data:
                raise ConfigurationError(unknown_name(where, name, [*self.parameters, *self.data, *_GIVEN]))
        configured = super().configure(where, own)
        from_ms = real_number(f"{where}.{FROM}", values.get(FROM, 0.0), _TIME)
        to_ms = values.get(TO)
        if to_ms is None and self.must_end:
            raise ConfigurationError(f"{where}.{TO}: missing; give a number in ms > {FROM} (when the current ends)")
        if to_ms is not None:
            to_ms = real_number(f"{where}.{TO}", to_ms, _TIME)
            if to_ms <= from_ms:
                raise ConfigurationError(f"{where}.{TO}: {to_ms!r} is not allowed; must be above {FROM} ({from_ms!r})")
        given = {FROM: from_ms, TO: to_ms, NEURONS: values.get(NEURONS, "all")}
        return replace(configured, values={**configured.values, **given})


_AMPLITUDE = Parameter(None, "units of current", "while it flows")

StepCurrent = CurrentModel(
    "step_current",
    "A current that is constant while it flows.",
    parameters={"amplitude": _AMPLITUDE},
    current="amplitude",
    source="NEST's dc_generator",
)

RampCurrent = CurrentModel(
    "ramp_current",
    "A current that grows or falls evenly, step by step, and would be at to_amplitude at to_ms.",
    parameters={
        "from_amplitude": Parameter(0.0, "units of current", "at from_ms"),
        "to_amplitude": Parameter(None, "units of current", "at to_ms"),
    },
    current="""
const float part = (float)(step - from_step) / (float)(to_step - from_step);
return from_amplitude + (to_amplitude - from_amplitude) * part;
""",
    must_end=True,
)


def _below_half_a_turn(where: str, values: Mapping[str, Any], _n_neurons: int, dt_ms: float) -> None:
    """A faster one would look like a slower one."""
    if values["frequency_hz"] * dt_ms * 1e-3 >= 0.5:
        raise ConfigurationError(
            f"{where}.frequency_hz: {values['frequency_hz']!r} is not allowed; with dt_ms {dt_ms:g} it must be "
            f"< {500 / dt_ms:g} Hz, so that a period has more than two steps"
        )


SineCurrent = CurrentModel(
    "sine_current",
    "A sine of amplitude and frequency, which is at phase_deg at from_ms; in each step it has the value of its start.",
    parameters={
        "amplitude": _AMPLITUDE,
        "frequency_hz": Parameter(None, "Hz", "periods in a second", minimum=0.0),
        "phase_deg": Parameter(0.0, "degrees", "at from_ms"),
    },
    # Turns in a step and at the start, as whole numbers of 2^-32 (and 2^-63) and 2^-31: the phase of any step is exact.
    derived={
        "step_turns": Derived("floor(frequency_hz * dt_ms * 1e-3 * 2**32)", "int"),
        "step_turns_rest": Derived("floor((frequency_hz * dt_ms * 1e-3 * 2**32 - step_turns) * 2**31)", "int"),
        "first_turns": Derived("min(floor((phase_deg / 360 - floor(phase_deg / 360)) * 2**31), 2**31 - 1)", "int"),
    },
    check_population=_below_half_a_turn,
    current="""
const uint64 a_step = (uint64)step_turns << 32 | (uint64)step_turns_rest << 1;
const uint64 turns = ((uint64)first_turns << 33) + a_step * (uint64)(step - from_step);
return amplitude * sine_of_turns((float)(uint32)(turns >> 40) * 5.9604644775390625e-8f);
""",
    source="NEST's ac_generator",
)

NoiseCurrent = CurrentModel(
    "noise_current",
    "Gaussian noise: every so often each neuron draws a current of its own, which stays until the next one.",
    parameters={
        "mean": Parameter(0.0, "units of current", "of what is drawn"),
        "std": Parameter(None, "units of current", "standard deviation of what is drawn", minimum=0.0),
        "every_ms": Parameter(1.0, "ms", "time from one draw to the next", above=0.0, in_steps=True),
    },
    derived={"every_steps": Derived("round(every_ms / dt_ms)", "int")},
    current="""
const int drawn = step - (step - from_step) % every_steps;
const Random4 words = random4((uint32)id, (uint32)drawn, 0u);
return mean + std * standard_normal(words.x, words.y);
""",
    source="NEST's noise_generator",
)


def _few_spikes_a_step(where: str, values: Mapping[str, Any], _n_neurons: int, dt_ms: float) -> None:
    few_poisson_events(f"{where}.rate_hz", values["rate_hz"], dt_ms)


def _spikes_a_step(context: PlacementContext) -> NDArray[np.uint32]:
    return poisson_table(context.values["rate_hz"] * context.dt_ms * 1e-3)


PoissonCurrent = CurrentModel(
    "poisson_current",
    "Spikes of a Poisson process that each neuron has to itself: each is a current of the weight for one step, as with "
    "the receptor delta_current.",
    parameters={
        "rate_hz": Parameter(None, "Hz", "of all spikes that a neuron gets", minimum=0.0),
        "weight": Parameter(None, "units of current", "of a spike, for a step"),
    },
    tables={"events": Table("uint32", _spikes_a_step)},
    check_population=_few_spikes_a_step,
    # The number of a step's spikes is Poisson distributed, each probability to 2^-32.
    current="weight * (float)poisson_events(events, random4((uint32)id, (uint32)step, 0u).x)",
    source="NEST's poisson_generator, of which each target has a train of its own",
)
