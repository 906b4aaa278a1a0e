"""EventProp: gradients by the times of spikes, beside its equations in float64 and differences of the loss in exact
time."""

import numpy as np
import pytest

from hpcsnn import Network, models
from hpcsnn.devices.host import HostDevice
from hpcsnn.training.data.samples import Samples
from hpcsnn.training.trainer import Trainer
from support.eventprop_formulas import SpikingNet, exact_loss, gradients, of_the_paper, play, with_weights

PLAIN, LABEL = HostDevice(("-O0",)), 1
N_IN, N_HIDDEN, N_OUT, DURATION_MS = 8, 6, 3, 60.0
ENDS = {"in": ("input", "hidden"), "rec": ("hidden", "hidden"), "out": ("hidden", "output")}


def drawn(dt_ms, seed=3):
    """A net of this step, and what it is given: spikes at multiples of 0.4 ms, the same times for any step."""
    rng = np.random.default_rng(seed)
    shapes = {
        "in": (0.02, 0.02, (N_IN, N_HIDDEN)),
        "rec": (0.0, 0.02, (N_HIDDEN,) * 2),
        "out": (0, 0.2, (N_HIDDEN, N_OUT)),
    }
    weights = {name: (dt_ms * rng.normal(*given)).astype(np.float32).astype(float) for name, given in shapes.items()}
    given = np.zeros((round(DURATION_MS / dt_ms), N_IN))
    for channel in range(N_IN):
        at = np.round(rng.uniform(0, 45, 5) / 0.4).astype(int)
        given[at * round(0.4 / dt_ms), channel] = 1
    lags = {"in": round(0.4 / dt_ms), "rec": round(0.8 / dt_ms), "out": round(0.4 / dt_ms)}
    return SpikingNet(weights, lags, len(given), dt_ms), given


def found(net, given, **rule):
    """What hpcsnn makes of it, by projection, dense."""
    network = Network(seed=1, dt_ms=net.dt_ms)
    network.add_population("input", N_IN, models.SampleInput())
    neurons = models.LIFSubtractive(tau_m_ms=net.tau_m_ms, V_threshold=net.threshold, refractory_ms=0.0)
    network.add_population("hidden", N_HIDDEN, neurons)
    network.add_population("output", N_OUT, models.LeakyReadout(tau_m_ms=net.tau_out_ms))
    for name, (source, target) in ENDS.items():
        pre, post = (one.ravel().tolist() for one in np.indices(net.weights[name].shape))
        listed = models.ExplicitList(pre=pre, post=post, weight=net.weights[name].ravel().tolist())
        network.add_projection(
            name, source, target, listed, models.ExponentialCurrent(tau_ms=net.tau_s_ms), 0.0,
            models.Trained(w_max=1.0), delay_ms=net.lags[name] * net.dt_ms,
        )  # fmt: skip
    trainer = Trainer(network, "output", net.n_steps, learning=models.EventProp(**rule), device=PLAIN)
    step, channel = np.nonzero(given)
    samples = Samples.from_events(
        np.zeros(len(step), int), step * net.dt_ms, channel, labels=np.array([LABEL]), n_classes=N_OUT,
        n_channels=N_IN, duration_ms=DURATION_MS, dt_ms=net.dt_ms,
    )  # fmt: skip
    rows = trainer.gradients(samples)
    dense = {}
    for name in ENDS:
        dense[name] = np.zeros(net.weights[name].shape)
        dense[name][rows[name]["pre"], rows[name]["post"]] = rows[name]["gradient"]
    return dense, trainer.evaluate(samples)


@pytest.mark.parametrize("seed", [3, 4])
def test_gradients_are_those_of_the_formula(seed):
    net, given = drawn(0.4, seed)
    course, expected = play(net, given, LABEL), gradients(net, given, LABEL)
    assert 2 < course.spikes.sum(0).mean() < 10
    dense, evaluation = found(net, given, most=1e4, least_slope=1e-6)
    assert evaluation.loss == pytest.approx(course.loss, rel=1e-5)
    for name, gradient in expected.items():
        np.testing.assert_allclose(dense[name], gradient, rtol=0, atol=2e-4 * abs(gradient).max(), err_msg=name)


def test_they_come_to_those_of_the_papers_equations_with_small_steps():
    def away(dt_ms):
        net, given = drawn(dt_ms)
        found, expected = gradients(net, given, LABEL), of_the_paper(net, given, LABEL)
        return {name: abs(found[name] - one).max() / abs(one).max() for name, one in expected.items()}

    coarse, fine = away(0.4), away(0.1)
    assert max(fine.values()) < 0.03
    assert all(fine[name] < 0.5 * coarse[name] for name in fine)


@pytest.mark.parametrize("way", ENDS)
def test_they_come_to_differences_of_the_loss_where_spikes_happen_between_steps(way):
    """What is left of 1 % becomes less with shorter steps."""
    dt_ms, small = 0.05, 1e-4
    net, given = drawn(dt_ms)
    direction = dt_ms * np.random.default_rng(1).normal(size=net.weights[way].shape)
    moved = (with_weights(net, **{way: net.weights[way] + sign * small * direction}) for sign in (1, -1))
    (more, spikes), (less, same) = (exact_loss(one, given, LABEL) for one in moved)
    assert spikes == same, "a spike came or went"
    by_gradient = (gradients(net, given, LABEL)[way] * direction).sum()
    assert by_gradient == pytest.approx((more - less) / (2 * small), rel=0.01)
