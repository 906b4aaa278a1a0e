"""Models' snippets and the templates under ``kernels/`` become one C++ source and one schedule.

The source depends on the network's structure and models (and which parameters have a value per neuron), not on sizes,
parameters or seed: those reach the kernels through the structs of `hpcsnn.codegen.structs`, so a sweep compiles once.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import jinja2
from jinja2.bccache import Bucket

from hpcsnn.codegen.constants import constants_text, host_text, structs_text
from hpcsnn.codegen.kernel_owners import kernel_owners
from hpcsnn.codegen.learning.rule import step_view
from hpcsnn.codegen.learning.schedule import batch_kernels, with_learning
from hpcsnn.codegen.learning.structs import whole_struct
from hpcsnn.codegen.learning.texts import learning_texts
from hpcsnn.codegen.schedule import EXCHANGE, Stage, host_stage_kernels, rewiring_stages, schedule
from hpcsnn.codegen.snippet_functions import bound_constants
from hpcsnn.codegen.snippets import Snippet, SnippetBook, numbered
from hpcsnn.codegen.views import any_not_finite, population_view, stage_views
from hpcsnn.errors import DeviceError
from hpcsnn.kernel_cache import cached, found
from hpcsnn.network import Network
from hpcsnn.network.learning import hidden_populations
from hpcsnn.network.recording.recorders import recorders
from hpcsnn.shipped_files import kernel_folder

_SYNTAX: dict[str, Any] = {"line_statement_prefix": "//%", "keep_trailing_newline": True}
_COMPILED = ".template"


@dataclass(frozen=True)
class Program:
    """Kernel source common to both devices, the host's schedule, the schedule itself, and the snippets in the source.

    `on_call` holds, by projection, the stages of updates that happen when they are asked for; `owners`, by kernel,
    whose snippets run in it.
    """

    kernels: str
    host_schedule: str
    stages: tuple[Stage, ...]
    setup_kernels: tuple[str, ...]
    on_call: dict[str, tuple[Stage, ...]]
    snippets: tuple[Snippet, ...]
    owners: dict[str, str] = field(default_factory=dict)


def generate(network: Network, n_ranks: int) -> Program:
    """Render the program of a network that runs on `n_ranks` ranks."""
    stages = schedule(network, n_ranks)
    if network.learning:
        stages = with_learning(network, stages)
    stage_of = {stage.kernel: index for index, stage in enumerate(stages)}
    on_call: dict[str, tuple[Stage, ...]] = {}
    for name, projection in network.projections.items():
        rule = projection.rule
        if rule is not None and rule.trigger == "call":
            on_call[name] = tuple(rewiring_stages(projection, rule))
            stage_of |= {stage.kernel: index for index, stage in enumerate(on_call[name])}
    book, recorded = SnippetBook(), recorders(network)
    populations = [population_view(network, population, stage_of) for population in network.populations.values()]
    if network.learning:
        for hidden in hidden_populations(network):
            view = next(one for one in populations if one.name == hidden.name)
            view.learns = step_view(network, hidden, view)
    views = {view.name: view for population in populations for view in population.incoming}
    parts = [
        constants_text(),
        *(_text(f"base/{name}.cuh") for name in ("device", "random", "mathematics")),
        structs_text(),
        _text("base/network.cuh"),
        whole_struct(network).text(),
        _render("step/spikes.cu", book, populations=populations, recorders=recorded, windowed=network.windowed),
        _text("setup/values.cu"),
        _text("setup/initial.cu"),
    ]
    for population in populations:
        if population.is_source:
            parts.append(_render("step/sources.cu", book, source_population=population))
        else:
            stage = stage_of[f"update_{population.name}"]
            parts.append(_render("step/neurons.cu", book, neuron_population=population, stage=stage))
    if any(recorder.kind == "averages" for recorder in recorded):
        parts.append(_text("base/exact_sums.cuh"))
    parts += [_render("step/record.cu", book, recorder=recorder) for recorder in recorded]
    setup = ["check_values", "draw_words"]
    for projection in network.projections.values():
        view = views[projection.name]
        parts += [
            _render(text, book, projection=view) for text in ("setup/connect.cu", "setup/pack.cu", "step/synapses.cu")
        ]
        kinds = ["count_sources", "connect", "count_outgoing", "list_outgoing", "pack", "order"]
        rule = projection.rule
        if rule is not None:
            texts = ["changes", "synapses", *(["attempts"] if rule.attempts else []), "targets"]
            parts += [_render(f"rewiring/{text}.cu", book, projection=view) for text in texts]
            kinds += host_stage_kernels(rule)
        setup += [f"{kind}_{projection.name}" for kind in kinds]
        setup += [stage.kernel for stage in on_call.get(projection.name, ())]
    if network.learning:
        parts += learning_texts(network, views, stage_of, partial(_render, book=book))
        setup += batch_kernels(network)
    triggers = list(dict.fromkeys(stage.trigger for stage in stages if stage.trigger))
    kernels = [stage.kernel for stage in stages if stage.kernel != EXCHANGE] + ["accept_received"]
    schedule_on_host = _render(
        "step/advance_host.cpp",
        book,
        stages=stage_views(stages),
        triggers=triggers,
        setup_kernels=setup,
        stage_kernels=kernels,
    )
    on_host = [_text(f"step/{name}_host.cpp") for name in ("guard", "timing", "exchange")]
    host = "\n".join([host_text(), *on_host, schedule_on_host])
    owners = kernel_owners(network, [*setup, *kernels])
    return Program(numbered("\n".join(parts)), host, stages, tuple(setup), on_call, tuple(book.snippets), owners)


class _KeptTemplates(jinja2.BytecodeCache):
    """Templates as Jinja compiles them: to do that takes longer than to fill them in. They lie beside compiled kernels,
    since to load one is to run it too; where nothing can be kept, they are compiled each time."""

    def load_bytecode(self, bucket: Bucket) -> None:
        with suppress(DeviceError, OSError):
            if (path := found(self._key(bucket), _COMPILED)) is not None:
                bucket.bytecode_from_string(path.read_bytes())

    def dump_bytecode(self, bucket: Bucket) -> None:
        with suppress(DeviceError):
            cached(
                self._key(bucket),
                _COMPILED,
                lambda _, partial: partial.write_bytes(bucket.bytecode_to_string()),
                doing_what=None,
            )

    @staticmethod
    def _key(bucket: Bucket) -> list[str]:
        return [bucket.key, bucket.checksum, repr(_SYNTAX), jinja2.__version__, sys.version]


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(kernel_folder()),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        bytecode_cache=_KeptTemplates(),
        **_SYNTAX,
    )
    environment.globals["bound_constants"] = bound_constants
    environment.globals["any_not_finite"] = any_not_finite
    return environment


def _render(template: str, book: SnippetBook, **context: Any) -> str:
    return _environment().get_template(template).render(paste=book.paste, value=book.value, **context)


def _text(name: str) -> str:
    return (kernel_folder() / name).read_text()
