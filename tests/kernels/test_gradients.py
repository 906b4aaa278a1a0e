"""Gradients and training of the compiled kernels beside slow programs that share nothing with them."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hpcsnn import Network, models
from hpcsnn.training.trainer import Trainer
from support.eprop_backward import from_the_end
from support.eprop_formulas import PAIRINGS, accumulate
from support.mlgenn_training import Adam, MlGeNN
from support.trained_nets import INPUT, Batch, Net, Regularisation, alif, drawn_batch, drawn_net, lif, softmax
from support.trained_networks import dense_gradients, net_of, network_of, rule_of, samples_of

ONE_LAYER = [(INPUT, "a"), ("a", "output")]
RECURRENT = [(INPUT, "a"), ("a", "a"), ("a", "output")]
TWO_LAYERS = [(INPUT, "a"), ("a", "a"), ("a", "b"), ("b", "b"), ("b", "a"), ("a", "output"), ("b", "output")]
IN_A_ROW = [(INPUT, "a"), ("a", "a"), ("a", "b"), ("a", "output"), ("b", "output")]
STRONG = {"beta": 0.25, "tau_adaptation_ms": 60.0}  # an adaptation that a short sample feels
HELD = Regularisation(strength=20.0, rate=0.02, decay=float(np.exp(-1 / 30)))
FREE = Regularisation()

NETS = {
    "lif": lambda: drawn_net(1, {"a": lif(8)}, ONE_LAYER),
    "alif": lambda: drawn_net(2, {"a": alif(8)}, ONE_LAYER),
    "recurrent_lif": lambda: drawn_net(4, {"a": lif(20)}, RECURRENT),
    "recurrent_alif": lambda: drawn_net(5, {"a": alif(20, **STRONG)}, RECURRENT, delays=(2, 1, 3)),
    "sparse_lif": lambda: drawn_net(10, {"a": lif(40)}, RECURRENT, connectivity=0.1, delays=(1, 3, 2)),
    "sparse_alif": lambda: drawn_net(11, {"a": alif(40)}, RECURRENT, connectivity=0.1, tau_out_ms=35.0),
    "two_layers": lambda: drawn_net(
        6, {"a": lif(17, 12.0), "b": alif(16, **STRONG)}, TWO_LAYERS, delays=(1, 2, 3, 4), connectivity=0.6
    ),
    "input_to_readout": lambda: drawn_net(8, {"a": lif(6)}, [*RECURRENT, (INPUT, "output")], delays=(3, 1, 4, 2)),
}
BATCHES = {"whole": drawn_batch(11), "late": drawn_batch(12, n_samples=2, n_steps=55, first_scored_step=20)}


def with_one_bias(net: Net) -> Net:
    """A network is given with one bias for all outputs; training makes them differ."""
    net.bias[:] = np.float32(0.05)
    return net


def trainer_of(network: Network, batch: Batch, pairing="exact", regularisation=FREE, **others):
    learning = rule_of(pairing, regularisation, network.dt_ms)
    return Trainer(network, "output", batch.n_steps, learning=learning, device="cpu", **others)


def slow_gradients(net, batch, pairing, regularisation):
    if pairing == "mlgenn":
        return accumulate(net, batch, pairing, regularisation)
    pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)
    from support.autograd_training import differentiate

    return differentiate(net, batch, regularisation)


def compare(found, expected, net, batch, of_all=1e-6, of_projection=3e-6):
    """Weights beside the largest gradient of the network, and of their projection; biases beside what they sum up.

    A bias hears every step, so its terms are many and may cancel; in float32 each is as exact as the readout's voltage.
    """
    largest = max(abs(gradient).max() for gradient in expected.gradients.values())
    for name, gradient in expected.gradients.items():
        bound = min(of_all * largest, of_projection * abs(gradient).max())
        np.testing.assert_allclose(found.gradients[name], gradient, rtol=0, atol=bound, err_msg=name)
    error = softmax(expected.readout) - np.eye(len(net.bias))[batch.labels][:, None, :]
    terms = abs(from_the_end(error * batch.scored[None, :, None], net.alpha_out)).sum((0, 1))
    np.testing.assert_allclose(found.bias, expected.bias, rtol=0, atol=of_all * terms.max())


@pytest.mark.parametrize("regularisation", [FREE, HELD], ids=["free", "held"])
@pytest.mark.parametrize("pairing", PAIRINGS)
@pytest.mark.parametrize("net", NETS)
def test_gradients_are_those_of_slow_programs(net, pairing, regularisation):
    net = with_one_bias(NETS[net]())
    for batch in BATCHES.values():
        expected = slow_gradients(net, batch, pairing, regularisation)
        assert expected.margin > 1e-5, "single precision would decide over a spike"
        assert all(abs(gradient).max() > 0.1 for gradient in expected.gradients.values())
        trainer = trainer_of(network_of(net, 9), batch, pairing, regularisation)
        compare(dense_gradients(net, trainer, samples_of(batch, 3)), expected, net, batch)
        evaluated = trainer.evaluate(samples_of(batch, 3))
        assert evaluated.loss == pytest.approx(expected.loss.mean(), rel=2e-6)
        assert evaluated.predictions.tolist() == expected.predictions(batch.first_scored_step).tolist()
        for name, spikes in expected.spikes.items():
            assert evaluated.hidden_hz[name] == pytest.approx(1000 * spikes.mean(), rel=1e-12)


@pytest.mark.parametrize("dt_ms", [1.0, 0.5])
def test_wiring_and_weights_that_are_drawn_have_these_gradients(dt_ms):
    network = Network(seed=3, dt_ms=dt_ms)
    network.add_population(INPUT, 9, models.SampleInput())
    network.add_population("a", 30, models.ALIFSubtractive(**STRONG))
    network.add_population("output", 3, models.LeakyReadout())
    weights = models.Normal(0.1, 0.7)
    for source, target, p, delay_ms in ((INPUT, "a", 0.4, 1.0), ("a", "a", 0.2, 2.0), ("a", "output", 1.0, 3.0)):
        connector = models.AllToAll() if p == 1.0 else models.FixedProbability(p=p)
        network.add_projection(
            f"{source}_{target}", source, target, connector, models.DeltaCurrent(), weights, models.Trained(w_max=5),
            delay_ms=delay_ms,
        )  # fmt: skip
    batch = BATCHES["whole"]
    trainer = trainer_of(network, batch, regularisation=HELD)
    net = net_of(network, trainer)
    assert 60 < net.projections["input_a"].mask.sum() < 160
    assert {its.refractory_steps for its in net.populations.values()} == {round(5 / dt_ms)}
    expected = slow_gradients(net, batch, "exact", HELD)
    assert expected.margin > 1e-5
    assert expected.spikes["a"].any()
    compare(dense_gradients(net, trainer, samples_of(batch, 3, dt_ms)), expected, net, batch)


@settings(max_examples=25)
@given(data=st.data())
def test_gradients_of_any_small_network(data):
    """Of one structure and size, since each is compiled; wiring, delays, constants and samples are data."""
    draw = data.draw
    n_inputs, n_outputs = 5, 19
    own = {"tau_m_ms": draw(st.sampled_from([4.0, 20.0])), "refractory_steps": draw(st.integers(0, 7))}
    populations = {"a": alif(33, **own, **STRONG), "b": lif(16, **own)}
    net = drawn_net(
        draw(st.integers(0, 999)), populations, IN_A_ROW, n_inputs=n_inputs, n_outputs=n_outputs,
        connectivity=draw(st.sampled_from([0.3, 1.0])), gain=draw(st.sampled_from([0.7, 2.0])),
        delays=tuple(draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))),
        tau_out_ms=draw(st.sampled_from([3.0, 20.0])),
    )  # fmt: skip
    assume(all(projection.mask.any() for projection in net.projections.values()))
    n_steps = draw(st.integers(1, 40))
    first_scored = draw(st.integers(0, n_steps - 1))
    batch = drawn_batch(draw(st.integers(0, 999)), 2, n_steps, n_inputs, n_outputs, 0.3, first_scored)
    pairing, regularisation = draw(st.sampled_from(PAIRINGS)), draw(st.sampled_from([FREE, HELD]))
    expected = slow_gradients(with_one_bias(net), batch, pairing, regularisation)
    assume(expected.margin > 1e-5)
    trainer = trainer_of(network_of(net, n_inputs), batch, pairing, regularisation)
    found = dense_gradients(net, trainer, samples_of(batch, n_outputs))
    # A gradient is a sum of whole numbers of 2^-20, one for each spike, and of terms that may cancel.
    largest = max(1.0, *(abs(gradient).max() for gradient in expected.gradients.values()))
    for name, gradient in expected.gradients.items():
        np.testing.assert_allclose(found.gradients[name], gradient, rtol=0, atol=2e-6 * largest, err_msg=name)
    np.testing.assert_allclose(found.bias, expected.bias, rtol=0, atol=1e-6 * max(largest, 20 * n_steps))


@pytest.mark.parametrize("pairing", PAIRINGS)
def test_gradients_of_samples_add_up_to_the_bit_and_change_nothing(pairing):
    net, batch = with_one_bias(NETS["two_layers"]()), drawn_batch(11, n_samples=7)
    trainer = trainer_of(network_of(net, 9), batch, pairing, HELD)
    samples, before = samples_of(batch, 3), trainer.digest()
    whole = dense_gradients(net, trainer, samples)
    parts = [dense_gradients(net, trainer, samples.select(chosen)) for chosen in ([6, 0, 3], [2], [5, 1, 4])]
    for name, gradient in whole.gradients.items():
        np.testing.assert_array_equal(sum(part.gradients[name] for part in parts), gradient, err_msg=name)
    np.testing.assert_array_equal(sum(part.bias for part in parts), whole.bias)
    assert trainer.digest() == before
    assert trainer.batches_done == 0


@pytest.mark.parametrize("kind", [lif, alif])
def test_twenty_batches_of_deep_r_are_mlgenns(kind):
    """Weights, answers and which synapses go; those that come are the trainer's own choice."""
    net = with_one_bias(drawn_net(3, {"a": kind(20)}, RECURRENT, connectivity=0.3))
    held, l1, batches = Regularisation(0.5, 0.02), 2.0, [drawn_batch(100 + n, 8) for n in range(20)]
    rules = {name: models.DeepRByGradient(l1=l1) for name in ("input_a", "a_a")}
    network = network_of(net, 9, rules)
    trainer = trainer_of(network, batches[0], "mlgenn", held, optimiser=models.Adam(learning_rate=0.01))
    net = net_of(network, trainer)
    negative = {name: np.zeros(net.projections[name].mask.shape, bool) for name in rules}
    slow = MlGeNN(net, Adam(0.01), held, l1, negative)

    def read_signs(name):
        rows = trainer.synapses(name)
        assert set(np.sign(rows["weight"]) * rows["sign"]) <= {0.0, 1.0}
        negative[name][rows["pre"], rows["post"]] = rows["sign"] < 0
        return set(zip(rows["pre"].tolist(), rows["post"].tolist(), strict=True))

    def born(name, _gone):
        return sorted(read_signs(name) - {(int(pre), int(post)) for pre, post in np.argwhere(slow.masks[name])})

    for name in rules:
        read_signs(name)
    rewired = dict.fromkeys(rules, 0)
    for batch in batches:
        result, expected = trainer.train_batch(samples_of(batch, 3)), slow.train_batch(batch, born)
        assert result.loss == pytest.approx(expected.loss, rel=1e-5)
        assert result.n_correct == expected.n_correct
        assert result.n_samples == 8
        assert result.rewired == {name: len(pairs) for name, pairs in expected.gone.items()}
        now = net_of(network, trainer)
        for name, weights in expected.weights.items():
            np.testing.assert_array_equal(now.projections[name].mask, slow.masks[name])
            np.testing.assert_allclose(now.projections[name].weights, weights, rtol=0, atol=1e-5, err_msg=name)
        np.testing.assert_allclose(now.bias, expected.bias, rtol=0, atol=1e-5)
        rewired = {name: n + result.rewired[name] for name, n in rewired.items()}
    assert min(rewired.values()) > 20


def test_gradient_descent_takes_the_gradient_that_is_reported():
    net, batch = with_one_bias(NETS["recurrent_alif"]()), BATCHES["whole"]
    trainer = trainer_of(network_of(net, 9), batch, optimiser=models.SGD(learning_rate=2.0**-10))
    found = dense_gradients(net, trainer, samples_of(batch, 3))
    trainer.train_batch(samples_of(batch, 3))
    after = net_of(network_of(net, 9), trainer)
    for name, projection in net.projections.items():
        expected = projection.weights - found.gradients[name] * 2.0**-10
        np.testing.assert_allclose(after.projections[name].weights, expected, rtol=3e-7, atol=1e-9)
    np.testing.assert_allclose(after.bias, net.bias - found.bias * 2.0**-10, rtol=3e-7, atol=1e-9)
