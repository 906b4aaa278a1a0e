"""Synapses from one population to another, and all that they and their neurons carry."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hpcsnn.brief import Brief, BriefRows
from hpcsnn.models.base import Configured, Model, SomeModel, Variable
from hpcsnn.models.connectors import Connector
from hpcsnn.models.connectors.synapse_lists import SynapseList, Weights, weights_of
from hpcsnn.models.distance_profiles import expected_within
from hpcsnn.models.parameters import Distribution, GivenValues
from hpcsnn.models.rewiring.rule import RewiringRule
from hpcsnn.models.synapses import ReceptorModel, SpikeTrace, SynapseModel, Trained
from hpcsnn.network.delays import DELAY_STEPS, DrawnDelays, GivenDelays, InputRing
from hpcsnn.network.input_scale import InputFormat, input_format, weight_bound
from hpcsnn.network.places.lattice import Lattice
from hpcsnn.network.places.positions import Cells, FreeLattice
from hpcsnn.network.population import Population
from hpcsnn.network.recording.asked import Recording

_OWED = Variable("owed", 0, "synapses", "int", "synapses that are still to be replaced")
_PREFIXES = {
    "synapse": "of_synapse_",
    "receptor": "of_receptor_",
    "connector": "of_connector_",
    "rewiring": "of_rule_",
}


@dataclass(frozen=True, repr=False)
class Projection(Brief):
    """Synapses from one population to another; see `Network.add_projection`.

    ``delay_steps`` is the smallest axonal delay of any synapse, ``delays`` how they differ, if they do;
    ``dendritic_steps`` the dendritic delay, and ``input_ring`` where input waits that does not arrive at once.
    ``weight`` is that of a new synapse; where ``weights`` says how those of the first wiring differ, it is their mean.
    It is 0 and counts for nothing where the user gave none, since the connector's list has all weights
    (``has_weight``). ``record`` is by variable, as `Simulation.synapses` names them.
    ``modulator`` is the projection whose receptor's first variable its synapses see as ``modulation``.
    """

    name: str
    source: Population
    target: Population
    connector: Configured[Connector]
    receptor: Configured[ReceptorModel]
    synapse: Configured[SynapseModel]
    weight: float
    delay_ms: float | Distribution | GivenValues | None
    delay_steps: int
    rewiring: Configured[RewiringRule] | None
    capacity: int | None
    rows_grow: bool
    record_events: bool = False
    delays: DrawnDelays | GivenDelays | None = None
    dendritic_delay_ms: float = 0.0
    dendritic_steps: int = 0
    input_ring: InputRing | None = None
    weights: Distribution | GivenValues | None = None
    has_weight: bool = True
    modulator: Projection | None = None
    record: Mapping[str, Recording] = field(default_factory=dict)

    def _headline(self) -> str:
        return f"Projection {self.name}: {self.source.name} to {self.target.name}, weight {self.weight:g}"

    def _rows(self) -> BriefRows:
        return [(kind, repr(part)) for kind, part in self.parts.items()]

    @property
    def parts(self) -> dict[str, Configured[Model]]:
        """Its models, by what configurations call them."""
        of_all = {"synapse": self.synapse, "receptor": self.receptor, "connector": self.connector}
        return of_all if self.rewiring is None else {**of_all, "rewiring": self.rewiring}

    @property
    def models(self) -> dict[str, Configured[Model]]:
        """Its models, by what stands before the names of their constants and tables in kernels.

        No other member of the projection's struct begins so: a constant may be called like a variable of another model.
        Where there is a lattice, lengths are in its points.
        """
        return {_PREFIXES[part]: self._in_points(configured) for part, configured in self.parts.items()}

    def _in_points(self, configured: Configured[SomeModel]) -> Configured[SomeModel]:
        return configured if self.lattice is None else configured.finer(self.lattice.fineness)

    @property
    def measures(self) -> bool:
        """Whether distances or places play a part."""
        return self.connector.model.measures or (self.rule is not None and self.rule.uses_places)

    @cached_property
    def lattice(self) -> Lattice | FreeLattice | None:
        """What both populations are on, where they are not on one grid and distances between them play a part."""
        if not self.measures:
            return None
        source, target = self.source.grid, self.target.grid
        if source.positions is not None and target.positions is not None:
            return FreeLattice(source.positions, target.positions)
        return Lattice(source, target) if source != target else None

    @property
    def grid_lattice(self) -> Lattice | None:
        """The lattice of two unequal grids, where it is one."""
        return self.lattice if isinstance(self.lattice, Lattice) else None

    @property
    def free_lattice(self) -> FreeLattice | None:
        """The lattice of two populations with positions, where it is one."""
        return self.lattice if isinstance(self.lattice, FreeLattice) else None

    @cached_property
    def cells(self) -> Cells | None:
        """The sources by place, as far as the connector reaches, where they have positions."""
        if self.free_lattice is None:
            return None
        return self.free_lattice.cells(math.isqrt(max(self.connector_reach_squared or 0, 0)))

    @property
    def position_arrays(self) -> tuple[str, ...]:
        """What kernels have of positions, by name: of all sources by id, of the rank's targets, of sources by cell."""
        return () if self.cells is None else ("source_place", "target_place", "cell_first", "cell_member")

    @property
    def connector_profile(self) -> NDArray[np.float64] | None:
        """The connector's chance by squared distance, where that is all that it depends on."""
        profile = self.connector.model.profile
        return None if profile is None else profile(self._in_points(self.connector).values)

    @property
    def connector_reach_squared(self) -> int | None:
        """Largest squared distance of a synapse of the first wiring; None: unbounded."""
        reach_squared = self.connector.model.reach_squared
        return None if reach_squared is None else reach_squared(self._in_points(self.connector).values)

    @property
    def reach_squared(self) -> int | None:
        """Largest squared distance of any synapse that can ever be; None: unbounded. In points of the lattice, where
        there is one, else in grid units."""
        of_both = (self.connector_reach_squared, self.rewiring_reach_squared)
        return None if None in of_both else max(reach for reach in of_both if reach is not None)

    @property
    def reach(self) -> float | None:
        """The same as a distance in grid units, 0 where there are no synapses; None: unbounded."""
        points = 1.0 if self.lattice is None else self.lattice.fineness
        return None if self.reach_squared is None else math.sqrt(max(self.reach_squared, 0)) / points

    @property
    def rewiring_reach_squared(self) -> int | None:
        """Largest squared distance at which rewiring forms synapses; -1: none, None: unbounded."""
        if self.rewiring is None or not self.rewiring.model.forms:
            return -1
        reach_squared = self.rewiring.model.reach_squared
        return None if reach_squared is None else reach_squared(self._in_points(self.rewiring).values)

    @property
    def weight_bound(self) -> float:
        """Largest absolute amount that one spike brings to a target."""
        return weight_bound(self)

    @cached_property
    def synapse_list(self) -> SynapseList | None:
        """The synapses of the first wiring, where the connector has a list of them."""
        listed = self.connector.model.listed
        return None if listed is None else listed(self.connector.values)

    @cached_property
    def given_weights(self) -> Weights | None:
        """What is known of weights that are given one by one, by the connector's list or beside it."""
        if isinstance(self.weights, GivenValues):
            return weights_of(self.weights.values)
        return None if self.synapse_list is None else self.synapse_list.weights

    @cached_property
    def expected_in_degree(self) -> float:
        """Mean in-degree of the first wiring."""
        connector, grid, profile = self.connector.model, self.source.grid, self.connector_profile
        if profile is not None and self.lattice is not None:
            return self.lattice.expected_within(profile)
        if profile is not None:
            return expected_within(profile, grid.nx, grid.ny, grid.is_open)
        return float(connector.expected_in_degree(self.connector.values, self.source.size, self.target.size))

    @property
    def largest_in_degree(self) -> int:
        """Upper bound of a target's in-degree that follows from the reach alone, so never from ranks or capacity."""
        n_sources = self.source.size
        if self.reach_squared is None:
            return n_sources
        if self.lattice is not None:
            return max(1, self.lattice.most_within(self.reach_squared))
        radius = int(np.sqrt(max(self.reach_squared, 0)))
        return max(1, min(n_sources, (2 * radius + 1) ** 2))

    @cached_property
    def input_format(self) -> InputFormat:
        """How its input adds up; see `hpcsnn.network.input_scale`."""
        return input_format(self)

    def input_scale(self) -> tuple[str, float]:
        """C++ type and scale (a power of two) of the fixed-point input, which cannot overflow."""
        return self.input_format.ctype, self.input_format.scale

    # -- what its synapses and neurons carry: of its synapse model and of its rule -------------------------------------

    @property
    def rule(self) -> RewiringRule | None:
        """The rule of rewiring, if there is one."""
        return None if self.rewiring is None else self.rewiring.model

    @property
    def synapse_variables(self) -> tuple[Variable, ...]:
        """Of each synapse, those that snippets see."""
        return self.synapse.model.variables + (self.rule.synapse_variables if self.rule else ())

    @property
    def synapse_columns(self) -> tuple[Variable, ...]:
        """What is kept of each synapse: its variables, and a delay of its own, if it has one, which no snippet sees."""
        return self.synapse_variables + (() if self.delays is None else (DELAY_STEPS,))

    @property
    def listed_columns(self) -> tuple[Variable, ...]:
        """What outgoing lists hold beside the slots of synapses that nothing changes once they are wired: all that is
        kept of each, so that a spike reads lists alone, one behind the other, and no slot in another target's row."""
        changes = self.synapse.model is Trained or self.synapse.model.changes or self.rewiring is not None
        return () if changes else self.synapse_columns

    @property
    def source_variables(self) -> tuple[Variable, ...]:
        """Of the rule, one per source neuron, kept by its owner."""
        return self.rule.source_variables if self.rule else ()

    @property
    def target_variables(self) -> tuple[Variable, ...]:
        """Of the rule, one per target neuron."""
        if self.rule is None:
            return ()
        return self.rule.target_variables + ((_OWED,) if self.rule.replace else ())

    @property
    def shared_variables(self) -> tuple[Variable, ...]:
        """Of sources, as the ranks of their targets must know them at an update."""
        rule = self.rule
        if rule is None or not rule.shares:
            return ()
        everything = (*self.source.state, *rule.source_variables)
        return tuple(variable for variable in everything if rule.mentions_of_source(variable.name))

    @property
    def pre_traces(self) -> tuple[SpikeTrace, ...]:
        """Of each source's spikes, as they arrive."""
        return self.synapse.model.pre_traces + (self.rule.source_traces if self.rule else ())

    @property
    def post_traces(self) -> tuple[SpikeTrace, ...]:
        """Of each target's spikes."""
        return self.synapse.model.post_traces + (self.rule.target_traces if self.rule else ())

    @property
    def late_post_traces(self) -> tuple[SpikeTrace, ...]:
        """Those that go up when the spike is back at the synapses; the others, a rule's own, are at the neuron."""
        return self.synapse.model.post_traces if self.dendritic_steps else ()

    @property
    def steps_looked_back_at_targets(self) -> int:
        """Steps whose postsynaptic spikes its synapses have yet to see."""
        model = self.synapse.model
        return 1 + self.dendritic_steps if model.on_post_spike or model.post_traces else 0
