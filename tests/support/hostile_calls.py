"""Calls of the Python interface with one argument that nobody expects, and what must come of each."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from hpcsnn import Grid, HpcsnnError, Network, Positions, Simulation, models
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.models.registry import KINDS, registered
from hpcsnn.planning.memory import estimate
from support.forked import Forks
from support.hostile import ABSENT, OTHERS, TEXTS, leaves, shown, without_addresses
from support.hostile import NUMBERS as PLAIN_NUMBERS
from support.mutations import MOST_BYTES, MOST_WORK, fault
from support.small_configurations import FILE

SIZE = 16


class Float(float):
    """A number of a kind of its own."""


class Whole(int):
    """A whole number of a kind of its own."""


class Text(str):
    """A text of a kind of its own."""


class Choice(IntEnum):
    """A number with a name."""

    ONE = 1


class Series:
    """What other libraries hold numbers in: an array once NumPy asks."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return self.values if dtype is None else self.values.astype(dtype)

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values)

    def __repr__(self) -> str:
        return f"Series({self.values.tolist()})"


class AsFloat:
    """A number once Python asks."""

    def __float__(self) -> float:
        return 1.5

    def __repr__(self) -> str:
        return "AsFloat()"


class AsIndex:
    """A whole number once Python asks."""

    def __index__(self) -> int:
        return 3

    def __repr__(self) -> str:
        return "AsIndex()"


def nested(depth: int) -> list[Any]:
    """A list in a list in a list .."""
    inner: list[Any] = [1]
    for _ in range(depth):
        inner = [inner]
    return inner


@cache
def values() -> tuple[Any, ...]:
    """All of them; an index names one in any process."""
    scalars = [
        *(
            kind(number)
            for kind in (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.int64)
            for number in (0, 1, 100)
        ),
        *(np.int8(-128), np.uint8(200), np.uint32(2**32 - 1), np.uint64(2**63), np.uint64(2**64 - 1), np.int64(2**53)),
        *(kind(number) for kind in (np.float16, np.float32, np.float64, np.longdouble) for number in (0.1, 2, "nan")),
        *(np.float64(1e300), np.longdouble("1e400"), np.complex64(1), np.complex128(1j), np.bool_(True)),
        *(np.str_("cells"), np.bytes_(b"a"), np.datetime64("2020-01-01"), np.timedelta64(5, "ms"), np.void(b"ab")),
        *(Fraction(1, 3), Fraction(3), Decimal("0.1"), Decimal("NaN"), Decimal(2), Float(0.5), Whole(3), Text("cells")),
        *(Choice.ONE, 1 + 0j, AsFloat(), AsIndex(), Series(2.0)),
    ]
    arrays = [
        *(np.array(3), np.array(0.5), np.array([1.0]), np.zeros(SIZE), np.full(SIZE, np.nan), np.zeros((4, 4))),
        *(np.ones(SIZE, dtype=kind) for kind in ("i1", "u1", "i8", "u8", "f2", "f4", "f8", "g", "c8", "?", "O", "U3")),
        *(
            np.array([], dtype=float),
            np.array(["a", "b"]),
            np.array([None, 1], dtype=object),
            np.zeros(2, dtype="i4,f4"),
        ),
        *(
            np.ma.masked_array(np.ones(SIZE), mask=[True] + [False] * (SIZE - 1)),
            np.arange(SIZE)[::-1],
            np.ones(SIZE + 1),
        ),
        *(np.array([2**63], dtype=np.uint64), Series([1.0] * SIZE), Series([]), np.zeros(SIZE, dtype="M8[ms]")),
    ]
    objects = [
        *(object(), int, models.LIF, models.LIF(), models.Static(), models.Normal(1.0, 0.1), models.Uniform(0, 1)),
        *(len, lambda *_: True, b"cells", bytearray(b"a"), memoryview(b"ab"), range(SIZE), {1, 2}, frozenset()),
        *((), (1,), (1, 2), tuple(range(1, SIZE + 1)), [0.5] * SIZE, [True] * SIZE, [1, "2"], nested(100), [[]] * SIZE),
        *(Path("x"), Grid(4, 4), Ellipsis, NotImplemented, {"V_mV": None}, {"V_mV": "x"}, {0: 1}, {"V_mV": [1]}),
        *(slice(3), ValueError("x"), 10**400, -(10**400), iter([1.0]), (x for x in [1.0]), "x" * 5000),
    ]
    return (*scalars, *arrays, *objects, *PLAIN_NUMBERS, *TEXTS, *OTHERS)


_EVERY_MS = {"every_ms": 0.5}
_BLOCKS = {**_EVERY_MS, "block_side": 4}
# What a model is given where its defaults are not enough.
_GIVEN: dict[str, dict[str, Any]] = {
    "gaussian": {"p_max": 0.5, "sigma": 1.0},
    "fixed_probability": {"p": 0.3},
    "fixed_in_degree": {"in_degree": 3},
    "fixed_out_degree": {"out_degree": 3},
    "fixed_total": {"n_synapses": 40},
    "explicit_list": {"pre": [0, 1], "post": [2, 3], "weight": [0.1, 0.05]},
    "listed_in_file": {"file": FILE},
    "inhomogeneous_poisson": {"times_ms": [0, 1.0], "rates_hz": [900, 2000]},
    "spike_array": {"neurons": [0, 1, 1], "times_ms": [0.2, 0.5, 1.0]},
    "moving_gaussian_poisson": {"field_side": 4, "positions": 3, "dwell_ms": 1.0},
    **{name: {**_BLOCKS, "p_max": 0.5, "sigma": 1.0} for name in ("bamford", "bamford_2010", "last_to_fire")},
    "local_proposals": {**_BLOCKS, "sigma": 1.0},
    **{name: {"group_size": 2} for name in ("winner_lif", "softmax_unit")},
    "step_current": {"amplitude": 5.0},
    "ramp_current": {"to_amplitude": 9.0},
    "sine_current": {"amplitude": 3.0, "frequency_hz": 200.0},
    "noise_current": {"std": 12.0, "every_ms": 0.3},
    "poisson_current": {"rate_hz": 900.0, "weight": 12.0},
    **dict.fromkeys(("deep_r", "homeostatic", "patch_swaps"), _EVERY_MS),
}
# What every current is given beside its parameters.
_OF_CURRENTS = {"from_ms": 0.2, "to_ms": 1.5, "neurons": [0, 3]}
_READERS = ("neurons", "synapses", "spikes", "events", "rates_hz")
_OF_PYTHON: dict[str, dict[str, Any]] = {
    "Network": {"seed": 3, "dt_ms": 0.1},
    "Grid": {"nx": 4, "ny": 4, "borders": "periodic", "has_places": True, "positions": None},
    "Positions": {"values": [[x, y] for y in range(4) for x in range(4)], "resolution": 0.01},
    "Network.add_population": {
        "name": "cells",
        "grid": None,
        "model": None,
        "initial": {},
        "record_spikes": True,
        "record": {},
        "stimulate": [],
        "remove": None,
    },
    "Network.add_projection": {
        "name": "drive",
        "source": "noise",
        "target": "cells",
        "connector": None,
        "receptor": None,
        "weight": 0.1,
        "synapse": None,
        "delay_ms": 0.2,
        "rewiring": None,
        "capacity": 8,
        "rows_grow": True,
        "record_events": True,
        "dendritic_delay_ms": 0.1,
        "modulator": None,
        "record": {},
    },
    "Simulation": {
        "network": None,
        "comm": None,
        "device": "cpu",
        "tile": 4,
        "exchange_block": None,
        "log_entries": 1024,
        "exchange": "auto",
    },
    "Simulation.run": {"duration_ms": 2.0, "observe": None, "observe_every_s": 0.25}
    | {"progress": True, "observe_every_ms": None},
    "Network.steps": {"duration_ms": 2.0},
    "Simulation.neurons": {"population": "cells"},
    "Simulation.synapses": {"projection": "drive"},
    "Simulation.spikes": {"population": "cells"},
    "Simulation.events": {"projection": "drive"},
    "Simulation.rates_hz": {"population": "cells"},
    "Simulation.rewire": {"projections": "drive"},
    "Simulation.reset": {"keep_weights": True},
    "Normal": {"mean": -60.0, "std": 1.0, "low": -70.0, "high": -50.0},
    "Uniform": {"low": -60.0, "high": -50.0},
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "Network": Network,
    "Grid": Grid,
    "Positions": Positions,
    "Simulation": Simulation,
    "Normal": models.Normal,
    "Uniform": models.Uniform,
    **{f"Network.{name}": getattr(Network, name) for name in ("add_population", "add_projection", "steps")},
    **{f"Simulation.{name}": getattr(Simulation, name) for name in ("run", "rewire", "reset", *_READERS)},
}
_MODELS = {name: (kind, model) for kind in KINDS for name, model in registered(kind).items()}


def arguments_of(function: str) -> dict[str, Any]:
    """What a call is given otherwise, by argument: every one that its signature has, or its model."""
    if function not in _MODELS:
        return _OF_PYTHON[function]
    model = _MODELS[function][1]
    given = {name: parameter.default for name, parameter in model.parameters.items()} | _GIVEN.get(function, {})
    more = _OF_CURRENTS if isinstance(model, models.CurrentModel) else {}
    return {name: given[name] for name in (*model.parameters, *model.data)} | more


def signature_of(function: str) -> list[str]:
    """The arguments of one of `FUNCTIONS`, ``self`` left out."""
    return [name for name in inspect.signature(FUNCTIONS[function]).parameters if name != "self"]


@dataclass(frozen=True, repr=False)
class Call:
    """A function of `FUNCTIONS` or a model, one of its arguments, and which of `values` it is given."""

    function: str
    argument: str
    index: int

    def __repr__(self) -> str:
        value = values()[self.index]
        return f"{self.function}({self.argument}={repr(value)[:80]}), a {type(value).__name__}"


@st.composite
def calls(draw: Any) -> Call:
    """Of functions and of models, half and half."""
    function = draw(st.sampled_from(list(_OF_PYTHON)) | st.sampled_from(list(_MODELS)))
    arguments = list(arguments_of(function))
    if not arguments:
        function, arguments = "Grid", ["nx", "ny"]
    return Call(function, draw(st.sampled_from(arguments)), draw(st.integers(0, len(values()) - 1)))


def usual(function: str) -> tuple[str, str]:
    """What comes of the call with nothing wrong; runs in a process of its own."""
    return _carry_out(function, {})


def carried_out(function: str, argument: str, index: int, plain: bool) -> tuple[str, str]:
    """A small network declared and run with one value in the wrong place; runs in a process of its own.

    `plain`: Python's own number in place of what stands for it.

    Returns:
        ("digest", the result's), ("refused", the message), or ("large", "") where it would be too much to run.
    """
    value = values()[index]
    if plain:
        value = plain_value(value)
    try:
        return _carry_out(function, {argument: value})
    except HpcsnnError as error:
        return "refused", str(error)


def plain_value(value: Any) -> Any:
    """Python's own number or list of them; None where there is none."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, range):
        return list(value)
    if isinstance(value, Series):
        return value.values.tolist()
    if isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.timedelta64)):
        return int(value)
    if isinstance(value, np.floating) and value.dtype.itemsize < 8:
        return float(str(value))  # a narrow number is the decimal that it prints as
    if isinstance(value, (float, np.floating)):
        return float(value)
    return str(value) if isinstance(value, str) else None


def _carry_out(function: str, changes: dict[str, Any]) -> tuple[str, str]:
    def given(of: str, **otherwise: Any) -> dict[str, Any]:
        return {**arguments_of(of), **otherwise, **(changes if of == function else {})}

    parts: dict[str, Any] = {"stimulus": models.Poisson(rate_hz=900), "model": models.LIF()}
    parts |= {"connector": models.FixedProbability(p=0.3), "receptor": models.ExponentialCurrent(), "synapse": None}
    parts["rewiring"] = models.DeepR(**_EVERY_MS)
    if function in _MODELS:
        kind, model = _MODELS[function]
        part = "stimulus" if isinstance(model, models.SourceModel) else kind
        parts[part] = model(**given(function))
        if function == "patch_swaps":
            parts["synapse"] = models.BCPNN()
    if function == "Simulation.rewire":
        parts["rewiring"] = models.RewiringRule("on_call", "", trigger="call", update="weight *= 0.5f;")()
    network = Network(**given("Network"))
    grid = Grid(**given("Grid"))
    noise = Grid(4, 4) if function != "Grid" else grid
    network.add_population("noise", noise, parts["stimulus"])
    drawn = {name: FUNCTIONS[name](**given(name)) for name in ("Normal", "Uniform")}
    of_cells = [variable.name for variable in parts["model"].model.state if variable.ctype == "float"]
    initial = {name: drawn.get(function, -65.0) for name in of_cells[:1]}  # the potential
    if function == "Positions":
        grid = Positions(**given("Positions"))
    cells = {"grid": grid, "model": parts["model"], "initial": initial, "record": dict.fromkeys(initial, 1.0)}
    cells["stimulate"] = [parts["stimulate"]] if "stimulate" in parts else []
    network.add_population(**given("Network.add_population", **cells))
    used = {part: parts[part] for part in ("connector", "receptor", "synapse", "rewiring")}
    target = list(network.populations)[1]
    network.add_projection(**given("Network.add_projection", target=target, **used))
    network.steps(**given("Network.steps"))
    if estimate(network, 4, 0, 1).n_bytes > MOST_BYTES:
        return "large", ""
    simulation = Simulation(**given("Simulation", network=network))
    if network.steps(given("Simulation.run")["duration_ms"]) * (2 * SIZE + SIZE**2) > MOST_WORK:
        return "large", ""
    simulation.run(**given("Simulation.run"))
    if function == "Simulation.rewire":
        simulation.rewire(*given(function).values())
    if function == "Simulation.reset":
        simulation.reset(**given(function))
    name = next(iter(network.projections))
    for reader in _READERS:
        if reader == "spikes" and not network.populations[target].record_spikes:
            continue
        if reader == "events" and not network.projections[name].record_events:
            continue
        of = {"projection": name} if reader in ("synapses", "events") else {"population": target}
        getattr(simulation, reader)(**given(f"Simulation.{reader}", **of))
    return "digest", simulation_digest(simulation)


def trouble(forks: Forks, call: Call) -> str | None:
    """What is wrong with how a call treats a value; None: nothing."""
    value = values()[call.index]
    results: list[tuple[str, str]] = []
    for plain in (False, False, True):
        if plain and (plain_value(value) is None or results[0][0] != "digest"):
            continue
        ended = forks.call("support.hostile_calls:carried_out", call.function, call.argument, call.index, plain)
        problem = fault(ended)
        if problem or ended.code:
            return problem or ended.err[-300:]
        what, said = ended.result
        results.append((what, without_addresses(said)))
    what, said = results[0]
    if any(result != results[0] for result in results):
        return f"differs from time to time, or from Python's own number: {results}"
    if what == "refused" and not named(call, said):
        return f"names not both argument and value: {said[:300]}"
    return None


def named(call: Call, said: str) -> bool:
    """Whether a message names the argument with its value, or with how many it has; else what it is too large for, or
    the value that it has driven to infinity, which only a run can tell."""
    if re.search(r"^(populations|projections)\.\w+: \w+ = \S+ of .* is not finite after step \d+", said):
        return True
    value = values()[call.index]
    counted = re.search(r"\b(has \d+|shape \(|one value per)", said) is not None and not np.isscalar(value)
    given = any(shown(one, said) for one in (value, *_entries(value)))
    if call.argument in said:
        return counted or given or any(words in said for words in ABSENT)
    return given and re.search(r"^(grid|populations\.\w+|projections\.\w+)", said) is not None


_TIMES = [np.dtype("M8[ms]")]


def _entries(value: Any) -> list[Any]:
    plain = value.astype(str).tolist() if getattr(value, "dtype", None) in _TIMES else plain_value(value)
    return [] if plain is None else list(leaves(plain))
