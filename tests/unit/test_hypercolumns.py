"""Hypercolumns: which connections are swapped, what is refused, and how values are shown by two channels."""

from __future__ import annotations

import re

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError, Network, models
from hpcsnn.engine.hypercolumns.wiring import first_connections, swapped
from hpcsnn.network.unsupervised.hypercolumns import Hypercolumns
from hpcsnn.training.configuration import load_training
from hpcsnn.training.data.encoders import ON_OFF, Frames
from hpcsnn.training.unsupervised.layer_network import layer_network
from hpcsnn.training.unsupervised.readout import LinearReadout
from support.hypercolumns import layer


def one_by_one(connected, told, ratio, most):
    """As `swapped`, with lists and loops."""
    rows, n_swapped = [set(row) for row in connected.tolist()], 0
    for number, row in enumerate(rows):
        score = {
            source: told[number, source] / (1.0 + sum(source in other for other in rows if other is not row))
            for source in range(told.shape[1])
        }
        for _ in range(most):
            silent = set(score) - row
            if not silent or not row:
                break
            best, worst = max(sorted(silent), key=score.get), min(sorted(row), key=score.get)
            if not score[best] > ratio * score[worst]:
                break
            row.remove(worst)
            row.add(best)
            n_swapped += 1
    return np.array([sorted(row) for row in rows]), n_swapped


@settings(max_examples=60)
@given(
    st.integers(1, 5), st.integers(1, 12), st.data(), st.sampled_from([1.0, 1.1, 2.0]), st.integers(0, 4),
    st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_the_least_telling_connections_give_way(n_groups, n_sources, data, ratio, most, seed):
    random = np.random.default_rng(seed)
    n_connected = data.draw(st.integers(1, n_sources))
    order = random.random((n_groups, n_sources)).argsort(axis=1)[:, :n_connected]
    connected = np.sort(order, axis=1).astype(np.int32)
    told = random.integers(-2, 9, (n_groups, n_sources)).astype(np.float32)  # so that some are equal
    after, n_swapped = swapped(connected, told, ratio, most)
    expected, n_expected = one_by_one(connected, told.astype(float), ratio, most)
    np.testing.assert_array_equal(after, expected)
    assert n_swapped == n_expected
    again, _ = swapped(after, told, ratio, n_sources)
    assert (np.diff(again, axis=1) > 0).all()


def test_first_connections_are_drawn_evenly_and_by_the_seed():
    declared = Hypercolumns("hidden", 10, 40, 5, models.HypercolumnBCPNN(connections=6))
    units = 10 * np.arange(2000, dtype=np.int32)
    found = first_connections(declared, 1, units)
    assert found.shape == (2000, 6)
    assert (np.diff(found, axis=1) > 0).all()
    counts = np.bincount(found.ravel(), minlength=20)
    assert abs(counts - 600).max() < 5 * np.sqrt(600)
    np.testing.assert_array_equal(first_connections(declared, 1, units[7:9]), found[7:9])
    assert (first_connections(declared, 2, units) != found).any()


@given(st.lists(st.integers(0, 255), min_size=1, max_size=6), st.integers(1, 9))
def test_two_channels_show_a_value_in_all_steps(values, levels):
    frames = Frames(np.array([values]), np.array([0, 1]), 0, 255)
    spikes = ON_OFF.encode(frames, {"levels": levels}, 1.0, 0)
    assert (spikes.n_channels, spikes.n_steps) == (2 * len(values), levels)
    shown = np.zeros((levels, 2 * len(values)), int)
    np.add.at(shown, (spikes.event_steps, spikes.event_channels), 1)
    np.testing.assert_array_equal(shown[:, ::2] + shown[:, 1::2], 1)
    on = np.rint(levels * np.array(values) / 255).astype(int)
    np.testing.assert_array_equal(shown[:, ::2].sum(axis=0), on)
    for step in range(1, levels + 1):  # evenly spread
        assert (abs(shown[:step, ::2].sum(axis=0) - on * step / levels) < 1).all()


def test_the_readout_separates_what_a_line_does():
    from scipy import sparse

    random = np.random.default_rng(1)
    labels = random.integers(0, 3, 3000).astype(np.int32)
    features = np.eye(3)[labels] + 0.1 * random.normal(size=(3000, 3))
    readout = LinearReadout.fitted(sparse.csr_matrix(features), labels, 3, seed=1)
    chances = readout.chances(sparse.csr_matrix(features))
    np.testing.assert_allclose(chances.sum(axis=1), 1.0)
    assert (chances.argmax(axis=1) == labels).all()


def refusal(change=None, batch=10, **rule):
    network = layer()
    if change is not None:
        network = change(network) or network
    given = models.HypercolumnBCPNN(**{"connections": 5, "tau_patterns": 40.0, **rule})
    with pytest.raises(ConfigurationError) as error:
        layer_network(network, "hidden", given, batch)
    return str(error.value)


def other(model=None, size=15, connector=None, synapse=None, source=None):
    network = Network(seed=1, dt_ms=1.0)
    network.add_population("input", 24, source or models.SampleInput())
    network.add_population("hidden", size, model or models.SoftmaxUnit(group_size=5))
    given = (connector or models.AllToAll(), models.DeltaCurrent(), 0.5)
    network.add_projection("learns", "input", "hidden", *given, *([synapse] if synapse else []), delay_ms=1.0)
    return network


@pytest.mark.parametrize(
    ("message", "change", "more"),
    [
        ("populations.hidden.model: lif is not allowed with an unsupervised rule; must be softmax_unit",
         lambda _: other(models.LIF()), {}),
        ("populations: input beside hidden is not allowed with an unsupervised rule; must be one of sample_input",
         lambda _: other(source=models.Poisson()), {}),
        ("projections: learns, more is not allowed with an unsupervised rule; must be one from input to hidden",
         lambda net: net.add_projection("more", "input", "hidden", models.OneToOne(), models.DeltaCurrent(), 1.0,
                                        delay_ms=1.0) and None, {}),
        ("projections.learns.connector: fixed_probability is not allowed with an unsupervised rule, which says what is "
         "wired and what it weighs; must be all_to_all",
         lambda _: other(connector=models.FixedProbability(p=0.5)), {}),
        ("projections.learns.synapse: additive_stdp is not allowed with an unsupervised rule",
         lambda _: other(synapse=models.AdditiveSTDP(w_max=1.0)), {}),
        ("unsupervised.hypercolumn_bcpnn.source_units: 5 is not allowed; must be a divisor of 24, the",
         None, {"source_units": 5}),
        ("unsupervised.hypercolumn_bcpnn.connections: 13 is not allowed; the source has 12 hypercolumns: must",
         None, {"connections": 13}),
        ("batch: 900 is not allowed; must be at most 20 times unsupervised.hypercolumn_bcpnn.tau_patterns (40)",
         None, {"batch": 900}),
    ],
)  # fmt: skip
def test_what_cannot_learn_so_is_refused(message, change, more):
    assert refusal(change, **more).startswith(message)


def test_a_ratio_by_which_swaps_would_go_to_and_fro_is_refused():
    with pytest.raises(
        ConfigurationError, match=r"^hypercolumn_bcpnn\.swap_ratio: 0\.9 is not allowed; must be >= 1, or swaps"
    ):
        models.HypercolumnBCPNN(swap_ratio=0.9)


@pytest.mark.parametrize("key", [{"loss": "cross_entropy"}, {"learning": "e_prop"}, {"window_steps": 3}])
def test_what_a_loss_needs_is_refused_beside_an_unsupervised_rule(key, tmp_path):
    text = {
        "data": "digits", "encoding": "on_off", "readout": "hidden",
        "unsupervised": {"hypercolumn_bcpnn": {"connections": 9}},
        "populations": {"input": {"size": 128, "model": "sample_input"},
                        "hidden": {"size": 20, "model": {"softmax_unit": {"group_size": 10}}}},
        "projections": {"learns": {"source": "input", "target": "hidden", "connector": "all_to_all",
                                   "receptor": "delta_current", "weight": -1}},
    }  # fmt: skip
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(text))
    resolved = load_training(path).resolved()
    assert resolved["unsupervised"]["hypercolumn_bcpnn"]["connections"] == 9
    assert not {"loss", "optimiser", "learning"} & set(resolved)
    path.write_text(yaml.safe_dump({**text, **key}))
    (name,) = key
    with pytest.raises(ConfigurationError, match=re.escape(f"{name}: is not allowed with an unsupervised rule")):
        _ = load_training(path).models
