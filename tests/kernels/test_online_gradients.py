"""Gradients by an eligibility of each synapse and step, beside those that spikes add up behind a sample."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import Network, models
from hpcsnn.training.trainer import Trainer
from support.learning import N_IN, N_OUT, N_STEPS, classifier, samples
from support.trained_nets import INPUT, Regularisation, alif, drawn_batch, drawn_net, lif
from support.trained_networks import network_of, rule_of, samples_of

IN_A_ROW = [(INPUT, "a"), ("a", "a"), ("a", "b"), ("a", "output"), ("b", "output")]
STRONG = {"beta": 0.25, "tau_adaptation_ms": 60.0}
HELD = Regularisation(strength=20.0, rate=0.02, decay=float(np.exp(-1 / 30)))


def gradients(network, batch, **rule):
    trainer = Trainer(network, "output", batch.n_steps, learning=models.EProp(**rule), device="cpu")
    return trainer.gradients(batch)


def compare(network, batch, **rule):
    """Of both ways; returns the largest gradient."""
    by_events, online = (gradients(network, batch, **rule | {"gradient": way}) for way in ("events", "online"))
    largest = max(abs(values["gradient"]).max(initial=0) for name, values in by_events.items() if name != "output")
    for name, expected in by_events.items():
        for column, values in expected.items():
            np.testing.assert_allclose(
                online[name][column], values, rtol=0, atol=1e-5 * max(largest, 1.0), err_msg=f"{name}: {column}"
            )
    return largest


@settings(max_examples=12)
@given(data=st.data())
def test_both_ways_are_one_gradient(data):
    """Of one structure; LIF and ALIF, recurrent; wiring, delays, constants and samples are data."""
    draw = data.draw
    own = {"tau_m_ms": draw(st.sampled_from([4.0, 20.0])), "refractory_steps": draw(st.integers(0, 7))}
    net = drawn_net(
        draw(st.integers(0, 999)), {"a": alif(19, **own, **STRONG), "b": lif(16, **own)}, IN_A_ROW, n_inputs=5,
        connectivity=draw(st.sampled_from([0.1, 0.5, 1.0])), gain=draw(st.sampled_from([0.7, 2.0])),
        delays=tuple(draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))),
        tau_out_ms=draw(st.sampled_from([3.0, 20.0])),
    )  # fmt: skip
    net.bias[:] = np.float32(0.05)
    n_steps = draw(st.integers(1, 50))
    batch = drawn_batch(draw(st.integers(0, 999)), 2, n_steps, 5, 3, 0.3, draw(st.integers(0, n_steps - 1)))
    rule = draw(st.sampled_from([("exact", Regularisation()), ("exact", HELD), ("mlgenn", HELD)]))
    compare(network_of(net, 5), samples_of(batch, 3), **rule_of(*rule).values)


def test_neurons_that_differ_have_gradients_of_their_own():
    network = Network(seed=1, dt_ms=1.0)
    network.add_population("input", N_IN, models.SampleInput())
    network.add_population("hidden", 21, models.ALIFSubtractive(tau_m_ms=models.Uniform(3.0, 30.0), **STRONG))
    network.add_population("output", N_OUT, models.LeakyReadout())
    for name, source, target in (("in", "input", "hidden"), ("again", "hidden", "hidden"), ("out", "hidden", "output")):
        network.add_projection(
            name, source, target, models.AllToAll(), models.DeltaCurrent(), models.Normal(0.1, 0.4), models.Trained()
        )
    assert compare(network, samples()) > 1.0


def test_errors_that_come_back_by_random_weights():
    assert compare(classifier(p=0.3), samples(), feedback="random") > 1.0


def test_targets_in_place_of_labels_and_a_neuron_of_ones_own():
    """Two variables that carry over onto each other, and a spike that depends on both."""
    mine = dataclasses.replace(
        models.LIFSubtractive,
        name="mine",
        state=(*models.LIFSubtractive.state, models.Variable("w")),
        update="w = 0.8f * w + 0.1f * V;\nV = decay * V - 0.2f * w + input_current;\nsilent_steps = 0;",
        threshold="V + 0.5f * w >= V_threshold",
        reset="w += 0.3f;",
        gradient=models.Gradient(
            distance="(V + 0.5f * w - V_threshold) / V_threshold",
            width="V_threshold",
            input={"V": "1.0f"},
            spike={"V": "1.0f", "w": "0.5f"},
            carry={("V", "V"): "decay - 0.02f", ("V", "w"): "-0.16f", ("w", "w"): "0.8f", ("w", "V"): "0.1f"},
            jump={"w": "0.3f"},
        ),
    )
    batch, found = samples(targets=True), []
    for way in ("events", "online"):
        rule = models.EProp(gradient=way)
        trainer = Trainer(classifier(mine), "output", N_STEPS, loss=models.SquaredError(), learning=rule, device="cpu")
        found.append(trainer.gradients(batch))
    for name in ("input_hidden", "recurrent", "hidden_output"):
        by_events, online = (one[name]["gradient"] for one in found)
        assert abs(by_events).max() > 1.0
        np.testing.assert_allclose(online, by_events, rtol=0, atol=1e-5 * abs(by_events).max())


def test_batches_that_are_rewired_leave_nothing_behind(tmp_path):
    """Of a batch, in the next: the gradient of a fresh trainer with the same weights is the same."""
    rule = models.EProp(gradient="online", regularisation=0.5)
    network = classifier(rule=models.DeepRByGradient(l1=1.0), p=0.3)
    trainer = Trainer(
        network, "output", N_STEPS, learning=rule, optimiser=models.Adam(learning_rate=0.02), device="cpu"
    )
    for seed in range(3):
        assert sum(trainer.train_batch(samples(seed=seed)).rewired.values()) > 0
    fresh = Trainer(network, "output", N_STEPS, learning=rule, device="cpu")
    trainer.save(tmp_path / "kept")
    fresh.restore(tmp_path / "kept")
    batch = samples(seed=7)
    for name, expected in fresh.gradients(batch).items():
        for column, values in expected.items():
            np.testing.assert_array_equal(trainer.gradients(batch)[name][column], values, err_msg=name)


@pytest.mark.parametrize("gradient", ["events", "online"])
def test_parts_of_a_batch_add_up_to_the_bit(gradient):
    trainer = Trainer(
        classifier(p=0.3), "output", N_STEPS, learning=models.EProp(gradient=gradient, regularisation=1.0),
        device="cpu",
    )  # fmt: skip
    batch = samples()
    whole = trainer.gradients(batch)
    parts = [trainer.gradients(batch.select(chosen)) for chosen in ([5, 1, 3], [0, 2, 4, *range(6, 12)])]
    for name, columns in whole.items():
        for column, values in columns.items():
            if column not in ("pre", "post"):
                np.testing.assert_array_equal(sum(part[name][column] for part in parts), values)
