"""Learning rules beside their formulas in NumPy, and whatever a rule's page may use."""

import dataclasses

import numpy as np
import pytest

from hpcsnn import ConfigurationError, models
from hpcsnn.models import Derived, LearningRule, Parameter, Variable
from hpcsnn.testing.racing_threads import RacingThreads
from hpcsnn.training.trainer import Trainer
from support.classifiers import classifier, trained
from support.rule_formulas import Page, gradients_by, triangle
from support.trained_nets import INPUT, alif, drawn_batch, drawn_net, lif
from support.trained_networks import dense_gradients, network_of, samples_of

NETS = {
    "lif": drawn_net(4, {"a": lif(20)}, [(INPUT, "a"), ("a", "a"), ("a", "output")], delays=(1, 2, 3)),
    "alif": drawn_net(
        6, {"a": lif(17, 12.0), "b": alif(16, beta=0.25, tau_adaptation_ms=60.0)},
        [(INPUT, "a"), ("a", "b"), ("b", "a"), ("a", "output"), ("b", "output")], delays=(1, 2, 3, 4),
        connectivity=0.6,
    ),
}  # fmt: skip
for one in NETS.values():
    one.bias[:] = np.float32(0.05)  # a network is given with one bias for all outputs
BATCH = drawn_batch(12, n_samples=3, n_steps=55, first_scored_step=20)

Everything = LearningRule(
    "everything",
    "All that a rule may see and keep, each in a place where another would not do.",
    parameters={**models.FEEDBACK, "tau_ms": Parameter(4.0, "ms", "of the filter", above=0.0)},
    derived={"kept": Derived("exp(-dt_ms / tau_ms)")},
    variables=(Variable("trace", 0.5),),
    shape="1.0f / (1.0f + away)",
    update="trace = trace * kept;",
    on_spike="trace += 1.0f;",
    recorded={"before": "trace", "doubled": "2.0f * V"},
    filters=("slow", "count"),
    signal="""
slow = kept * slow + error;
count += spiked;
return heard + slow - label_weight * rate + 0.125f * before * (float)(n_steps - step) * surrogate;
""",
    backward="""
slow += 0.25f * signal;
return input_gradient + 0.0625f * count * slow + 0.5f * before + 0.0f * doubled;
""",
)


KEPT = np.exp(-1 / 4)


def trace_of(spikes):
    """Before each step's own spike."""
    value, before = np.full(spikes[:, 0].shape, 0.5), np.zeros_like(spikes)
    for step in range(spikes.shape[1]):
        before[:, step] = KEPT * value
        value = before[:, step] + spikes[:, step]
    return before


def signal_of_everything(seen, filters):
    filters["slow"] = KEPT * filters["slow"] + seen.error
    filters["count"] = filters["count"] + seen.spiked
    by_trace = 0.125 * seen.recorded * (seen.n_steps - seen.step) * seen.surrogate
    return seen.heard + filters["slow"] - seen.label_weight * seen.rate + by_trace


def backward_of_everything(seen, filters):
    filters["slow"] = filters["slow"] + 0.25 * seen.signal
    return seen.input_gradient + 0.0625 * filters["count"] * filters["slow"] + 0.5 * seen.recorded


EVERYTHING = Page(
    lambda distance: 1 / (1 + abs(distance)), signal_of_everything, backward_of_everything, ("slow", "count"),
    dampening=1.0, recorded=trace_of,
)  # fmt: skip


def superspike(rise, decay, steepness):
    def signal(seen, filters):
        filters["rising"] = rise * filters["rising"] + seen.error
        filters["lasting"] = decay * filters["lasting"] + (1 - rise) * filters["rising"]
        return (1 - decay) * filters["lasting"]

    return Page(lambda d: (1 + steepness * abs(d)) ** -2.0, signal, filters=("rising", "lasting"))


def etlp(interval):
    def signal(seen, _filters):
        return -seen.label_weight if (seen.step + 1) % interval == 0 else 0 * seen.label_weight

    return Page(triangle, signal)


def recursive_lra(reach, steepness):
    def activation(distance):
        return 1 / (1 + np.exp(-steepness * distance))

    return Page(triangle, lambda seen, _: activation(seen.distance) - activation(seen.distance - reach * seen.error))


RULES = {
    "recursive_lra": (
        models.RecursiveLRA(feedback="symmetric", reach=0.7, steepness=3.0),
        recursive_lra(0.7, 3.0),
    ),
    "decolle": (
        models.DECOLLE(feedback="symmetric", tau_local_ms=6.0),
        Page(triangle, lambda seen, _: seen.local_error, local_kept=np.exp(-1 / 6)),
    ),
    "e_prop": (models.EProp(), Page(triangle, lambda seen, _: seen.heard)),
    "everything": (Everything(), EVERYTHING),
    "superspike": (
        models.SuperSpike(steepness=2.0, tau_rise_ms=3.0, tau_decay_ms=8.0),
        superspike(np.exp(-1 / 3), np.exp(-1 / 8), 2.0),
    ),
    "etlp": (models.ETLP(event_interval_ms=7.0), etlp(7)),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("net", NETS)
def test_a_rules_gradients_are_those_of_its_formula(net, rule):
    net, (rule, page) = NETS[net], RULES[rule]
    trainer = Trainer(network_of(net, 9), "output", BATCH.n_steps, learning=rule, device="cpu")
    found = dense_gradients(net, trainer, samples_of(BATCH, 3))
    expected = gradients_by(page, net, BATCH)
    assert expected.margin > 1e-5, "single precision would decide over a spike"
    for name, gradient in expected.gradients.items():
        largest = abs(gradient).max()
        assert largest > 1e-3
        # Single precision in a few sums, and a whole number of 2^-20 for each spike.
        np.testing.assert_allclose(found.gradients[name], gradient, rtol=0, atol=3e-6 * largest + 3e-5, err_msg=name)


@pytest.mark.parametrize(
    ("rule", "others"),
    [
        (Everything(feedback="random"), [{"window_steps": 7}, {"replicas": 3}, {"device": RacingThreads()}]),
        (Everything(), [{"window_steps": 25}]),
        (models.DECOLLE(), [{"replicas": 3}, {"device": RacingThreads(), "replicas": 2}]),
    ],
)
def test_it_is_the_same_in_windows_with_replicas_and_on_racing_threads(rule, others):
    digest = trained(learning=rule).digest()
    for other in others:
        assert trained(learning=rule, **other).digest() == digest, other
    assert trained(classifier(seed=2), learning=rule).digest() != digest


def test_a_teachers_rates_are_those_of_each_sample_and_neuron():
    net = NETS["lif"]
    rates_hz = np.random.default_rng(3).integers(0, 200, (5, 20)).astype(float)
    samples = dataclasses.replace(samples_of(BATCH, 3), ids=np.array([4, 0, 2]))
    page = Page(triangle, lambda seen, _: seen.rate - rates_hz[[4, 0, 2]] / 1000)
    trainer = Trainer(
        network_of(net, 9), "output", BATCH.n_steps, learning=models.LocalTandem(), device="cpu",
        teacher={"a": rates_hz},
    )  # fmt: skip
    found, expected = dense_gradients(net, trainer, samples), gradients_by(page, net, BATCH)
    for name, gradient in expected.gradients.items():
        np.testing.assert_allclose(found.gradients[name], gradient, rtol=0, atol=1e-4, err_msg=name)
    assert abs(expected.gradients["a_a"]).max() > 0.1
    with pytest.raises(ConfigurationError, match=r"^teacher\.a: has rates of 5 samples; must be of all, .* of id 7$"):
        trainer.train_batch(dataclasses.replace(samples, ids=np.array([4, 7, 2])))
