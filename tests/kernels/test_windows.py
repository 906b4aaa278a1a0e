"""Samples that are recorded window by window teach the same bits as samples that are recorded whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hpcsnn import models
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.errors import ConfigurationError
from hpcsnn.training.trainer import samples_at_hand
from support.classifiers import classes_in_noise, classifier, trained, trainer
from support.devices import on_launched
from support.lanes import some
from support.thread_ranks import on_ranks

DRAWN = models.Uniform(1.0, 6.0)
RECORDED = models.NeuronModel(
    "saturating",
    "Decays the slower the farther it is from rest.",
    state=(models.Variable("V"),),
    update="V = 0.9f * V / (1.0f + 0.1f * V * V) + input_current;",
    threshold="V >= 0.6f",
    reset="V -= 0.6f;",
    gradient=models.Gradient(
        distance="V - 0.6f", input={"V": "1.0f"}, spike={"V": "1.0f"}, carry={("V", "V"): "slope"},
        recorded={"slope": "0.9f * (1.0f - 0.1f * V * V) / ((1.0f + 0.1f * V * V) * (1.0f + 0.1f * V * V))"},
    ),
)  # fmt: skip
CASES = {
    "LIF": {"network": lambda: classifier(recurrent=False)},
    "recurrent ALIF, delays": {
        "network": lambda: classifier(
            neurons=models.ALIFSubtractive(refractory_ms=2), delays_ms=(3, 2, 4), rule=models.DeepRByGradient(l1=0.01)
        ),
        "learning": models.EProp(regularisation=0.01),
    },
    "drawn delays, currents that last": {
        "network": lambda: classifier(delays_ms=(DRAWN, DRAWN, DRAWN), receptor=models.ExponentialCurrent(tau_ms=4.0))
    },
    "a gradient that records": {"network": lambda: classifier(neurons=RECORDED())},
    "mlgenn": {
        "network": lambda: classifier(delays_ms=(1, 1, 2)),
        "learning": models.EProp(pairing="mlgenn", regularisation=0.01),
    },
    "adaptive feedback, dense": {
        "network": lambda: classifier(p=1.0), "learning": models.EProp(feedback="adaptive")
    },
    "random feedback, loss of a sample": {
        "network": lambda: classifier(delays_ms=(1, 3, 2)),
        "learning": models.EProp(feedback="random"),
        "loss": models.SummedCrossEntropy(),
    },
}  # fmt: skip
# Of 30 steps: shorter than delays, not dividing the steps, dividing them, all but one, all, more than all.
LENGTHS = (1, 2, 7, 10, 29, 30, 100)


def made_of(case, n_batches=3, comm=None, **more):
    settings = dict(CASES[case])
    return trained(settings.pop("network")(), n_batches, comm=comm, **{**settings, **more})


@pytest.mark.parametrize("case", some(CASES, 2))
def test_windows_do_not_change_a_bit(case):
    whole, samples = made_of(case), classes_in_noise(17, seed=5)
    answers, gradients = whole.evaluate(samples), whole.gradients(samples)
    for steps in LENGTHS:
        made = made_of(case, window_steps=steps)
        assert made.digest() == whole.digest(), steps
        found = made.evaluate(samples)
        np.testing.assert_array_equal(found.predictions, answers.predictions)
        assert (found.loss, found.hidden_hz) == (answers.loss, answers.hidden_hz)
        for owner, columns in made.gradients(samples).items():
            for name, values in columns.items():
                np.testing.assert_array_equal(values, gradients[owner][name])
    assert any(np.abs(columns.get("gradient", 0)).max() > 0 for columns in gradients.values())


@pytest.mark.parametrize(
    ("case", "more"),
    [
        ("recurrent ALIF, delays", {"replicas": 4}),
        ("mlgenn", {"replicas": 7}),
    ],
)
def test_windows_of_replicas(case, more):
    """Batches are of ten: the last samples leave some replicas with nothing to play."""
    assert made_of(case, window_steps=7, **more).digest() == made_of(case).digest()


@on_launched
def test_windows_on_launched_kernels(device):
    case = "drawn delays, currents that last"
    assert made_of(case, window_steps=7, device=device, replicas=3).digest() == made_of(case).digest()


def test_ranks_with_windows():
    alone, case = made_of("recurrent ALIF, delays").digest(), "recurrent ALIF, delays"
    assert on_ranks(2, lambda comm: made_of(case, comm=comm, window_steps=8).digest()) == [alone] * 2


def test_a_restart_may_have_other_windows(tmp_path):
    case, samples = "recurrent ALIF, delays", classes_in_noise()
    straight, made = made_of(case), made_of(case, window_steps=4)
    made.save(tmp_path / "saved")
    others = [made_of(case, n_batches=0, window_steps=steps) for steps in (11, None)]
    for other in others:
        other.restore(tmp_path / "saved")
    for one in (straight, made, *others):
        one.train_batch(samples)
        assert one.digest() == straight.digest()


def test_what_is_simulated_twice_is_counted_once():
    """Spikes, recorded ones too; and behind a batch the network is where it is without windows: in its digest are
    neurons, receptors, and what is in flight."""

    def left_by(window_steps):
        network = classifier(delays_ms=(DRAWN, 4.0, 2.0), receptor=models.ExponentialCurrent(tau_ms=4.0))
        network.populations["hidden"] = replace(network.populations["hidden"], record_spikes=True)
        made = trainer(network, window_steps=window_steps)
        result, simulation = made.train_batch(classes_in_noise(10)), made.simulation
        counted = [simulation.state.total_spikes(name) for name in ("input", "hidden")]
        return result, counted, simulation_digest(simulation), simulation.spikes("hidden")

    *whole, (steps, neurons) = left_by(None)
    assert whole[1][1] == len(steps) > 100
    for window_steps in (4, 29):
        *found, spikes = left_by(window_steps)
        assert found == whole
        np.testing.assert_array_equal(spikes, (steps, neurons))


def test_a_long_sample_takes_the_memory_of_a_window():
    """12,000 steps. A step that is recorded takes a number of each hidden neuron (20) and channel (12), two of hidden
    neurons and two of outputs in blocks of 16; a state that is set aside 5 numbers of each neuron at most; and each
    step an error of each output, in a block of 16."""
    n_steps, samples = 12_000, classes_in_noise(2, n_steps=12_000)
    whole, made = (trainer(n_steps=n_steps, batch=2, window_steps=steps) for steps in (None, 120))
    held, recorded = (
        {name: array.nbytes for name, array in one.simulation.state.arrays.items() if name.startswith("learning.")}
        for one in (made, whole)
    )
    of_synapses = [name for name in held if any(f".{one}." in name for one in made.simulation.network.projections)]
    kept, in_all = (sum(of.values()) - sum(of[name] for name in of_synapses) for of in (held, recorded))
    at_most = 4 * ((20 + 12 + 2 * 32 + 2 * 16) * 125 + 5 * (20 + 12 + 3) * 99 + 16 * n_steps + 1000)
    assert kept < at_most < in_all / 5
    assert sum(held[name] for name in held if name != "learning.error") < in_all / 30
    for one in (whole, made):
        one.train_batch(samples)
    assert made.digest() == whole.digest()


def test_fewer_samples_are_at_hand_where_they_are_long():
    assert [samples_at_hand(n_steps) for n_steps in (80, 1 << 15, 1 << 20, 1 << 30)] == [512, 512, 16, 1]


def online():
    return trainer(learning=models.EProp(gradient="online"), window_steps=10)


def changing():
    network = classifier()
    network.add_projection(
        "plastic", "input", "hidden", models.OneToOne(), models.DeltaCurrent(), 0.1, models.AdditiveSTDP(),
    )  # fmt: skip
    return trainer(network, window_steps=10)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: trainer(window_steps=0),
            r"^window_steps: 0 is not allowed; must be a whole number >= 1",
        ),
        (
            online,
            r"^window_steps: 10 is not allowed with gradient: online, which records nothing of a sample; must be null, "
            r"or set gradient: events$",
        ),
        (
            changing,
            r"^window_steps: 10 is not allowed with projections.plastic, whose synapses or traces a spike changes, and "
            r"spikes are simulated once more; must be null$",
        ),
    ],
)
def test_what_windows_cannot_repeat(make, message):
    with pytest.raises(ConfigurationError, match=message):
        make()
