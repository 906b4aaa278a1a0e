"""Whatever a kernel calls its own things, a model may call its so too: it compiles, and each name means the model's."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hpcsnn import Grid, Network, Simulation, models
from hpcsnn.devices import HostDevice
from hpcsnn.models import (
    Connector,
    Derived,
    NeuronModel,
    Pairing,
    Parameter,
    ReceptorModel,
    RewiringRule,
    SourceModel,
    SpikeTrace,
    SynapseModel,
    Variable,
)
from hpcsnn.models.rewiring import ALL_SYNAPSES, UNIFORM, WEAKEST
from support.kernel_names import TAU, constants, free

EVERY = {"zz_often": Parameter(1, "", "", ctype="int", minimum=1)}
SIDE, STEPS = 4, 12


def with_window(given):
    """A source model needs a window."""
    return {**given, "derived": {**given.get("derived", {}), "window_steps": Derived("4", "int")}}


def rule_of(given, wrong, **more):
    """A rule that puts what is wrong into all that it makes."""
    given = {**given, "parameters": {**given.get("parameters", {}), **EVERY}}
    return RewiringRule(
        "mine", "", **given,
        synapse_variables=(Variable("zz_synapse", 0, "", "int"),),
        source_variables=(Variable("zz_source", 0, "", "int"),),
        target_variables=(Variable("zz_target", 0, "", "int"),),
        update=f"zz_synapse += 1 + 1000 * {wrong};",
        update_source=f"zz_source += 1 + 1000 * {wrong};",
        update_target=f"zz_target += 1 + 1000 * {wrong};",
        per_target=f"own_zz_target += 1000 * {wrong}; row.find({wrong});",
        sums={"zz_sum": f"1 + {wrong}"},
        pairing=Pairing(
            f"-1000 * {wrong}", f"-1000 * {wrong}", "zz_often", f"zz_source += 1000 * {wrong};",
            f"zz_target += 1000 * {wrong};",
        ),
        reason=f"{wrong} ? 7 : 0", initial=f"0.5f + {wrong}", **more,
    )()  # fmt: skip


def network_of(what):
    """Every kind of model with every free name as one of its `what`."""
    network = Network(seed=1)
    given, wrong = constants(SourceModel, what)
    source = SourceModel(
        "mine", "", **with_window(given), state=(Variable("zz_wrong", 0, "", "int"),),
        on_window=f"const int zz_pre = {wrong};",
        first_spike=f"zz_wrong += {wrong} + zz_pre; next_spike = step;",
        next_spike=f"zz_wrong += {wrong}; next_spike = never;",
    )  # fmt: skip
    network.add_population("a", Grid(SIDE, SIDE), source())
    given, wrong = constants(NeuronModel, what)
    neuron = NeuronModel(
        "mine", "", **given, state=(Variable("zz_wrong", 0, "", "int"), Variable("zz_post", 0, "", "int")),
        update=f"const int zz_pre = {wrong}; zz_wrong += zz_pre;",
        threshold=f"zz_pre + {wrong} == 0", reset=f"zz_post += 1 + 1000 * {wrong};",
    )  # fmt: skip
    network.add_population("b", Grid(SIDE, SIDE), neuron())
    given, wrong = constants(Connector, what)
    connector = Connector("mine", "", **given, connect=f"if ({wrong} == 0) connect(id);")
    given, wrong = constants(ReceptorModel, what)
    receptor = ReceptorModel(
        "mine", "", **given, state=(Variable("zz_pre"),), update=f"zz_pre += {wrong} + (zz_wrong != 0);"
    )
    given, wrong = constants(SynapseModel, what)
    parameters = {**given.get("parameters", {}), **TAU}
    synapse = SynapseModel(
        "mine", "", **{**given, "parameters": parameters},
        variables=(Variable("weight"), Variable("zz_pre", 0, "", "int"), Variable("zz_post", 0, "", "int")),
        pre_traces=(SpikeTrace("zz_tr", "zz_tau"),),
        deliver=f"weight + {wrong}", on_pre_spike=f"zz_pre += 1 + 1000 * {wrong};",
        on_post_spike=f"zz_post += 1 + 1000 * {wrong};",
    )  # fmt: skip
    network.add_projection("ab", "a", "b", connector(), receptor(), 0.25, synapse())
    given, wrong = constants(RewiringRule, what)
    rules = {
        "visited": rule_of(given, wrong, select=ALL_SYNAPSES, eliminate=f"{wrong} ? 1.0f : 0.0f"),
        "tried": rule_of(
            given, wrong, form=f"{wrong} ? 0.0f : 1.0f", eliminate=f"{wrong} ? 1.0f : 0.0f",
            select=dataclasses.replace(
                UNIFORM.trying(WEAKEST), draw=f"source_x = x + {wrong}; source_y = ny - 1 - y;",
                pick=f"tried = in_degree > 0 ? weakest() + {wrong} : -1; forming = found < 0;",
            ),
        ),
    }  # fmt: skip
    for name, rule in rules.items():
        network.add_projection(
            name, "a", "b", models.OneToOne(), models.DeltaCurrent(), 0.5, rewiring=configured(rule), record_events=True
        )
    return network


def configured(rule):
    """A rule with blocks that fit the grid, where all its other constants are as they are."""
    if "block_side" not in rule.model.parameters:
        return rule
    return rule.model(block_side=SIDE, attempts=8)


@pytest.mark.parametrize("what", ["parameters", pytest.param("tables", marks=pytest.mark.slow)])
def test_a_constant_may_have_any_name_of_the_kernels(what):
    simulation = Simulation(network_of(what), device=HostDevice(("-O0",)))
    simulation.run(STEPS * 0.1)
    assert (simulation.neurons("a")["zz_wrong"] == 0).all()
    neurons = simulation.neurons("b")
    assert (neurons["zz_wrong"] == 0).all()
    assert (neurons["zz_post"] == STEPS).all(), "threshold and reset saw what they should in every step"
    assert (neurons["ab.zz_pre"] == 0).all()
    synapses = simulation.synapses("ab")
    assert len(synapses["weight"]) == SIDE * SIDE
    assert set(synapses["zz_pre"].tolist()) == {3}, "a spike in each window of four steps, and none was wrong"
    assert set(synapses["zz_post"].tolist()) == {STEPS - 1}
    for name in ("visited", "tried"):
        rewired, events = simulation.synapses(name), simulation.events(name)
        assert set(rewired["zz_synapse"].tolist()) <= {0, 1}
        assert set(rewired["weight"].tolist()) == {0.5}
        assert (events[:, 3] == 0).all(), "nothing went"
        neurons = simulation.neurons("b")
        assert (neurons[f"{name}.target.zz_target"] == 1).all()
        assert (simulation.neurons("a")[f"{name}.source.zz_source"] == 1).all()
    assert len(simulation.events("tried")) > 0


def variables(kind, attribute):
    """A variable for each free name, whose first value is its number, and C++ that adds one to each."""
    names = free(kind, attribute, lambda name: (Variable(name),))
    if attribute == "target_variables":  # a hook sees `k` as `own_k`
        names = [name for name in names if not name.startswith("own_")]
    given = tuple(Variable(name, number, "", "int") for number, name in enumerate(names))
    return {attribute: given}, "".join(f"{name} += 1;" for name in names)


def added(values, given, times):
    """Whether each variable is its number and so many more."""
    (variables,) = given.values()
    return all((values[one.name] == one.initial + times).all() for one in variables)


def test_a_variable_may_have_any_name_of_the_kernels():
    network = Network(seed=1)
    of_source, adds = variables(SourceModel, "state")
    source = SourceModel(
        "mine", "", derived={"window_steps": Derived("4", "int")}, **of_source,
        first_spike=f"next_spike = step;{adds}", next_spike=f"next_spike = never;{adds}",
    )  # fmt: skip
    network.add_population("a", Grid(SIDE, SIDE), source())
    of_neuron, adds = variables(NeuronModel, "state")
    network.add_population(
        "b", Grid(SIDE, SIDE), NeuronModel("mine", "", **of_neuron, update=adds, threshold="true", reset=adds)()
    )
    of_receptor, adds = variables(ReceptorModel, "state")
    of_synapse, adds_to_synapse = variables(SynapseModel, "variables")
    weight = {"variables": (Variable("weight"), *of_synapse["variables"])}
    synapse = SynapseModel("mine", "", **weight, on_pre_spike=adds_to_synapse, on_post_spike=adds_to_synapse)
    network.add_projection(
        "ab", "a", "b", models.OneToOne(), ReceptorModel("mine", "", **of_receptor, update=adds)(), 1.0, synapse()
    )
    simulation = Simulation(network, device=HostDevice(("-O0",)))
    simulation.run(STEPS * 0.1)
    assert added(simulation.neurons("a"), of_source, 2 * STEPS // 4)
    neurons = simulation.neurons("b")
    assert added(neurons, of_neuron, 2 * STEPS)
    receptor = {name.removeprefix("ab."): values for name, values in neurons.items() if name.startswith("ab.")}
    assert added(receptor, of_receptor, STEPS)
    # Spikes come in three steps, those of targets are met one step later than they are.
    assert added(simulation.synapses("ab"), of_synapse, STEPS // 4 + STEPS - 1)


def test_a_rules_variable_may_have_any_name_of_the_kernels():
    network = Network(seed=1)
    for name in ("a", "b"):
        network.add_population(name, Grid(SIDE, SIDE), NeuronModel("mine", "", threshold="step < 0")())
    given = {end: variables(RewiringRule, f"{end}_variables") for end in ("synapse", "source", "target")}
    for end, (of_rule, adds) in given.items():
        slots = {"synapse": ("update",), "source": ("update_source",), "target": ("update_target",)}[end]
        names = [one.name for (of_end,) in [of_rule.values()] for one in of_end]
        hook = {
            "synapse": "".join(f"row.{name}(0) += 1;" for name in names),
            "target": "".join(f"own_{name} += post.{name} == own_{name} ? 1 : 1000;" for name in names),
            "source": "",
        }[end]
        seen = {"source": "".join(f"weight += (pre.{name} == {n + 1});" for n, name in enumerate(names))}.get(end, "")
        texts = dict.fromkeys(slots, adds) | {"per_target": hook} | ({"update": seen} if seen else {})
        rule = RewiringRule("mine", "", **of_rule, **texts, bound="5000")
        network.add_projection(end, "a", "b", models.OneToOne(), models.DeltaCurrent(), 0.0, rewiring=rule())
    simulation = Simulation(network, device=HostDevice(("-O0",)))
    simulation.run(1.0)
    assert added(simulation.synapses("synapse"), given["synapse"][0], 2)
    for end, population, times in (("source", "a", 1), ("target", "b", 2)):
        start = f"{end}.{end}."
        values = {
            name.removeprefix(start): values
            for name, values in simulation.neurons(population).items()
            if name.startswith(start)
        }
        assert added(values, given[end][0], times)
    n_variables = len(given["source"][0]["source_variables"])
    assert set(simulation.synapses("source")["weight"].tolist()) == {float(n_variables)}


@pytest.mark.parametrize("attribute", ["pre_traces", "post_traces"])
def test_a_trace_may_have_any_name_of_the_kernels(attribute):
    """All traces of one time constant are the same, and so are those of the other side's spikes in every step."""
    names = free(SynapseModel, attribute, lambda name: (SpikeTrace(name, "zz_tau"),))
    same = "".join(f" + ({name} > 0.5f)" for name in names)
    slots = {"pre_traces": ("on_post_spike", "on_pre_spike"), "post_traces": ("on_pre_spike", "on_post_spike")}
    other, own = slots[attribute]
    synapse = SynapseModel(
        "mine", "", TAU, variables=(Variable("weight"), Variable("zz_other"), Variable("zz_own")),
        **{attribute: tuple(SpikeTrace(name, "zz_tau") for name in names)},
        **{other: f"zz_other = (float)(0{same});", own: f"zz_own = (float)(0{same});"},
    )  # fmt: skip
    network = Network(seed=1)
    for name in ("a", "b"):
        network.add_population(name, 3, NeuronModel("mine", "", threshold="true")())
    network.add_projection("ab", "a", "b", models.OneToOne(), models.DeltaCurrent(), 1.0, synapse())
    simulation = Simulation(network, device=HostDevice(("-O0",)))
    simulation.run(1.0)
    synapses = simulation.synapses("ab")
    assert set(synapses["zz_other"].tolist()) == set(synapses["zz_own"].tolist()) == {float(len(names))}


# Words of C++ and of kernels, and names that make one with those of kernels.
OWNERS = ("and", "try", "typeid", "int", "net", "k", "hash", "outgoing_x", "x", "row_x", "surplus_x", "new", "a_b", "a")


def test_populations_and_projections_may_have_any_name():
    def spikes(names):
        network = Network(seed=1)
        populations, projections = names[:4], names[4:]
        network.add_population(populations[0], Grid(SIDE, SIDE), models.Poisson(rate_hz=200))
        for name in populations[1:]:
            network.add_population(name, Grid(SIDE, SIDE), models.LIF(), record_spikes=True)
        for number, name in enumerate(projections):
            target = populations[1 + number % 3]
            rule = models.Homeostatic(every_ms=1.0, updates_a_pairing=2) if number % 2 else None
            network.add_projection(
                name, populations[number % 3], target, models.OneToOne(), models.ExponentialCurrent(), 150.0,
                models.AdditiveSTDP(w_max=200.0), rewiring=rule,
            )  # fmt: skip
        simulation = Simulation(network, device=HostDevice(("-O0",)))
        simulation.run(30.0)
        return [np.stack(simulation.spikes(name)) for name in populations[1:]]

    plain = spikes([f"n{number}" for number in range(len(OWNERS))])
    assert all(one.size > 10 for one in plain)
    for one, other in zip(plain, spikes(OWNERS), strict=True):
        assert (one == other).all()
