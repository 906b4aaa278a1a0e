"""A network as a user declares it: populations, and the projections between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hpcsnn.brief import Brief, BriefRows
from hpcsnn.checked_numbers import Limits, real_number, truth_value, whole_number, whole_steps
from hpcsnn.errors import ConfigurationError, check_known, shown, unknown_name
from hpcsnn.models.base import Configured
from hpcsnn.models.connectors import Connector
from hpcsnn.models.currents import CurrentModel
from hpcsnn.models.neurons import NeuronModel
from hpcsnn.models.parameters import Distribution
from hpcsnn.models.rewiring.rule import RewiringRule
from hpcsnn.models.stimuli import SourceModel
from hpcsnn.models.synapses import ReceptorModel, Static, SynapseModel
from hpcsnn.network.checks import check_given, check_name, check_projection, checked_initial, parsed_weight
from hpcsnn.network.delays import input_ring, parsed_delay
from hpcsnn.network.grid import Grid
from hpcsnn.network.learning import Learning
from hpcsnn.network.places.positions import Positions
from hpcsnn.network.population import Population, Stimulation, checked_stimulation
from hpcsnn.network.projection import Projection
from hpcsnn.network.recording.asked import asked_by_variable, asked_spikes, chosen_neurons, parsed_recording
from hpcsnn.network.unsupervised.hypercolumns import Hypercolumns

# A spike between ranks is its step within the interval times all neurons, plus the neuron; its count has a sign.
_MOST_MESSAGES = 2**31 - 1
# Loops over neurons count in 32 bits, and go a stride beyond the last one.
_MOST_NEURONS = 2**31 - 2**24


class Network(Brief):
    """Populations and projections with one time step and one seed.

    Args:
        seed: whole number in [0, 2^64); the key of every random number.
        dt_ms: length of a step in ms.

    Raises:
        ConfigurationError: a seed or step that is not allowed.
    """

    def __init__(self, seed: int = 0, dt_ms: float = 0.1) -> None:
        self.seed = whole_number("seed", seed, Limits(minimum=0, maximum=2**64 - 1))
        self.dt_ms = real_number("dt_ms", dt_ms, Limits("ms", above=0.0))
        self.populations: dict[str, Population] = {}
        self.projections: dict[str, Projection] = {}
        self.learning: Learning | None = None
        self.hypercolumns: Hypercolumns | None = None

    def _headline(self) -> str:
        return f"Network of {len(self.populations)} populations: seed {self.seed}, steps of {self.dt_ms:g} ms"

    def _rows(self) -> BriefRows:
        own = [(one.name, f"{one.grid.nx} x {one.grid.ny}", repr(one.model)) for one in self.populations.values()]
        between = [
            (one.name, f"{one.source.name} to {one.target.name}", ", ".join(part.name for part in one.parts.values()))
            for one in self.projections.values()
        ]
        return [*own, *between]

    def add_population(
        self,
        name: str,
        grid: Grid | Positions | int,
        model: Configured[NeuronModel | SourceModel],
        initial: Mapping[str, Any] | None = None,
        record_spikes: bool = False,
        record: Mapping[str, Any] | None = None,
        stimulate: Sequence[Configured[CurrentModel]] | None = None,
        remove: Any = None,
    ) -> Population:
        """Declare a population.

        Args:
            name: letters, digits and _, beginning with a letter.
            grid: its `Grid`, or `Positions` of neurons that are on none, or a number of neurons without places.
            model: a neuron or source model with its parameters, such as ``LIF(tau_m_ms=20)``; a neuron model's may each
                be a number, a distribution, or an array with one value per neuron (in id order).
            initial: per state variable a number, a distribution, or an array with one value per neuron (in id order).
            record_spikes: keep every spike for `Simulation.spikes`.
            record: what to keep for `Simulation.recorded`: by variable, as `Simulation.neurons` names them, a number
                of ms from one record to the next, or ``{"every_ms": 1, "neurons": [0, 5]}``; see
                `hpcsnn.network.recording.asked.chosen_neurons`. Those of projections, such as ``ff.g``, are looked for
                when all is declared. ``"average": True`` keeps the mean, least and most of these neurons instead.
                ``{"spikes": {"neurons": [0, 5]}}`` keeps the spikes of these neurons alone.

            stimulate: currents that are added to the input of its neurons, such as
                ``[StepCurrent(amplitude=0.5, from_ms=100, to_ms=200, neurons="0..9")]``: in the unit of current of the
                neuron model, from the start (or ``from_ms``) to the end (or ``to_ms``) and for all neurons (or a
                choice, as in `record`).
            remove: neurons that never spike, a choice as in `record`; None: there are none. Their variables and the
                synapses from and onto them stay what they would be, but for the spikes that are not.

        Raises:
            ConfigurationError: a name, model, initial value, record, current or neurons that are not allowed.
        """
        where = f"populations.{name}"
        check_name("populations", name, self._names)
        if isinstance(grid, Positions):
            grid = Grid.of_positions(grid)
        if not isinstance(grid, Grid):
            grid = Grid(grid, 1, has_places=False)
        n_neurons = grid.size + sum(population.size for population in self.populations.values())
        if n_neurons > _MOST_NEURONS:
            raise ConfigurationError(f"{where}: with it the network has {n_neurons} neurons; at most {_MOST_NEURONS}")
        if not isinstance(model, Configured) or not isinstance(model.model, (NeuronModel, SourceModel)):
            raise ConfigurationError(f"{where}.model: {shown(model)} is not a neuron or source model")
        states = {variable.name: variable for variable in model.model.state}
        if initial is not None and not isinstance(initial, Mapping):
            raise ConfigurationError(f"{where}.initial: {shown(initial)} is not allowed; must be values by variable")
        begins = {}
        for variable, value in (initial or {}).items():
            if variable not in states:
                raise ConfigurationError(unknown_name(f"{where}.initial", variable, states))
            begins[variable] = checked_initial(f"{where}.initial.{variable}", states[variable], value, grid.size)
        record_spikes = truth_value(f"{where}.record_spikes", record_spikes)
        check_given(f"{where}.model.{model.name}", model, grid.size, self.dt_ms)
        by_variable, recordings = asked_by_variable(f"{where}.record", record), {}
        if "spikes" in by_variable and "spikes" in states:
            raise ConfigurationError(
                f"{where}.record.spikes: may be the spikes, or the variable of {model.name}; give that another name"
            )
        spikes = by_variable.pop("spikes", None)
        record_spikes, spikes_of = asked_spikes(f"{where}.record.spikes", spikes, record_spikes, grid)
        for variable, asked in by_variable.items():
            if "." not in str(variable) and variable not in states:
                raise ConfigurationError(unknown_name(f"{where}.record", variable, states))
            recordings[variable] = parsed_recording(f"{where}.record.{variable}", asked, grid, self.dt_ms)
        currents = () if stimulate is None else stimulate
        stimulations = self._checked_stimulations(f"{where}.stimulate", currents, model, grid)
        removed = None if remove is None else chosen_neurons(f"{where}.remove", remove, grid)
        if removed is None and remove is not None:
            removed = np.arange(grid.size, dtype=np.int32)
        population = Population(name, grid, model, begins, record_spikes, recordings, stimulations, spikes_of, removed)
        self.populations[name] = population
        return population

    def _checked_stimulations(
        self, where: str, given: object, model: Configured[NeuronModel | SourceModel], grid: Grid
    ) -> tuple[Stimulation, ...]:
        if not isinstance(given, (list, tuple)):
            raise ConfigurationError(f"{where}: {shown(given)} is not allowed; must be a list of currents")
        if given and isinstance(model.model, SourceModel):
            raise ConfigurationError(
                f"{where}: not allowed with the model {model.name}, whose neurons spike by themselves and take no "
                "current; must be a neuron model"
            )
        stimulations = tuple(checked_stimulation(f"{where}[{n}]", one, grid, self.dt_ms) for n, one in enumerate(given))
        for number, current in enumerate(one.current for one in stimulations):
            check_given(f"{where}[{number}].{current.name}", current, grid.size, self.dt_ms)
        return stimulations

    def add_projection(
        self,
        name: str,
        source: Population | str,
        target: Population | str,
        connector: Configured[Connector],
        receptor: Configured[ReceptorModel],
        weight: float | Distribution | ArrayLike | None = None,
        synapse: Configured[SynapseModel] | None = None,
        delay_ms: float | Distribution | ArrayLike | None = None,
        rewiring: Configured[RewiringRule] | None = None,
        capacity: int | None = None,
        rows_grow: bool = True,
        record_events: bool = False,
        dendritic_delay_ms: float = 0.0,
        modulator: str | None = None,
        record: Mapping[str, Any] | None = None,
    ) -> Projection:
        """Declare a projection.

        Args:
            name: letters, digits and _, beginning with a letter.
            source: a population, by name or as declared.
            target: likewise; it has a neuron model.
            connector: the first wiring, such as ``Gaussian(p_max=0.16, sigma=2.5)``.
            receptor: what a spike does at the target, such as ``ExponentialConductance(tau_ms=5)``.
            weight: weight of every synapse at its birth (a listed weight takes precedence); or a distribution, from
                which each synapse of the first wiring draws its own by its two neurons and the seed, where the synapse
                model says how large weights may be. Or an array, shape (n,): a value for each target neuron, or, where
                the connector lists synapses without weights, for each of these. None: all are in the connector's file.
            synapse: static (default) or plastic synapses.
            delay_ms: the axonal delay, from a presynaptic spike to the synapse: one step (default) or more, a whole
                number of them; or a distribution: every synapse has a delay of its own, rounded to steps, which depends
                on its two neurons and the seed alone. Or an array, as of weights, without a rule of rewiring; None
                where the connector's file has delays. See `hpcsnn.network.delays` for what it means.
            rewiring: rule of structural plasticity; None keeps the wiring.
            capacity: synapses a target has room for at the start, rounded up to a power of two; default: what the
                first wiring needs.
            rows_grow: rows double when one is full; if False, what does not fit in `capacity` is refused, counted and
                warned about.
            record_events: keep every formation and elimination for `Simulation.events`.
            dendritic_delay_ms: from the synapse to the soma, and back: 0 (default) or a whole number of steps. What a
                spike brings arrives after `delay_ms` and this; the synapse sees a postsynaptic spike this much later.
            modulator: a projection declared before it, onto the same target, which brings the third factor of synapses
                that have one: they see the first variable of its receptor, such as ``Neuromodulator``.
            record: what to keep for `Simulation.recorded_synapses`: by variable, as `Simulation.synapses` names them, a
                number of ms from one record to the next, or ``{"every_ms": 100, "targets": [0]}``: of all synapses that
                these neurons have then.

        Raises:
            ConfigurationError: anything that does not fit; the message names the field, the value and what is allowed.
        """
        where = f"projections.{name}"
        check_name("projections", name, self._names)
        ends = {}
        for end, population in (("source", source), ("target", target)):
            key = population.name if isinstance(population, Population) else population
            key = check_known(f"{where}.{end}", key, self.populations)
            if isinstance(population, Population) and population is not self.populations[key]:
                raise ConfigurationError(
                    f"{where}.{end}: {key!r} is a population of another network; must be one of this network's"
                )
            ends[end] = self.populations[key]
        if ends["target"].is_source:
            raise ConfigurationError(
                f"{where}.target: {ends['target'].name!r} is not allowed; "
                f"it spikes by itself ({ends['target'].model.name}) and takes no synapses"
            )
        if not ends["source"].spikes:
            raise ConfigurationError(
                f"{where}.source: {ends['source'].name!r} is not allowed; its neurons never spike, since the model "
                f"{ends['source'].model.name} has no threshold, the condition of a spike"
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
                raise ConfigurationError(f"{where}.{part}: {shown(configured)} is not a {kind.__name__}")
        listed = connector.model.listed(connector.values) if connector.model.listed else None
        each = (ends["target"].size, "target neuron") if listed is None else (listed.n_synapses, "synapse")
        beside = f"{where}.connector.{connector.name}"
        one_weight, weights = parsed_weight(f"{where}.weight", weight, each, beside, listed, rewiring is not None)
        rows_grow = truth_value(f"{where}.rows_grow", rows_grow)
        record_events = truth_value(f"{where}.record_events", record_events)
        delay, delay_steps, delays = parsed_delay(f"{where}.delay_ms", delay_ms, self.dt_ms, each, beside, listed)
        dendritic_steps = whole_steps(f"{where}.dendritic_delay_ms", dendritic_delay_ms, self.dt_ms)
        if capacity is not None:
            capacity = whole_number(f"{where}.capacity", capacity, Limits(minimum=1))
        if capacity is None and not rows_grow:
            # What the first wiring happens to need differs from rank to rank: not a bound that every rank would keep.
            raise ConfigurationError(f"{where}.capacity: missing; with rows_grow false it must be given")
        brings = None
        if modulator is not None:
            brings = self.projections[check_known(f"{where}.modulator", modulator, self.projections)]
        projection = Projection(
            name, ends["source"], ends["target"], connector, receptor, synapse, one_weight or 0.0,
            delay, delay_steps, rewiring, capacity, rows_grow,
            record_events, delays, dendritic_steps * self.dt_ms, dendritic_steps,
            input_ring(where, delays, dendritic_steps), weights, one_weight is not None, brings,
        )  # fmt: skip
        columns = [column.name for column in projection.synapse_columns]
        recordings = {}
        for variable, asked in asked_by_variable(f"{where}.record", record).items():
            if variable not in columns:
                raise ConfigurationError(unknown_name(f"{where}.record", variable, columns))
            grid, of_variable = projection.target.grid, f"{where}.record.{variable}"
            recordings[variable] = parsed_recording(of_variable, asked, grid, self.dt_ms, of_synapses=True)
        projection = replace(projection, record=recordings)
        check_projection(where, projection, self.dt_ms)
        self.projections[name] = projection
        return projection

    def copy(self) -> Network:
        """A network with the same declarations, to which others can be added."""
        other = Network(self.seed, self.dt_ms)
        other.populations |= self.populations
        other.projections |= self.projections
        other.learning, other.hypercolumns = self.learning, self.hypercolumns
        return other

    @property
    def _names(self) -> set[str]:
        return {*self.populations, *self.projections}

    def incoming(self, population: Population) -> list[Projection]:
        """Projections onto `population`, in the order of their declaration."""
        return [projection for projection in self.projections.values() if projection.target is population]

    def outgoing(self, population: Population) -> list[Projection]:
        """Projections out of `population`, in the order of their declaration."""
        return [projection for projection in self.projections.values() if projection.source is population]

    @property
    def recorded(self) -> list[Population | Projection]:
        """Those of which variables are recorded."""
        owners: list[Population | Projection] = [*self.populations.values(), *self.projections.values()]
        return [owner for owner in owners if owner.record]

    @property
    def replicas(self) -> int:
        """How many times the state of its neurons is there on a rank: more than once only while it learns."""
        return self.learning.replicas if self.learning else 1

    @property
    def windowed(self) -> bool:
        """Whether it learns from samples that are recorded in windows, whose steps are simulated once more."""
        return self.learning is not None and self.learning.windowed

    def min_delay_steps(self) -> int:
        """The smallest axonal delay in steps (1 without projections)."""
        return min((projection.delay_steps for projection in self.projections.values()), default=1)

    def exchange_steps(self) -> int:
        """Steps between two exchanges of spikes between ranks; one that learns remembers all spikes in their steps.

        Half of the smallest delay, or a little more: for the rest they may be under way. Fewer where the spikes of
        so many steps could be more than 32 bits tell apart.
        """
        n_neurons = sum(population.size for population in self.populations.values())
        asked = 1 if self.learning is not None else self.min_delay_steps() // 2 + 1
        return max(1, min(asked, _MOST_MESSAGES // max(n_neurons, 1)))

    def steps(self, duration_ms: float) -> int:
        """Number of steps in `duration_ms`.

        Raises:
            ConfigurationError: negative, not finite, between two steps, or beyond 2^31 - 1 steps.
        """
        return whole_steps("duration_ms", duration_ms, self.dt_ms)

    def update_steps(self, projection: Projection) -> int:
        """Steps from one update of a projection's rule to the next (1 for a rule on call)."""
        rule = projection.rule
        assert rule is not None and projection.rewiring is not None
        if rule.trigger == "stimulus":
            return int(projection.source.model.constants(self.dt_ms)["window_steps"])
        return self.steps(projection.rewiring.values["every_ms"]) if rule.trigger == "every_ms" else 1

    def steps_looked_back(self, projection: Projection) -> int:
        """Steps on which a projection's rule looks back for spikes, those that have not arrived yet included."""
        rule = projection.rule
        if rule is None or rule.select.looks_back_ms is None:
            return 0
        assert projection.rewiring is not None
        return self.steps(projection.rewiring.values[rule.select.looks_back_ms]) + projection.delay_steps

    def steps_kept(self, population: Population) -> int:
        """Steps whose spikes may still be needed: by the longest axonal delay from here, a rule that looks back, or
        synapses onto here that see a spike only after their dendritic delay.

        Of delays that differ within a projection, the smallest counts: after it, input is in flight and not the spike.
        """
        sent = (max(each.delay_steps, self.steps_looked_back(each)) for each in self.outgoing(population))
        return max([1, *sent, *(each.steps_looked_back_at_targets for each in self.incoming(population))])

    def ring_slots(self, population: Population) -> int:
        """Slots of the ring that holds them: a power of two above `steps_kept`."""
        return 1 << self.steps_kept(population).bit_length()
