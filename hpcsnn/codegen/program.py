"""Models' snippets and the templates under ``kernels/`` become one C++ source and one schedule.

The source depends on the network's structure and models (and which parameters have a value a neuron), not on sizes,
parameters or seed: those reach the kernels through the structs of `hpcsnn.codegen.structs`, so a sweep compiles once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any, Literal

import jinja2

from hpcsnn.codegen.random_streams import Purpose, stream
from hpcsnn.codegen.snippet_names import names_by_slot
from hpcsnn.codegen.snippets import Snippet, SnippetBook, numbered
from hpcsnn.codegen.structs import network_struct
from hpcsnn.models.base import Configured
from hpcsnn.models.rewiring import RewiringRule
from hpcsnn.network import Network, Population, Projection
from hpcsnn.network.attached import (
    post_traces,
    pre_traces,
    rewiring_rule,
    shared_variables,
    synapse_columns,
    synapse_model,
    synapse_variables,
    target_variables,
)
from hpcsnn.shipped_files import kernel_folder

Phase = Literal["neurons", "delivery", "plasticity", "exchange", "rewiring"]
PHASES: tuple[Phase, ...] = ("neurons", "delivery", "plasticity", "exchange", "rewiring")
# The one stage that is no kernel.
EXCHANGE = "exchange_spikes"
_OF_EVERY_PROJECTION = ("setup/connect", "setup/pack", "step/synapses")


@dataclass(frozen=True)
class Trigger:
    """When a stage runs: every n steps; `every` is where in the struct n is."""

    name: str
    every: str
    at_start: bool


@dataclass(frozen=True)
class Stage:
    """One kernel of a step, or the exchange between ranks.

    `items` is where in the struct the number of items is that the kernel loops over (None: one item), `team` whether
    LANES threads share an item, `meets` whether the kernel halts for the ranks' hosts to meet.
    """

    kernel: str
    phase: Phase
    items: str | None = None
    team: bool = False
    trigger: Trigger | None = None
    meets: bool = False


@dataclass(frozen=True)
class Program:
    """Kernel source common to both devices, the host's schedule, the schedule itself, and the snippets in the source.

    `on_call` holds, by projection, the stages of updates that happen when they are asked for.
    """

    kernels: str
    host_schedule: str
    stages: tuple[Stage, ...]
    setup_kernels: tuple[str, ...]
    on_call: dict[str, tuple[Stage, ...]]
    snippets: tuple[Snippet, ...]


def schedule(network: Network, n_ranks: int) -> tuple[Stage, ...]:
    """The stages of one step, in order (the reference's order of operations; see ARCHITECTURE.md)."""
    sources = [population.name for population in network.populations.values() if population.is_source]
    neurons = [population.name for population in network.populations.values() if not population.is_source]
    stages = [Stage("begin_step", "neurons")]
    for name in sources:
        trigger = Trigger(f"window_{name}", f"populations.{name}.model_window_steps", True)
        stages.append(Stage(f"window_{name}", "neurons", f"populations.{name}.n_own", trigger=trigger))
    for name, projection in network.projections.items():
        known = f"populations.{projection.source.name}.n_known"
        stages.append(Stage(f"deliver_{name}", "delivery", known, team=True))
        if synapse_model(projection).own_pre_traces:
            stages.append(Stage(f"trace_{name}", "delivery", known))
    for name, projection in network.projections.items():
        if synapse_model(projection).on_post_spike:
            stages.append(
                Stage(f"postsynaptic_{name}", "plasticity", f"populations.{projection.target.name}.n_own", team=True)
            )
    stages += [Stage(f"update_{name}", "neurons", f"populations.{name}.n_own") for name in neurons]
    stages += [Stage(f"spike_{name}", "neurons", f"populations.{name}.n_own") for name in sources]
    if n_ranks > 1:
        stages.append(Stage(EXCHANGE, "exchange", trigger=Trigger("exchange", "exchange.interval", False)))
    for projection in network.projections.values():
        rule = rewiring_rule(projection)
        if rule is not None and rule.trigger != "call":
            stages += rewiring_stages(projection, rule)
    stages.append(Stage("end_step", stages[-1].phase))
    return tuple(stages)


def rewiring_stages(projection: Projection, rule: RewiringRule) -> list[Stage]:
    """The stages of one update of a rule, in order."""
    name = projection.name
    trigger = Trigger(f"rewiring_{name}", f"projections.{name}.rewiring_every_steps", False)
    sources = f"populations.{projection.source.name}.n_own"
    targets, blocks = f"populations.{projection.target.name}.n_own", f"projections.{name}.n_blocks"
    parts = [
        ("tally", None, rule.tallies),
        ("sources", sources, bool(rule.update_source)),
        ("share", None, rule.shares),
        ("targets", targets, bool(rule.update_target)),
        ("visit_synapses", targets, rule.visits_synapses),
        ("draw_attempts", f"projections.{name}.n_attempts", rule.attempts),
        ("rewire", blocks, rule.attempts),
        ("per_target", targets, bool(rule.per_target)),
        ("form_hooked", targets, bool(rule.per_target)),
        ("clear_tries", targets, rule.replace == "target"),
        ("replace", targets, rule.replace == "target"),
        ("meet", None, rule.meets),
    ]
    return [
        Stage(f"{kernel}_{name}", "rewiring", items, trigger=trigger, meets=items is None)
        for kernel, items, wanted in parts
        if wanted
    ]


def _meeting_kernels(rule: RewiringRule) -> list[str]:
    """Kernels that the host runs where ranks meet."""
    lists = rule.replace == "projection" or rule.pairing is not None
    return [
        *(f"sum_{name}" for name in rule.sums),
        *(["draw_candidates"] if rule.replace == "projection" else []),
        *(["form_proposed"] if lists else []),
        *(["offers", "demands", "remove_surplus", "retract", "count_out_degree", "settle"] if rule.pairing else []),
    ]


def generate(network: Network, n_ranks: int) -> Program:
    """Render the program of a network that runs on `n_ranks` ranks."""
    stages = schedule(network, n_ranks)
    stage_of = {stage.kernel: index for index, stage in enumerate(stages)}
    on_call: dict[str, tuple[Stage, ...]] = {}
    for name, projection in network.projections.items():
        rule = rewiring_rule(projection)
        if rule is not None and rule.trigger == "call":
            on_call[name] = tuple(rewiring_stages(projection, rule))
            stage_of |= {stage.kernel: index for index, stage in enumerate(on_call[name])}
    book = SnippetBook()
    populations = [_population_view(network, population, stage_of) for population in network.populations.values()]
    views = {view.name: view for population in populations for view in population.incoming}
    parts = [
        *(_text(name) for name in ("base/device.cuh", "base/random.cuh", "base/mathematics.cuh", "base/network.cuh")),
        network_struct(network).text(),
        _render("step/spikes.cu", book, populations=populations),
        _text("setup/initial.cu"),
    ]
    for population in populations:
        if population.is_source:
            parts.append(_render("step/sources.cu", book, source_population=population))
        else:
            stage = stage_of[f"update_{population.name}"]
            parts.append(_render("step/neurons.cu", book, neuron_population=population, stage=stage))
    setup = ["draw_words"]
    for projection in network.projections.values():
        view = views[projection.name]
        parts += [
            _render(f"{text}.cu", book, projection=view) for text in ("setup/connect", "setup/pack", "step/synapses")
        ]
        kinds = ["count", "connect", "count_outgoing", "list_outgoing", "pack", "order"]
        rule = rewiring_rule(projection)
        if rule is not None:
            texts = [
                "rewiring/changes",
                "rewiring/synapses",
                *(["rewiring/attempts"] if rule.attempts else []),
                "rewiring/targets",
            ]
            parts += [_render(f"{text}.cu", book, projection=view) for text in texts]
            kinds += _meeting_kernels(rule)
        setup += [f"{kind}_{projection.name}" for kind in kinds]
        setup += [stage.kernel for stage in on_call.get(projection.name, ())]
    triggers = list(dict.fromkeys(stage.trigger for stage in stages if stage.trigger))
    kernels = [stage.kernel for stage in stages if stage.kernel != EXCHANGE] + ["accept_received"]
    host = _render(
        "step/advance_host.cpp",
        book,
        stages=_stage_views(stages),
        triggers=triggers,
        setup_kernels=setup,
        stage_kernels=kernels,
    )
    return Program(numbered("\n".join(parts)), host, stages, tuple(setup), on_call, tuple(book.snippets))


def _stage_views(stages: tuple[Stage, ...]) -> list[SimpleNamespace]:
    views = []
    for index, stage in enumerate(stages):
        last = index + 1 == len(stages) or stages[index + 1].phase != stage.phase
        views.append(
            SimpleNamespace(
                trigger=stage.trigger.name if stage.trigger else None,
                call=f"{EXCHANGE}(net)" if stage.kernel == EXCHANGE else f"LAUNCH({stage.kernel})",
                ends_phase=last,
                phase_index=PHASES.index(stage.phase),
            )
        )
    return views


def _population_view(network: Network, population: Population, stage_of: dict[str, int]) -> SimpleNamespace:
    index = list(network.populations).index(population.name)
    return SimpleNamespace(
        name=population.name,
        index=index,
        model=_model_view(population.model),
        is_source=population.is_source,
        stream_spikes=stream(Purpose.SPIKES, index),
        incoming=[_projection_view(network, projection, stage_of) for projection in network.incoming(population)],
    )


def _projection_view(network: Network, projection: Projection, stage_of: dict[str, int]) -> SimpleNamespace:
    index = list(network.projections).index(projection.name)
    rule, suffix = rewiring_rule(projection), f"_{projection.name}"
    variables = synapse_variables(projection)
    state: Any = projection.target.model.model
    source_state: Any = projection.source.model.model
    return SimpleNamespace(
        name=projection.name,
        index=index,
        source=projection.source.name,
        target=projection.target.name,
        input_type=projection.input_scale()[0],
        connector=_model_view(projection.connector),
        receptor=_model_view(projection.receptor),
        synapse=_model_view(projection.synapse),
        rewiring=_rule_view(projection, rule) if rule else None,
        variables=variables,
        columns=synapse_columns(projection),
        delays=projection.delays is not None,
        variable_types={variable.name: variable.ctype for variable in variables},
        pre_traces=pre_traces(projection),
        post_traces=post_traces(projection),
        source_state=source_state.state,
        target_state=state.state,
        shared=shared_variables(projection),
        meeting_places=[place for place in ("tally", "share", "meet") if f"{place}{suffix}" in stage_of],
        stage_of={kernel.removesuffix(suffix): stage for kernel, stage in stage_of.items() if kernel.endswith(suffix)}
        | {"form_proposed": 0},  # not of the schedule: the host goes on by itself
        own_pre_traces=synapse_model(projection).own_pre_traces,
        own_post_traces=synapse_model(projection).own_post_traces,
        stream_connect=stream(Purpose.CONNECT, index),
        stream_attempts=stream(Purpose.ATTEMPTS, index),
    )


def _model_view(configured: Configured) -> SimpleNamespace:
    """The model's attributes, its snippets without the blank lines around them, and its constants with their types.

    ``constants`` are one number, ``arrays`` one value a neuron.
    """
    model = configured.model
    attributes = {name: getattr(model, name) for name in model.__dataclass_fields__}
    own = [
        variable.name
        for group in ("state", "variables", "pre_traces", "post_traces")
        for variable in attributes.get(group, ())
    ]
    constants, arrays = configured.constant_types(), configured.array_types()
    sees = (
        *own,
        *(name for name, _ in (*constants, *arrays)),
        *model.tables,
        *(f"n_{name}" for name in model.tables),
        *model.SEES,
    )
    return SimpleNamespace(**attributes, constants=constants, arrays=arrays, kind=model.KIND, sees=sees, sees_in={})


def _rule_view(projection: Projection, rule: RewiringRule) -> SimpleNamespace:
    """The rule's view, which sees what its projection's synapses and neurons carry."""
    assert projection.rewiring is not None
    view = _model_view(projection.rewiring)
    view.sees_in = names_by_slot(projection, view.sees)
    view.target_variables = target_variables(projection)
    for name in ("visits_synapses", "shares", "meets", "proposes", "thins", "only_pairs"):
        setattr(view, name, getattr(rule, name))
    view.uses_distance = rule.mentions("distance_squared")
    return view


def _bind_parameters(owner: str, model: SimpleNamespace, prefix: str) -> str:
    """C++ lines that give a model's constants and tables their own names in a kernel."""
    lines = [f"    const {ctype} {name} = {owner}.{prefix}{name};" for name, ctype in model.constants]
    for name, table in model.tables.items():
        lines.append(f"    const {table.ctype}* {name} = {owner}.{prefix}{name};")
        lines.append(f"    const int n_{name} = {owner}.n_{prefix}{name};")
    lines += [f"    (void)n_{name};" for name in model.tables]
    return "\n".join(lines)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(kernel_folder()),
        undefined=jinja2.StrictUndefined,
        line_statement_prefix="//%",
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.globals["bind_parameters"] = _bind_parameters
    return environment


def _render(template: str, book: SnippetBook, **context: Any) -> str:
    return _environment().get_template(template).render(paste=book.paste, value=book.value, **context)


def _text(name: str) -> str:
    return (kernel_folder() / name).read_text()
