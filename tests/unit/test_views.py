"""What templates see of a network: names, numbers and flags that lead back to what was declared."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import Grid, Network, models
from hpcsnn.codegen.random_streams import Purpose, stream
from hpcsnn.codegen.schedule import ACCEPT, PHASES, SEND, schedule
from hpcsnn.codegen.snippet_functions import bound_constants
from hpcsnn.codegen.structs import population_struct, projection_struct
from hpcsnn.codegen.views import population_view, stage_views
from support.random_networks import networks
from support.rules import Tended

RANKS = st.sampled_from([1, 3])


def viewed(network, n_ranks=1):
    """Stages, and the views of all populations."""
    stages = schedule(network, n_ranks)
    stage_of = {stage.kernel: index for index, stage in enumerate(stages)}
    return stages, [population_view(network, one, stage_of) for one in network.populations.values()]


@settings(max_examples=40)
@given(networks(), RANKS)
def test_stages_are_seen_with_their_calls_and_the_ends_of_phases(network, n_ranks):
    stages, _ = viewed(network, n_ranks)
    views = stage_views(stages)
    assert len(views) == len(stages)
    for index, (stage, view) in enumerate(zip(stages, views, strict=True)):
        on_host = {SEND: "timed_send(net, times)", ACCEPT: "timed_accept(net, times)"}
        assert view.call == on_host.get(stage.kernel, f"LAUNCH({stage.kernel})")
        assert PHASES[view.phase_index] == stage.phase
        assert view.trigger == (stage.trigger and stage.trigger.name)
        following = [other.phase for other in stages[index + 1 : index + 2]]
        assert view.ends_phase == (following != [stage.phase])
    assert views[-1].ends_phase


@settings(max_examples=40)
@given(networks(), RANKS)
def test_populations_and_projections_are_seen_as_they_were_declared(network, n_ranks):
    stages, views = viewed(network, n_ranks)
    assert [view.name for view in views] == list(network.populations)
    assert [view.index for view in views] == list(range(len(views)))
    for view in views:
        population = network.populations[view.name]
        assert view.is_source == population.is_source
        assert view.stream_spikes == stream(Purpose.SPIKES, view.index)
        assert [one.name for one in view.incoming] == [one.name for one in network.incoming(population)]
    incoming = {one.name: one for view in views for one in view.incoming}
    assert set(incoming) == set(network.projections)
    for index, (name, projection) in enumerate(network.projections.items()):
        view = incoming[name]
        assert (view.index, view.source, view.target) == (index, projection.source.name, projection.target.name)
        assert view.stream_connect == stream(Purpose.CONNECT, index)
        assert view.stream_attempts == stream(Purpose.ATTEMPTS, index)
        assert view.input_type == dict(projection_struct(projection).fields)["input"].rstrip("*")
        assert view.delays == ("delay_steps" in [one.name for one in view.columns])
        assert view.variable_types == {one.name: one.ctype for one in projection.synapse_variables}
        assert (view.rewiring is None) == (projection.rewiring is None)
        # A kernel that halts says at which stage to go on: the one that it is in.
        of_hosts = ("form_candidates", "form_proposed")
        own = {kernel: stage for kernel, stage in view.stage_of.items() if kernel not in of_hosts}
        assert own == {
            stage.kernel.removesuffix(f"_{name}"): number
            for number, stage in enumerate(stages)
            if stage.kernel.endswith(f"_{name}")
        }
        meeting = [stage.kernel.removesuffix(f"_{name}") for stage in stages if stage.meets and name in stage.kernel]
        assert view.meeting_places == sorted(meeting, key=["tally", "share", "meet"].index)


def bound_names(text):
    """What lines of C++ declare (a constant, a table, its length, a value of each neuron), and the member of each."""
    found = re.findall(r"const [\w*]+ (constant|each|table|length)_(\w+) = owner\.(\w+);", text)
    return {(what, name): member for what, name, member in found}


@settings(max_examples=40)
@given(networks())
def test_a_models_names_are_bound_to_members_of_its_struct(network):
    _, views = viewed(network)
    for view in views:
        population = network.populations[view.name]
        check_bound(view.model, "model_", population.model, population_struct(population))
        for one in view.incoming:
            projection = network.projections[one.name]
            struct = projection_struct(projection)
            for part in ("synapse", "receptor", "connector", "rewiring"):
                if getattr(projection, part) is not None:
                    prefix = {"rewiring": "of_rule_"}.get(part, f"of_{part}_")
                    check_bound(getattr(one, part), prefix, getattr(projection, part), struct)


def check_bound(view, prefix, configured, struct):
    """Each constant, each table and its length, with the member's type, under names that nothing else begins with."""
    members = dict(struct.fields)
    text = bound_constants("owner", view, prefix)
    bound = bound_names(text)
    expected = {("constant", name) for name, _ in configured.constant_types()}
    expected |= {("each", name) for name, _ in configured.array_types()}
    expected |= {(what, name) for name in configured.model.tables for what in ("table", "length")}
    assert set(bound) == expected
    for (what, name), member in bound.items():
        assert member == f"n_{prefix}{name}" if what == "length" else prefix + name
        kind = members[member].removeprefix("const ")
        assert re.search(rf"const {re.escape(kind)} {what}_{name} = ", text), f"{name} has another type"
    assert bound_constants("owner", view, prefix, "here_") == re.sub(
        r"\b(constant|each|table|length)_", r"here_\1_", text
    )


@settings(max_examples=40)
@given(networks())
def test_a_model_sees_its_own_names(network):
    _, views = viewed(network)
    for view in views:
        model = network.populations[view.name].model
        assert {one.name for one in model.model.state} <= set(view.model.sees)
        assert {name for name, _ in model.model.constant_types()} <= set(view.model.sees)
        assert set(model.model.SEES) <= set(view.model.sees)
        for one in view.incoming:
            synapse = network.projections[one.name].synapse.model
            traces = (*synapse.pre_traces, *synapse.post_traces)
            assert {part.name for part in (*synapse.variables, *traces)} <= set(one.synapse.sees)
            if one.rewiring is not None:
                rule = network.projections[one.name].rewiring
                for seen in one.rewiring.sees_in.values():
                    assert {*rule.model.parameters, *rule.model.derived, *rule.model.tables} <= set(seen)


def test_only_what_snippets_name_of_a_source_is_shared():
    network = Network(seed=1)
    network.add_population("a", Grid(4, 4), models.LIF())
    network.add_projection("aa", "a", "a", models.OneToOne(), models.ExponentialCurrent(), 0.1, rewiring=Tended())
    _, (view,) = viewed(network)
    (projection,) = view.incoming
    assert [one.name for one in projection.shared] == ["drive"]
    assert projection.rewiring.shares
    assert projection.rewiring.meets
    assert not projection.rewiring.uses_distance
