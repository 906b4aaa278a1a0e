"""Backpropagation through time: gradients through recurrent synapses and layers, beside others' derivatives."""

from functools import cache

import numpy as np
import pytest

from hpcsnn import models
from hpcsnn.devices.host import HostDevice
from hpcsnn.training.trainer import Trainer
from support.classifiers import classes_in_noise, trained
from support.classifiers import classifier as of_classes
from support.forward_derivatives import forward_gradients
from support.learning import N_STEPS, classifier, samples
from support.thread_ranks import on_ranks
from support.trained_nets import INPUT, Regularisation, alif, drawn_batch, drawn_net, lif, single
from support.trained_networks import dense_gradients, network_of, rule_of, samples_of

PLAIN = HostDevice(("-O0",))
BATCH = drawn_batch(11, n_samples=2, n_steps=35, first_scored_step=5)
FEED_FORWARD = [(INPUT, "a"), ("a", "b"), ("b", "output")]
RECURRENT = [(INPUT, "a"), ("a", "a"), ("a", "output"), (INPUT, "output")]
BOTH = [(INPUT, "a"), ("a", "a"), ("a", "b"), ("b", "a"), ("b", "b"), ("b", "output"), (INPUT, "b")]
STRONG = {"beta": 0.25, "tau_adaptation_ms": 60.0}


def lasting(tau_ms):
    """Of an exponential current, the mean of each step."""
    mean, decay = single(tau_ms * -np.expm1(-1 / tau_ms)), single(np.exp(-1 / tau_ms))
    return mean * decay ** np.arange(BATCH.n_steps)


def level(net):
    """With one bias, as samples begin with."""
    net.bias[:] = np.float32(0.05)
    return net


@cache
def case(name):
    """A net, a trainer that learns by BPTT, and what rates are held to."""
    held = Regularisation()
    if name == "layers":
        net = drawn_net(3, {"a": lif(12), "b": lif(10)}, FEED_FORWARD, delays=(1, 2, 3), gain=1.6)
        network = network_of(level(net), 9)
    elif name == "recurrent":
        net = drawn_net(4, {"a": alif(14, **STRONG)}, RECURRENT, delays=(2, 1, 3, 1), connectivity=0.6, gain=1.2)
        network, held = network_of(level(net), 9), Regularisation(strength=20.0, rate=0.02)
    else:
        populations = {"a": alif(11, **STRONG), "b": lif(18, refractory_steps=2)}
        net = drawn_net(5, populations, BOTH, delays=(1, 2, 1, 3), connectivity=0.6, gain=0.8)
        receptors = {}
        for way, tau_ms in (("a_a", 3.0), ("a_b", 2.0), ("b_output", 5.0)):
            receptors[way] = models.ExponentialCurrent(tau_ms=tau_ms)
            net.projections[way].response = lasting(tau_ms)
        network = network_of(level(net), 9, receptors=receptors, delays_ms={"b_a": models.Uniform(1.0, 5.0)})
    values = rule_of("exact", held).values
    rule = models.BPTT(
        dampening=0.3, most_through=1e4, regularisation=values["regularisation"], rate_hz=values["rate_hz"]
    )
    trainer = Trainer(network, "output", BATCH.n_steps, learning=rule, device=PLAIN)
    if name == "both":
        rows, delayed = trainer.synapses("b_a"), net.projections["b_a"]
        delayed.delay_steps = np.zeros(delayed.mask.shape, int)
        delayed.delay_steps[rows["pre"], rows["post"]] = rows["delay_steps"]
        assert len(delayed.by_delay) > 3
    return net, trainer, held


CASES = ("layers", "recurrent", "both")


def compare(found, expected):
    largest = max(abs(gradient).max() for gradient in expected.values())
    for name, gradient in expected.items():
        assert abs(gradient).max() > 0.02 * largest, name
        np.testing.assert_allclose(found[name], gradient, rtol=0, atol=3e-6 * largest, err_msg=name)


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_those_of_automatic_differentiation(name):
    pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)
    from support.autograd_training import differentiate

    net, trainer, held = case(name)
    expected = differentiate(net, BATCH, held, through=True)
    assert expected.margin > 1e-5, "single precision would decide over a spike"
    assert min(spikes.mean() for spikes in expected.spikes.values()) > 0.02
    found = dense_gradients(net, trainer, samples_of(BATCH, 3))
    compare(found.gradients, expected.gradients)
    np.testing.assert_allclose(found.bias, expected.bias, rtol=0, atol=2e-6 * abs(expected.bias).max())


@pytest.mark.parametrize("name", ["layers", "both"])
def test_gradients_are_those_that_go_forwards(name):
    net, trainer, _ = case(name)
    compare(dense_gradients(net, trainer, samples_of(BATCH, 3)).gradients, forward_gradients(net, BATCH))


def gradients(rule, **more):
    trainer = Trainer(classifier(models.ALIFSubtractive, **more), "output", N_STEPS, learning=rule, device=PLAIN)
    return {name: rows["gradient"] for name, rows in trainer.gradients(samples()).items() if name != "output"}


def test_it_is_e_prop_to_the_bit_where_hidden_neurons_send_to_the_readout_alone():
    found, of_e_prop = (gradients(rule(dampening=0.3), recurrent=False) for rule in (models.BPTT, models.EProp))
    for name, values in of_e_prop.items():
        np.testing.assert_array_equal(found[name], values)
        assert abs(values).max() > 0.1


LEARNED = {
    "bptt": (
        models.BPTT(regularisation=0.01),
        {
            "rule": models.DeepRByGradient(l1=0.01),
            "neurons": models.ALIFSubtractive(refractory_ms=2),
            "delays_ms": (1.0, models.Uniform(1.0, 4.0), 2.0),
        },
    ),
    "eventprop, neurons that differ": (
        models.EventProp(regularisation=0.01),
        {
            "neurons": models.LIFSubtractive(tau_m_ms=models.Uniform(10.0, 30.0), refractory_ms=2),
            "receptor": models.ExponentialCurrent(tau_ms=3.0),
        },
    ),
}


@pytest.mark.parametrize("case", LEARNED)
def test_neither_replicas_nor_ranks_nor_a_restart_change_a_bit(case, tmp_path):
    rule, network = LEARNED[case]

    def learned(n_batches=4, **more):
        return trained(of_classes(**network), n_batches, learning=rule, device=PLAIN, **more)

    straight = learned()
    answers = straight.evaluate(classes_in_noise(7, seed=5))
    assert learned(replicas=3).digest() == straight.digest()
    assert on_ranks(3, lambda comm: learned(comm=comm).digest()) == [straight.digest()] * 3
    begun, gone_on = learned(2), learned(0)
    begun.save(tmp_path / "saved")
    gone_on.restore(tmp_path / "saved")
    for number in (2, 3):
        gone_on.train_batch(classes_in_noise().select(np.arange(10) + 10 * number))
    assert gone_on.digest() == straight.digest()
    assert gone_on.evaluate(classes_in_noise(7, seed=5)).loss == answers.loss


def test_what_comes_through_other_neurons_is_held():
    found, within, of_e_prop = (
        gradients(rule(dampening=0.3, **more))
        for rule, more in ((models.BPTT, {}), (models.BPTT, {"most_through": 1e-6}), (models.EProp, {}))
    )
    largest = abs(of_e_prop["input_hidden"]).max()
    assert abs(found["input_hidden"] - of_e_prop["input_hidden"]).max() > 0.05 * largest
    np.testing.assert_allclose(within["input_hidden"], of_e_prop["input_hidden"], rtol=0, atol=1e-4 * largest)


def test_it_learns_layer_by_layer():
    """The first layer hears of errors through the second one alone."""
    net = drawn_net(3, {"a": lif(12), "b": lif(10)}, FEED_FORWARD, delays=(1, 2, 3), gain=1.6)
    trainer = Trainer(
        network_of(level(net), 9), "output", BATCH.n_steps, learning=models.BPTT(), device=PLAIN,
        optimiser=models.Adam(learning_rate=0.01),
    )  # fmt: skip
    batch = samples_of(BATCH, 3)
    before = trainer.evaluate(batch).loss
    for _ in range(30):
        trainer.train_batch(batch)
    assert trainer.evaluate(batch).loss < 0.5 * before
