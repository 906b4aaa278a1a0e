"""The functions that snippets become: each sees by name what the guide promises to it, and nothing of a kernel.

A function's parameters have the names that its snippets use; what a kernel passes for them has names of the kernel's
own: constants, tables and sums by a prefix that no other name of a kernel begins with. So a model may call what it has
as it likes, but for what it is promised (`hpcsnn.models.snippet_text`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import SimpleNamespace

from hpcsnn.codegen.snippet_names import names_by_slot
from hpcsnn.models.base import Configured, Model, Variable
from hpcsnn.models.currents import CurrentModel
from hpcsnn.models.rewiring import RewiringRule
from hpcsnn.models.snippet_text import FUNCTIONS, OWN_PREFIX
from hpcsnn.models.synapses import SpikeTrace
from hpcsnn.network import Population, Projection
from hpcsnn.network.population import current_prefix


@dataclass(frozen=True)
class Argument:
    """A function's parameter, as its snippets see it, and what the kernel passes for it."""

    ctype: str
    name: str
    value: str


@dataclass(frozen=True)
class SnippetFunction:
    """A function around one or several snippets.

    Attributes:
        name: unique in a program.
        returns: C++ type of its value.
        arguments: in order; own names of a model come behind the others, whose types they then cannot hide.
        template: what stands before it, where a type is not known here.
    """

    name: str
    returns: str
    arguments: tuple[Argument, ...]
    template: str = ""

    @property
    def parameters(self) -> str:
        """As they are declared."""
        return ", ".join(f"{one.ctype} {one.name}" for one in self.arguments)

    @property
    def head(self) -> str:
        """All before its body."""
        return f"{self.template}DEVICE {self.returns} {self.name}({self.parameters})"

    @property
    def call(self) -> str:
        """The expression by which a kernel calls it."""
        return f"{self.name}({', '.join(one.value for one in self.arguments)})"

    def sees(self, promised: tuple[str, ...]) -> tuple[str, ...]:
        """Names that its snippets may use: the model's own before those that are `promised` to its kind."""
        names = [one.name for one in self.arguments if not one.name.startswith(OWN_PREFIX)]
        return (*sorted(names, key=lambda name: name in promised), *FUNCTIONS)


def _same(ctype: str, *names: str) -> list[Argument]:
    """Parameters whose values kernels have under the same names."""
    return [Argument(ctype, name, name) for name in names]


def _variables(variables: Iterable[Variable], value: str, change: bool) -> list[Argument]:
    """Variables to read, or to `change`; `value` is where they are, with {} for the name."""
    kinds = ("const {}", "{}&")
    return [Argument(kinds[change].format(one.ctype), one.name, value.format(one.name)) for one in variables]


def constant_arguments(configured: Configured[Model], local: str = "") -> list[Argument]:
    """A model's constants and tables, as `bound_constants` has given them to a kernel."""
    arguments = [
        Argument(f"const {ctype}", name, f"{local}constant_{name}") for name, ctype in configured.constant_types()
    ]
    arguments += [
        Argument(f"const {ctype}", name, f"{local}each_{name}[neuron]") for name, ctype in configured.array_types()
    ]
    for name, table in configured.model.tables.items():
        arguments.append(Argument(f"const {table.ctype}*", name, f"{local}table_{name}"))
        arguments.append(Argument("const int", f"n_{name}", f"{local}length_{name}"))
    return arguments


def bound_constants(owner: str, model: SimpleNamespace, prefix: str, local: str = "") -> str:
    """C++ lines by which a kernel has a model's constants and tables at hand.

    Args:
        owner, prefix: the struct that holds them, and what their members' names begin with.
        model: its view.
        local: what the kernel's names begin with, where it has constants of several models.
    """
    lines = [f"    const {ctype} {local}constant_{name} = {owner}.{prefix}{name};" for name, ctype in model.constants]
    lines += [f"    const {ctype}* {local}each_{name} = {owner}.{prefix}{name};" for name, ctype in model.arrays]
    for name, table in model.tables.items():
        lines.append(f"    const {table.ctype}* {local}table_{name} = {owner}.{prefix}{name};")
        lines.append(f"    const int {local}length_{name} = {owner}.n_{prefix}{name};")
        lines.append(f"    (void){local}length_{name};")
    return "\n".join(lines)


def neuron_function(index: int, population: Population, draws: bool) -> SnippetFunction:
    """Update, threshold and reset of a neuron model, which may draw random numbers: true if the neuron spikes."""
    random = _same("Sequence<EntityBlocks>&", "random") if draws else []
    arguments = [
        *random,
        *_same("float", "input_current"),
        *_same("const float", "dt_ms"),
        *_same("const int", "step", "neuron"),
        *_variables(population.state, "now_{}", change=True),
        *constant_arguments(population.model),
    ]
    return SnippetFunction(f"population_{index}_step", "bool", tuple(arguments))


def group_functions(index: int, population: Population, draws: bool) -> dict[str, SnippetFunction]:
    """What a neuron of a model with groups compares, and what it does once its group is known: true if it spikes."""
    random = _same("Sequence<EntityBlocks>&", "random") if draws else []
    fixed = [*random, *_same("const float", "dt_ms"), *_same("const int", "step", "neuron")]
    group = [*_same("const float", "group_max", "group_sum", "group_softmax"), *_same("const bool", "is_winner")]
    constants = constant_arguments(population.model)
    of = [*fixed, *_variables(population.state, "now_{}", change=False), *constants]
    then = [*fixed, *group, *_variables(population.state, "now_{}", change=True), *constants]
    return {
        "group.of": SnippetFunction(f"population_{index}_compared", "float", tuple(of)),
        "group.update": SnippetFunction(f"population_{index}_in_group", "bool", tuple(then)),
    }


def current_function(index: int, number: int, configured: Configured[CurrentModel]) -> SnippetFunction:
    """The current of a step onto a neuron, of number `number` onto population number `index`."""
    local = current_prefix(number)
    arguments = [
        *_same("const int", "step"),
        *(Argument("const int", f"{end}_step", f"{local}{end}") for end in ("from", "to")),
        *_same("const float", "dt_ms"),
        Argument("const int", "id", "id_of[neuron]"),
        *_same("const int", "neuron"),
        Argument("const CurrentNumbers&", "random4", f"{local}numbers"),
        *constant_arguments(configured, local),
    ]
    return SnippetFunction(f"population_{index}_current_{number}", "float", tuple(arguments))


def source_functions(index: int, population: Population) -> dict[str, SnippetFunction]:
    """Of a model of sources: ``on_window``, which goes on with ``first_spike`` for each neuron, and ``next_spike``."""
    numbers = _same("const StreamNumbers&", "random4")
    neuron = [
        *_same("const int", "neuron", "id"),
        *_same("int&", "next_spike"),
        *_variables(population.state, "population.state_{}[neuron]", change=True),
    ]
    constants = constant_arguments(population.model)
    window = [*_same("const int", "step", "window", "window_end", "never"), *numbers, *constants]
    each = _same("const hpcsnn_Each&", "hpcsnn_each")
    after = [*_same("const int", "step", "window", "window_end", "never"), *numbers, *neuron, *constants]
    name = f"population_{index}"
    return {
        "on_window": SnippetFunction(f"{name}_window", "bool", (*window, *each), "template <class hpcsnn_Each> "),
        "first_spike": SnippetFunction("first_spike", "void", tuple(neuron)),
        "next_spike": SnippetFunction(f"{name}_next_spike", "void", tuple(after)),
    }


def receptor_function(index: int, projection: Projection) -> SnippetFunction:
    """``update`` of a receptor, which may read the state of the neuron as far as it has no such names of its own."""
    own = [
        *_same("float&", "input_current"),
        *_same("const float", "input", "dt_ms"),
        *_variables(projection.receptor.model.state, f"receptor{index}_now_{{}}", change=True),
        *constant_arguments(projection.receptor, f"receptor{index}_"),
    ]
    hidden = {one.name for one in own}
    state = [one for one in _variables(projection.target.state, "now_{}", change=False) if one.name not in hidden]
    return SnippetFunction(f"projection_{index}_receive", "void", (*own, *state))


def synapse_functions(index: int, projection: Projection) -> dict[str, SnippetFunction]:
    """What spikes and steps do to a synapse, and ``update_target``, which may read the neuron's state as far as the
    model has no such names of its own."""
    synapse = projection.synapse.model
    constants = constant_arguments(projection.synapse)
    changed = _variables(synapse.variables, "now_{}", change=True)

    def traces(*of: SpikeTrace) -> list[Argument]:
        return [Argument("const float", one.name, f"trace_{one.name}") for one in of]

    def meeting(others: tuple[SpikeTrace, ...]) -> list[Argument]:
        return [*_same("const int", "seen"), *(_same("const bool", "coincident") if others else [])]

    of_target = _variables(synapse.target_variables, "projection.target_{}[target]", change=False)
    seen, unchanged = _same("const int", "seen"), _variables(synapse.variables, "now_{}", change=False)
    before, after = (*synapse.pre_traces, *synapse.own_post_traces), (*synapse.post_traces, *synapse.own_pre_traces)
    followed = _variables(synapse.target_variables, "projection.target_{}[target]", change=True)
    own = {one.name for one in (*followed, *constants)}
    state = _variables(projection.target.state, "target_population.state_{}[target]", change=False)
    modulator, modulation = projection.modulator, "0.0f"
    if modulator is not None:
        variable = modulator.receptor.model.state[0].name
        modulation = f"(float)net->projection_{modulator.name}.receptor_state_{variable}[target]"
    slots = {
        "deliver": ("float", [*seen, *unchanged, *of_target]),
        "on_pre_spike": ("void", [*meeting(synapse.post_traces), *changed, *traces(*after), *of_target]),
        "on_post_spike": ("void", [*meeting(synapse.pre_traces), *changed, *traces(*before), *of_target]),
        "on_step_if": ("bool", [*seen, *of_target]),
        "on_step": ("void", [*seen, *changed, *traces(*synapse.pre_traces), *of_target]),
        "update_target": (
            "void",
            [
                Argument("const int", "seen", "step"),
                *_same("const float", "dt_ms"),
                Argument("const float", "modulation", modulation),
                *followed,
                *(one for one in state if one.name not in own),
            ],
        ),
    }
    return {
        slot: SnippetFunction(f"projection_{index}_{slot}", returns, (*arguments, *constants))
        for slot, (returns, arguments) in slots.items()
    }


def connector_function(index: int, projection: Projection) -> SnippetFunction:
    """``connect``."""
    arguments = [
        *_same(f"Connect_{projection.name}&", "connect"),
        *_same("Sequence<EntityBlocks>&", "random"),
        *_same("const int", "id", "x", "y", "target", "n_sources", "nx", "ny", "period_x", "period_y"),
        *constant_arguments(projection.connector),
    ]
    return SnippetFunction(f"projection_{index}_connect_row", "void", tuple(arguments))


# -- rules ---------------------------------------------------------------------------------------------------------

_RETURNS = {
    **dict.fromkeys(("eliminate", "form"), "Probability"),
    **dict.fromkeys(("reason", "pairing.offers", "pairing.demands"), "int"),
    "sums": "int64",
    **dict.fromkeys(("gradient", "turnover.least", "guide.most"), "float"),
    "update_if": "bool",
}
_NUMBERS = {
    "draw": "const Random4&",
    **dict.fromkeys(("update", "initial"), "Sequence<PairBlocks>&"),
    # Of an attempt, or of a synapse that is visited.
    **dict.fromkeys(("eliminate", "reason"), "hpcsnn_Random&"),
}


def rule_functions(index: int, projection: Projection, rule: RewiringRule) -> dict[str, SnippetFunction]:
    """By slot; ``initial`` and ``sums`` by ``slot.name``."""
    assert projection.rewiring is not None
    constants = {one.name: one for one in constant_arguments(projection.rewiring)}
    names = names_by_slot(projection, tuple(constants))
    functions = {}
    for slot, seen in names.items():
        fixed = _fixed(slot, projection, rule)
        of_slot = {**fixed, **_carried(slot, projection, rule), **constants}
        roots = dict.fromkeys(name.partition(".")[0] for name in seen)
        in_order = sorted((root for root in roots if root in of_slot), key=lambda root: root not in fixed)
        arguments = tuple(of_slot[root] for root in in_order)
        parts = {"sums": rule.sums, "initial": rule.initials}.get(slot)
        for number, part in enumerate([""] if parts is None else parts):
            key = f"{slot}.{part}" if part else slot
            returns = _RETURNS.get(slot, "void")
            if slot == "initial":
                returns = {one.name: one.ctype for one in projection.synapse_variables}[part]
            name = f"projection_{index}_{slot.replace('.', '_')}" + (f"_{number}" if part else "")
            template = "template <class hpcsnn_Random> " if _NUMBERS.get(slot) == "hpcsnn_Random&" else ""
            functions[key] = SnippetFunction(name, returns, arguments, template)
    return functions


def _fixed(slot: str, projection: Projection, rule: RewiringRule) -> dict[str, Argument]:
    """What hpcsnn has names for; a name that is not here is a function, or what no snippet mentions."""
    name = projection.name
    places = ("in_degree", "pre_id", "post_id", "id", "out_degree", "vacant", "found", "x", "y")
    grid = ("nx", "ny", "period_x", "period_y")
    own_neuron = slot in ("update_source", "update_target")
    arguments = [
        *_same("const int", *places, *grid, "reach", "n_recent", "n_sources", "n_targets"),
        *_same("int&", "source_x", "source_y", "tried"),
        *_same("bool&", "forming"),
        *_same(_NUMBERS.get(slot, "Sequence<EntityBlocks>&"), "random"),
        *_same("const PairNumbers&", "pair_random"),
        *_same("const RecentSpikes&", "recent"),
        *_same(f"hpcsnn_Row_{name}&", "row"),
        *_same(f"const AnySynapse_{name}&", "any_synapse"),
        *_same(f"const Weakest_{name}&", "weakest"),
        *_same(f"const SquaredTo_{name}&", "squared_to"),
        *_same(f"const {'TargetState' if own_neuron else 'Post'}_{name}&", "post"),
        *_same("const float", "dt_ms", "gradient"),
        Argument("const int", "step", "now"),
        *(
            Argument("const bool", f"{neuron}_removed", f"{end}_population.removed[{end}] != 0" if removes else "false")
            for neuron, end, removes in (
                ("pre", "source", projection.source.removed is not None),
                ("post", "target", projection.target.removed is not None),
            )
        ),
    ]
    if rule.mentions("distance_squared"):
        arguments += _same("const int", "distance_squared")
    if own_neuron or rule.shares:
        arguments += _same(f"const {'SourceState' if own_neuron else 'Pre'}_{name}&", "pre")
    return {one.name: one for one in arguments}


def _carried(slot: str, projection: Projection, rule: RewiringRule) -> dict[str, Argument]:
    """What synapses and neurons carry, and the sums."""
    change = slot in ("update", "update_source", "update_target", "pairing.after_source", "pairing.after_target")
    own = [Variable(f"own_{one.name}", ctype=one.ctype) for one in rule.target_variables]
    arguments = [
        *_variables(projection.synapse_variables, "projection.synapse_{}[at]", change),
        *_variables(rule.source_variables, "projection.source_{}[source]", change),
        *_variables(projection.target_variables, "projection.target_{}[target]", change),
        *(
            Argument(f"{one.ctype}&", one.name, f"projection.target_{one.name.removeprefix('own_')}[target]")
            for one in own
        ),
        *(Argument("const int64", name, f"sum_{name}") for name in rule.sums),
    ]
    for side, end, traces in (("pre", "source", projection.pre_traces), ("post", "target", projection.post_traces)):
        arguments += [
            Argument(
                "const float",
                one.name,
                f"decayed(projection.{side}_{one.name}[{end}], now - 1, projection.decay_{one.name})",
            )
            for one in traces
        ]
    return {one.name: one for one in arguments}
