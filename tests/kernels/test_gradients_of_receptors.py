"""Gradients through synapses whose currents last, beside automatic differentiation of what a spike brings when."""

import numpy as np
import pytest

from hpcsnn import models
from hpcsnn.training.trainer import Trainer
from support.trained_nets import INPUT, Regularisation, alif, drawn_batch, drawn_net, lif, single
from support.trained_networks import dense_gradients, network_of, rule_of, samples_of

RECURRENT = [(INPUT, "a"), ("a", "a"), ("a", "output"), (INPUT, "output")]
STRONG = {"beta": 0.25, "tau_adaptation_ms": 60.0}
HELD = Regularisation(strength=20.0, rate=0.02)
BATCH = drawn_batch(11, n_steps=45, first_scored_step=5)


def lasting(tau_ms: float) -> np.ndarray:
    """Of an exponential current, the mean of each step."""
    mean, decay = single(tau_ms * -np.expm1(-1 / tau_ms)), single(np.exp(-1 / tau_ms))
    return mean * decay ** np.arange(BATCH.n_steps)


def rising(tau_ms: float) -> np.ndarray:
    """Of a current (t / tau) exp(1 - t / tau), the mean of each step, by its integral."""
    steps = np.arange(BATCH.n_steps + 1)
    integral = -np.e * np.exp(-steps / tau_ms) * (steps + tau_ms)
    return np.diff(integral)


DELTA, ONE_STEP = models.DeltaCurrent(), np.ones(1)
SLOW, FAST, RISING = models.ExponentialCurrent(tau_ms=7.0), models.ExponentialCurrent(tau_ms=2.5), models.AlphaCurrent()
RESPONSES = [(SLOW, lasting(7.0)), (FAST, lasting(2.5)), (RISING, rising(2.0)), (DELTA, ONE_STEP)]
SLOWLY, FASTLY, RISES, AT_ONCE = RESPONSES
# From input, within the hidden population, from there to the readout, and from the input to it.
EACH = {
    "input": [SLOWLY, AT_ONCE, AT_ONCE, AT_ONCE],
    "recurrent": [AT_ONCE, FASTLY, AT_ONCE, AT_ONCE],
    "output": [AT_ONCE, AT_ONCE, SLOWLY, AT_ONCE],
    "all": [SLOWLY, FASTLY, RISES, FASTLY],
}
NEURONS = {"lif": lambda: lif(20), "alif": lambda: alif(20, **STRONG)}


def made(neurons: str, each: str, gain: float = 0.7):
    """The net with what a spike brings when, and its network."""
    net = drawn_net(4, {"a": NEURONS[neurons]()}, RECURRENT, delays=(2, 1, 3, 1), connectivity=0.5, gain=gain)
    net.bias[:] = np.float32(0.05)
    receptors = {}
    for (name, projection), (receptor, response) in zip(net.projections.items(), EACH[each], strict=True):
        receptors[name], projection.response = receptor, response
    return net, network_of(net, 9, receptors=receptors)


def trainer_of(network, **others):
    learning = models.EProp(**dict(rule_of("exact", HELD).values) | others)
    return Trainer(network, "output", BATCH.n_steps, learning=learning, device="cpu")


@pytest.mark.parametrize(("neurons", "each"), [*(("lif", each) for each in EACH), ("alif", "all")])
def test_gradients_are_those_of_automatic_differentiation(neurons, each):
    pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)
    from support.autograd_training import differentiate

    net, network = made(neurons, each)
    expected = differentiate(net, BATCH, HELD)
    assert expected.margin > 1e-5, "single precision would decide over a spike"
    assert expected.spikes["a"].mean() > 0.02
    trainer = trainer_of(network)
    found = dense_gradients(net, trainer, samples_of(BATCH, 3))
    largest = max(abs(gradient).max() for gradient in expected.gradients.values())
    for name, gradient in expected.gradients.items():
        assert abs(gradient).max() > 0.1
        np.testing.assert_allclose(found.gradients[name], gradient, rtol=0, atol=1e-6 * largest, err_msg=name)
    np.testing.assert_allclose(found.bias, expected.bias, rtol=0, atol=2e-6 * abs(expected.bias).max())
    assert trainer.evaluate(samples_of(BATCH, 3)).loss == pytest.approx(expected.loss.mean(), rel=2e-6)


@pytest.mark.parametrize("feedback", ["symmetric", "random"])
def test_eligibilities_that_go_forward_give_the_same(feedback):
    """Errors that come back by random weights come by the receptor onto the readout too."""
    net, network = made("alif", "all")
    batch = samples_of(BATCH, 3)
    by_events, online = (
        dense_gradients(net, trainer_of(network, gradient=way, feedback=feedback), batch)
        for way in ("events", "online")
    )
    largest = max(abs(gradient).max() for gradient in by_events.gradients.values())
    for name, gradient in by_events.gradients.items():
        np.testing.assert_allclose(online.gradients[name], gradient, rtol=0, atol=1e-5 * largest, err_msg=name)
    np.testing.assert_allclose(online.bias, by_events.bias, rtol=1e-5)


def test_the_loss_changes_as_the_readouts_gradient_says():
    """No spike depends on these weights, so that the loss itself can be differentiated, by differences."""
    net, network = made("alif", "all")
    batch, small = samples_of(BATCH, 3), 0.01
    found = dense_gradients(net, trainer_of(network), batch)
    for name in ("a_output", "input_output"):
        projection, random = net.projections[name], np.random.default_rng(3)
        weights, direction = projection.weights, random.normal(size=projection.mask.shape) * projection.mask
        receptors = {one.name: one.receptor for one in network.projections.values()}
        losses = []
        for way in (1, -1):
            projection.weights = weights + way * small * direction
            moved = trainer_of(network_of(net, 9, receptors=receptors))
            losses.append(moved.evaluate(batch).loss * len(batch))
        projection.weights = weights
        by_differences = (losses[0] - losses[1]) / (2 * small)
        assert (found.gradients[name] * direction).sum() == pytest.approx(by_differences, rel=1e-3), name
