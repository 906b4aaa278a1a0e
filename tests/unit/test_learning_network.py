"""A network as it is simulated while it learns: what is added to it, and what cannot be trained."""

from __future__ import annotations

import dataclasses

import pytest

from hpcsnn import ConfigurationError, Network, models
from hpcsnn.codegen.program import generate
from hpcsnn.models import LearningRule, NeuronModel, Variable
from hpcsnn.models.learning import Gradient
from hpcsnn.network.learning import (
    Learning,
    feedback_projection,
    filtering_projections,
    gradient_of,
    hidden_populations,
    kept_variables,
    longest_delay_steps,
    trained_projections,
)
from hpcsnn.network.learning_network import learning_network
from support.learning import N_HIDDEN, classifier, learner, learning
from support.messages import as_pattern

DELTA, TRAINED = models.DeltaCurrent(), models.Trained()


def wired(network, name, source, target, **more):
    given = {"synapse": TRAINED, **more}
    network.add_projection(name, source, target, models.AllToAll(), DELTA, 0.1, **given)
    return network


def network_of(source=None, hidden=None, readout=None, initial=None):
    """Three populations and two projections."""
    network = Network(seed=1, dt_ms=1.0)
    network.add_population("input", 4, (source or models.SampleInput)())
    network.add_population("hidden", 4, (hidden or models.LIFSubtractive)(), initial)
    network.add_population("output", 2, (readout or models.LeakyReadout)())
    return wired(wired(network, "in", "input", "hidden"), "out", "hidden", "output")


def without_source():
    network = Network(dt_ms=1.0)
    network.add_population("hidden", 4, models.LIFSubtractive())
    network.add_population("output", 2, models.LeakyReadout())
    return wired(network, "out", "hidden", "output")


def second_source():
    network = network_of()
    network.add_population("more", 4, models.SampleInput())
    return network


def untrained():
    network = Network(dt_ms=1.0)
    network.add_population("input", 4, models.SampleInput())
    network.add_population("hidden", 4, models.LIFSubtractive())
    network.add_population("output", 2, models.LeakyReadout())
    return wired(wired(network, "in", "input", "hidden", synapse=None), "out", "hidden", "output", synapse=None)


def without_way_back():
    network = Network(dt_ms=1.0)
    network.add_population("input", 4, models.SampleInput())
    network.add_population("hidden", 4, models.LIFSubtractive())
    network.add_population("output", 2, models.LeakyReadout())
    return wired(wired(network, "in", "input", "hidden"), "past", "input", "output")


def with_drawn_way_back():
    network = Network(dt_ms=1.0)
    network.add_population("input", 4, models.SampleInput())
    network.add_population("hidden", 4, models.LIFSubtractive())
    network.add_population("output", 2, models.LeakyReadout())
    wired(network, "in", "input", "hidden", delay_ms=models.Normal(3.0, 0.5))
    return wired(network, "out", "hidden", "output", delay_ms=models.Uniform(1.0, 7.0))


def silent_hidden():
    network = Network(dt_ms=1.0)
    network.add_population("input", 4, models.SampleInput())
    network.add_population("hidden", 4, models.LeakyReadout())
    network.add_population("output", 2, models.LeakyReadout())
    return wired(network, "in", "input", "hidden")


# A readout that could spike, if it were no readout.
Spiking = dataclasses.replace(models.LeakyReadout, name="spiking", threshold="V > 1.0f")
Noisy = dataclasses.replace(models.LIFSubtractive, name="noisy", threshold="V > 1e-9f * (float)random.next()")
Clocked = dataclasses.replace(models.LIFSubtractive, name="clocked", threshold="V > (step % 2 ? 0.5f : 0.6f)")
GOES_BY = "which is another wherever a sample is played: must go by state, input and parameters"
NEURONS = "(lif_subtractive, alif_subtractive, izhikevich, leaky_readout, or one of your own)"
REFUSED = {
    "readout: unknown name 'out'; allowed: hidden, input, output.": (network_of, "out", None),
    "readout: 'input' spikes by itself (sample_input); must be a population of neurons with an output": (
        *(network_of, "input", None),
    ),
    "populations.input.model: poisson is not allowed in a training; sources must be sample_input": (
        *(lambda: network_of(source=models.Poisson), "output", None),
    ),
    f"populations.hidden.model: lif is not allowed in a training; must be a neuron model with a gradient {NEURONS}": (
        *(lambda: network_of(hidden=models.LIF), "output", None),
    ),
    "populations.hidden.model: leaky_readout is not allowed; must be a model whose neurons spike": (
        *(silent_hidden, "output", None),
    ),
    "populations.output.model: lif_subtractive is not allowed; must be a neuron model with an output, such as "
    "leaky_readout": (lambda: network_of(readout=models.LIFSubtractive), "output", None),
    f"populations.hidden.model: noisy is not allowed in a training; its snippets see 'random', {GOES_BY}": (
        *(lambda: network_of(hidden=Noisy), "output", None),
    ),
    f"populations.hidden.model: clocked is not allowed in a training; its snippets see 'step', {GOES_BY}": (
        *(lambda: network_of(hidden=Clocked), "output", None),
    ),
    "populations: 0 populations of sample_input are not allowed; a training has one": (without_source, "output", None),
    "populations: 2 populations of sample_input are not allowed; a training has one": (second_source, "output", None),
    "projections: none has the synapse trained; there is nothing to train": (untrained, "output", None),
    "projections.back.source: 'output' is the readout, whose neurons never spike": (
        *(lambda: wired(network_of(readout=Spiking), "back", "output", "hidden"), "output", None),
    ),
    "projections.more.delay_ms: delays that differ are not allowed with pairing: mlgenn; must be one number in ms": (
        lambda: wired(network_of(), "more", "input", "hidden", delay_ms=models.Uniform(1.0, 3.0)), "output",
        models.EProp(pairing="mlgenn"),
    ),
    "projections.more.delay_ms: delays that differ are not allowed with trained weights, if they are given one by": (
        *(lambda: wired(network_of(), "more", "input", "hidden", delay_ms=[1.0, 2.0, 1.0, 3.0]), "output", None),
    ),
    "projections.out.delay_ms: delays that differ are not allowed with feedback: random or adaptive, whose errors come "
    "by one delay; must be one number in ms": (with_drawn_way_back, "output", models.EProp(feedback="random")),
    "projections.out.delay_ms: delays that differ are not allowed with gradient: online, where an eligibility is "
    "filtered once for all outputs; must be one number in ms": (
        *(with_drawn_way_back, "output", models.EProp(gradient="online")),
    ),
    "projections.more.dendritic_delay_ms: a delay behind the synapse is not allowed where weights are trained or "
    "errors come back; must be an axonal delay, delay_ms": (
        *(lambda: wired(network_of(), "more", "input", "hidden", dendritic_delay_ms=1.0), "output", None),
    ),
    "projections.more.synapse: dopamine_stdp is not allowed in a training, where each target is simulated in many "
    "samples at once; must be a synapse that follows no target, such as static": (
        *(lambda: wired(network_of(), "more", "input", "hidden", synapse=models.DopamineSTDP()), "output", None),
    ),
    "projections.more.rewiring: homeostatic is not allowed in a training; must be a rule on call, such as "
    "deep_r_by_gradient": (
        lambda: wired(
            network_of(), "more", "input", "hidden", synapse=None,
            rewiring=models.Homeostatic(every_ms=1.0, updates_a_pairing=2),
        ), "output", None,
    ),
    "populations.hidden: has no projection onto the readout 'output', by which errors would come back; add one, or set "
    "feedback: random": (without_way_back, "output", None),
    "populations.hidden.initial.V: values that differ between neurons are not allowed in a training; must be one "
    "number, with which each sample begins": (
        *(lambda: network_of(initial={"V": models.Normal(0.0, 0.1)}), "output", None),
    ),
}  # fmt: skip


@pytest.mark.parametrize("message", REFUSED, ids=lambda message: message[:60])
def test_what_cannot_be_trained_is_refused(message):
    make, readout, rule = REFUSED[message]
    by = Learning(readout, 10, rule or models.EProp(), models.Adam(), models.CrossEntropy())
    with pytest.raises(ConfigurationError, match="^" + as_pattern(message)):
        learning_network(make(), by)


# Whose neurons a conductance can see.
InMillivolts = dataclasses.replace(
    models.LIFSubtractive, name="in_mv", state=(*models.LIFSubtractive.state, Variable("V_mV"))
)
Cubed = models.ReceptorModel("cubed", "", update="input_current += input * input * input;")
LASTS = models.ExponentialCurrent()


def with_receptor(receptor, synapse=None, source="input", target="hidden", hidden=None):
    network = network_of(hidden=hidden)
    network.add_projection("more", source, target, models.AllToAll(), receptor, 0.1, synapse=synapse)
    return network


def with_static_way_back(receptor):
    network = Network(dt_ms=1.0)
    network.add_population("input", 4, models.SampleInput())
    network.add_population("hidden", 4, models.LIFSubtractive())
    network.add_population("output", 2, models.LeakyReadout())
    wired(network, "in", "input", "hidden")
    network.add_projection("out", "hidden", "output", models.AllToAll(), receptor, 0.1)
    return network


NO_GRADIENT = (
    "cubed is not allowed where weights are trained or errors come back; must be a receptor with a gradient "
    "(delta_current, exponential_current, alpha_current, or one of your own)"
)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: with_receptor(models.ExponentialConductance(), hidden=InMillivolts),
            "projections.more.receptor: exponential_conductance is not allowed in a training: its current depends on "
            "the neuron's V_mV, so that gradients of what arrives do not add up; must be a receptor of currents",
        ),
        (lambda: with_receptor(Cubed(), TRAINED), f"projections.more.receptor: {NO_GRADIENT}"),
        (lambda: with_static_way_back(Cubed()), f"projections.out.receptor: {NO_GRADIENT}"),
        (
            lambda: wired(network_of(), "again", "hidden", "output"),
            "projections.again: is not allowed beside 'out', which goes from 'hidden' onto the readout 'output' too; "
            "must be one, by which errors come back",
        ),
    ],
)
def test_what_the_gradient_would_not_see_is_refused(make, message):
    with pytest.raises(ConfigurationError, match="^" + as_pattern(message)):
        learning_network(make(), learning())


@pytest.mark.parametrize(
    ("make", "loss", "message"),
    [
        (
            *(network_of, models.SummedCrossEntropy()),
            "loss: summed_cross_entropy is not allowed with gradient: online, since its errors are known behind the "
            "sample only; must be a loss of each step, such as cross_entropy",
        ),
        (
            *(lambda: network_of(readout=lambda: models.LeakyReadout(tau_m_ms=[3.0, 5.0])), models.CrossEntropy()),
            "populations.output.model.tau_m_ms: values that differ between neurons are not allowed with gradient: "
            "online, where an eligibility is filtered once for all outputs; must be one number",
        ),
    ],
)
def test_what_eligibilities_that_go_forward_do_not_reach_is_refused(make, loss, message):
    learning_network(make(), learning(loss))
    with pytest.raises(ConfigurationError, match="^" + as_pattern(message)):
        learning_network(make(), learning(loss, models.EProp(gradient="online")))


@pytest.mark.parametrize("make", [lambda: with_receptor(LASTS, TRAINED), lambda: with_static_way_back(LASTS)])
def test_currents_that_last_are_not_mlgenns(make):
    learning_network(make(), learning())
    said = (
        "exponential_current is not allowed with pairing: mlgenn, which is of delta_current alone; must be "
        "delta_current, or set pairing: exact"
    )
    with pytest.raises(ConfigurationError, match=as_pattern(said) + "$"):
        learning_network(make(), learning(rule=models.EProp(pairing="mlgenn")))


def test_currents_behind_which_nothing_learns_may_be_as_they_like():
    network = learning_network(with_receptor(Cubed()), learning())
    assert filtering_projections(network, network.populations["hidden"]) == []
    network = learning_network(with_receptor(LASTS, TRAINED), learning())
    assert [one.name for one in filtering_projections(network, network.populations["hidden"])] == ["more"]


@pytest.mark.parametrize("make", [without_way_back, lambda: with_static_way_back(DELTA)])
def test_weights_of_errors_learn_as_others_that_are_trained(make):
    said = (
        "populations.hidden: has no projection onto the readout 'output' that is trained, as which the weights of "
        "errors would learn; add one, or set feedback: random"
    )
    with pytest.raises(ConfigurationError, match="^" + as_pattern(said) + "$"):
        learning_network(make(), learning(rule=models.EProp(feedback="adaptive")))


TABLE = {"near": models.Table("int", lambda context: context.x)}


@pytest.mark.parametrize(
    ("part", "what"),
    [
        ({"loss": models.Loss("mine", "", tables=TABLE)()}, "loss mine"),
        ({"optimiser": models.Optimiser("mine", "", tables=TABLE)()}, "optimiser mine"),
        (
            {"rule": LearningRule("mine", "", models.EProp.parameters, tables=TABLE, shape="1.0f")()},
            "learning rule mine",
        ),
    ],
)
def test_tables_of_what_is_of_no_population_are_refused(part, what):
    said = (
        f"{what}: has near, but tables and lists are of populations and projections; must have parameters and derived "
        "constants alone"
    )
    with pytest.raises(ConfigurationError, match="^" + as_pattern(said) + "$"):
        learning_network(network_of(), learning(**part))


def test_random_errors_need_no_way_back():
    network = learning_network(without_way_back(), learning(rule=models.EProp(feedback="random")))
    (hidden,) = hidden_populations(network)
    assert feedback_projection(network, hidden) is None
    assert not network.learning.symmetric


def test_delays_that_are_not_trained_may_be_as_they_like():
    network = wired(network_of(), "more", "input", "hidden", synapse=None, delay_ms=models.Uniform(1.0, 3.0))
    made = learning_network(network, learning())
    assert [one.name for one in trained_projections(made)] == ["in", "out"]
    assert longest_delay_steps(made) == 1, "no gradient goes by the drawn ones"
    assert longest_delay_steps(learning_network(with_drawn_way_back(), learning())) == 7


def test_one_value_each_sample_begins_with_is_allowed():
    network = learning_network(network_of(initial={"V": 0.25}), learning())
    assert network.populations["hidden"].initial == {"V": 0.25}


def test_populations_and_projections_are_told_apart():
    network = learner()
    assert [one.name for one in hidden_populations(network)] == ["hidden"]
    assert [one.name for one in trained_projections(network)] == ["input_hidden", "recurrent", "hidden_output"]
    assert feedback_projection(network, network.populations["hidden"]).name == "hidden_output"
    assert longest_delay_steps(network) == 2
    assert gradient_of(network.populations["hidden"]) is models.LIFSubtractive.gradient


def test_the_network_that_was_given_stays_as_it_is():
    network = classifier()
    before = {name: population.model for name, population in network.populations.items()}
    other = learner(network)
    assert network.learning is None
    assert {name: population.model for name, population in network.populations.items()} == before
    assert (other.seed, other.dt_ms) == (network.seed, network.dt_ms)
    assert other.projections["recurrent"].source is other.populations["hidden"]
    assert other.populations["hidden"].size == N_HIDDEN


@pytest.mark.parametrize(
    ("rule", "names", "follows"),
    [
        (models.EProp(), ["V", "silent_steps", "pseudo_derivative"], False),
        (models.EProp(regularisation=0.1), ["V", "silent_steps", "pseudo_derivative"], False),
        (models.EProp(pairing="mlgenn"), ["V", "silent_steps", "pseudo_derivative"], False),
        (
            models.EProp(pairing="mlgenn", regularisation=0.1),
            ["V", "silent_steps", "pseudo_derivative", "filtered_rate"],
            True,
        ),
    ],
)
def test_hidden_neurons_keep_what_the_rule_wants_of_them(rule, names, follows):
    network = learner(by=learning(rule=rule))
    assert [one.name for one in network.populations["hidden"].state] == names
    assert network.learning.follows_rates == follows
    assert network.learning.mlgenn == (rule.values["pairing"] == "mlgenn")


def test_synapses_and_the_readouts_bias_keep_the_optimisers_variables():
    network = learner()
    for projection in trained_projections(network):
        assert [one.name for one in projection.synapse_variables] == ["weight", "gradient_mean", "gradient_square"]
    output = network.populations["output"]
    assert kept_variables(network, output) == ("bias", "bias_gradient_mean", "bias_gradient_square")
    assert [one.name for one in output.state] == ["V", *kept_variables(network, output)]
    assert kept_variables(network, network.populations["hidden"]) == ()
    plain = learner(by=learning(optimiser=models.SGD()))
    assert kept_variables(plain, plain.populations["output"]) == ("bias", "bias_velocity")


def test_the_surrogates_height_is_the_dampening_over_the_width():
    network = learner(by=learning(rule=models.EProp(dampening=0.7)))
    configured = network.populations["hidden"].model
    assert configured.constants(1.0)["surrogate_height"] == 0.7 / 0.61
    assert configured.constants(1.0)["decay"] == models.LIFSubtractive().constants(1.0)["decay"]


def test_a_neurons_own_names_do_not_hide_what_the_surrogate_sees():
    """A state variable may be called as what a rule's shape sees: the model's expressions come first."""
    state = (Variable("distance"), Variable("away"))
    model = NeuronModel(
        "mine", "", state=state, update="distance += input_current; away = distance;", threshold="distance > 1.0f",
        gradient=Gradient(distance="distance - away", blocked="away > 2.0f", input={"distance": "1.0f"}),
    )  # fmt: skip
    network = learning_network(network_of(hidden=model), learning())
    snippets = {(one.kind, one.slot): one for one in generate(network, n_ranks=1).snippets}
    assert snippets["neuron", "gradient.distance"].text == "distance - away"
    shape = snippets["learning rule", "shape"]
    assert shape.text == "away < 1.0f ? 1.0f - away : 0.0f"
    assert not {"distance", "away"} - {*shape.sees}


def test_a_neuron_that_has_a_name_of_trainings_is_refused():
    model = dataclasses.replace(
        models.LIFSubtractive, state=(*models.LIFSubtractive.state, Variable("pseudo_derivative"))
    )
    with pytest.raises(ConfigurationError, match=r"^lif_subtractive: the name 'pseudo_derivative' is given twice"):
        learning_network(network_of(hidden=model), learning())
