"""Models' snippets and the templates under ``kernels/`` become one C++ source and one schedule.

The source depends on the network's structure and models (and which parameters have a value a neuron), not on sizes,
parameters or seed: those reach the kernels through the structs of `hpcsnn.layout`, so a sweep compiles once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any, Literal

import jinja2

from hpcsnn.layout import network_struct
from hpcsnn.models.base import Configured
from hpcsnn.models.synapses import SynapseModel
from hpcsnn.network import Network, Population, Projection
from hpcsnn.resources import kernel_folder
from hpcsnn.streams import Purpose, stream

Phase = Literal["neurons", "delivery", "plasticity", "exchange", "rewiring"]
PHASES: tuple[Phase, ...] = ("neurons", "delivery", "plasticity", "exchange", "rewiring")
# The one stage that is no kernel.
EXCHANGE = "exchange_spikes"


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
    LANES threads share an item.
    """

    kernel: str
    phase: Phase
    items: str | None = None
    team: bool = False
    trigger: Trigger | None = None


@dataclass(frozen=True)
class Program:
    """Kernel source common to both devices, the host's schedule, and the schedule itself."""

    kernels: str
    host_schedule: str
    stages: tuple[Stage, ...]
    setup_kernels: tuple[str, ...]


def schedule(network: Network, n_ranks: int) -> tuple[Stage, ...]:
    """The stages of one step, in order (the reference's order of operations; see ARCHITECTURE.md)."""
    sources = [population.name for population in network.populations.values() if population.is_source]
    neurons = [population.name for population in network.populations.values() if not population.is_source]
    stages = [Stage("begin_step", "neurons")]
    for name in sources:
        trigger = Trigger(f"window_{name}", f"populations.{name}.model_window_steps", True)
        stages.append(Stage(f"window_{name}", "neurons", f"populations.{name}.n_own", trigger=trigger))
    for name, projection in network.projections.items():
        stages.append(Stage(f"deliver_{name}", "delivery", f"populations.{projection.source.name}.n_known", team=True))
    for name, projection in network.projections.items():
        if _synapse(projection).on_post_spike:
            stages.append(
                Stage(f"postsynaptic_{name}", "plasticity", f"populations.{projection.target.name}.n_own", team=True)
            )
    stages += [Stage(f"update_{name}", "neurons", f"populations.{name}.n_own") for name in neurons]
    stages += [Stage(f"spike_{name}", "neurons", f"populations.{name}.n_own") for name in sources]
    if n_ranks > 1:
        stages.append(Stage(EXCHANGE, "exchange", trigger=Trigger("exchange", "exchange.interval", False)))
    for name, projection in network.projections.items():
        if projection.rewiring is not None:
            blocks = f"projections.{name}.n_blocks"
            trigger = Trigger(f"rewiring_{name}", f"projections.{name}.rewiring_every_steps", False)
            stages += [
                Stage(f"{kernel}_{name}", "rewiring", blocks, trigger=trigger) for kernel in ("draw_attempts", "rewire")
            ]
    stages.append(Stage("end_step", stages[-1].phase))
    return tuple(stages)


def generate(network: Network, n_ranks: int) -> Program:
    """Render the program of a network that runs on `n_ranks` ranks."""
    stages = schedule(network, n_ranks)
    stage_of = {stage.kernel: index for index, stage in enumerate(stages)}
    populations = [_population_view(network, population) for population in network.populations.values()]
    views = {view.name: view for population in populations for view in population.incoming}
    parts = [
        *(_text(name) for name in ("device.cuh", "random.cuh", "network.cuh")),
        network_struct(network).text(),
        _render("spikes.cu", populations=populations),
        _text("initial.cu"),
    ]
    for population in populations:
        if population.is_source:
            parts.append(_render("sources.cu", source_population=population))
        else:
            stage = stage_of[f"update_{population.name}"]
            parts.append(_render("neurons.cu", neuron_population=population, stage=stage))
    setup = ["draw_initial"]
    for projection in network.projections.values():
        view = views[projection.name]
        parts += [_render(f"{text}.cu", projection=view) for text in ("connect", "pack", "synapses")]
        kinds = ("count", "connect", "count_outgoing", "list_outgoing", "pack", "order")
        setup += [f"{kind}_{projection.name}" for kind in kinds]
        if projection.rewiring is not None:
            parts.append(_render("rewiring.cu", projection=view, stage=stage_of[f"rewire_{projection.name}"]))
    triggers = list(dict.fromkeys(stage.trigger for stage in stages if stage.trigger))
    kernels = [stage.kernel for stage in stages if stage.kernel != EXCHANGE] + ["accept_received"]
    host = _render(
        "advance_host.cpp", stages=_stage_views(stages), triggers=triggers, setup_kernels=setup, stage_kernels=kernels
    )
    return Program("\n".join(parts), host, stages, tuple(setup))


def _synapse(projection: Projection) -> SynapseModel:
    model = projection.synapse.model
    assert isinstance(model, SynapseModel)
    return model


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


def _population_view(network: Network, population: Population) -> SimpleNamespace:
    index = list(network.populations).index(population.name)
    return SimpleNamespace(
        name=population.name,
        index=index,
        model=_model_view(population.model),
        is_source=population.is_source,
        stream_spikes=stream(Purpose.SPIKES, index),
        incoming=[_projection_view(network, projection) for projection in network.incoming(population)],
    )


def _projection_view(network: Network, projection: Projection) -> SimpleNamespace:
    index = list(network.projections).index(projection.name)
    return SimpleNamespace(
        name=projection.name,
        index=index,
        source=projection.source.name,
        target=projection.target.name,
        input_type=projection.input_scale()[0],
        columns=projection.synapse_columns,
        delays=projection.delays is not None,
        connector=_model_view(projection.connector),
        receptor=_model_view(projection.receptor),
        synapse=_model_view(projection.synapse),
        rewiring=_model_view(projection.rewiring) if projection.rewiring else None,
        stream_connect=stream(Purpose.CONNECT, index),
        stream_attempts=stream(Purpose.ATTEMPTS, index),
    )


def _model_view(configured: Configured) -> SimpleNamespace:
    """The model's attributes, its snippets without the blank lines around them, and its constants with their types.

    ``constants`` are one number, ``arrays`` one value a neuron.
    """
    model = configured.model
    attributes = {name: getattr(model, name) for name in model.__dataclass_fields__}
    snippets = {name: value.strip() for name, value in attributes.items() if isinstance(value, str)}
    return SimpleNamespace(
        **attributes | snippets, constants=configured.constant_types(), arrays=configured.array_types()
    )


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


def _render(template: str, **context: Any) -> str:
    return _environment().get_template(template).render(**context)


def _text(name: str) -> str:
    return (kernel_folder() / name).read_text()
