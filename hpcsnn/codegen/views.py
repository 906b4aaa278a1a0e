"""What the templates see: stages, populations, projections and models as plain attributes."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from hpcsnn.codegen.constants import MeetingPlace
from hpcsnn.codegen.random_streams import Purpose, stream
from hpcsnn.codegen.schedule import EXCHANGE, PHASES, Stage
from hpcsnn.codegen.snippet_functions import (
    connector_function,
    current_function,
    neuron_function,
    receptor_function,
    rule_functions,
    source_functions,
    synapse_functions,
)
from hpcsnn.codegen.snippet_names import names_by_slot
from hpcsnn.models.base import Configured, Model
from hpcsnn.models.neurons import NeuronModel
from hpcsnn.models.rewiring import RewiringRule
from hpcsnn.network import Network, Population, Projection
from hpcsnn.network.input_scale import InputFormat
from hpcsnn.network.learning import trained_projections
from hpcsnn.network.population import Stimulation, current_prefix


def stage_views(stages: tuple[Stage, ...]) -> list[SimpleNamespace]:
    views = []
    for index, stage in enumerate(stages):
        last = index + 1 == len(stages) or stages[index + 1].phase != stage.phase
        views.append(
            SimpleNamespace(
                trigger=stage.trigger.name if stage.trigger else None,
                call="timed_exchange(net, times)" if stage.kernel == EXCHANGE else f"LAUNCH({stage.kernel})",
                ends_phase=last,
                phase_index=PHASES.index(stage.phase),
            )
        )
    return views


def population_view(network: Network, population: Population, stage_of: dict[str, int]) -> SimpleNamespace:
    index = list(network.populations).index(population.name)
    model = model_view(population.model)
    if population.is_source:
        model.functions = source_functions(index, population)
        model.sees_in = seen(model)
        # It sees what `on_window` does too.
        model.sees_in["first_spike"] = tuple(dict.fromkeys(model.sees_in["first_spike"] + model.sees_in["on_window"]))
    else:
        assert isinstance(population.model.model, NeuronModel)
        model.draws = population.model.model.mentions("random")
        model.functions = {"step": neuron_function(index, population, model.draws)}
        model.sees_in = dict.fromkeys(
            ("update", "threshold", "reset"), tuple(dict.fromkeys([*seen(model)["step"], "random"]))
        )
    return SimpleNamespace(
        name=population.name,
        index=index,
        model=model,
        is_source=population.is_source,
        learns=None,
        logs_some=population.spikes_of is not None,
        stream_spikes=stream(Purpose.SPIKES, index),
        removes=population.removed is not None,
        currents=[_current_view(index, *numbered) for numbered in enumerate(population.stimulations)],
        incoming=[_projection_view(network, projection, stage_of) for projection in network.incoming(population)],
    )


def _current_view(index: int, number: int, stimulation: Stimulation) -> SimpleNamespace:
    """Of a current onto population number `index`."""
    model = model_view(stimulation.current)
    function = current_function(index, number, stimulation.current)
    model.functions = {"current": function}
    model.sees_in = seen(model)
    chosen = stimulation.ids is not None
    return SimpleNamespace(number=number, model=model, function=function, prefix=current_prefix(number), chosen=chosen)


def _projection_view(network: Network, projection: Projection, stage_of: dict[str, int]) -> SimpleNamespace:
    index = list(network.projections).index(projection.name)
    rule, suffix = projection.rule, f"_{projection.name}"
    variables = projection.synapse_variables
    connector, receptor, synapse = map(model_view, (projection.connector, projection.receptor, projection.synapse))
    for view, functions in (
        (connector, {"connect": connector_function(index, projection)}),
        (receptor, {"update": receptor_function(index, projection)}),
        (synapse, synapse_functions(index, projection)),
    ):
        view.functions = functions
        view.sees_in = seen(view)
    return SimpleNamespace(
        name=projection.name,
        index=index,
        source=projection.source.name,
        target=projection.target.name,
        source_removes=projection.source.removed is not None,
        target_removes=projection.target.removed is not None,
        input_type=projection.input_format.ctype,
        float_of_input="float_of_sum" if projection.input_format.vectorised else "float_of_wide_sum",
        sum_of_whole=_sum_of_whole(projection.input_format),
        trained=network.learning is not None and projection in trained_projections(network),
        checks_amounts=projection.input_format.checked,
        connector=connector,
        receptor=receptor,
        synapse=synapse,
        rewiring=_rule_view(index, projection, rule) if rule else None,
        variables=variables,
        columns=projection.synapse_columns,
        listed=projection.listed_columns,
        delays=projection.delays is not None,
        input_ring=projection.input_ring is not None,
        dendritic=projection.dendritic_steps > 0,
        lattice=projection.grid_lattice is not None,
        dimensions=0 if projection.free_lattice is None else projection.free_lattice.dimensions,
        variable_types={variable.name: variable.ctype for variable in variables},
        pre_traces=projection.pre_traces,
        post_traces=projection.post_traces,
        late_post_traces=projection.late_post_traces,
        source_state=projection.source.state,
        target_state=projection.target.state,
        shared=projection.shared_variables,
        meeting_places=[place for place in map(str.lower, MeetingPlace.__members__) if f"{place}{suffix}" in stage_of],
        stage_of={kernel.removesuffix(suffix): stage for kernel, stage in stage_of.items() if kernel.endswith(suffix)}
        | {"form_candidates": 0, "form_proposed": 0},  # not of the schedule: the host goes on by itself
        own_pre_traces=projection.synapse.model.own_pre_traces,
        own_post_traces=projection.synapse.model.own_post_traces,
        stream_connect=stream(Purpose.CONNECT, index),
        stream_attempts=stream(Purpose.ATTEMPTS, index),
    )


def model_view(configured: Configured[Model]) -> SimpleNamespace:
    """The model's attributes, its snippets without the blank lines around them, and its constants with their types.

    ``constants`` are one number, ``arrays`` one value per neuron. ``functions`` has what its snippets become.
    """
    model = configured.model
    attributes = {name: getattr(model, name) for name in model.__dataclass_fields__}
    own = [
        variable.name
        for group in ("state", "variables", "pre_traces", "post_traces", "target_variables")
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


def seen(model: SimpleNamespace) -> dict[str, tuple[str, ...]]:
    """By function what its snippets see."""
    return {slot: function.sees(model.SEES) for slot, function in model.functions.items()}


def _rule_view(index: int, projection: Projection, rule: RewiringRule) -> SimpleNamespace:
    """The rule's view, which sees what its projection's synapses and neurons carry."""
    assert projection.rewiring is not None
    view = model_view(projection.rewiring)
    view.functions = rule_functions(index, projection, rule)
    tables = rule.tables
    constants = (*(name for name, _ in view.constants), *tables, *(f"n_{name}" for name in tables))
    view.sees_in = names_by_slot(projection, constants)
    view.target_variables = projection.target_variables
    for name in ("visits_synapses", "passes_over", "shares", "meets", "proposes", "thins", "only_pairs", "initials"):
        setattr(view, name, getattr(rule, name))
    view.replaces_anywhere, view.lists = rule.replaces_anywhere, rule.lists
    view.decides_by_random = rule.decides_by_random
    view.uses_distance = rule.mentions("distance_squared")
    return view


def any_not_finite(arrays: str, variables: Iterable[Any], index: str) -> str:
    """A C++ condition: one of the variables, in arrays whose names begin with `arrays`, is not finite at `index`."""
    names = [variable.name for variable in variables if variable.ctype == "float"]
    return " || ".join(f"not_finite({arrays}{name}[{index}])" for name in names) or "false"


def _sum_of_whole(input_format: InputFormat) -> str:
    """The function of kernels/base/network.cuh that makes a whole float a sum."""
    if input_format.n_bits == 32:
        return "narrow_sum_of"
    return "sum_of" if input_format.vectorised else "wide_sum_of"
