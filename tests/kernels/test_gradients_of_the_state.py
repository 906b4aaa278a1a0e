"""Gradients of neurons whose state decides over what becomes of it, beside automatic differentiation in float64."""

import dataclasses

import numpy as np
import pytest

from hpcsnn import Network, models
from hpcsnn.errors import ConfigurationError
from hpcsnn.training.data.samples import Samples
from hpcsnn.training.trainer import Trainer

N_IN, N_HIDDEN, N_OUT, N_STEPS, N_SAMPLES = 9, 12, 3, 60, 4
GAMMA, TAU_OUT_MS = 0.3, 20.0


def drawn():
    """Spikes (samples, steps, channels), labels, and the weights onto hidden neurons and outputs."""
    random = np.random.default_rng(7)
    spikes = random.random((N_SAMPLES, N_STEPS, N_IN)) < 0.15
    into = random.normal(4.0, 5.0, (N_IN, N_HIDDEN)).astype(np.float32)
    out = random.normal(0.0, 0.5, (N_HIDDEN, N_OUT)).astype(np.float32)
    return spikes, random.integers(0, N_OUT, N_SAMPLES), into, out


def network_of(into, out, neurons):
    network = Network(seed=1, dt_ms=1.0)
    network.add_population("input", N_IN, models.SampleInput())
    network.add_population("hidden", N_HIDDEN, neurons)
    network.add_population("output", N_OUT, models.LeakyReadout(tau_m_ms=TAU_OUT_MS))
    for source, target, weights in (("input", "hidden", into), ("hidden", "output", out)):
        pre, post = (index.ravel() for index in np.indices(weights.shape))
        network.add_projection(
            f"{source}_{target}", source, target,
            models.ExplicitList(pre=pre, post=post, weight=weights.ravel()), models.DeltaCurrent(), 0.0,
            synapse=models.Trained(w_max=64.0), delay_ms=1.0,
        )  # fmt: skip
    return network


def trainer_of(into, out, neurons, **more):
    return Trainer(network_of(into, out, neurons), "output", N_STEPS, device="cpu", batch=N_SAMPLES, **more)


def samples_of(spikes, labels):
    sample, step, channel = np.nonzero(spikes)
    return Samples.from_events(
        sample, step.astype(float), channel, labels=labels, n_classes=N_OUT, n_channels=N_IN,
        duration_ms=float(N_STEPS), dt_ms=1.0,
    )  # fmt: skip


def differentiated(spikes, labels, into, out, a=0.02, b=0.2, c=-65.0, d=8.0, peak=30.0):
    """The gradients of both projections and how near a spike was decided over; Izhikevich 2003, two half steps."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)
    from support.autograd_training import DTYPE, Spike

    weights = [torch.tensor(one.astype(np.float64), dtype=DTYPE, requires_grad=True) for one in (into, out)]
    given, width = torch.tensor(spikes, dtype=DTYPE), peak - c
    v, u = torch.full((N_SAMPLES, N_HIDDEN), -65.0, dtype=DTYPE), torch.full((N_SAMPLES, N_HIDDEN), -13.0, dtype=DTYPE)
    y, sent, loss, margin = torch.zeros((N_SAMPLES, N_OUT), dtype=DTYPE), None, 0.0, np.inf
    decay, count = float(np.float32(np.exp(-1.0 / TAU_OUT_MS))), 0
    for step in range(N_STEPS):
        y = decay * y + (sent @ weights[1] if sent is not None else 0.0)
        current = given[:, step - 1] @ weights[0] if step else torch.zeros_like(v)
        for _ in range(2):
            v = v + 0.5 * ((0.04 * v + 5.0) * v + 140.0 - u + current)
        u = u + a * (b * v - u)
        distance = v - peak
        psi = GAMMA / width * torch.clamp(1 - distance.detach().abs() / width, min=0)
        sent = Spike.apply(distance, psi, torch.ones_like(v, dtype=torch.bool))
        margin = min(margin, float(distance.detach().abs().min()))
        fired = sent.detach() > 0
        v, u, count = torch.where(fired, torch.full_like(v, c), v), u + d * sent, count + int(fired.sum())
        loss = loss - torch.log_softmax(y, -1)[torch.arange(N_SAMPLES), torch.tensor(labels)].sum()
    loss.backward()
    return [one.grad.numpy() for one in weights], margin, count


def test_gradients_of_izhikevichs_neurons_are_those_of_automatic_differentiation():
    spikes, labels, into, out = drawn()
    expected, margin, count = differentiated(spikes, labels, into, out)
    assert margin > 1e-3, "single precision would decide over a spike"
    assert count > 60
    found = trainer_of(into, out, models.Izhikevich()).gradients(samples_of(spikes, labels))
    for name, gradient in zip(("input_hidden", "hidden_output"), expected, strict=True):
        rows, dense = found[name], np.zeros_like(gradient)
        dense[rows["pre"], rows["post"]] = rows["gradient"]
        assert abs(gradient).max() > 0.05
        # An upstroke multiplies what float32 lacks: automatic differentiation in float32 is as far off.
        np.testing.assert_allclose(dense, gradient, rtol=0, atol=5e-4 * abs(gradient).max(), err_msg=name)


def test_replicas_and_eligibilities_of_such_neurons():
    spikes, labels, into, out = drawn()
    given = samples_of(spikes, labels)
    alone, beside = (trainer_of(into, out, models.Izhikevich(), replicas=n) for n in (1, 3))
    for made in (alone, beside):
        for _ in range(3):
            made.train_batch(given)
    assert alone.digest() == beside.digest()
    with pytest.raises(
        ConfigurationError, match=r"^populations.hidden.model: izhikevich is not allowed with gradient: on"
    ):
        trainer_of(into, out, models.Izhikevich(), learning=models.EProp(gradient="online"))


def test_what_is_recorded_has_a_name_of_its_own():
    gradient = models.Izhikevich.gradient
    for name in ("u", "a", "two words"):
        with pytest.raises(
            ConfigurationError, match=rf"^izhikevich.gradient.recorded: '{name}' is not allowed; must be a"
        ):
            dataclasses.replace(models.Izhikevich, gradient=dataclasses.replace(gradient, recorded={name: "1.0f"}))
    with pytest.raises(
        ConfigurationError, match=r"^gradient.recorded: slope is not allowed; a readout, which has an out"
    ):
        models.Gradient(output="V", recorded={"slope": "1.0f"})
