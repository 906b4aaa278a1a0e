"""Samples that are played at a time, by replicas that share the weights, teach the same bits as one after the other."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn import models
from hpcsnn.devices.host import HostDevice
from hpcsnn.engine.learning.replicas import bytes_of_replica
from hpcsnn.errors import ConfigurationError
from hpcsnn.network import Network
from hpcsnn.network.learning import Learning
from hpcsnn.network.learning_network import learning_network
from support.classifiers import N_STEPS, classes_in_noise, classifier, trained, trainer
from support.devices import on_launched
from support.lanes import some
from support.thread_ranks import on_ranks

DRAWN = models.Uniform(1.0, 6.0)
CASES = {
    "drawn delays, currents that last": {
        "network": lambda: classifier(delays_ms=(DRAWN, DRAWN, DRAWN), receptor=models.ExponentialCurrent(tau_ms=4.0))
    },
    "recurrent LIF": {"network": lambda: classifier()},
    "ALIF, DEEP R": {
        "network": lambda: classifier(
            neurons=models.ALIFSubtractive(refractory_ms=2), rule=models.DeepRByGradient(l1=0.01)
        ),
        "learning": models.EProp(regularisation=0.01),
    },
    "dense, delays": {"network": lambda: classifier(p=1.0, recurrent=False, delays_ms=(2, 1, 3))},
    "neurons that differ": {
        "network": lambda: classifier(neurons=models.LIFSubtractive(tau_m_ms=models.Uniform(10.0, 30.0)))
    },
    "mlgenn": {"network": lambda: classifier(), "learning": models.EProp(pairing="mlgenn", regularisation=0.01)},
    "adaptive feedback": {"network": lambda: classifier(), "learning": models.EProp(feedback="adaptive")},
    "random feedback, loss of a sample": {
        "network": lambda: classifier(delays_ms=(1, 3, 2)),
        "learning": models.EProp(feedback="random"),
        "loss": models.SummedCrossEntropy(),
    },
}


class Wide(HostDevice):
    """A core that would rather have several replicas, as a GPU has."""

    def side_by_side(self, wanted: int, bytes_each: int) -> int:
        return min(wanted, 6)


def made_of(case, n_batches=3, comm=None, **more):
    settings = dict(CASES[case])
    return trained(settings.pop("network")(), n_batches, comm=comm, **{**settings, **more})


@pytest.mark.parametrize("case", some(CASES, 2))
def test_replicas_do_not_change_a_bit(case):
    """Batches are of ten: three and seven leave some replicas with nothing to play."""
    alone = made_of(case)
    answers = alone.evaluate(classes_in_noise(17, seed=5))
    for replicas in (2, 3, 7, 16):
        beside = made_of(case, replicas=replicas)
        assert beside.digest() == alone.digest()
        found = beside.evaluate(classes_in_noise(17, seed=5))
        np.testing.assert_array_equal(found.predictions, answers.predictions)
        assert (found.loss, found.hidden_hz) == (answers.loss, answers.hidden_hz)


@on_launched
@pytest.mark.parametrize("case", some(CASES, 2))
def test_replicas_on_launched_kernels(case, device):
    assert made_of(case, device=device, replicas=4).digest() == made_of(case).digest()


def test_ranks_with_replicas():
    alone = made_of("ALIF, DEEP R").digest()
    assert on_ranks(3, lambda comm: made_of("ALIF, DEEP R", comm=comm, replicas=2).digest()) == [alone] * 3


def test_a_device_may_ask_for_as_many_as_a_batch_has_on_a_rank():
    made = trainer(device=Wide(), batch=10)
    assert made.simulation.network.replicas == 6
    assert trainer(device=Wide(), batch=4).simulation.network.replicas == 4
    assert trainer(device=Wide(), batch=4, replicas=1).simulation.network.replicas == 1
    assert trainer(device="cpu", batch=10).simulation.network.replicas == 1


def test_a_trained_readout_goes_on_in_every_replica(tmp_path):
    """What is kept of the readout, its bias, is there once for each replica: learnt, saved and restored."""
    made = made_of("recurrent LIF", replicas=3)
    made.save(tmp_path / "state")
    other = made_of("recurrent LIF", n_batches=0, replicas=5)
    other.restore(tmp_path / "state")
    samples = classes_in_noise(10, seed=9)
    for one in (made, other):
        one.train_batch(samples)
    assert made.digest() == other.digest()


NUMBERED = models.NeuronModel(
    "numbered",
    "Leaks by its number.",
    state=(models.Variable("V"),),
    update="V = (neuron < 3 ? 0.9f : 0.8f) * V + input_current;",
    threshold="V >= 0.6f",
    reset="V -= 0.6f;",
    gradient=models.Gradient(distance="V - 0.6f", input={"V": "1.0f"}, spike={"V": "1.0f"}, carry={("V", "V"): "0.9f"}),
)


def untrained_beside() -> Network:
    network = classifier()
    network.add_projection(
        "fixed", "input", "hidden", models.FixedProbability(p=0.1), models.DeltaCurrent(), 0.1, delay_ms=1.0
    )
    return network


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"replicas": 0}, r"^replicas: 0 is not allowed; must be a whole number >= 1"),
        (
            {"network": untrained_beside(), "replicas": 2},
            r"^replicas: 2 is not allowed; projections.fixed is not trained, and its synapses are not shared: must",
        ),
        (
            {"network": classifier(neurons=NUMBERED()), "replicas": 2},
            r"^replicas: 2 is not allowed; populations.hidden: snippets of numbered see 'neuron', a number that",
        ),
        (
            {"learning": models.EProp(gradient="online"), "replicas": 2},
            r"^replicas: 2 is not allowed; gradient: online keeps an eligibility of each synapse, which replicas do",
        ),
    ],
)
def test_what_replicas_cannot_share(more, message):
    with pytest.raises(ConfigurationError, match=message):
        trainer(**more)


def test_a_network_that_cannot_be_shared_is_played_alone():
    assert trainer(untrained_beside(), device=Wide()).simulation.network.replicas == 1


@pytest.mark.parametrize("receptor", [models.DeltaCurrent(), models.ExponentialCurrent()])
def test_bytes_of_a_replica(receptor):
    network = classifier(rule=models.DeepRByGradient(), receptor=receptor)
    one, two = (trainer(network, replicas=n).simulation.state.n_bytes() for n in (1, 2))
    declared = Learning("output", N_STEPS, models.EProp(), models.Adam(), models.CrossEntropy())
    assert bytes_of_replica(learning_network(network, declared)) == two - one
