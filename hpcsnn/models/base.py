"""What a model is: parameters with units, state variables, host-made constants and tables, CUDA C++ snippets.

A model holds no behaviour in Python. The code generator binds a model's names in front of its snippets and pastes
them into the templates under ``kernels/``; the same text is compiled for GPUs and for the host. Built-in models use
nothing that a model in a user's file cannot use.

Rules for snippets (so that every device gives the same bits): float32 ``+ - * /`` and comparisons only; exponentials
and logarithms become `derived` constants or `tables`, which the host computes in float64, or, where their argument
changes, the functions ``exponential(x)`` and ``logarithm(x)`` of ``kernels/mathematics.cuh``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hpcsnn.errors import ConfigurationError, unknown_name

_MATH: dict[str, Any] = {name: getattr(math, name) for name in ("exp", "log", "sqrt", "floor", "ceil", "pi")} | {
    "round": round,
    "min": min,
    "max": max,
    "int": int,
}

# Expected events a step that `poisson_table` is long enough for: more than 254 are then rarer than 2^-32.
MOST_POISSON_EVENTS = 128.0


@dataclass(frozen=True)
class Parameter:
    """One number the user sets.

    ``default`` None means that the user must give it. ``ctype`` is ``float``, ``int`` or ``probability``; a
    probability reaches the kernel as the ``Probability`` that ``chance(random, p)`` takes.
    Bounds are inclusive unless the name says ``above``.
    """

    default: float | None
    unit: str
    doc: str
    ctype: str = "float"
    minimum: float | None = None
    above: float | None = None
    maximum: float | None = None

    def allowed(self) -> str:
        """The allowed range in words."""
        bounds = []
        if self.above is not None:
            bounds.append(f"> {self.above:g}")
        if self.minimum is not None:
            bounds.append(f">= {self.minimum:g}")
        if self.maximum is not None:
            bounds.append(f"<= {self.maximum:g}")
        kind = "a whole number" if self.ctype == "int" else "a number"
        unit = f" in {self.unit}" if self.unit else ""
        return f"{kind}{unit}" + (f" {' and '.join(bounds)}" if bounds else "")

    def checked(self, where: str, value: object) -> float | int:
        """`value` as the parameter's type.

        Raises:
            ConfigurationError: not a finite number of this kind, or out of bounds; names `where` and the value.
        """
        if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
            raise ConfigurationError(f"{where}: {value!r} is not allowed; must be {self.allowed()}")
        number = float(value)
        good = math.isfinite(number)
        good &= self.above is None or number > self.above
        good &= self.minimum is None or number >= self.minimum
        good &= self.maximum is None or number <= self.maximum
        good &= self.ctype != "int" or number == int(number)
        if not good:
            raise ConfigurationError(f"{where}: {value!r} is not allowed; must be {self.allowed()}")
        return int(number) if self.ctype == "int" else number


def probability(default: float | None, doc: str) -> Parameter:
    """A parameter in [0, 1]."""
    return Parameter(default, "", doc, ctype="probability", minimum=0.0, maximum=1.0)


@dataclass(frozen=True)
class Derived:
    """A constant computed on the host in float64 from parameters and ``dt_ms``, by a Python expression."""

    expression: str
    ctype: str = "float"


@dataclass(frozen=True)
class Variable:
    """A state variable of a neuron, receptor or synapse; ``initial`` is used unless the user gives another."""

    name: str
    initial: float = 0.0
    unit: str = ""
    ctype: str = "float"
    doc: str = ""


@dataclass(frozen=True)
class PlacementContext:
    """What a table may depend on: the constants, the step, and where this rank's neurons are.

    ``global_id``, ``x`` and ``y`` (int32, one entry a neuron of this rank) describe the neurons that own the table's
    rows; ``nx``, ``ny`` is their population's grid; ``source_nx``, ``source_ny`` that of the sources, for a connector.
    """

    values: Mapping[str, Any]
    dt_ms: float
    global_id: NDArray[np.int32]
    x: NDArray[np.int32]
    y: NDArray[np.int32]
    nx: int
    ny: int
    source_nx: int = 0
    source_ny: int = 0


@dataclass(frozen=True)
class Table:
    """An array made on the host and read by the snippets as ``name[index]``; its length is ``n_name``."""

    ctype: str
    make: Callable[[PlacementContext], NDArray[Any]]


@dataclass(frozen=True)
class Model:
    """What all kinds of models share. Calling a model with parameter values gives a `Configured` model.

    ``data`` names arguments that are arrays and not numbers (a list of spikes, of synapses); ``check(where, values)``
    may refuse a combination of values by raising ConfigurationError. `KIND` is what the kind is called, `SEES` what its
    snippets may use beside the model's own names.
    """

    KIND: ClassVar[str] = "model"
    SEES: ClassVar[tuple[str, ...]] = ()

    name: str
    doc: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    derived: Mapping[str, Derived] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    check: Callable[[str, Mapping[str, Any]], None] | None = None
    source: str = ""

    def __call__(self, **values: Any) -> Configured:
        return self.configure(self.name, values)

    def configure(self, where: str, values: Mapping[str, Any]) -> Configured:
        """The model with these values and defaults for the rest.

        Raises:
            ConfigurationError: an unknown, missing or disallowed value; the message begins with `where`.
        """
        complete: dict[str, Any] = {}
        for name in values:
            if name not in self.parameters and name not in self.data:
                raise ConfigurationError(unknown_name(where, name, [*self.parameters, *self.data]))
        for name, parameter in self.parameters.items():
            value = values.get(name, parameter.default)
            if value is None:
                raise ConfigurationError(f"{where}.{name}: missing; give {parameter.allowed()} ({parameter.doc})")
            complete[name] = parameter.checked(f"{where}.{name}", value)
        for name, doc in self.data.items():
            if name not in values:
                raise ConfigurationError(f"{where}.{name}: missing; give {doc}")
            complete[name] = values[name]
        if self.check is not None:
            self.check(where, complete)
        return Configured(self, complete)

    def constant_types(self) -> list[tuple[str, str]]:
        """(name, C++ type) of every constant the snippets see."""
        types = {"probability": "Probability"}
        named = [(name, types.get(p.ctype, p.ctype)) for name, p in self.parameters.items()]
        return named + [(name, d.ctype) for name, d in self.derived.items()]


@dataclass(frozen=True)
class Configured:
    """A model with its parameter values; ``reference`` is how a run's configuration names one of a user's file."""

    model: Model
    values: Mapping[str, Any]
    reference: str = ""

    def constants(self, dt_ms: float) -> dict[str, float | int]:
        """The constants in the kernel's units: thresholds for probabilities, derived values evaluated."""
        known: dict[str, Any] = {**self.values, "dt_ms": dt_ms}
        constants: dict[str, float | int] = {}
        for name, parameter in self.model.parameters.items():
            value = self.values[name]
            constants[name] = threshold64(value) if parameter.ctype == "probability" else value
        for name, derived in self.model.derived.items():
            value = eval(derived.expression, {"__builtins__": {}}, _MATH | known)
            known[name] = value
            if derived.ctype == "probability":
                value = threshold64(value)
            constants[name] = int(value) if derived.ctype == "int" else value
        return constants

    def described(self) -> dict[str, dict[str, Any]]:
        """``{name: {parameter: value}}``, as a configuration file has it."""
        return {self.reference or self.model.name: dict(self.values)}


def threshold64(probability: float) -> int:
    """The 64-bit number below which a 32-bit random number means success."""
    return round(probability * 2.0**32)


def thresholds(probabilities: NDArray[np.float64]) -> NDArray[np.uint64]:
    """`threshold64` of each entry."""
    return np.rint(probabilities * 2.0**32).astype(np.uint64)


def poisson_table(mean: float) -> NDArray[np.uint32]:
    """Table for ``poisson_events``: (chance of at most k = 0 .. 254 events) * 2^32 - 1.

    `mean` is the expected number of events, at most `MOST_POISSON_EVENTS`. Result (255,), uint32.
    """
    ratios = mean / np.maximum(np.arange(255), 1)
    ratios[0] = math.exp(-mean)
    at_most = np.cumsum(np.cumprod(ratios))
    return np.clip(np.rint(at_most * 2.0**32) - 1.0, 0.0, 2.0**32 - 1.0).astype(np.uint32)


def survival_table(success: NDArray[np.float64], length: int) -> NDArray[np.uint32]:
    """Table for ``waiting_steps``: (chance of no success in k = 1 .. length trials) * 2^32 - 1.

    Shapes: `success` (n,) chances per trial below 1; result (n, length), uint32.
    """
    k = np.arange(1, length + 1)
    chance = np.exp(np.log1p(-success)[:, None] * k[None, :])
    return np.clip(np.rint(chance * 2.0**32) - 1.0, 0.0, 2.0**32 - 1.0).astype(np.uint32)
