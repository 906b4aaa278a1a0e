"""Populations that spike by themselves: Poisson sources and given spikes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hpcsnn.checked_numbers import LAST_STEP
from hpcsnn.errors import ConfigurationError
from hpcsnn.models.base import Derived, PopulationModel, Variable
from hpcsnn.models.chance_tables import MOST_WAITS, survival_table, thresholds
from hpcsnn.models.parameters import Data, Parameter
from hpcsnn.models.tables import PlacementContext, Table


@dataclass(frozen=True, repr=False)
class SourceModel(PopulationModel):
    """A model whose neurons say when they spike next.

    Time is cut into windows of ``window_steps`` (a derived constant); ``changes`` says that the stimulus is another one
    in each, which rules of rewiring can wait for. ``on_window`` runs once per window, ``first_spike``
    once per window and neuron, ``next_spike`` after each spike; the latter two set ``next_spike`` to a step (``never``,
    or one beyond the window, for none). They see ``step``, ``window``, ``window_end`` (the first step behind it),
    ``id``, ``neuron`` (index of this rank's neuron, for tables that have a row per neuron), the neuron's state, and
    ``random4(entity, step, draw)``: four 32-bit random numbers that depend on nothing else.
    """

    KIND: ClassVar[str] = "stimulus"
    SEES: ClassVar[tuple[str, ...]] = (
        *("step", "window", "window_end", "never", "id", "neuron", "next_spike", "random4"),
    )

    changes: bool = False
    on_window: str = ""
    first_spike: str = ""
    next_spike: str = ""


def _n_distances(values: Mapping[str, Any]) -> int:
    """Squared distances on the field's torus: 0 up to its largest."""
    return 2 * (int(values["field_side"]) // 2) ** 2 + 1


def _field_rates_hz(values: Mapping[str, Any]) -> NDArray[np.float64]:
    """Rate by squared distance from the stimulus on the field's torus, shape (2 (side // 2)^2 + 1,)."""
    squared = np.arange(_n_distances(values), dtype=np.float64)
    rates: NDArray[np.float64] = values["base_hz"] + values["peak_hz"] * np.exp(-squared / (2 * values["sigma"] ** 2))
    return rates


def _wait_table(context: PlacementContext) -> NDArray[Any]:
    success = _field_rates_hz(context.values) * context.dt_ms * 1e-3
    return survival_table(success, int(context.values["window_steps"]))


def _check_moving(where: str, values: Mapping[str, Any]) -> None:
    if values["positions"] > values["field_side"]:
        raise ConfigurationError(
            f"{where}.positions: {values['positions']} is not allowed; must be <= field_side ({values['field_side']})"
        )


def _check_rate(where: str, rate_hz: float, dt_ms: float) -> None:
    """A step has room for one spike: the chance of one must stay below 1."""
    if rate_hz * dt_ms * 1e-3 >= 1:
        raise ConfigurationError(
            f"{where}: {rate_hz:g} Hz is not allowed; with dt_ms {dt_ms:g} it must be < {1e3 / dt_ms:g} Hz"
        )


def _check_moving_in_steps(where: str, values: Mapping[str, Any], n_neurons: int, dt_ms: float) -> None:
    both = f"base_hz {values['base_hz']:g} + peak_hz {values['peak_hz']:g}"
    _check_rate(f"{where}.{both}", values["base_hz"] + values["peak_hz"], dt_ms)
    # The table of waiting times has a row for each squared distance.
    n_rates, steps = _n_distances(values), round(values["dwell_ms"] / dt_ms)
    if n_rates * steps > MOST_WAITS:
        raise ConfigurationError(
            f"{where}.dwell_ms: {values['dwell_ms']} is not allowed; {steps} steps and {n_rates} distances on the "
            f"field (field_side {values['field_side']}) make a table of {n_rates * steps} entries, at most 2^28"
        )


def _field_x(context: PlacementContext) -> NDArray[Any]:
    return context.x % context.values["field_side"]  # type: ignore[no-any-return]


def _field_y(context: PlacementContext) -> NDArray[Any]:
    return context.y % context.values["field_side"]  # type: ignore[no-any-return]


MovingGaussianPoisson = SourceModel(
    "moving_gaussian_poisson",
    "Poisson neurons whose rate is a Gaussian bump around a position that jumps; the field repeats over the grid.",
    changes=True,
    parameters={
        "base_hz": Parameter(5.0, "Hz", "rate far from the stimulus", minimum=0.0),
        "peak_hz": Parameter(152.8, "Hz", "additional rate at the stimulus", minimum=0.0),
        "sigma": Parameter(2.0, "grid units", "width of the bump", above=0.0),
        "dwell_ms": Parameter(
            20.0, "ms", "time at one position; the first such time is silent", above=0.0, in_steps=True
        ),
        "field_side": Parameter(16, "grid units", "side of the repeated field", ctype="int", minimum=1),
        "positions": Parameter(
            15, "grid units", "positions are drawn from 0 .. positions - 1 in x and y", ctype="int", minimum=1
        ),
    },
    derived={"window_steps": Derived("round(dwell_ms / dt_ms)", "int")},
    tables={
        "wait": Table("uint32", _wait_table),
        "field_x": Table("int", _field_x),
        "field_y": Table("int", _field_y),
    },
    check=_check_moving,
    check_population=_check_moving_in_steps,
    state=(Variable("rate_class", 0, "", "int", "squared distance from the stimulus"),),
    on_window="""
uint32 rest;
const Random4 place = random4(0xffffffffu, (uint32)step, 2u);
const int stimulus_x = (int)choose(place.x, (uint32)positions, &rest);
const int stimulus_y = (int)choose(place.y, (uint32)positions, &rest);
""",
    first_spike="""
const int dx = torus_distance(field_x[neuron], stimulus_x, field_side);
const int dy = torus_distance(field_y[neuron], stimulus_y, field_side);
rate_class = dx * dx + dy * dy;
const uint32 random = random4((uint32)id, (uint32)step, 1u).x;
const int steps = waiting_steps(wait + rate_class * window_steps, window_steps, random);
next_spike = window == 0 || steps > window_end - step ? never : step + steps - 1;
""",
    next_spike="""
const int left = window_end - 1 - step;
const int steps = waiting_steps(wait + rate_class * window_steps, left, random4((uint32)id, (uint32)step, 0u).x);
next_spike = steps > left ? never : step + steps;
""",
    source="Bamford, Murray & Willshaw 2010; Knight, Senk & Nowotny 2025, arXiv 2510.19764",
)


def _check_poisson(where: str, values: Mapping[str, Any], _n_neurons: int, dt_ms: float) -> None:
    _check_rate(f"{where}.rate_hz", values["rate_hz"], dt_ms)


def _waits_at_rate(context: PlacementContext) -> NDArray[np.uint32]:
    success = np.array([context.values["rate_hz"] * context.dt_ms * 1e-3])
    return survival_table(success, int(context.values["window_steps"]))


Poisson = SourceModel(
    "poisson",
    "Independent Poisson neurons of one constant rate, at most one spike per step.",
    parameters={"rate_hz": Parameter(20.0, "Hz", "rate of every neuron", minimum=0.0)},
    check_population=_check_poisson,
    # A window only bounds the table of waiting times: the process has no memory.
    derived={"window_steps": Derived("200", "int")},
    tables={"wait": Table("uint32", _waits_at_rate)},
    first_spike="""
const int steps = waiting_steps(wait, window_steps, random4((uint32)id, (uint32)step, 1u).x);
next_spike = steps > window_end - step ? never : step + steps - 1;
""",
    next_spike="""
const int left = window_end - 1 - step;
const int steps = waiting_steps(wait, left, random4((uint32)id, (uint32)step, 0u).x);
next_spike = steps > left ? never : step + steps;
""",
)


def _check_rates(where: str, values: Mapping[str, Any], n_neurons: int, dt_ms: float) -> None:
    """Times ascend, and a rate is one that steps have room for; of rates of each neuron there is one for each."""
    times_ms, rates_hz = values["times_ms"], values["rates_hz"]
    for late in np.flatnonzero(np.diff(times_ms) <= 0)[:1]:
        raise ConfigurationError(
            f"{where}.times_ms: {times_ms[late + 1]} of rate {late + 1} is not allowed; must be above the one before "
            f"it, {times_ms[late]}"
        )
    if rates_hz.ndim == 2 and rates_hz.shape[1] != n_neurons:
        raise ConfigurationError(
            f"{where}.rates_hz: has {rates_hz.shape[1]} rates at each time; must be one number or {n_neurons}, one per "
            "neuron"
        )
    _check_rate(f"{where}.rates_hz", float(rates_hz.max(initial=0.0)), dt_ms)


def _largest_rate_hz(context: PlacementContext) -> float:
    return float(context.values["rates_hz"].max(initial=0.0))


def _waits_at_largest(context: PlacementContext) -> NDArray[np.uint32]:
    success = np.array([_largest_rate_hz(context) * context.dt_ms * 1e-3])
    return survival_table(success, int(context.values["window_steps"]))


def _piece_steps(context: PlacementContext) -> NDArray[np.int64]:
    """The first step of each rate, behind that of the silence before them all."""
    return np.concatenate([[0], np.rint(context.values["times_ms"] / context.dt_ms).astype(np.int64)])


def _shares(context: PlacementContext) -> NDArray[np.uint64]:
    """Each rate's part of the largest one, of all neurons or, row by row, of each of this rank."""
    rates_hz = context.values["rates_hz"]
    largest_hz = _largest_rate_hz(context)
    shares = np.divide(rates_hz, largest_hz, out=np.zeros_like(rates_hz), where=largest_hz > 0)
    rows = shares[:, context.global_id].T if shares.ndim == 2 else shares[None, :]
    return thresholds(np.concatenate([np.zeros((len(rows), 1)), rows], axis=1)).ravel()


# A Poisson process of the largest rate, of whose spikes each stays with the chance that makes the rate of its time
# (Lewis & Shedler 1979): a step has a spike with exactly its chance. A number belongs to a step that was drawn before.
_THINNED = """
int at = {before}, low = 0;
Random4 words = {first};
next_spike = never;
for (;;) {{
    const int left = window_end - 1 - at, steps = waiting_steps(wait, left, words.x);
    if (steps > left) break;
    at += steps;
    low = 0;
    for (int n = n_piece_step; n > 1;) {{
        const int half = n >> 1;
        low += piece_step[low + half] <= at ? half : 0;
        n -= half;
    }}
    if (chance(words.y, share[(n_share > n_piece_step ? neuron * n_piece_step : 0) + low])) {{
        next_spike = at;
        break;
    }}
    words = random4((uint32)id, (uint32)at, 0u);
}}
"""

InhomogeneousPoisson = SourceModel(
    "inhomogeneous_poisson",
    "Independent Poisson neurons whose rates change at given times; silent before the first, the last stays.",
    data={
        "times_ms": Data(
            "a list of times in ms, at each of which a rate begins",
            "rate",
            minimum=0.0,
            in_steps=True,
            column="time_ms",
        ),
        "rates_hz": Data(
            "a list of rates in Hz, one per time, or of lists with one per neuron",
            "rate",
            minimum=0.0,
            of_neurons=True,
            column="rate_hz",
            in_kernels=False,
        ),
    },
    check_population=_check_rates,
    derived={"window_steps": Derived("200", "int")},
    tables={
        "wait": Table("uint32", _waits_at_largest),
        "piece_step": Table("int", _piece_steps),
        "share": Table("Probability", _shares),
    },
    first_spike=_THINNED.format(before="step - 1", first="random4((uint32)id, (uint32)step, 1u)"),
    next_spike=_THINNED.format(before="step", first="random4((uint32)id, (uint32)step, 0u)"),
    source="Lewis & Shedler 1979, Naval Research Logistics 26:403; NEST's inhomogeneous_poisson_generator",
)


def _steps_of(values: Mapping[str, Any], dt_ms: float) -> NDArray[np.int64]:
    """Steps of the given times, which are whole."""
    return np.rint(values["times_ms"] / dt_ms).astype(np.int64)


def _own_spikes(context: PlacementContext) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Offsets (n + 1,) and steps of this rank's neurons, in time order within a neuron."""
    steps = _steps_of(context.values, context.dt_ms)
    index_of = {int(identity): index for index, identity in enumerate(context.global_id)}
    index = np.array([index_of.get(int(neuron), -1) for neuron in context.values["neurons"]], dtype=np.int64)
    index, steps = index[index >= 0], steps[index >= 0]
    order = np.lexsort((steps, index))
    counts = np.bincount(index, minlength=len(context.global_id))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return offsets, steps[order].astype(np.int32)


def _check_spikes(where: str, values: Mapping[str, Any], n_neurons: int, dt_ms: float) -> None:
    """A spike is of a neuron that there is, in a step that a run comes to, and the only one of its neuron there."""
    neurons, times_ms = values["neurons"], values["times_ms"]
    for spike in np.flatnonzero(neurons >= n_neurons)[:1]:
        raise ConfigurationError(
            f"{where}.neurons: {neurons[spike]} of spike {spike} is not allowed; must be in 0 .. {n_neurons - 1}"
        )
    steps = _steps_of(values, dt_ms)
    for spike in np.flatnonzero(steps >= LAST_STEP)[:1]:
        raise ConfigurationError(
            f"{where}.times_ms: {times_ms[spike]} of spike {spike} is not allowed; must be below step 2^31 - 1"
        )
    order = np.lexsort((steps, neurons))
    again = np.flatnonzero((np.diff(neurons[order]) == 0) & (np.diff(steps[order]) == 0))
    if again.size:
        one, other = sorted(order[again[0] : again[0] + 2])
        raise ConfigurationError(
            f"{where}.times_ms: {times_ms[one]} and {times_ms[other]} of neuron {neurons[one]} (spikes {one} and "
            f"{other}) are both in step {steps[one]}; a neuron spikes once a step at most"
        )


def _offsets(context: PlacementContext) -> NDArray[np.int32]:
    return _own_spikes(context)[0]


def _spike_steps(context: PlacementContext) -> NDArray[np.int32]:
    return _own_spikes(context)[1]


SpikeArray = SourceModel(
    "spike_array",
    "Neurons that spike at given times, each a whole number of steps.",
    data={
        "neurons": Data("a list of neuron ids, one per spike", "spike", ctype="int", minimum=0, column="neuron"),
        "times_ms": Data(
            "a list of spike times in ms, one per spike", "spike", minimum=0.0, in_steps=True, column="time_ms"
        ),
    },
    # One window for the whole run.
    derived={"window_steps": Derived("2147483647", "int")},
    tables={
        "offset": Table("int", _offsets),
        "spike_step": Table("int", _spike_steps),
    },
    check_population=_check_spikes,
    state=(Variable("n_past", 0, "", "int", "spikes already emitted"),),
    first_spike="""
next_spike = offset[neuron] < offset[neuron + 1] ? spike_step[offset[neuron]] : never;
""",
    next_spike="""
const int end = offset[neuron + 1];
const int entry = offset[neuron] + n_past + 1;
n_past = entry - offset[neuron];
next_spike = entry < end ? spike_step[entry] : never;
""",
)

SampleInput = SourceModel(
    "sample_input",
    "Neurons that a Trainer lets spike as a sample says, one per channel of the data; silent without one.",
    derived={"window_steps": Derived("2147483647", "int")},
)
