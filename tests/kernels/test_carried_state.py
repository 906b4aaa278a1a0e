"""State that samples carry on: two of them are one long sample, and each place of a batch goes its own way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hpcsnn import models
from hpcsnn.errors import ConfigurationError
from hpcsnn.network.learning_fields import carried_bytes
from hpcsnn.training.data.samples import Samples
from support.classifiers import N_CHANNELS, N_CLASSES, N_STEPS, classes_in_noise, classifier, trained, trainer
from support.devices import on_launched
from support.thread_ranks import on_ranks

DRAWN = models.Uniform(1.0, 6.0)
NETWORKS = {
    "LIF": classifier,
    "ALIF, delays": lambda: classifier(neurons=models.ALIFSubtractive(refractory_ms=2), delays_ms=(3, 2, 4)),
    "drawn delays, currents that last": lambda: classifier(
        delays_ms=(DRAWN, DRAWN, DRAWN), receptor=models.ExponentialCurrent(tau_ms=4.0)
    ),
}


def joined(samples):
    """Pairs of samples, each pair as one of twice the steps and with the label of its first."""
    sample = np.repeat(np.arange(len(samples)), np.diff(samples.first_event))
    step = samples.event_steps + sample % 2 * samples.n_steps
    return Samples.from_events(
        sample // 2, step.astype(float), samples.event_channels, labels=samples.labels[::2], n_classes=N_CLASSES,
        n_channels=N_CHANNELS, duration_ms=2.0 * samples.n_steps, dt_ms=1.0,
    )  # fmt: skip


def neurons_of(made):
    return {name: made.neurons(name) for name in ("hidden", "output")}


@pytest.mark.parametrize("name", NETWORKS)
def test_two_samples_are_one_long_sample(name):
    """In steps that no ring of spikes or input divides; of the potentials the last bit, of the losses the sum."""
    samples = classes_in_noise(8)
    samples = replace(samples, labels=np.repeat(samples.labels[::2], 2))
    pieces = trainer(NETWORKS[name](), batch=1, carry_state=True)
    for first in range(0, 8, 2):
        pair = samples.select(np.arange(first, first + 2))
        whole = trainer(NETWORKS[name](), n_steps=2 * N_STEPS, batch=1)
        long, short = whole.evaluate(joined(pair)), pieces.evaluate(pair)
        assert short.loss * 2 == pytest.approx(long.loss, rel=1e-6)
        assert short.hidden_hz == pytest.approx(long.hidden_hz)
        for population, columns in neurons_of(whole).items():
            for column, values in columns.items():
                np.testing.assert_array_equal(neurons_of(pieces)[population][column], values, err_msg=column)


def test_each_place_of_a_batch_goes_its_own_way():
    """Beside a trainer of its own for each place, which plays its samples alone."""
    samples, batch = classes_in_noise(12), 4
    together = trainer(batch=batch, carry_state=True).evaluate(samples)
    for place in range(batch):
        own = trainer(batch=1, carry_state=True).evaluate(samples.select(np.arange(place, 12, batch)))
        np.testing.assert_array_equal(own.predictions, together.predictions[place::batch])


def test_it_is_not_what_begins_at_rest():
    assert trained(carry_state=True).digest() != trained().digest()
    # The first batch is.
    first, at_rest = (trained(n_batches=1, carry_state=carries) for carries in (True, False))
    for name in ("input_hidden", "hidden_hidden", "hidden_output"):
        np.testing.assert_array_equal(first.synapses(name)["weight"], at_rest.synapses(name)["weight"])


@pytest.mark.parametrize("name", NETWORKS)
def test_ranks_do_not_change_a_bit(name):
    """Nor does what is asked in between; the batches are of ten, the last of seven samples."""

    def learns(comm=None):
        made, samples = trainer(NETWORKS[name](), comm=comm, carry_state=True), classes_in_noise(27)
        answers = []
        for first in range(0, 27, 10):
            batch = samples.select(np.arange(first, min(first + 10, 27)))
            if first and comm is not None:
                made.gradients(batch)
            answers.append(made.train_batch(batch))
            if comm is not None:
                made.evaluate(samples)
        return made.digest(), answers, made.evaluate(samples).predictions.tolist()

    alone = learns()
    for n in (2, 3):
        assert on_ranks(n, learns) == [alone] * n


@on_launched
def test_launched_kernels_do_not_change_a_bit(device):
    one, other = (trained(NETWORKS["ALIF, delays"](), carry_state=True, device=on) for on in ("cpu", device))
    assert one.digest() == other.digest()


def test_a_restart_goes_on_in_all_places_on_other_ranks(tmp_path):
    samples, make = classes_in_noise(), NETWORKS["drawn delays, currents that last"]
    straight = trained(make(), n_batches=2, carry_state=True)
    straight.save(tmp_path / "saved")
    straight.train_batch(samples.select(np.arange(10)))

    def goes_on(comm):
        other = trainer(make(), comm=comm, carry_state=True)
        other.restore(tmp_path / "saved")
        before = other.digest()
        other.train_batch(samples.select(np.arange(10)))
        return before, other.digest()

    assert on_ranks(3, goes_on) == [(trained(make(), n_batches=2, carry_state=True).digest(), straight.digest())] * 3
    with pytest.raises(Exception, match="is no training of this network"):
        trainer(make()).restore(tmp_path / "saved")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            {"window_steps": 5},
            "window_steps: 5 is not allowed with carry_state, as samples are simulated twice from rest",
        ),
        ({"replicas": 2}, "replicas: 2 is not allowed; carry_state has each sample begin as another has ended"),
        ({"carry_state": "yes"}, "carry_state: 'yes' is not allowed"),
    ],
)
def test_what_cannot_be_carried_on_says_why(more, message):
    with pytest.raises(ConfigurationError) as error:
        trainer(**{"carry_state": True, **more})
    assert str(error.value).startswith(message)


def test_ranks_that_share_a_network_carry_nothing_on():
    def refused(comm):
        with pytest.raises(ConfigurationError) as error:
            trainer(comm=comm, carry_state=True, ranks_per_network=2)
        return str(error.value)

    assert on_ranks(2, refused)[0].startswith(
        "ranks_per_network: 2 is not allowed with carry_state, which a rank keeps of whole networks"
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_the_memory_of_places_is_known_before(name):
    made = trainer(NETWORKS[name](), carry_state=True)
    carried = made.learnt.carried
    assert sum(values.nbytes for values in carried.values()) == carried_bytes(made.simulation.network, made.batch)
