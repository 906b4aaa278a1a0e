"""What goes wrong while a network learns is said in words: where, what, and what would be right."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hpcsnn import DeviceError, Network, SimulationError, models
from hpcsnn.devices import HostDevice
from hpcsnn.models import Loss, Optimiser
from hpcsnn.training.trainer import Trainer
from support.devices import LAUNCHED
from support.learning import N_IN, N_OUT, N_STEPS, classifier, samples
from support.messages import as_pattern

QUICK = HostDevice(("-O0",))
DEVICES = pytest.mark.parametrize("device", [pytest.param(QUICK, id="host"), *LAUNCHED])


def trainer(network=None, device=QUICK, **by):
    return Trainer(network or classifier(), "output", N_STEPS, device=device, **by)


@DEVICES
@pytest.mark.parametrize(("size", "way"), [(1e6, "events"), (1e36, "events"), (1e6, "online")])
def test_a_gradient_that_does_not_add_up_stops_the_training(device, size, way):
    rule, given = models.EProp(gradient=way), samples(3, targets=True)
    learns = trainer(device=device, loss=models.SquaredError(), learning=rule)
    far = dataclasses.replace(given, targets=np.full_like(given.targets, size))
    said = (
        "populations.output: the gradient of neuron .* in a step is not within 2^11, up to which gradients add up; a "
        "lower learning rate, or smaller weights onto the readout, keep it there"
    )
    with pytest.raises(SimulationError, match="^" + as_pattern(said) + "$"):
        learns.train_batch(far)


@DEVICES
def test_a_weight_that_is_not_finite_stops_the_training(device):
    learns = trainer(device=device, optimiser=Optimiser("mine", "", update="weight = logarithm(-1.0f);")())
    said = "projections.input_hidden: weight = nan of the synapse from .* to .* is not finite"
    with pytest.raises(SimulationError, match="^" + as_pattern(said)):
        learns.train_batch(samples(3))


@pytest.mark.parametrize("rate", [1e6, 1e30])
def test_weights_stay_within_their_bound(rate):
    learns = trainer(optimiser=models.SGD(learning_rate=rate))
    for seed in range(2):
        learns.train_batch(samples(3, seed))
    for projection in ("input_hidden", "recurrent", "hidden_output"):
        weights = np.abs(learns.synapses(projection)["weight"])
        assert weights.max() == np.nextafter(np.float32(4.0), np.float32(0.0)), projection


@pytest.mark.parametrize(
    ("by", "message"),
    [
        (
            {"loss": Loss("mine", "", step="\nfloat total = 0.0f;\nreturn totl;")()},
            r"loss mine, step, line 2, column \d+: .*totl.*(?s:.*)step sees: label, n_outputs, error, score, output, ",
        ),
        (
            {"loss": Loss("mine", "", step="return 0.0f;", sample="return output[0];")()},
            r"loss mine, sample, line 1, column \d+: .*output.*(?s:.*)sample sees: label, n_outputs, error, score, ",
        ),
        (
            {"optimiser": Optimiser("mine", "", update="weight -= gradiant;")()},
            r"optimiser mine, update, line 1, column \d+: .*gradiant(?s:.*)update sees: weight, gradient, chance",
        ),
        (
            {"learning": dataclasses.replace(models.EProp, shape="awai")()},
            r"learning rule e_prop, shape, line 1, column \d+: .*awai(?s:.*)did you mean away",
        ),
    ],
)
def test_a_mistake_in_a_snippet_is_named_with_model_slot_and_line(by, message):
    with pytest.raises(DeviceError, match=message):
        trainer(**by)


def test_a_mistake_in_how_far_from_its_threshold_a_neuron_is():
    gradient = dataclasses.replace(models.LIFSubtractive.gradient, distance="V - treshold")
    with pytest.raises(DeviceError, match=r"neuron lif_subtractive, gradient.distance, line 1, column \d+: .*treshold"):
        trainer(classifier(dataclasses.replace(models.LIFSubtractive, gradient=gradient)))


def test_a_readout_may_be_all_that_learns():
    network = Network(seed=1, dt_ms=1.0)
    network.add_population("input", N_IN, models.SampleInput())
    network.add_population("output", N_OUT, models.LeakyReadout())
    network.add_projection("direct", "input", "output", models.AllToAll(), models.DeltaCurrent(), 0.1, models.Trained())
    learns = trainer(network, optimiser=models.Adam(learning_rate=0.05))
    losses = [learns.train_batch(samples(20)).loss for _ in range(40)]
    assert losses[-1] < 0.8 * losses[0]
    assert learns.evaluate(samples(20)).hidden_hz == {}
