"""What an experiment's configuration may say, and the network that it comes to."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, model_serializer
from pydantic_core import PydanticCustomError

from hpcsnn.brief import Brief, BriefRows
from hpcsnn.checked_numbers import Limits, real_number, truth_value, whole_number, whole_steps
from hpcsnn.configuration.changes import check_change, check_keys, check_removal, removed_neurons
from hpcsnn.configuration.data_files import described_positions, positions_of
from hpcsnn.configuration.model_specs import ModelSpec, configured
from hpcsnn.configuration.overrides import put
from hpcsnn.configuration.places import Places
from hpcsnn.configuration.times import Every
from hpcsnn.errors import ConfigurationError
from hpcsnn.models.base import Configured, Model
from hpcsnn.models.parameters import Distribution, GivenValues, Normal, Uniform, described_distribution
from hpcsnn.models.registry import KINDS
from hpcsnn.models.user_files import UserFile, is_reference, user_model
from hpcsnn.network import Grid, Network
from hpcsnn.network.recording.recorders import recorders
from hpcsnn.ranks.exchange.plan import check_way
from hpcsnn.ranks.partition import DEFAULT_TILE, check_tile_side

# The initial value of a variable: a number, a list or {distribution: {parameter: value}}. Checked where used.
InitialSpec = Any


def _checked(check: Callable[[str, object], Any]) -> BeforeValidator:
    """A check of `hpcsnn.checked_numbers` as pydantic asks for it: it says what is allowed, pydantic which field."""

    def validate(value: Any) -> Any:
        try:
            return check("", value)
        except ConfigurationError as error:
            allowed = str(error).rpartition(" is not allowed; ")[2]
            raise PydanticCustomError("not_allowed", "{allowed}", {"allowed": allowed}) from None

    return BeforeValidator(validate)


def _number_or_distribution(where: str, value: object) -> Any:
    return value if value is None or isinstance(value, (dict, list)) else real_number(where, value)


# By which the configuration of a training is told from that of a run: those of its keys that it cannot do without.
TRAINING_KEYS = frozenset({"data", "readout"})
_FROM_ONE = Limits(minimum=1)
Whole = Annotated[int, _checked(whole_number)]
Positive = Annotated[int, _checked(partial(whole_number, limits=_FROM_ONE))]
Seed = Annotated[int, _checked(partial(whole_number, limits=Limits(minimum=0, maximum=2**64 - 1)))]
Real = Annotated[float, _checked(real_number)]
Step = Annotated[float, _checked(partial(real_number, limits=Limits(above=0.0)))]
Duration = Annotated[float, _checked(partial(real_number, limits=Limits(minimum=0.0)))]
Truth = Annotated[bool, _checked(truth_value)]
Part = Annotated[float, _checked(partial(real_number, limits=Limits(minimum=0.0, maximum=1.0, in_kernels=False)))]
DelaySpec = Annotated[Any, _checked(_number_or_distribution)]
WeightSpec = DelaySpec


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=False)


class PopulationConfig(_Strict):
    """A population: ``grid`` [nx, ny] before scaling, ``size`` for neurons without places, or ``positions`` for those
    on no grid: ``{from_file: places.npy, resolution: 0.01}``, or ``values`` in the place of the file. ``borders`` of a
    grid are ``periodic`` or ``open``.

    ``record`` is by variable: ``V_mV: {every_ms: 1, neurons: [0, 5]}``, ``stimulate`` a list of currents:
    ``- step_current: {amplitude: 0.5, from_ms: 100, to_ms: 200}``; see `hpcsnn.Network.add_population`.
    """

    grid: tuple[Whole, Whole] | None = None
    size: Whole | None = None
    positions: Any = None
    borders: str = "periodic"
    model: ModelSpec
    initial: dict[str, InitialSpec] = Field(default_factory=dict)
    record_spikes: Truth = False
    record: dict[str, Any] = Field(default_factory=dict)
    stimulate: list[ModelSpec] = Field(default_factory=list)


class ProjectionConfig(_Strict):
    """A projection, whose ``record`` is by variable: ``weight: {every_ms: 100, targets: [0]}``; see
    `hpcsnn.Network.add_projection`."""

    source: str
    target: str
    connector: ModelSpec
    receptor: ModelSpec
    synapse: ModelSpec = "static"
    weight: WeightSpec = None
    delay_ms: DelaySpec = None
    dendritic_delay_ms: Real = 0.0
    modulator: str | None = None
    rewiring: ModelSpec | None = None
    capacity: Positive | None = None
    rows_grow: Truth = True
    record_events: Truth = False
    record: dict[str, Any] = Field(default_factory=dict)


class ChangeConfig(_Strict):
    """What comes once so much model time is over: parameters are ``set``, by dotted keys, and neurons ``remove``d, by
    ``populations.NAME``: they never spike again."""

    at_ms: Step
    set: dict[str, Any] = Field(default_factory=dict)
    remove: dict[str, Any] = Field(default_factory=dict)

    @model_serializer
    def _what_there_is(self) -> dict[str, Any]:
        return {"at_ms": self.at_ms, **{key: done for key in ("set", "remove") if (done := getattr(self, key))}}


class OriginConfig(_Strict):
    """A run, and the step of the checkpoint from which another goes on."""

    run: str
    step: Whole


class NetworkConfiguration(Brief, _Strict):
    """What the configurations of a run and of a training have in common: the network.

    ``scale`` multiplies both sides of every grid. `COMMAND` is the command that carries a configuration of this kind
    out, and `TRAINS` whether that is a training.
    """

    COMMAND: ClassVar[str] = "run"
    TRAINS: ClassVar[bool] = False

    description: str = ""
    seed: Seed = 1
    dt_ms: Step = 0.1
    scale: Positive = 1
    populations: dict[str, PopulationConfig]
    projections: dict[str, ProjectionConfig] = Field(default_factory=dict)
    _places: Places = PrivateAttr(default_factory=Places)
    # By population the choices of neurons that have been removed, each with what messages call it.
    _removed: dict[str, list[tuple[str, Any]]] = PrivateAttr(default_factory=dict)

    def _headline(self) -> str:
        kind = "a training" if self.TRAINS else "a run"
        return f"Configuration of {kind}: {self.description or 'no description'}"

    def _rows(self) -> BriefRows:
        own = [(name, str(value)) for name, value in self if isinstance(value, (int, float, str)) and value != ""]
        models = {name: one.model for name, one in self.populations.items()}
        named = {name: one if isinstance(one, str) else next(iter(one)) for name, one in models.items()}
        parts = [(f"populations.{name}", model) for name, model in named.items()]
        parts += [(f"projections.{name}", f"{one.source} to {one.target}") for name, one in self.projections.items()]
        return [row for row in own if row[0] != "description"] + parts

    @property
    def places(self) -> Places:
        """Where its keys stand, for messages about them; set by who reads it from a file."""
        return self._places

    @places.setter
    def places(self, places: Places) -> None:
        self._places = places

    def network(self) -> Network:
        """The network described.

        Raises:
            ConfigurationError: anything that does not fit, naming the field, the value and what is allowed.
        """
        network = Network(self.seed, self.dt_ms)
        for name, population in self.populations.items():
            where = f"populations.{name}"
            grid = _grid(where, population, self.scale)
            network.add_population(
                name,
                grid,
                configured("model", f"{where}.model", population.model),
                population.initial,
                population.record_spikes,
                population.record,
                [
                    configured("stimulate", f"{where}.stimulate[{number}]", spec)
                    for number, spec in enumerate(population.stimulate)
                ],
                removed_neurons(self._removed.get(name, ()), grid),
            )
        for name, projection in self.projections.items():
            where, rule = f"projections.{name}", projection.rewiring
            network.add_projection(
                name,
                projection.source,
                projection.target,
                connector=configured("connector", f"{where}.connector", self.connector_of(projection)),
                receptor=configured("receptor", f"{where}.receptor", projection.receptor),
                weight=projection.weight,
                synapse=configured("synapse", f"{where}.synapse", projection.synapse),
                delay_ms=projection.delay_ms,
                rewiring=None if rule is None else configured("rewiring", f"{where}.rewiring", rule),
                capacity=projection.capacity,
                rows_grow=projection.rows_grow,
                record_events=projection.record_events,
                dendritic_delay_ms=projection.dendritic_delay_ms,
                modulator=projection.modulator,
                record=projection.record,
            )
        recorders(network)  # those of projections, which are known only now
        return network

    @property
    def ranks_of_network(self) -> int | None:
        """Ranks that have one network between them; None: all that there are."""
        return None

    def planned_network(self) -> Network:
        """The network as a device holds it, which memory is planned by; raises as `network`."""
        return self.network()

    def connector_of(self, projection: ProjectionConfig) -> ModelSpec:
        """The connector that a projection comes to have."""
        return projection.connector

    def check(self) -> None:
        """See that all of it fits together.

        Raises:
            ConfigurationError: as `network`.
        """
        self.network()

    def resolved(self) -> dict[str, Any]:
        """The configuration with every default written out, as plain YAML types; populations and projections last."""
        network = self.network()
        plain = self.model_dump(mode="json")
        plain |= {key: plain.pop(key) for key in ("populations", "projections")}
        for name, population in network.populations.items():
            plain["populations"][name]["model"] = population.model.described()
            plain["populations"][name]["positions"] = described_positions(population.grid.positions)
            plain["populations"][name]["stimulate"] = [one.current.described() for one in population.stimulations]
        for name, projection in network.projections.items():
            entry = plain["projections"][name]
            entry["delay_ms"] = _described(projection.delay_ms)
            one_weight = projection.weight if projection.has_weight else None
            entry["weight"] = one_weight if projection.weights is None else _described(projection.weights)
            entry["dendritic_delay_ms"] = projection.dendritic_delay_ms
            for part in ("connector", "receptor", "synapse", "rewiring"):
                chosen: Configured[Model] | None = getattr(projection, part)
                entry[part] = chosen.described() if chosen else None
        return plain

    def own_models(self) -> list[tuple[str, ModelSpec]]:
        """(kind, model) of those that are of no population or projection."""
        return []

    def user_files(self) -> list[UserFile]:
        """The users' files that models come from, as they were read."""
        specs = [*self.own_models(), *(("model", population.model) for population in self.populations.values())]
        specs += [("stimulate", one) for population in self.populations.values() for one in population.stimulate]
        for projection in self.projections.values():
            specs += [(part, getattr(projection, part)) for part in ("connector", "receptor", "synapse", "rewiring")]
        names = [(kind, spec if isinstance(spec, str) else next(iter(spec))) for kind, spec in specs if spec]
        files = [user_model("", name, KINDS[kind])[1] for kind, name in names if is_reference(name)]
        return list({file.name: file for file in files}.values())


class Configuration(NetworkConfiguration):
    """A whole experiment.

    Times in ms. ``tile`` is the side of the tiles that ranks own, ``exchange`` whether they swap spikes with neighbours
    or with all, and ``exchange_block`` how many they send in the first round (all three change speed, never the
    answer). ``checkpoint_every`` is model time (``10s``) or wall time (``10min-wall``), ``checkpoint_keep`` how many
    stay. ``changes`` set parameters of models and remove
    neurons at exact steps; ``forked_from`` says from which runs it comes, and changes nothing.
    """

    duration_ms: Duration = 60_000.0
    tile: Whole = DEFAULT_TILE
    exchange: str = "auto"
    exchange_block: Positive | None = None
    checkpoint_every: str | None = None
    checkpoint_keep: Positive = 3
    changes: list[ChangeConfig] = Field(default_factory=list)
    forked_from: list[OriginConfig] = Field(default_factory=list)

    def at(self, step: int) -> Configuration:
        """The configuration by which a run goes on behind `step`: with all that has changed by then.

        Raises:
            ConfigurationError: a change that is not allowed.
        """
        due = [(number, one) for number, one in enumerate(self.changes) if self._step_of(number) <= step]
        if not due:
            return self
        raw = self.model_dump(mode="json")
        removed: dict[str, list[tuple[str, Any]]] = {}
        for number, change in sorted(due, key=lambda numbered: numbered[1].at_ms):
            for key, value in change.set.items():
                put(raw, key, value, f"changes[{number}].set.{key}")
            for key, neurons in change.remove.items():
                removed.setdefault(key.partition(".")[2], []).append((f"changes[{number}].remove.{key}", neurons))
        changed = type(self).model_validate(raw)
        changed.places, changed._removed = self.places, removed
        return changed

    def steps_of_changes(self) -> list[int]:
        """When something changes, in steps, ascending."""
        return sorted({self._step_of(number) for number in range(len(self.changes))})

    def _step_of(self, number: int) -> int:
        return whole_steps(f"changes[{number}].at_ms", self.changes[number].at_ms, self.dt_ms, least=1)

    def network(self) -> Network:
        """The network described; its duration and the times of its checkpoints are whole numbers of steps.

        Raises:
            ConfigurationError: anything that does not fit, naming the field, the value and what is allowed.
        """
        Network(self.seed, self.dt_ms).steps(self.duration_ms)
        every = None if self.checkpoint_every is None else Every.parse(self.checkpoint_every)
        if every is not None and every.model_ms is not None:
            whole_steps("checkpoint_every", every.model_ms, self.dt_ms, least=1)
        return super().network()

    def check(self) -> None:
        """See that all of it fits together.

        Raises:
            ConfigurationError: as `network`, or a tile side or a way to exchange spikes that is not allowed.
        """
        check_tile_side(self.tile)
        super().check()
        if self.exchange != "auto":
            check_way(self.network(), self.exchange)
        if not self.changes:
            return
        before = self.network()
        first_of: dict[int, int] = {}  # by step, the first change then
        for number, change in enumerate(self.changes):
            if not change.set and not change.remove:
                raise ConfigurationError(f"changes[{number}]: changes nothing; give set, remove or both")
            check_keys(f"changes[{number}].set", list(change.set))
            check_removal(f"changes[{number}].remove", list(change.remove), before)
            first_of.setdefault(self._step_of(number), number)
        for step, number in sorted(first_of.items()):
            check_change(f"changes[{number}].set", before, self.at(step).network())


def _described(value: float | Distribution | GivenValues | None) -> Any:
    if isinstance(value, GivenValues):
        return value.values.tolist()
    return described_distribution(value) if isinstance(value, (Normal, Uniform)) else value


def _grid(where: str, population: PopulationConfig, scale: int) -> Grid:
    kinds = [name for name in ("grid", "size", "positions") if getattr(population, name) is not None]
    if len(kinds) != 1:
        raise ConfigurationError(f"{where}: give either grid: [nx, ny] or size: n, or positions")
    if kinds != ["grid"] and population.borders != "periodic":
        raise ConfigurationError(
            f"{where}.borders: {population.borders!r} is not allowed with {kinds[0]}, whose neurons have no "
            + ("places" if kinds == ["size"] else "grid")
            + "; give grid: [nx, ny]"
        )
    if population.positions is not None:
        return Grid.of_positions(positions_of(f"{where}.positions", population.positions))
    if population.size is not None:
        sides = (population.size, 1)
    else:
        assert population.grid is not None
        sides = (population.grid[0] * scale, population.grid[1] * scale)
    if min(sides) < 1:
        field, given = ("grid", list(population.grid)) if population.grid else ("size", population.size)
        raise ConfigurationError(f"{where}.{field}: {given!r} is not allowed; must be >= 1")
    try:
        return Grid(*sides, borders=population.borders, has_places=population.size is None)
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}.{error}") from None
