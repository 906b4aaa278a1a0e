"""What a model is: parameters with units, state variables, host-made constants and tables, CUDA C++ snippets.

A model holds no behaviour in Python. The code generator binds a model's names in front of its snippets and pastes
them into the templates under ``kernels/``; the same text is compiled for GPUs and for the host. Built-in models use
nothing that a model in a user's file cannot use.

Rules for snippets (so that every device gives the same bits): float32 ``+ - * /`` and comparisons only; exponentials
and logarithms become `derived` constants or `tables`, which the host computes in float64, or, where their argument
changes, the functions ``exponential(x)`` and ``logarithm(x)`` of ``kernels/base/mathematics.cuh``.
"""

from __future__ import annotations

import ast
import importlib
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from types import CodeType, ModuleType
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from hpcsnn.brief import BriefConfigured, BriefModel
from hpcsnn.checked_numbers import SMALLEST_NUMBER, Limits, real_number, whole_number
from hpcsnn.errors import ConfigurationError, shown, unknown_name
from hpcsnn.models.chance_tables import threshold64
from hpcsnn.models.parameters import Data, Normal, Parameter, Uniform, described_distribution
from hpcsnn.models.snippet_text import FUNCTIONS, check_expression, check_snippet_names, given_names
from hpcsnn.models.tables import Table

# A module that is not imported by its name has under this one what loads it: a function without arguments that pickles.
LOADED_BY = "_hpcsnn_loaded_by"
# The unit of lengths, which are counted in points of a lattice where two grids lie over each other.
GRID_UNITS = "grid units"
_CHANCE = Limits(minimum=0.0, maximum=1.0, in_kernels=False)
MATH: dict[str, Any] = {
    **{name: getattr(math, name) for name in ("exp", "expm1", "log", "sqrt", "cos", "floor", "ceil", "pi")},
    **{function.__name__: function for function in (round, min, max, int)},
}


@dataclass(frozen=True)
class Derived:
    """A constant computed on the host in float64 from parameters and ``dt_ms``, by a Python expression.

    It must be a number that kernels hold with all its digits. One that ``vanishes`` may also be too near to 0 for that,
    and is 0 then: a decay over a step that is much longer than its time constant.
    """

    expression: str
    ctype: str = "float"
    vanishes: bool = False

    @cached_property
    def reads(self) -> set[str]:
        """The names in the expression."""
        return {node.id for node in ast.walk(ast.parse(self.expression.strip())) if isinstance(node, ast.Name)}


@dataclass(frozen=True)
class Variable:
    """A state variable of a neuron, receptor or synapse; ``initial`` is used unless the user gives another.

    Raises:
        ConfigurationError: an initial value that is no number of the variable's type; names the variable and the value.
    """

    name: str
    initial: float = 0.0
    unit: str = ""
    ctype: str = "float"
    doc: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "initial", self.checked(f"variable {self.name}.initial", self.initial))

    def checked(self, where: str, value: object) -> float | int:
        """`value` as a number of the variable's type.

        Raises:
            ConfigurationError: it is none; names `where` and the value.
        """
        return real_number(where, value) if self.ctype == "float" else whole_number(where, value)


@dataclass(frozen=True, repr=False)
class Model(BriefModel):
    """What all kinds of models share. Calling a model with parameter values gives a `Configured` model.

    ``data`` names arguments that are lists and not numbers (of spikes, of synapses) and says what may be in them;
    values has them as arrays. ``check(where, values)`` may refuse a combination of values by raising
    ConfigurationError. Where ``OF_NEURONS`` is true, a parameter may also be a distribution or a list: one value per
    neuron. `KIND` is what the kind is called, `SEES` what its snippets may use beside the model's own names and
    `FUNCTIONS`; names that are not free for other reasons are in `KEPT`, with why.

    Raises:
        ConfigurationError: a name that a snippet could not use for what it names; says which are taken.
    """

    KIND: ClassVar[str] = "model"
    SEES: ClassVar[tuple[str, ...]] = ()
    KEPT: ClassVar[Mapping[tuple[str, str], str]] = {}
    OF_NEURONS: ClassVar[bool] = False

    name: str
    doc: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    derived: Mapping[str, Derived] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    data: Mapping[str, Data] = field(default_factory=dict)
    check: Callable[[str, Mapping[str, Any]], None] | None = None
    source: str = ""

    def __post_init__(self) -> None:
        promised = {*self.SEES, *FUNCTIONS, "dt_ms"}  # derived constants see dt_ms of any model
        check_snippet_names(self.name, self.KIND, given_names(self), promised, self.KEPT)
        known = {*MATH, "dt_ms", *self.parameters, *self.data}
        for name, derived in self.derived.items():
            check_expression(f"{self.name}.derived.{name}", derived.expression, known)
            known.add(name)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickled as functions and classes are, by module and name, where a module has it; else, as in a script, by
        its fields, whose functions then need names."""
        for module in _modules():
            for name, value in list(vars(module).items()):
                if value is self:
                    load = vars(module).get(LOADED_BY) or partial(importlib.import_module, module.__name__)
                    return _model_of, (load, name)
        return super().__reduce_ex__(protocol)

    def __call__(self, **values: Any) -> Configured[Self]:
        return self.configure(self.name, values)

    def configure(self, where: str, values: Mapping[str, Any]) -> Configured[Self]:
        """The model with these values and defaults for the rest.

        Raises:
            ConfigurationError: an unknown, missing or disallowed value; begins with `where`.
        """
        complete: dict[str, Any] = {}
        for name in values:
            if name not in self.parameters and name not in self.data:
                raise ConfigurationError(unknown_name(where, name, [*self.parameters, *self.data]))
        for name, parameter in self.parameters.items():
            value = values.get(name, parameter.default)
            if value is None:
                raise ConfigurationError(f"{where}.{name}: missing; give {parameter.allowed()} ({parameter.doc})")
            one = not isinstance(value, (dict, list, tuple, Normal, Uniform)) and np.ndim(value) == 0
            if one or parameter.ctype == "bool":
                complete[name] = parameter.checked(f"{where}.{name}", value)
            elif self.OF_NEURONS:
                complete[name] = parameter.checked_of_neurons(f"{where}.{name}", value)
            else:
                raise ConfigurationError(
                    f"{where}.{name}: {shown(value)} is not allowed; a parameter of this kind of model must be one "
                    f"number: {parameter.allowed()}"
                )
        for name, data in self.data.items():
            if not isinstance(data, Data):
                allowed = "must be a Data, which says what is in the list"
                raise ConfigurationError(f"{self.name}.data.{name}: {shown(data)} is not allowed; {allowed}")
            if values.get(name) is None:
                raise ConfigurationError(f"{where}.{name}: missing; give {data.doc}")
            complete[name] = data.checked(f"{where}.{name}", values[name])
        self._check_lengths(where, complete)
        configured = Configured(self, complete)
        if self.check is not None and not configured.of_neurons:
            self.check(where, complete)
        return configured

    def _check_lengths(self, where: str, values: Mapping[str, Any]) -> None:
        """Refuse lists of the same things that are not equally long."""
        for each in dict.fromkeys(data.each for data in self.data.values()):
            lengths = {name: len(values[name]) for name, data in self.data.items() if data.each == each}
            if len(set(lengths.values())) > 1:
                words = ", ".join(f"{name} has {length}" for name, length in lengths.items())
                raise ConfigurationError(f"{where}: {words} entries; must be equally many, one per {each}")

    @property
    def lengths(self) -> list[str]:
        """The parameters that are counted in grid units."""
        return [name for name, parameter in self.parameters.items() if parameter.unit == GRID_UNITS]

    def constant_types(self) -> list[tuple[str, str]]:
        """(name, C++ type) of every constant the snippets see."""
        types = {"probability": "Probability", "bool": "int"}
        named = [(name, types.get(p.ctype, p.ctype)) for name, p in self.parameters.items()]
        return named + [(name, d.ctype) for name, d in self.derived.items()]


@dataclass(frozen=True, repr=False)
class PopulationModel(Model):
    """What models of neurons and of stimuli share: state variables of each neuron.

    ``check_population(where, values, n_neurons, dt_ms)`` may refuse what does not fit the population or the step.
    """

    state: tuple[Variable, ...] = ()
    check_population: Callable[[str, Mapping[str, Any], int, float], None] | None = None


SomeModel = TypeVar("SomeModel", bound=Model, covariant=True)


@dataclass(frozen=True, repr=False)
class Configured(BriefConfigured, Generic[SomeModel]):
    """A model with its parameter values; ``reference`` is how a run's configuration names one of a user's file.

    A parameter that has one value per neuron is a distribution or a tuple, in id order; lists may be of a ``file``.
    """

    model: SomeModel
    values: Mapping[str, Any]
    reference: str = ""
    file: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model.name

    def finer(self, fineness: float) -> Self:
        """The same with lengths in points of a lattice, of which there are so many to a grid unit."""
        points = {name: fineness * self.values[name] for name in self.model.lengths}
        whole = {name: round(each) for name, each in points.items() if self.model.parameters[name].ctype == "int"}
        return replace(self, values={**self.values, **points, **whole})

    @property
    def of_neurons(self) -> list[str]:
        """The parameters that have one value per neuron."""
        return [name for name in self.model.parameters if isinstance(self.values[name], (tuple, Normal, Uniform))]

    @cached_property
    def arrays(self) -> list[str]:
        """The constants that have one value per neuron: parameters, and what is derived from them."""
        arrays = self.of_neurons
        for name, derived in self.model.derived.items():
            if not derived.reads.isdisjoint(arrays):
                arrays.append(name)
        return arrays

    def constant_types(self) -> list[tuple[str, str]]:
        """(name, C++ type) of the constants that are one number."""
        return [(name, ctype) for name, ctype in self.model.constant_types() if name not in self.arrays]

    def array_types(self) -> list[tuple[str, str]]:
        """(name, C++ type of an entry) of the constants that have one value per neuron."""
        return [(name, ctype) for name, ctype in self.model.constant_types() if name in self.arrays]

    def constants(self, dt_ms: float, where: str = "") -> dict[str, float | int]:
        """The constants that are one number, in the kernel's units: thresholds for probabilities, derived evaluated.

        Raises:
            ConfigurationError: kernels do not hold one; names `where`, or the model, and what it follows from.
        """
        values = {name: value for name, value in self.values.items() if name not in self.arrays}
        return self._evaluated(where, {**values, "dt_ms": dt_ms}, [name for name, _ in self.constant_types()])

    def constants_of_neurons(
        self,
        where: str,
        dt_ms: float,
        ids: NDArray[np.int32],
        drawn: Mapping[str, NDArray[np.float64]],
        n_neurons: int,
    ) -> dict[str, NDArray[Any]]:
        """The other constants in the kernel's units, shape (n,), float64 or whole.

        Args:
            ids: the neurons, shape (n,), global; for the message.
            drawn: by parameter one value per neuron, shape (n,).
            n_neurons: of the whole population.

        Raises:
            ConfigurationError: a value, or a combination of them, that is not allowed; names `where`, value and neuron.
        """
        columns: dict[str, list[float | int]] = {name: [] for name in self.arrays}
        shared: dict[str, Any] = {**self.values, "dt_ms": dt_ms}
        self._evaluated(where, shared, [name for name, _ in self.constant_types()])
        parameters, check_population = self.of_neurons, getattr(self.model, "check_population", None)
        for neuron, *values in zip(ids.tolist(), *(drawn[name].tolist() for name in parameters), strict=True):
            own = dict(self.values)
            for name, value in zip(parameters, values, strict=True):
                own[name] = self.model.parameters[name].checked_of_neuron(f"{where}.{name}", value, neuron)
            try:
                if self.model.check is not None:
                    self.model.check(where, own)
                if check_population is not None:
                    check_population(where, own, n_neurons, dt_ms)
                for name, value in self._evaluated(where, shared | own, self.arrays).items():
                    columns[name].append(value)
            except ConfigurationError as error:
                raise ConfigurationError(f"{error}; so it is for neuron {neuron}") from None
        types = {"float": np.float64, "Probability": np.uint64}
        return {name: np.array(columns[name], types.get(ctype, np.int64)) for name, ctype in self.array_types()}

    def _evaluated(self, where: str, known: dict[str, Any], wanted: list[str]) -> dict[str, float | int]:
        """The `wanted` constants of one neuron, or of all; what is derived joins what is `known`."""
        constants: dict[str, float | int] = {}
        for name, parameter in self.model.parameters.items():
            if name in wanted:
                constants[name] = threshold64(known[name]) if parameter.ctype == "probability" else known[name]
                if parameter.choices:
                    constants[name] = parameter.choices.index(known[name])
        for name, derived in self.model.derived.items():
            if name not in wanted:
                continue
            known[name] = value = self._derived(where or self.name, name, derived, known)
            constants[name] = threshold64(value) if derived.ctype == "probability" else value
        return constants

    def _derived(self, where: str, name: str, derived: Derived, known: Mapping[str, Any]) -> float | int:
        """A derived constant as kernels hold it.

        Raises:
            ConfigurationError: they do not; names the parameters that it follows from, the constant and its expression.
        """
        try:
            value = eval(compiled_expression(derived.expression), {"__builtins__": {}}, {**MATH, **known})
        except Exception as error:  # whatever a user's expression does
            raise ConfigurationError(self._follows(where, name, known, "no number", f": {error}")) from None
        if derived.vanishes and isinstance(value, float) and abs(value) < SMALLEST_NUMBER:
            return 0.0
        try:
            if derived.ctype == "int":
                return whole_number(where, value)
            return real_number(where, value, _CHANCE if derived.ctype == "probability" else Limits())
        except ConfigurationError as error:
            allowed = str(error).rpartition(" is not allowed; ")[2]
            raise ConfigurationError(self._follows(where, name, known, shown(value), f"; {allowed}")) from None

    def _follows(self, where: str, name: str, known: Mapping[str, Any], value: str, allowed: str) -> str:
        """The message about a derived constant: it begins with a parameter that was given, if one was."""
        all_read = {name}
        for one in reversed(list(self.model.derived)):  # each reads those before it
            all_read |= self.model.derived[one].reads if one in all_read else set()
        given = {one: known[one] for one in (*self.model.parameters, *self.model.data, "dt_ms") if one in all_read}
        defaults = [one for one, by in self.model.parameters.items() if one in given and by.default == given[one]]
        first = next((one for one in given if one not in defaults), defaults[0] if defaults else "dt_ms")
        begins = f"{where}: " if first == "dt_ms" else f"{where}.{first}: {shown(given.pop(first))} is not allowed; "
        beside = " with " + ", ".join(f"{one} {shown(other)}" for one, other in given.items()) if given else ""
        return f"{begins}{name}, which is {self.model.derived[name].expression}, comes to {value}{beside}{allowed}"

    def check_steps(self, where: str, dt_ms: float) -> None:
        """Refuse times between two steps, among those that the model counts in steps.

        Raises:
            ConfigurationError: names the parameter or list, the value and the two steps it is between.
        """
        declared: dict[str, Parameter | Data] = {**self.model.parameters, **self.model.data}
        for name, one in declared.items():
            one.check_steps(f"{where}.{name}", self.values[name], dt_ms)

    def described(self) -> dict[str, dict[str, Any]]:
        """``{name: {parameter: value}}``, as a configuration file has it."""
        described = {name: value for name, value in self.values.items() if name not in self.model.data}
        for name in self.of_neurons:
            value = self.values[name]
            described[name] = list(value) if isinstance(value, tuple) else described_distribution(value)
        described |= self.file or {name: data.plain(self.values[name]) for name, data in self.model.data.items()}
        return {self.reference or self.model.name: described}


@cache
def compiled_expression(expression: str) -> CodeType:
    """A model's expression, for `eval`: compiled once for all batches and neurons."""
    return compile(expression.strip(), expression, "eval")


def _modules() -> list[ModuleType]:
    """The modules that another process can load, those that ship before those that import from them."""
    modules = [module for module in list(sys.modules.values()) if isinstance(module, ModuleType)]
    mains = ("__main__", "__mp_main__")
    found = [one for one in modules if one.__name__ not in mains and getattr(one, "__spec__", None) is not None]
    return sorted(found, key=lambda module: not module.__name__.startswith("hpcsnn"))


def _model_of(load: Callable[[], ModuleType], name: str) -> Any:
    return getattr(load(), name)
