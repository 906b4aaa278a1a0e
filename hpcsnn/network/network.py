"""What the user declares: populations on grids and the projections between them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpcsnn.engine.neuron_parameters import check_given
from hpcsnn.errors import ConfigurationError, unknown_name
from hpcsnn.models.base import Configured
from hpcsnn.models.connectors import Connector
from hpcsnn.models.distributions import Distribution, Normal, Uniform
from hpcsnn.models.neurons import NeuronModel
from hpcsnn.models.rewiring import RewiringRule
from hpcsnn.models.stimuli import SourceModel
from hpcsnn.models.synapses import ReceptorModel, Static, SynapseModel
from hpcsnn.network.checks import check_delay_name, check_rule
from hpcsnn.network.delays import DrawnDelays, drawn_delays
from hpcsnn.network.grid import Grid as Grid

# Fixed-point input keeps at least this many bits below the largest weight, else it is 64 bits wide.
INPUT_RESOLUTION_BITS = 20
# A scale that float32 holds with room for products, however small the weights.
_MOST_INPUT_BITS = 60
# Names end up as identifiers in kernels; these would not compile.
_RESERVED = {
    *("auto", "bool", "break", "case", "char", "class", "const", "continue", "default", "delete", "do", "double"),
    *("else", "enum", "extern", "false", "float", "for", "if", "inline", "int", "long", "namespace", "new", "operator"),
    *("private", "public", "register", "return", "short", "signed", "sizeof", "static", "struct", "switch", "template"),
    *("this", "true", "typedef", "union", "unsigned", "using", "virtual", "void", "volatile", "while"),
}


@dataclass(frozen=True)
class Population:
    """Neurons of one model. ``grid`` with ny = 1 also serves a population without places."""

    name: str
    grid: Grid
    model: Configured
    initial: Mapping[str, float | Normal | Uniform | ArrayLike] = field(default_factory=dict)
    record_spikes: bool = False

    @property
    def size(self) -> int:
        """Number of neurons."""
        return self.grid.size

    @property
    def is_source(self) -> bool:
        """True for populations that spike by themselves."""
        return isinstance(self.model.model, SourceModel)


@dataclass(frozen=True)
class Projection:
    """Synapses from one population to another; see `Network.add_projection`.

    ``delay_steps`` is the smallest delay of any synapse, ``delays`` how they differ, if they do.
    """

    name: str
    source: Population
    target: Population
    connector: Configured
    receptor: Configured
    synapse: Configured
    weight: float
    delay_ms: float | Distribution
    delay_steps: int
    rewiring: Configured | None
    capacity: int | None
    rows_grow: bool
    record_events: bool = False
    delays: DrawnDelays | None = None

    @property
    def reach_squared(self) -> int | None:
        """Largest squared distance of any synapse that can ever be; None: unbounded."""
        connector = self.connector.model
        assert isinstance(connector, Connector)
        if connector.reach_squared is None or self.rewiring_reach_squared is None:
            return None
        reach = connector.reach_squared(self.connector.values)
        return max(reach, self.rewiring_reach_squared)

    @property
    def rewiring_reach_squared(self) -> int | None:
        """Largest squared distance at which rewiring forms synapses; -1: none, None: unbounded."""
        if self.rewiring is None:
            return -1
        rule = self.rewiring.model
        assert isinstance(rule, RewiringRule)
        if rule.reach_squared is None:
            return None
        return rule.reach_squared(self.rewiring.values)

    @property
    def weight_bound(self) -> float:
        """Largest absolute amount that one spike brings to a target."""
        model = self.synapse.model
        assert isinstance(model, SynapseModel)
        names = {"__builtins__": {}, "abs": abs, "max": max}
        bound = float(eval(model.bound, names, {**self.synapse.values, "initial_weight": self.weight}))
        if self.rewiring is not None:
            rule = self.rewiring.model
            assert isinstance(rule, RewiringRule)
            bound = max(bound, float(eval(rule.bound, names, dict(self.rewiring.values))))
        return max(bound, float(np.abs(self.listed_weights).max(initial=0.0)), 1e-30)

    @property
    def listed_weights(self) -> NDArray[np.float64]:
        """Weights that the connector itself gives, empty if it gives none."""
        connector = self.connector.model
        assert isinstance(connector, Connector)
        return np.empty(0) if connector.listed_weights is None else connector.listed_weights(self.connector.values)

    @property
    def expected_in_degree(self) -> float:
        """Mean in-degree of the first wiring."""
        connector = self.connector.model
        assert isinstance(connector, Connector)
        return float(connector.expected_in_degree(self.connector.values, self.source.size, self.target.size))

    @property
    def largest_in_degree(self) -> int:
        """Upper bound of a target's in-degree that follows from the reach alone, so never from ranks or capacity."""
        n_sources = self.source.size
        if self.reach_squared is None:
            return n_sources
        radius = int(np.sqrt(max(self.reach_squared, 0)))
        return max(1, min(n_sources, (2 * radius + 1) ** 2))

    def input_scale(self) -> tuple[str, float]:
        """C++ type and scale (a power of two) of the fixed-point input, which cannot overflow."""
        largest = self.weight_bound * self.largest_in_degree
        bits = min(int(np.floor(np.log2((2.0**31 - 1) / largest))), _MOST_INPUT_BITS)
        if 2.0**bits * self.weight_bound >= 2.0**INPUT_RESOLUTION_BITS:
            return "int", 2.0**bits
        # Products beyond 2^24 are whole already in float32; 40 bits below the bound leave room for 2^22 sources.
        bits = int(
            np.floor(np.log2(2.0 ** (62 - int(np.ceil(np.log2(self.largest_in_degree + 1)))) / self.weight_bound))
        )
        return "int64", 2.0 ** min(bits, _MOST_INPUT_BITS)


class Network:
    """Populations and projections with one time step and one seed.

    Args:
        seed: whole number in [0, 2^64); the key of every random number.
        dt_ms: length of a step in ms.

    Raises:
        ConfigurationError: a seed or step that is not allowed.
    """

    def __init__(self, seed: int = 0, dt_ms: float = 0.1) -> None:
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**64:
            raise ConfigurationError(f"seed: {seed!r} is not allowed; must be a whole number in 0 .. 2^64 - 1")
        if not (isinstance(dt_ms, (int, float)) and np.isfinite(dt_ms) and dt_ms > 0):
            raise ConfigurationError(f"dt_ms: {dt_ms!r} is not allowed; must be a number in ms > 0")
        self.seed = int(seed)
        self.dt_ms = float(dt_ms)
        self.populations: dict[str, Population] = {}
        self.projections: dict[str, Projection] = {}

    def add_population(
        self,
        name: str,
        grid: Grid | int,
        model: Configured,
        initial: Mapping[str, Any] | None = None,
        record_spikes: bool = False,
    ) -> Population:
        """Declare a population.

        Args:
            name: lower-case identifier.
            grid: its `Grid`, or a number of neurons without places.
            model: a neuron or source model with its parameters, such as ``LIF(tau_m_ms=20)``; a neuron model's may each
                be a number, a distribution, or an array with one value a neuron (in id order).
            initial: per state variable a number, a distribution, or an array with one value a neuron (in id order).
            record_spikes: keep every spike for `Simulation.spikes`.

        Raises:
            ConfigurationError: a name, model or initial value that is not allowed.
        """
        where = f"populations.{name}"
        self._check_name("populations", name)
        if not isinstance(grid, Grid):
            grid = Grid(grid, 1)
        if not isinstance(model, Configured) or not isinstance(model.model, (NeuronModel, SourceModel)):
            raise ConfigurationError(f"{where}.model: {model!r} is not a neuron or source model")
        states = {variable.name for variable in model.model.state}
        for variable, value in (initial or {}).items():
            if variable not in states:
                raise ConfigurationError(unknown_name(f"{where}.initial", variable, states))
            if not isinstance(value, (Normal, Uniform)):
                array = np.asarray(value, dtype=np.float64)
                if array.ndim and array.shape != (grid.size,):
                    raise ConfigurationError(
                        f"{where}.initial.{variable}: has shape {array.shape}; "
                        f"must be one number or {grid.size} values, one a neuron"
                    )
        check_given(f"{where}.model.{model.model.name}", model, grid.size, self.dt_ms)
        if model.model.check_population is not None and not model.of_neurons:
            model.model.check_population(f"{where}.model.{model.model.name}", model.values, grid.size, self.dt_ms)
        population = Population(name, grid, model, dict(initial or {}), record_spikes)
        self.populations[name] = population
        return population

    def add_projection(
        self,
        name: str,
        source: Population | str,
        target: Population | str,
        connector: Configured,
        receptor: Configured,
        weight: float,
        synapse: Configured | None = None,
        delay_ms: float | Distribution | None = None,
        rewiring: Configured | None = None,
        capacity: int | None = None,
        rows_grow: bool = True,
        record_events: bool = False,
    ) -> Projection:
        """Declare a projection.

        Args:
            name: lower-case identifier.
            source, target: populations, by name or as declared; the target has a neuron model.
            connector: the first wiring, such as ``Gaussian(p_max=0.16, sigma=2.5)``.
            receptor: what a spike does at the target, such as ``ExponentialConductance(tau_ms=5)``.
            weight: weight of every synapse at its birth (a listed weight goes before it).
            synapse: static (default) or plastic synapses.
            delay_ms: one step (default) or more, rounded to steps; or a distribution: every synapse has a delay of its
                own, which depends on its two neurons and the seed alone. See `hpcsnn.network.delays` for what it means.
            rewiring: rule of structural plasticity; None keeps the wiring.
            capacity: synapses a target has room for at the start, rounded up to a power of two; default: what the
                first wiring needs.
            rows_grow: rows double when one is full; if False, what does not fit in `capacity` is refused, counted and
                warned about.
            record_events: keep every formation and elimination for `Simulation.events`.

        Raises:
            ConfigurationError: anything that does not fit; the message names the field, the value and what is allowed.
        """
        where = f"projections.{name}"
        self._check_name("projections", name)
        ends = {}
        for end, population in (("source", source), ("target", target)):
            key = population.name if isinstance(population, Population) else population
            if key not in self.populations:
                raise ConfigurationError(unknown_name(f"{where}.{end}", key, self.populations))
            ends[end] = self.populations[key]
        if ends["target"].is_source:
            raise ConfigurationError(
                f"{where}.target: {ends['target'].name!r} is not allowed; "
                f"it spikes by itself ({ends['target'].model.model.name}) and takes no synapses"
            )
        synapse = Static() if synapse is None else synapse
        for part, configured, kind in (
            ("connector", connector, Connector),
            ("receptor", receptor, ReceptorModel),
            ("synapse", synapse, SynapseModel),
            ("rewiring", rewiring, RewiringRule),
        ):
            if part == "rewiring" and configured is None:
                continue
            if not isinstance(configured, Configured) or not isinstance(configured.model, kind):
                raise ConfigurationError(f"{where}.{part}: {configured!r} is not a {kind.__name__}")
        if isinstance(weight, bool) or not isinstance(weight, (int, float, np.number)) or not np.isfinite(weight):
            raise ConfigurationError(f"{where}.weight: {weight!r} is not allowed; must be a finite number")
        delays = None
        if isinstance(delay_ms, (Normal, Uniform)):
            delays = drawn_delays(f"{where}.delay_ms", delay_ms, self.dt_ms)
            delay_steps = delays.first_steps
        else:
            delay_steps = self._steps(f"{where}.delay_ms", self.dt_ms if delay_ms is None else delay_ms)
        if capacity is not None and (isinstance(capacity, bool) or not isinstance(capacity, int) or capacity < 1):
            raise ConfigurationError(f"{where}.capacity: {capacity!r} is not allowed; must be a whole number >= 1")
        if capacity is None and not rows_grow:
            # What the first wiring happens to need differs from rank to rank: not a bound that every rank would keep.
            raise ConfigurationError(f"{where}.capacity: missing; with rows_grow false it must be given")
        projection = Projection(
            name, ends["source"], ends["target"], connector, receptor, synapse, float(weight),
            delays.distribution if delays else delay_steps * self.dt_ms, delay_steps, rewiring, capacity, rows_grow,
            record_events, delays,
        )  # fmt: skip
        check_delay_name(where, projection)
        self._check_weights(where, projection)
        self._check_grids(where, projection)
        self.projections[name] = projection
        return projection

    def incoming(self, population: Population) -> list[Projection]:
        """Projections onto `population`, in the order of their declaration."""
        return [projection for projection in self.projections.values() if projection.target is population]

    def outgoing(self, population: Population) -> list[Projection]:
        """Projections out of `population`, in the order of their declaration."""
        return [projection for projection in self.projections.values() if projection.source is population]

    def min_delay_steps(self) -> int:
        """Steps between exchanges of spikes: the smallest delay (1 without projections)."""
        return min((projection.delay_steps for projection in self.projections.values()), default=1)

    def steps(self, duration_ms: float) -> int:
        """Number of steps in `duration_ms`.

        Raises:
            ConfigurationError: negative, not finite, or beyond 2^31 - 1 steps.
        """
        if (
            isinstance(duration_ms, bool)
            or not isinstance(duration_ms, (int, float))
            or not np.isfinite(duration_ms)
            or duration_ms < 0
        ):
            raise ConfigurationError(f"duration_ms: {duration_ms!r} is not allowed; must be a number in ms >= 0")
        steps = round(duration_ms / self.dt_ms)
        if steps >= 2**31:
            raise ConfigurationError(f"duration_ms: {duration_ms!r} is {steps} steps; at most 2^31 - 1")
        return steps

    def _check_name(self, kind: str, name: str) -> None:
        if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in _RESERVED:
            raise ConfigurationError(
                f"{kind}: name {name!r} is not allowed; "
                "use lower-case letters, digits and _, starting with a letter (no C++ keyword)"
            )
        if name in self.populations or name in self.projections:
            raise ConfigurationError(f"{kind}: name {name!r} is used twice")

    def _steps(self, where: str, time_ms: float) -> int:
        good = isinstance(time_ms, (int, float)) and not isinstance(time_ms, bool) and np.isfinite(time_ms)
        if not good or round(time_ms / self.dt_ms) < 1:
            raise ConfigurationError(
                f"{where}: {time_ms!r} is not allowed; "
                f"must be a number in ms of at least one step (dt_ms {self.dt_ms:g})"
            )
        return round(time_ms / self.dt_ms)

    def _check_weights(self, where: str, projection: Projection) -> None:
        model = projection.synapse.model
        assert isinstance(model, SynapseModel)
        if model.weight_range is None:
            return
        low, high = model.weight_range(projection.synapse.values)
        weights = {f"{where}.weight": np.array([projection.weight])}
        if projection.listed_weights.size:
            weights[f"{where}.connector.{projection.connector.model.name}.weight"] = projection.listed_weights
        for field_name, values in weights.items():
            outside = values[(values < low) | (values > high)]
            if outside.size:
                raise ConfigurationError(
                    f"{field_name}: {outside[0]:g} is not allowed; must be in [{low:g}, {high:g}], "
                    f"the range of {model.name}"
                )

    def _check_grids(self, where: str, projection: Projection) -> None:
        source, target = projection.source.grid, projection.target.grid
        connector = projection.connector.model
        assert isinstance(connector, Connector)
        rule = projection.rewiring.model if projection.rewiring else None
        assert rule is None or isinstance(rule, RewiringRule)
        if (connector.needs_equal_grids or (rule is not None and rule.needs_equal_grids)) and source != target:
            raise ConfigurationError(
                f"{where}: source grid {source.nx} x {source.ny} does not fit target grid {target.nx} x {target.ny}; "
                "distances need two equal grids"
            )
        if connector.check_sizes is not None:
            name = f"{where}.connector.{connector.name}"
            connector.check_sizes(name, projection.connector.values, projection.source.size, projection.target.size)
        if projection.rewiring is not None:
            check_rule(f"{where}.rewiring", projection)
            if "every_ms" in projection.rewiring.values:
                name = f"{where}.rewiring.{projection.rewiring.model.name}.every_ms"
                self._steps(name, projection.rewiring.values["every_ms"])
