"""What a rule of structural plasticity is made of; the guide in docs/ walks through it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

from hpcsnn.errors import ConfigurationError, unknown_name
from hpcsnn.models.base import Derived, Model, Variable
from hpcsnn.models.parameters import Parameter
from hpcsnn.models.rewiring.promised_names import ANY_SLOT, ROW
from hpcsnn.models.rewiring.turnover import Guide, Turnover
from hpcsnn.models.snippet_text import mentioned
from hpcsnn.models.synapses import NEURONS_OF_A_SYNAPSE, SpikeTrace
from hpcsnn.models.tables import Table

EVERY_MS = Parameter(1.0, "ms", "time between updates", above=0.0, in_steps=True)


@dataclass(frozen=True)
class Selection:
    """Who is tried in an attempt: a target, drawn from a block of them; a source; and one of the target's synapses.

    Both snippets see the selection's and the rule's constants and tables. ``draw`` sets ``source_x`` and ``source_y``;
    it sees ``x``, ``y`` (the target), ``nx``, ``ny``, ``period_x``, ``period_y`` (after which the grid goes on)
    and ``random`` (a ``Random4``: its x has given the target, its z is kept for the decision); leaving ``source_x`` at
    -1 draws none. ``pick`` sets ``tried``, the place of the synapse that may be eliminated (-1: none), and ``forming``,
    whether one to the source drawn may form. It sees ``found`` (the place of the synapse to that source, -1 if there is
    none), ``in_degree``, ``random()``, ``any_synapse()`` (each with
    the same chance) and ``weakest()``. Without a ``pick`` the pair that was drawn is tried: its synapse, if there is
    one, may be eliminated, else one may form.

    A selection without ``draw`` makes no attempts; with ``every_synapse``, each synapse is tried for elimination. Where
    ``draw`` gives ``every_pair_alike`` the same chance, and no ``pick`` asks otherwise, only the attempts within reach
    are drawn, and their number: the same in distribution, and much less work in a large network.
    With ``unequal_grids``, ``draw`` may have another grid of sources than of targets: ``nx`` and ``ny`` are the
    sources', whatever ``x`` and ``y``; without, such grids are refused. So are neurons on no grid without
    ``free_positions``: ``nx`` is their number then, ``source_x`` an id, and ``squared_to`` knows where they are.
    ``looks_back_ms`` names the parameter that says how long ago a spike may be to count: ``draw`` then sees the sources
    of such spikes as ``recent(0)`` to ``recent(n_recent - 1)``, in no order.
    """

    name: str
    doc: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    derived: Mapping[str, Derived] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    draw: str = ""
    pick: str = ""
    every_synapse: bool = False
    every_pair_alike: bool = False
    unequal_grids: bool = False
    free_positions: bool = False
    looks_back_ms: str | None = None

    def trying(self, other: Selection) -> Selection:
        """This way to draw a source with another selection's way to pick the synapse that may be eliminated."""
        return Selection(
            f"{self.name}, {other.name}",
            f"{self.doc} {other.doc}",
            {**self.parameters, **other.parameters},
            {**self.derived, **other.derived},
            {**self.tables, **other.tables},
            self.draw,
            other.pick,
            other.every_synapse,
            unequal_grids=self.unequal_grids,
            free_positions=self.free_positions,
            looks_back_ms=self.looks_back_ms,
        )


NOBODY = Selection("nobody", "No attempts.")


@dataclass(frozen=True)
class Pairing:
    """Vacant elements that are joined at random, over all ranks (Butz & van Ooyen 2013).

    ``offers`` is the number of further synapses that a source can make, ``demands`` that a target can take: whole
    numbers, negative where there are too many. They see ``id``, the rule's variables of the neuron, and ``out_degree``
    or ``in_degree``. Every so many updates (the parameter that ``every`` names), sources with too many synapses lose
    some at random, then targets, then offers meet demands; ``after_source`` and ``after_target`` run at last and may
    change the rule's variables; they see what is still vacant as ``vacant``. An update on call always pairs.
    """

    offers: str
    demands: str
    every: str
    after_source: str = ""
    after_target: str = ""


@dataclass(frozen=True, repr=False)
class RewiringRule(Model):
    """When and how synapses come and go. Every slot has a default and can be given alone.

    In an update, in this order, for what a rule has of it:

    1. ``update_source`` and ``update_target`` run for each neuron; they change the rule's ``source_variables`` and
       ``target_variables``.
    2. ``update`` runs for each synapse, or for each where ``update_if`` holds, and may change its variables; then,
       where ``select`` says so, each synapse is tried for elimination.
    3. The attempts of ``select``, in order for each block of targets: ``eliminate`` is the chance that the synapse that
       is tried goes, ``reason`` why (an index into ``reasons``), ``form`` the chance that one forms.
    4. ``per_target`` runs for each target with all its synapses, which it may ``remove(place)``; it may ``propose(id)``
       up to ``proposals`` sources.
    5. Ranks meet, if the rule has ``sums`` (whole numbers, one per target, added up over all), ``turnover`` (so many
       of a projection go, and come), ``replace`` (what went is replaced at random places of the same target, anywhere
       in the projection, or anywhere in the projections that `Simulation.rewire` is called for together; in a training
       where a ``guide`` says), ``arrivals`` or ``pairing``; synapses that were proposed form.

    ``arrivals`` names the parameter or derived constant that is the chance of each pair without a synapse to get one.
    ``gradient`` is what the rule adds to a synapse's gradient for each sample of a batch, where a Trainer trains.
    ``initial`` gives a new synapse's variables, the weight alone as a text or several by name; the others start at the
    projection's weight and the variables' initial values. Chances are numbers, true or false, or parameters that are
    probabilities; texts that give a value are expressions, or statements that ``return`` one.

    ``synapse_variables``, ``source_variables``, ``target_variables``, ``source_traces`` and ``target_traces`` belong to
    the rule: they are initialised, stored, checkpointed and counted in the digest like all others. ``needs`` names
    variables and traces that the projection's synapse model must have. ``bound`` is an expression over the parameters
    for the largest absolute weight that the rule itself makes. ``trigger`` is when updates happen: every
    ``every_ms``, when the source population's stimulus changes, or when `Simulation.rewire` is called.
    ``reach_squared`` is the largest squared distance at which a synapse may form (None: anywhere); ``profile`` the
    chance to form by squared distance 0, 1, .. where that is all it depends on.
    """

    KIND: ClassVar[str] = "rewiring rule"
    SEES: ClassVar[tuple[str, ...]] = ANY_SLOT
    KEPT: ClassVar[Mapping[tuple[str, str], str]] = {
        **{("synapse variable", name): NEURONS_OF_A_SYNAPSE for name in ("pre", "post", "source")},
        **{
            (what, name): f"row.{name} is something else"
            for what in ("synapse variable", "source trace")
            for name in ROW
        },
    }

    select: Selection = NOBODY
    eliminate: str = "false"
    form: str = "false"
    initial: str | Mapping[str, str] = field(default_factory=dict)
    reason: str = "0"
    reasons: tuple[str, ...] = ("eliminated",)
    bound: str = "0"
    gradient: str = "0.0f"
    update: str = ""
    update_if: str = "true"
    update_source: str = ""
    update_target: str = ""
    per_target: str = ""
    proposals: int = 1
    sums: Mapping[str, str] = field(default_factory=dict)
    replace: Literal["", "target", "projection", "projections"] = ""
    arrivals: str = ""
    pairing: Pairing | None = None
    turnover: Turnover | None = None
    guide: Guide | None = None
    trigger: Literal["every_ms", "stimulus", "call"] = "every_ms"
    synapse_variables: tuple[Variable, ...] = ()
    source_variables: tuple[Variable, ...] = ()
    target_variables: tuple[Variable, ...] = ()
    source_traces: tuple[SpikeTrace, ...] = ()
    target_traces: tuple[SpikeTrace, ...] = ()
    needs: tuple[str, ...] = ()
    reach_squared: Callable[[Mapping[str, Any]], int] | None = None
    profile: Callable[[Mapping[str, Any]], NDArray[np.float64]] | None = None

    def __post_init__(self) -> None:
        for name in ("replace", "trigger"):
            allowed = get_args(get_type_hints(RewiringRule)[name])
            if getattr(self, name) not in allowed:
                words = ", ".join(map(repr, allowed))
                raise ConfigurationError(f"{self.name}.{name}: {getattr(self, name)!r} is not allowed; one of {words}")
        self._check()
        every = {"every_ms": EVERY_MS} if self.trigger == "every_ms" else {}
        for name, extra in (
            ("parameters", {**every, **self.select.parameters}),
            ("derived", self.select.derived),
            ("tables", self.select.tables),
        ):
            object.__setattr__(self, name, {**extra, **getattr(self, name)})
        if self.pairing is not None and len(self.reasons) < 2:
            object.__setattr__(self, "reasons", ("target", "source"))
        super().__post_init__()

    def _check(self) -> None:
        """Refuse what would never run, and names that lead nowhere.

        Raises:
            ConfigurationError: names the slot.
        """
        parameters = {**self.select.parameters, **self.parameters}
        if self.replace == "projections" and (self.trigger != "call" or self.sums):
            raise ConfigurationError(
                f"{self.name}.replace: 'projections' is not allowed with trigger {self.trigger!r} and "
                f"{len(self.sums)} sums; must be a rule on call without sums, so that projections are updated together"
            )
        for slot in ("turnover", "guide"):
            if getattr(self, slot) is not None and not (self.replaces_anywhere and self.trigger == "call"):
                raise ConfigurationError(
                    f"{self.name}.{slot}: is not allowed with replace {self.replace!r} and trigger {self.trigger!r}; "
                    "must be a rule on call that replaces in the 'projection' or 'projections'"
                )
        if self.select.pick and not self.select.draw:
            raise ConfigurationError(
                f"{self.name}.select: {self.select.name!r} picks a synapse but draws no source; use "
                "UNIFORM.trying(..), LOCAL.trying(..) or BY_SPIKE.trying(..)"
            )
        for slot, runs in (("eliminate", self.attempts or self.select.every_synapse), ("form", self.attempts)):
            if getattr(self, slot).strip() != "false" and not runs:
                raise ConfigurationError(
                    f"{self.name}.{slot}: is never asked, since select is {self.select.name!r}; give another select"
                )
        if self.asks_to_update and not self.update:
            raise ConfigurationError(f"{self.name}.update_if: is never asked; give an update, for which it is")
        wanted = [("select", name) for name in ("attempts", "block_side") if self.attempts]
        if self.select.looks_back_ms is not None:
            wanted.append(("select.looks_back_ms", self.select.looks_back_ms))
        wanted += [("source_traces", trace.tau) for trace in self.source_traces]
        wanted += [("target_traces", trace.tau) for trace in self.target_traces]
        if self.pairing is not None:
            wanted.append(("pairing.every", self.pairing.every))
        if self.arrivals:
            wanted.append(("arrivals", self.arrivals))
        for slot, name in wanted:
            of_derived = slot == "arrivals" or slot.endswith("traces")
            if name not in parameters and not (of_derived and name in self.derived):
                raise ConfigurationError(unknown_name(f"{self.name}.{slot}: parameter", name, parameters))
        if self.pairing is not None:
            every = parameters[self.pairing.every]
            if every.ctype != "int" or (every.minimum or 0) < 1:
                raise ConfigurationError(
                    f"{self.name}.pairing.every: {self.pairing.every!r} is not allowed; must be a parameter with ctype "
                    "'int' and minimum 1"
                )

    @property
    def initials(self) -> Mapping[str, str]:
        """``initial`` by the variable's name."""
        return {"weight": self.initial} if isinstance(self.initial, str) else self.initial

    @property
    def attempts(self) -> bool:
        """Whether an update makes attempts on pairs that are drawn."""
        return bool(self.select.draw)

    @property
    def thins(self) -> bool:
        """Whether attempts out of reach need not be drawn."""
        return self.select.every_pair_alike and not self.select.pick

    @property
    def texts(self) -> tuple[str, ...]:
        """All snippets."""
        pairing = dataclasses.astuple(self.pairing) if self.pairing else ()
        chosen = (self.turnover.least,) if self.turnover else ()
        guided = (self.guide.most,) if self.guide else ()
        return (
            *(self.select.draw, self.select.pick, self.eliminate, self.form, self.reason, self.update, self.per_target),
            *(self.gradient, self.update_if, *chosen, *guided),
            *(self.update_source, self.update_target, *self.initials.values(), *self.sums.values(), *pairing),
        )

    def mentions(self, name: str) -> bool:
        """Whether a snippet has this word."""
        return mentioned(rf"\b{name}\b", self.texts)

    @property
    def decides_by_random(self) -> bool:
        """Whether what decides about a synapse draws numbers of its own, behind the one that decides."""
        return mentioned(r"\brandom\b", (self.eliminate, self.reason))

    @property
    def visits_synapses(self) -> bool:
        """Whether an update looks at each synapse."""
        return bool(self.update) or self.select.every_synapse

    @property
    def asks_to_update(self) -> bool:
        """Whether some synapses may be left as they are."""
        return self.update_if.strip() != "true"

    @property
    def passes_over(self) -> bool:
        """Whether it can be told of many synapses at once that nothing happens to them."""
        return not self.decides_by_random and (not self.update or self.asks_to_update)

    @property
    def forms(self) -> bool:
        """Whether synapses may form at all."""
        proposes = mentioned(r"\bpropose\b", (self.per_target,))
        return self.form.strip() != "false" or bool(self.replace or self.arrivals or self.pairing) or proposes

    @property
    def proposes(self) -> bool:
        """Whether synapses form from lists of proposals."""
        return bool(self.per_target or self.replace or self.arrivals) or self.pairing is not None

    @property
    def replaces_anywhere(self) -> bool:
        """Whether what went comes back at other targets too."""
        return self.replace in ("projection", "projections")

    @property
    def lists(self) -> bool:
        """Whether the host makes lists of synapses that form or go."""
        return bool(self.arrivals or self.pairing or self.turnover or self.guide)

    @property
    def meets(self) -> bool:
        """Whether ranks meet in an update."""
        return bool(self.sums or self.arrivals) or self.replaces_anywhere or self.pairing is not None

    @property
    def only_pairs(self) -> bool:
        """Whether ranks meet for nothing but pairing, so not in every update."""
        return self.pairing is not None and not (self.sums or self.arrivals or self.replaces_anywhere)

    @property
    def shares(self) -> bool:
        """Whether sources' variables must be known on the ranks of their targets."""
        return self.mentions_of_source(r"\w+")

    def mentions_of_source(self, variable: str) -> bool:
        """Whether a snippet that sees pairs names this variable of the source."""
        return mentioned(rf"\bpre\s*\.\s*{variable}\b", (text for text in self.texts if text is not self.update_source))

    @property
    def tallies(self) -> bool:
        """Whether sources must know their out-degree before an update, and not only where elements pair."""
        return self.pairing is not None and mentioned(r"\bout_degree\b", [self.update_source])

    @property
    def lengths(self) -> list[str]:
        """The parameters that are counted in grid units; but for blocks, which are of the targets' grid."""
        return [name for name in super().lengths if name != "block_side"]

    @property
    def uses_places(self) -> bool:
        """Whether distances or places play a part."""
        return self.attempts or self.measures

    @property
    def measures(self) -> bool:
        """Whether distances play a part, which are in points of a lattice between unequal grids."""
        return self.reach_squared is not None or self.mentions("distance_squared")
