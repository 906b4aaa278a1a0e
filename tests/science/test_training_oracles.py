"""The slow programs that training's kernels are compared with, among themselves and with closed forms.

They share a description of the network and nothing else where it matters: PyTorch differentiates a simulation, one
program carries an eligibility of every synapse forward, one goes backwards in every neuron, one follows mlGeNN's order.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.eprop_backward import add_up
from support.eprop_formulas import PAIRINGS, accumulate
from support.mlgenn_training import Adam, MlGeNN
from support.trained_nets import INPUT, Batch, Dense, Net, Neurons, Regularisation, alif, drawn_batch, drawn_net, lif

ONE_LAYER = [(INPUT, "a"), ("a", "output")]
RECURRENT = [(INPUT, "a"), ("a", "a"), ("a", "output")]
TWO_LAYERS = [(INPUT, "a"), ("a", "a"), ("a", "b"), ("b", "b"), ("b", "a"), ("a", "output"), ("b", "output")]
STRONG = {"beta": 0.25, "tau_adaptation_ms": 60.0}  # an adaptation that a short sample feels
HELD = Regularisation(strength=20.0, rate=0.02, decay=float(np.exp(-1 / 30)))

NETS = {
    "lif": lambda: drawn_net(1, {"a": lif(8)}, ONE_LAYER),
    "alif": lambda: drawn_net(2, {"a": alif(8)}, ONE_LAYER),
    "strong_alif": lambda: drawn_net(3, {"a": alif(8, **STRONG)}, ONE_LAYER),
    "recurrent_lif": lambda: drawn_net(4, {"a": lif(8)}, RECURRENT),
    "recurrent_alif": lambda: drawn_net(5, {"a": alif(8, **STRONG)}, RECURRENT, delays=(2, 1, 3)),
    "two_layers": lambda: drawn_net(
        6, {"a": lif(7, 12.0), "b": alif(6, **STRONG)}, TWO_LAYERS, delays=(1, 2, 3, 4), connectivity=0.6
    ),
    "sparse": lambda: drawn_net(7, {"a": lif(12), "b": alif(10)}, TWO_LAYERS, connectivity=0.2, tau_out_ms=35.0),
    "input_to_readout": lambda: drawn_net(8, {"a": lif(6)}, [*RECURRENT, (INPUT, "output")], delays=(3, 1, 4, 2)),
    "not_to_readout": lambda: drawn_net(9, {"a": lif(6), "b": lif(5)}, [(INPUT, "a"), ("a", "b"), ("b", "output")]),
}
BATCHES = {"whole": drawn_batch(11), "late": drawn_batch(12, n_samples=2, n_steps=55, first_scored_step=20)}
net_and_batch = pytest.mark.parametrize(("net", "batch"), [(n, b) for n in NETS for b in BATCHES])


@pytest.fixture(scope="module")
def differentiate():
    pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)
    from support.autograd_training import differentiate

    return differentiate


def close(found, expected, relative):
    """Every gradient, relative to the largest of its projection."""
    assert found.gradients.keys() == expected.gradients.keys()
    for name, gradient in expected.gradients.items():
        bound = relative * abs(gradient).max()
        np.testing.assert_allclose(found.gradients[name], gradient, rtol=0, atol=bound, err_msg=name)
    np.testing.assert_allclose(found.bias, expected.bias, rtol=0, atol=relative * abs(expected.bias).max())


def same_activity(found, expected):
    for name, spikes in expected.spikes.items():
        np.testing.assert_array_equal(found.spikes[name], spikes)
        assert spikes.any(), name
    np.testing.assert_allclose(found.readout, expected.readout, atol=1e-12)
    np.testing.assert_allclose(found.loss, expected.loss, atol=1e-11)
    np.testing.assert_allclose(found.penalty, expected.penalty, atol=1e-12)


# -- the exact gradient ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("regularisation", [Regularisation(), HELD], ids=["free", "held"])
@net_and_batch
def test_eligibilities_give_what_autograd_gives(differentiate, net, batch, regularisation):
    expected = differentiate(NETS[net](), BATCHES[batch], regularisation)
    found = accumulate(NETS[net](), BATCHES[batch], "exact", regularisation)
    same_activity(found, expected)
    close(found, expected, 1e-9)
    reached = [name for name in expected.gradients if name != "input_a" or net != "not_to_readout"]
    assert all(abs(expected.gradients[name]).max() > 1e-6 for name in reached)


def test_a_population_that_reaches_no_readout_learns_from_rates_alone(differentiate):
    for regularisation, learns in ((Regularisation(), False), (HELD, True)):
        found = differentiate(NETS["not_to_readout"](), BATCHES["whole"], regularisation)
        assert found.gradients["input_a"].any() == learns


@pytest.mark.parametrize("pairing", PAIRINGS)
@pytest.mark.parametrize("regularisation", [Regularisation(), HELD], ids=["free", "held"])
@net_and_batch
def test_numbers_of_neurons_give_what_eligibilities_give(net, batch, regularisation, pairing):
    expected = accumulate(NETS[net](), BATCHES[batch], pairing, regularisation)
    found = add_up(NETS[net](), BATCHES[batch], pairing, regularisation)
    same_activity(found, expected)
    close(found, expected, 1e-10)


@pytest.mark.parametrize("pairing", PAIRINGS)
def test_single_precision_is_enough_for_six_digits(pairing):
    net, batch = NETS["two_layers"](), BATCHES["whole"]
    for program in (accumulate, add_up):
        found, expected = (program(net, batch, pairing, HELD, dtype) for dtype in (np.float32, np.float64))
        assert expected.margin > 1e-5
        assert all(gradient.dtype == np.float32 for gradient in [*found.gradients.values(), found.bias])
        close(found, expected, 2e-6)


def test_pairings_differ():
    net, batch = NETS["recurrent_lif"](), BATCHES["whole"]
    exact, mlgenn = (accumulate(net, batch, pairing) for pairing in PAIRINGS)
    distance = np.linalg.norm(exact.gradients["input_a"] - mlgenn.gradients["input_a"])
    assert 0.03 < distance / np.linalg.norm(exact.gradients["input_a"]) < 1


# -- closed forms ------------------------------------------------------------------------------------------------------


def single(beta=0.0, weight=0.4, delays=(2, 3), n_steps=30):
    """One input spike of step 4, one neuron, one output of two that hears it."""
    its = Neurons(1, 0.9, 0.6, 5, beta, 0.95)
    back = Dense("a", "output", np.array([[0.7, 0.0]]), np.array([[True, False]]), delays[1])
    there = Dense(INPUT, "a", np.array([[weight]]), np.array([[True]]), delays[0])
    spikes = np.zeros((1, n_steps, 1), bool)
    spikes[0, 4] = True
    return Net({"a": its}, {"in": there, "back": back}, np.zeros(2), 0.8), Batch(spikes, np.array([1]))


def test_a_neuron_below_its_threshold_has_the_gradient_of_a_silent_readout(differentiate):
    """y stays 0 and pi 1/2: a spike of step t would cost 1/2 in each step from t + 3 on, weighed by 0.8^k."""
    net, batch = single()
    steps = np.arange(6, 30)
    v = 0.4 * 0.9 ** (steps - 6)
    psi = 0.3 / 0.6 * np.maximum(0, 1 - abs(v - 0.6) / 0.6)
    heard = np.array([sum(0.5 * 0.8**k for k in range(30 - (t + 3))) for t in steps])
    expected = (psi * 0.9 ** (steps - 6) * 0.7 * heard).sum()
    for program in (differentiate, accumulate, add_up):
        found = program(net, batch)
        assert not found.spikes["a"].any()
        assert found.gradients["in"] == pytest.approx(expected, rel=1e-12)
        assert not found.gradients["back"].any()
        assert found.loss == pytest.approx(30 * np.log(2))


def test_a_spike_raises_the_threshold_of_the_next(differentiate):
    """One spike in step 6: what it is and what it would have been is told apart in psi and by way of A."""
    net, batch = single(beta=0.5, weight=0.9)
    found = {program.__name__: program(net, batch) for program in (differentiate, accumulate, add_up)}
    steps = np.arange(6, 30)
    v = np.where(steps == 6, 0.9, (0.9 - 0.6) * 0.9 ** (steps - 6.0))
    a = np.where(steps == 6, 0, 0.95 ** (steps - 6.0))
    free = (steps == 6) | (steps >= 11)
    psi = free * 0.3 / 0.6 * np.maximum(0, 1 - abs(v - 0.6 - 0.5 * a) / 0.6)
    of_a, e = 0.0, []
    for step, surrogate in zip(steps, psi, strict=True):  # d A / d w by the rule of A, one step after another
        e.append(surrogate * (0.9 ** (step - 6) - 0.5 * of_a))
        of_a = 0.95 * (of_a + e[-1])
    y = np.where(np.arange(30) >= 9, 0.7 * 0.8 ** (np.arange(30) - 9.0), 0)
    error = np.exp(y) / (np.exp(y) + 1)
    heard = [sum(error[s] * 0.8 ** (s - t - 3) for s in range(t + 3, 30)) for t in steps]
    for name, outcome in found.items():
        assert np.argwhere(outcome.spikes["a"]).tolist() == [[0, 6, 0]], name
        assert outcome.gradients["in"] == pytest.approx(0.7 * np.dot(e, heard), rel=1e-12), name
        assert outcome.gradients["back"][0, 0] == pytest.approx(heard[0], rel=1e-12), name
        assert outcome.gradients["back"][0, 1] == 0, name


# -- finite differences ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("net", ["two_layers", "input_to_readout"])
def test_what_the_readout_has_is_the_slope_of_the_loss(differentiate, net):
    """Spikes do not depend on it, so nothing is cut and nothing is a surrogate."""
    net, batch, small = NETS[net](), BATCHES["late"], 1e-5
    found = differentiate(net, batch)
    parameters = {name: p.weights for name, p in net.projections.items() if p.target == "output"} | {"bias": net.bias}
    for name, values in parameters.items():
        gradient = found.bias if name == "bias" else found.gradients[name]
        for place in np.ndindex(values.shape):
            kept, losses = values[place], []
            for moved in (kept + small, kept - small):
                values[place] = moved
                losses.append(differentiate(net, batch).loss.sum())
            values[place] = kept
            assert gradient[place] == pytest.approx((losses[0] - losses[1]) / (2 * small), abs=1e-7, rel=1e-6)


# -- any network -------------------------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(data=st.data())
def test_any_network(differentiate, data):
    draw = data.draw
    kinds = [lif, lambda size: alif(size, **STRONG), lambda size: alif(size, tau_m_ms=8.0)]
    names = ["a", "b", "c"][: draw(st.integers(1, 3))]
    populations = {name: draw(st.sampled_from(kinds))(draw(st.integers(1, 6))) for name in names}
    possible = [(INPUT, "output")] + [
        (s, t) for s in [INPUT, *names] for t in [*names, "output"] if s != INPUT or t in names
    ]
    pairs = draw(st.lists(st.sampled_from(possible), min_size=1, unique=True))
    net = drawn_net(
        draw(st.integers(0, 999)), populations, pairs, n_inputs=5, connectivity=draw(st.sampled_from([0.2, 0.5, 1.0])),
        delays=tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))),
        tau_out_ms=draw(st.sampled_from([3.0, 20.0])), gain=draw(st.sampled_from([0.5, 2.0])),
    )  # fmt: skip
    batch = drawn_batch(draw(st.integers(0, 999)), 2, draw(st.integers(1, 30)), 5, rate=0.3)
    regularisation = draw(st.sampled_from([Regularisation(), HELD]))
    expected = differentiate(net, batch, regularisation)
    largest = max(1.0, *(abs(gradient).max() for gradient in expected.gradients.values()))
    for program in (accumulate, add_up):
        found = program(net, batch, "exact", regularisation)
        for name, gradient in expected.gradients.items():
            np.testing.assert_allclose(found.gradients[name], gradient, rtol=0, atol=1e-10 * largest, err_msg=name)
        np.testing.assert_allclose(found.bias, expected.bias, rtol=0, atol=1e-10 * largest)


# -- mlGeNN's training -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("regularisation", [Regularisation(), HELD], ids=["free", "held"])
@net_and_batch
def test_mlgenns_order_of_operations_gives_its_pairing(net, batch, regularisation):
    net, batch = NETS[net](), BATCHES[batch]
    expected = accumulate(net, batch, "mlgenn", regularisation)
    assert expected.margin > 1e-5
    # In float32 the voltages of readouts are 1e-6 apart, and what they give cancels between samples and steps.
    for dtype, relative in ((np.float64, 1e-10), (np.float32, 1e-4)):
        gradients, bias, kept = MlGeNN(net, regularisation=regularisation, dtype=dtype).gradients(batch)
        assert {values.dtype for values in (*gradients.values(), bias, kept.loss)} == {np.dtype(dtype)}
        for name, spikes in expected.spikes.items():
            np.testing.assert_array_equal(np.stack(kept.spikes[name], 1) > 0, spikes)
        np.testing.assert_allclose(kept.loss, expected.loss, rtol=relative)
        np.testing.assert_array_equal(kept.chosen.argmax(1), expected.predictions(batch.first_scored_step))
        close(replace(expected, gradients=gradients, bias=bias), expected, relative)


def test_adam_is_pytorchs():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)
    net, batch = NETS["recurrent_lif"](), BATCHES["whole"]
    trained = MlGeNN(net, Adam(learning_rate=0.01))
    beside = {name: torch.tensor(w, requires_grad=True) for name, w in trained.weights.items()}
    beside["bias"] = torch.tensor(trained.bias, requires_grad=True)
    optimiser = torch.optim.Adam(beside.values(), lr=0.01)
    for _ in range(20):
        gradients, bias, _ = trained.gradients(batch)
        for name, gradient in {**gradients, "bias": bias}.items():
            beside[name].grad = torch.tensor(gradient)
        optimiser.step()
        done = trained.train_batch(batch)
        for name, w in {**done.weights, "bias": done.bias}.items():
            np.testing.assert_allclose(w, beside[name].detach().numpy(), rtol=0, atol=2e-6, err_msg=name)


def test_training_learns_a_batch_by_heart():
    net, batch = NETS["recurrent_alif"](), drawn_batch(3, n_samples=6)
    trained = MlGeNN(net, Adam(learning_rate=0.01))
    batches = [trained.train_batch(batch) for _ in range(60)]
    assert batches[-1].loss < 0.3 * batches[0].loss
    assert batches[-1].n_correct == 6


def test_deep_r_holds_signs_and_numbers():
    net, batch = drawn_net(3, {"a": lif(20)}, RECURRENT, connectivity=0.3), BATCHES["whole"]
    rng = np.random.default_rng(0)
    negative = {
        name: np.where(p.mask, p.weights < 0, rng.random(p.mask.shape) < 0.5)
        for name, p in net.projections.items()
        if p.target == "a"
    }
    trained = MlGeNN(net, Adam(learning_rate=0.02), l1=0.05, negative=negative)
    numbers = {name: int(p.mask.sum()) for name, p in net.projections.items()}
    n_gone = 0

    def born(name, gone):
        free = np.argwhere(~trained.masks[name])
        return [(int(pre), int(post)) for pre, post in rng.permutation(free)[: len(gone)]]

    for _ in range(20):
        before = {name: w.copy() for name, w in trained.weights.items()}
        done = trained.train_batch(batch, born)
        n_gone += sum(map(len, done.gone.values()))
        for name, signs in negative.items():
            weights, mask = done.weights[name], trained.masks[name]
            assert mask.sum() == numbers[name]
            assert not weights[~mask].any()
            assert not trained.moments[name].m[~mask].any()
            assert not trained.moments[name].v[~mask].any()
            assert (weights[mask] == 0)[signs[mask]].sum() + (weights[mask] < 0)[signs[mask]].sum() == signs[mask].sum()
            assert (weights[mask] >= 0)[~signs[mask]].all()
            assert all(abs(before[name][pair]) < 0.07 for pair in done.gone[name])
    assert n_gone > 20
    assert trained.masks["a_output"].all()


def test_l1_alone_takes_a_step_of_the_learning_rate_towards_zero():
    """Without input nothing but L1 is left; Adam's first step is the learning rate, whatever the strength."""
    net = drawn_net(1, {"a": lif(5)}, ONE_LAYER, connectivity=0.5)
    silent = Batch(np.zeros((2, 10, 9), bool), np.array([0, 1]))
    negative = {"input_a": net.projections["input_a"].weights < 0}
    net.projections["input_a"].weights[:] = np.where(negative["input_a"], -0.5, 0.5) * net.projections["input_a"].mask
    done = MlGeNN(net, Adam(learning_rate=0.125), l1=0.3, negative=negative).train_batch(silent)
    mask = net.projections["input_a"].mask
    np.testing.assert_allclose(done.weights["input_a"][mask], np.where(negative["input_a"], -0.375, 0.375)[mask])
    assert not done.gone["input_a"]


def test_a_weight_of_0_counts_as_positive():
    net = drawn_net(1, {"a": lif(5)}, ONE_LAYER, connectivity=0.5)
    projection = net.projections["input_a"]
    projection.weights[:] = 0
    negative = {"input_a": np.random.default_rng(2).random(projection.mask.shape) < 0.5}
    trained = MlGeNN(net, negative=negative)
    expected = [tuple(pair) for pair in np.argwhere(projection.mask & negative["input_a"]).tolist()]
    free = [tuple(pair) for pair in np.argwhere(~projection.mask).tolist()][: len(expected)]
    silent = Batch(np.zeros((2, 10, 9), bool), np.array([0, 1]))
    assert trained.train_batch(silent, lambda name, gone: free).gone == {"input_a": expected}
    assert all(trained.masks["input_a"][pair] for pair in free)
    with pytest.raises(AssertionError, match=f"input_a: {len(expected)} synapses went and 0 come"):
        MlGeNN(net, negative=negative).train_batch(silent)
