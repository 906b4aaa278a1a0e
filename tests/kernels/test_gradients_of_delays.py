"""Gradients of synapses that each have a delay of their own, beside automatic differentiation with these delays."""

import numpy as np
import pytest

from hpcsnn import models
from hpcsnn.training.trainer import Trainer
from support.learning import N_STEPS, classifier, samples
from support.trained_nets import INPUT, Regularisation, alif, drawn_batch, drawn_net, lif
from support.trained_networks import dense_gradients, network_of, rule_of, samples_of

RECURRENT = [(INPUT, "a"), ("a", "a"), ("a", "output"), (INPUT, "output")]
DRAWN = {
    "input_a": models.Uniform(1.0, 6.0),
    "a_a": models.Normal(4.0, 1.5),
    "a_output": models.Uniform(2.0, 9.0),
    "input_output": models.Normal(3.0, 1.0),
}
NEURONS = {"lif": lambda: lif(20), "alif": lambda: alif(20, beta=0.25, tau_adaptation_ms=60.0)}
HELD = Regularisation(strength=20.0, rate=0.02)
BATCH = drawn_batch(11, n_steps=45, first_scored_step=5)
STEPS = np.arange(BATCH.n_steps)


def trainer_of(net, receptors=None, drawn=DRAWN, **rule):
    learning = models.EProp(**dict(rule_of("exact", HELD).values) | rule)
    network = network_of(net, 9, receptors=receptors, delays_ms=drawn)
    trainer = Trainer(network, "output", BATCH.n_steps, learning=learning, device="cpu")
    for name in drawn:
        rows, projection = trainer.synapses(name), net.projections[name]
        projection.delay_steps = np.zeros(projection.mask.shape, int)
        projection.delay_steps[rows["pre"], rows["post"]] = rows["delay_steps"]
    return trainer


def net_of_kind(kind):
    net = drawn_net(4, {"a": NEURONS[kind]()}, RECURRENT, delays=(2, 1, 3, 1), connectivity=0.5, gain=1.0)
    net.bias[:] = np.float32(0.05)
    return net


@pytest.mark.parametrize(("kind", "lasting"), [("lif", False), ("alif", True)])
def test_gradients_are_those_of_automatic_differentiation(kind, lasting):
    pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)
    from support.autograd_training import differentiate

    net, receptors = net_of_kind(kind), {}
    if lasting:
        tau_ms = 4.0
        for name in ("a_a", "a_output"):
            receptors[name] = models.ExponentialCurrent(tau_ms=tau_ms)
            net.projections[name].response = tau_ms * -np.expm1(-1 / tau_ms) * np.exp(-STEPS / tau_ms)
    trainer = trainer_of(net, receptors)
    assert min(len(projection.by_delay) for projection in net.projections.values()) > 3
    expected = differentiate(net, BATCH, HELD)
    assert expected.margin > 1e-5, "single precision would decide over a spike"
    found = dense_gradients(net, trainer, samples_of(BATCH, 3))
    largest = max(abs(gradient).max() for gradient in expected.gradients.values())
    for name, gradient in expected.gradients.items():
        assert abs(gradient).max() > 0.1
        np.testing.assert_allclose(found.gradients[name], gradient, rtol=0, atol=1e-6 * largest, err_msg=name)


def test_eligibilities_that_go_forward_give_the_same():
    """Delays to the readout are one number there."""
    net, batch = net_of_kind("alif"), samples_of(BATCH, 3)
    drawn = {name: delay for name, delay in DRAWN.items() if name != "a_output"}
    by_events, online = (
        dense_gradients(net, trainer_of(net, drawn=drawn, gradient=way), batch) for way in ("events", "online")
    )
    largest = max(abs(gradient).max() for gradient in by_events.gradients.values())
    for name, gradient in by_events.gradients.items():
        np.testing.assert_allclose(online.gradients[name], gradient, rtol=0, atol=1e-5 * largest, err_msg=name)


def test_delays_stay_with_their_pairs_through_rewiring_and_disk(tmp_path):
    def made():
        network = classifier(p=0.3, rule=models.DeepRByGradient(l1=1.0), delay_ms=models.Uniform(1.0, 8.0))
        return Trainer(network, "output", N_STEPS, optimiser=models.Adam(learning_rate=0.02), device="cpu")

    def delays(trainer):
        rows = trainer.synapses("recurrent")
        return dict(zip(zip(rows["pre"], rows["post"], strict=True), rows["delay_steps"], strict=True))

    trainer, other = made(), made()
    first = delays(trainer)
    assert sum(trainer.train_batch(samples()).rewired.values()) > 0
    trainer.save(tmp_path / "kept")
    other.restore(tmp_path / "kept")
    for one in (trainer, other):
        one.train_batch(samples(seed=3))
    assert other.digest() == trainer.digest()
    kept = first.keys() & delays(other).keys()
    assert 0 < len(kept) < len(first)
    assert {pair: delays(other)[pair] for pair in kept} == {pair: first[pair] for pair in kept}
