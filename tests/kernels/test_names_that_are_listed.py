"""A complaint about a name lists what its slot sees: each of these names compiles there."""

from __future__ import annotations

import dataclasses

import pytest

from hpcsnn import Grid, Network, models
from hpcsnn.codegen.program import generate
from hpcsnn.codegen.snippet_names import names_by_slot
from hpcsnn.devices import HostDevice
from hpcsnn.engine.simulation import Simulation
from hpcsnn.models import BY_SPIKE, Pairing, RewiringRule, Selection, SpikeTrace, Variable
from hpcsnn.models.snippet_text import FUNCTIONS
from hpcsnn.network.learning_network import learning_network
from hpcsnn.training.trainer import Trainer
from support.learning import N_STEPS, classifier, learning

# How a name is used that is no value.
CALLS = {
    "chance": "chance(7u, 0.5f)",
    "choose": "choose(7u, 3u, (uint32*)0)",
    "exponential": "exponential(1.0f)",
    "logarithm": "logarithm(1.0f)",
    "spike_hash": "spike_hash(1, 2)",
    "sine_of_turns": "sine_of_turns(0.3f)",
    "square_root": "square_root(2.0f)",
    "standard_normal": "standard_normal(1u, 2u)",
    "torus_distance": "torus_distance(1, 2, 16)",
    "row.size": "row.size()",
}
WHAT_IT_GIVES = {"eliminate": "false", "reason": "0", "form": "false", "initial": "0.1f", "sums": "in_degree"}


def plain_rule(every_synapse):
    """A rule with variables and traces on all sides, whose texts do nothing yet."""
    select = dataclasses.replace(BY_SPIKE, every_pair_alike=False)
    return RewiringRule(
        "names",
        "",
        parameters={
            "tau_ms": models.Parameter(10.0, "ms", ""),
            "every": models.Parameter(2, "", "", ctype="int", minimum=1),
        },
        select=models.ALL_SYNAPSES if every_synapse else select,
        pairing=Pairing("0", "0", "every"),
        sums={"a_sum": "in_degree"},
        **{f"{what}_variables": (Variable(f"of_{what}"),) for what in ("synapse", "source", "target")},
        **{f"{end}_traces": (SpikeTrace(f"{end}_trace", "tau_ms"),) for end in ("source", "target")},
    )


def wired(rule):
    network = Network(seed=1)
    for name in ("a", "b"):
        network.add_population(name, Grid(16, 16), models.LIF())
    network.add_projection(
        "ab", "a", "b", models.FixedProbability(p=0.1), models.ExponentialCurrent(), 0.1, models.AdditiveSTDP(),
        rewiring=rule(),
    )  # fmt: skip
    return network


@pytest.mark.parametrize("every_synapse", [False, True])
def test_every_name_that_is_listed_is_there(every_synapse):
    rule = plain_rule(every_synapse)
    constants = tuple(name for name, _ in rule().constant_types())
    names = names_by_slot(wired(rule).projections["ab"], (*constants, *rule.tables))

    def uses(slot):
        lines = []
        for name in names[slot]:
            of_row = name.startswith("row.") and name not in CALLS
            lines.append(f"(void)({CALLS.get(name, f'{name}(0)' if of_row else name)});")
        value = WHAT_IT_GIVES.get(slot, "0" if slot in ("pairing.offers", "pairing.demands") else "")
        return "\n".join([*lines, f"return {value};" if value else ""])

    slots = ["eliminate", "reason", "initial", "update", "update_source", "update_target", "per_target"]
    changes = {slot: uses(slot) for slot in (slots if every_synapse else [*slots, "form"])}
    changes["sums"] = {"a_sum": uses("sums")}
    parts = ("offers", "demands", "after_source", "after_target")
    changes["pairing"] = dataclasses.replace(rule.pairing, **{part: uses(f"pairing.{part}") for part in parts})
    if not every_synapse:
        select = rule.select
        changes["select"] = Selection(
            "", "", select.parameters, draw=uses("draw"), pick=uses("pick"), looks_back_ms=select.looks_back_ms
        )
    # The kernels are compiled; none of the rule's runs.
    Simulation(wired(dataclasses.replace(rule, **changes)), device=HostDevice(("-O0",)))


def listed(network, kind, slot):
    """What a complaint about a name lists for a slot of the one model of this kind."""
    (seen,) = {
        snippet.sees for snippet in generate(network, 1).snippets if (snippet.kind, snippet.slot) == (kind, slot)
    }
    return seen


def used(names):
    return "".join(f"(void)({CALLS.get(name, name)});\n" for name in names)


@pytest.mark.parametrize("slot", ["step", "sample"])
def test_every_name_that_is_listed_to_a_loss_is_there(slot):
    loss = models.Loss(
        "mine", "", {"a_parameter": models.Parameter(1.0, "", "")}, step="return 0.0f;", sample="return 0.0f;",
        derived={"a_constant": models.Derived("a_parameter * 2")},
    )  # fmt: skip
    names = listed(learning_network(classifier(), learning(loss())), "loss", slot)
    of_step, of_sample = {"output", "target"}, {"n_scored"}
    both = {"label", "n_outputs", "error", "score", "a_parameter", "a_constant"}
    assert set(names) - set(FUNCTIONS) == both | (of_step if slot == "step" else of_sample)
    loss = dataclasses.replace(loss, **{slot: f"{used(names)}return 0.0f;"})
    Trainer(classifier(), "output", N_STEPS, loss=loss(), device=HostDevice(("-O0",)))


def test_every_name_that_is_listed_to_a_current_is_there():
    def stimulated(current):
        table = models.Table("float", lambda context: context.x)
        model = models.CurrentModel(
            "mine", "", {"a_parameter": models.Parameter(1.0, "", "")}, tables={"a_table": table}, current=current
        )
        network = Network(seed=1)
        network.add_population("cells", 4, models.LIF(), stimulate=[model()])
        return network

    names = listed(stimulated("0.0f"), "current", "current")
    own = {"a_parameter", "a_table", "n_a_table"}
    assert set(names) - set(FUNCTIONS) == {*models.CurrentModel.SEES, *own}
    Simulation(stimulated(f"{used(names)}return 0.0f;"), device=HostDevice(("-O0",)))


def test_every_name_that_is_listed_to_an_optimiser_is_there():
    optimiser = models.Optimiser(
        "mine", "", {"a_parameter": models.Parameter(1.0, "", "")}, variables=(Variable("a_variable"),),
        of_batch={"now": "a_parameter * batch"}, update="weight -= gradient;",
    )  # fmt: skip
    names = listed(learning_network(classifier(), learning(optimiser=optimiser())), "optimiser", "update")
    assert set(names) - set(FUNCTIONS) == {"weight", "gradient", "a_variable", "a_parameter", "now"}
    optimiser = dataclasses.replace(optimiser, update=used(names))
    Trainer(classifier(), "output", N_STEPS, optimiser=optimiser(), device=HostDevice(("-O0",)))


def test_every_name_that_is_listed_to_a_rules_gradient_is_there():
    rule = models.DeepRByGradient()
    network = learning_network(classifier(rule=rule, p=0.5, recurrent=False), learning())
    names = listed(network, "rewiring rule", "gradient")
    assert {"weight", "sign", "l1", "pre_id", "post_id", "distance_squared", "pair_random", "post.V"} <= set(names)
    names = [name for name in names if name != "distance_squared"]  # it is there where two grids are equal
    called = {"pair_random": "pair_random(0)"}
    changed = dataclasses.replace(
        rule.model,
        gradient="".join(f"(void)({called.get(name, CALLS.get(name, name))});\n" for name in names) + "return 0.0f;",
    )
    Trainer(classifier(rule=changed(), p=0.5, recurrent=False), "output", N_STEPS, device=HostDevice(("-O0",)))
