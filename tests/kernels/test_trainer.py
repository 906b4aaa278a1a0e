"""A network learns, keeps what it must keep, and is the simulator's again afterwards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hpcsnn import Network, Simulation, models
from hpcsnn.errors import ConfigurationError, SimulationError, StorageError
from support.classifiers import N_CHANNELS, classes_in_noise, classifier, trained, trainer
from support.thread_ranks import on_ranks

DEEP_R = models.DeepRByGradient(l1=0.01)


@pytest.mark.parametrize(
    "network",
    [
        pytest.param(lambda: classifier(), id="recurrent LIF"),
        pytest.param(lambda: classifier(neurons=models.ALIFSubtractive(refractory_ms=2)), id="recurrent ALIF"),
        pytest.param(lambda: classifier(p=1.0, recurrent=False, delays_ms=(2, 1, 3)), id="dense, delays"),
        pytest.param(lambda: classifier(rule=models.DeepRByGradient(l1=1e-4)), id="DEEP R"),
    ],
)
def test_classes_are_learnt(network):
    """Chance is 1/3; the samples are easy."""
    samples, made = classes_in_noise(300, seed=2), trainer(network(), optimiser=models.Adam(learning_rate=0.01))
    before = made.evaluate(samples)
    made.fit(samples, epochs=4)
    after = made.evaluate(classes_in_noise(200, seed=3))
    assert after.loss < 0.6 * before.loss
    assert after.accuracy > 0.75


def test_sgd_with_momentum_goes_down():
    samples, made = classes_in_noise(200), trainer(optimiser=models.SGD(learning_rate=3e-4, momentum=0.9))
    before = made.evaluate(samples).loss
    made.fit(samples, epochs=3)
    assert made.evaluate(samples).loss < 0.9 * before


@pytest.mark.parametrize("learning", [models.EProp(), models.EProp(pairing="mlgenn", regularisation=0.01)])
def test_gradients_add_up_exactly(learning):
    """Of a batch: the sum of its parts', in whole numbers, however it is cut."""
    samples, made = classes_in_noise(), trainer(learning=learning)
    whole = made.gradients(samples)
    parts = [made.gradients(samples.select(chosen)) for chosen in (np.arange(7), np.arange(7, 40))]
    for owner, columns in whole.items():
        for name, values in columns.items():
            added = values if name in ("pre", "post") else parts[0][owner][name] + parts[1][owner][name]
            np.testing.assert_array_equal(values, added)
    assert any(np.abs(columns.get("gradient", 0)).max() > 0 for columns in whole.values())


def test_neurons_may_differ_in_a_parameter():
    """Errors of the same outputs, by random feedback: each neuron has the gradient that it has among its like."""
    samples, taus_ms = classes_in_noise(), np.linspace(5.0, 40.0, 20)

    def gradient_of(tau_m_ms):
        network = classifier(recurrent=False, neurons=models.LIFSubtractive(tau_m_ms=tau_m_ms))
        network.projections["hidden_output"] = replace(network.projections["hidden_output"], weights=None, weight=0.0)
        made = trainer(network, learning=models.EProp(feedback="random"))
        return made.gradients(samples)["input_hidden"]

    mixed = gradient_of(taus_ms)
    for neuron in (0, 7, 19):
        alike = gradient_of(float(taus_ms[neuron]))
        onto = mixed["post"] == neuron
        np.testing.assert_array_equal(mixed["gradient"][onto], alike["gradient"][onto])
        assert np.abs(mixed["gradient"][onto]).max() > 0


def test_gradients_and_evaluations_change_nothing():
    made, samples = trained(), classes_in_noise()
    before = made.digest()
    made.gradients(samples)
    made.evaluate(samples)
    assert made.digest() == before
    assert made.train_batch(samples.select(np.arange(10))).n_samples == 10
    assert made.digest() != before


def test_samples_are_alike_wherever_they_stand():
    """State begins anew with each sample: answers do not depend on what was played before."""
    made, samples = trained(), classes_in_noise()
    order = np.random.default_rng(5).permutation(len(samples))
    straight, shuffled = made.evaluate(samples), made.evaluate(samples.select(order))
    np.testing.assert_array_equal(straight.predictions[order], shuffled.predictions)


# -- one answer --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_ranks", [2, 3, 4])
def test_ranks_do_not_change_a_bit(n_ranks):
    """10 samples a batch: on 3 and 4 ranks not equally many."""
    network = classifier(rule=DEEP_R, neurons=models.ALIFSubtractive())
    alone = trained(network).digest()
    assert on_ranks(n_ranks, lambda comm: trained(network, comm=comm).digest()) == [alone] * n_ranks


def test_more_ranks_than_samples():
    samples = classes_in_noise(2)

    def digest(comm):
        made = trainer(comm=comm)
        made.train_batch(samples)
        return made.digest()

    assert set(on_ranks(4, digest)) == {digest(None)}


@pytest.mark.parametrize("rule", [None, DEEP_R])
def test_a_restart_in_the_middle_goes_on_bit_for_bit(rule, tmp_path):
    network, samples = classifier(rule=rule, neurons=models.ALIFSubtractive()), classes_in_noise()
    first, second = trained(network), trainer(network)
    first.save(tmp_path / "saved")
    second.restore(tmp_path / "saved")
    assert second.batches_done == first.batches_done == 4
    for made in (first, second):
        for _ in range(3):
            made.train_batch(samples)
    assert first.digest() == second.digest()


def test_what_is_damaged_or_of_another_network_is_not_restored(tmp_path):
    import zarr

    saved = tmp_path / "saved"
    trained().save(saved)
    with pytest.raises(StorageError, match="is no training of this network"):
        trainer(classifier(recurrent=False, p=0.5, rule=DEEP_R)).restore(saved)
    weights = zarr.open_array(str(saved / "projections/hidden_output/weight"))
    weights[3] = weights[3] + 1.0
    with pytest.raises(StorageError, match="is damaged: what it holds has the digest"):
        trainer().restore(saved)
    with pytest.raises(StorageError, match="nowhere"):
        trainer().restore(tmp_path / "nowhere")


def test_the_trained_network_runs_to_the_same_bits():
    """A sample as given spikes, and the network by itself: the readout ends where the trainer's did."""
    made, sample = trained(classifier(rule=DEEP_R)), classes_in_noise(1, seed=9)
    made.evaluate(sample)
    learnt = made.network
    network = Network(seed=1, dt_ms=1.0)
    spikes = models.SpikeArray(neurons=sample.event_channels, times_ms=sample.event_steps.astype(float))
    network.add_population("input", N_CHANNELS, spikes)
    network.populations |= {
        name: replace(learnt.populations[name], record_spikes=True) for name in ("hidden", "output")
    }
    for name, one in learnt.projections.items():
        source, target = (network.populations[end.name] for end in (one.source, one.target))
        network.projections[name] = replace(one, source=source, target=target)
    simulation = Simulation(network, device="cpu")
    simulation.run(sample.n_steps)
    assert len(simulation.spikes("hidden")[0]) > 10
    np.testing.assert_array_equal(simulation.neurons("output")["V"], made.neurons("output")["V"])


# -- DEEP R ------------------------------------------------------------------------------------------------------------


def pairs_of(made, name):
    rows = made.synapses(name)
    return set(zip(rows["pre"], rows["post"], strict=True))


def test_deep_r_keeps_counts_and_signs_and_newcomers_begin_with_nothing():
    optimiser = models.Adam(learning_rate=0.05)
    made = trainer(classifier(p=0.2, rule=models.DeepRByGradient(l1=0.05)), optimiser=optimiser)
    samples = classes_in_noise()
    count = {name: len(made.synapses(name)["pre"]) for name in ("input_hidden", "hidden_hidden")}
    sign_of: dict[tuple[str, int, int], float] = {}
    replaced = dict.fromkeys(count, 0)
    for _ in range(15):
        before = {name: pairs_of(made, name) for name in count}
        result = made.train_batch(samples)
        for name, n in count.items():
            rows = made.synapses(name)
            assert len(rows["pre"]) == n
            pairs = list(zip(rows["pre"], rows["post"], strict=True))
            assert len(set(pairs)) == n
            for (pre, post), sign, weight in zip(pairs, rows["sign"], rows["weight"], strict=True):
                assert sign_of.setdefault((name, pre, post), sign) == sign in (-1.0, 1.0)
                assert weight * sign >= 0
            new = np.array([pair not in before[name] for pair in pairs])
            assert result.rewired[name] >= new.sum()
            for column in ("weight", "gradient_mean", "gradient_square"):
                assert (rows[column][new] == 0).all()
            replaced[name] += result.rewired[name]
    assert all(n > 0 for n in replaced.values())


def test_deep_r_counts_a_weight_of_zero_as_positive():
    """Without input nothing has a gradient: a newcomer of a negative pair stays at 0, and goes at the next batch."""
    rule, optimiser = models.DeepRByGradient(l1=0.05), models.Adam(learning_rate=0.05)
    made = trainer(classifier(p=0.2, recurrent=False, rule=rule), optimiser=optimiser)
    for _ in range(30):
        result = made.train_batch(classes_in_noise())
    rows = made.synapses("input_hidden")
    zero = rows["weight"] == 0
    assert zero.sum() == result.rewired["input_hidden"] or (rows["sign"][zero] > 0).any()
    assert (rows["sign"][zero] < 0).any() or zero.sum() == 0


# -- other losses ------------------------------------------------------------------------------------------------------


def test_the_loss_of_summed_outputs_learns_too():
    samples, made = (
        classes_in_noise(300),
        trainer(loss=models.SummedCrossEntropy(), optimiser=models.Adam(learning_rate=0.01)),
    )
    made.fit(samples, epochs=3)
    assert made.evaluate(samples).accuracy > 0.75


def test_outputs_follow_targets():
    """Regression: the squared error of a constant target goes down by the bias alone."""
    samples = classes_in_noise(20)
    targets = np.full((20, samples.n_steps, 3), 0.5, dtype=np.float32)
    regression = type(samples)(
        samples.first_event, samples.event_steps, samples.event_channels, samples.n_channels, samples.n_steps, 1.0,
        None, 0, targets, samples.first_scored_step,
    )  # fmt: skip
    made = trainer(loss=models.SquaredError(), optimiser=models.Adam(learning_rate=0.01))
    before = made.evaluate(regression).loss
    made.fit(regression, epochs=20)
    assert made.evaluate(regression).loss < 0.5 * before


def test_only_scored_steps_count():
    samples, made = classes_in_noise(5), trainer()
    late = type(samples)(
        samples.first_event, samples.event_steps, samples.event_channels, samples.n_channels, samples.n_steps, 1.0,
        samples.labels, samples.n_classes, None, np.full(5, samples.n_steps - 1, dtype=np.int32),
    )  # fmt: skip
    made.evaluate(late)
    outputs = made.neurons("output")["V"].astype(np.float64)  # of the last sample
    share = np.exp(outputs) / np.exp(outputs).sum()
    assert made.evaluate(late.select([4])).loss == pytest.approx(-np.log(share[late.labels[4]]), rel=1e-5)


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"n_steps": 31}, r"samples\.n_steps: 30 is not allowed; must be 31, the trainer's n_steps"),
        ({"loss": models.SquaredError()}, r"samples\.targets: the loss squared_error needs targets of 3 outputs"),
        ({"batch": 0}, r"batch: 0 is not allowed"),
        ({"optimiser": models.EProp()}, r"optimiser: .* is not a Optimiser"),
    ],
)
def test_what_does_not_fit_is_refused(changed, message):
    with pytest.raises(ConfigurationError, match=message):
        trainer(**changed).evaluate(classes_in_noise())


def test_a_gradient_beyond_what_adds_up_stops_with_the_neuron():
    network = classifier(recurrent=False)
    made = trainer(network, learning=models.EProp(dampening=1e9))
    with pytest.raises(
        SimulationError, match=r"populations\.hidden: the gradient of neuron \d+ in a step is not within"
    ):
        for _ in range(3):
            made.train_batch(classes_in_noise())


def test_weights_stay_within_their_bound():
    network = classifier()
    made = trainer(network, optimiser=models.SGD(learning_rate=100.0))
    made.train_batch(classes_in_noise())
    weights = made.synapses("hidden_output")["weight"]
    assert np.abs(weights).max() <= 4.0
    assert made.evaluate(classes_in_noise()).loss > 0
