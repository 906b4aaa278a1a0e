"""Hypercolumns that learn without labels: the published equations, and the same bits on threads and when resumed."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn.codegen.hypercolumns import HYPERCOLUMN_KERNELS
from hpcsnn.codegen.program import generate
from hpcsnn.engine.hypercolumns.wiring import swapped
from support.devices import on_launched
from support.hypercolumns import GROUPS, LEVELS, SIZE, Dense, learner, patterns, shown
from support.nvrtc import ptx_of

# Nothing is left out, so that only float32 is between it and the equations.
EXACT = {"least_activity": 0.0, "least_probability": 1e-12}


def channels(levels):
    on = levels / LEVELS
    return np.stack([on, 1 - on], axis=2).reshape(len(levels), -1)


def state(trainer):
    carried = {name: np.asarray(values) for name, values in trainer.learnt.carried.items()}
    return {
        "p_input": carried["p_input"].ravel(), "p_unit": carried["p_unit"].ravel(),
        "p_joint": carried["p_joint"].reshape(GROUPS * SIZE, -1), "connected": carried["connected"][:, :, 0],
    }  # fmt: skip


def test_probabilities_activity_and_swaps_are_those_of_the_published_equations():
    trainer = learner(**EXACT)
    trainer.train_batch(shown(10, seed=1))  # now it has begun
    dense = Dense(**state(trainer), tau=40.0)
    for seed in range(2, 12):
        x = channels(patterns(10, seed)[0])
        expected = np.stack([dense.activity(one).ravel() for one in x])
        np.testing.assert_allclose(trainer.features(shown(10, seed)).toarray(), expected, rtol=2e-3, atol=2e-3)
        undecided = 0.0
        for one in x:
            undecided -= np.log(dense.activity(one).max(axis=1)).mean() / len(x)
            dense.learn(one)
        result = trainer.train_batch(shown(10, seed))
        assert result.loss == pytest.approx(undecided, rel=2e-3, abs=1e-4)
        found = state(trainer)
        for name in ("p_input", "p_unit", "p_joint"):
            np.testing.assert_allclose(found[name], getattr(dense, name), rtol=2e-3, atol=1e-6, err_msg=name)
        told = dense.information().astype(np.float32)
        dense.connected, n_swapped = swapped(dense.connected, told, 1.1, 3)
        np.testing.assert_array_equal(found["connected"], dense.connected)
        assert result.rewired == {"learns": 2 * SIZE * n_swapped}


def test_each_unit_begins_at_the_first_samples_and_is_told_apart_by_chance():
    x = channels(patterns(200, 5)[0])
    trainer = learner(batch=200, swaps=0, tau_patterns=1e6, initial_spread=0.5)
    trainer.train_batch(shown(200, 5))
    found = state(trainer)
    np.testing.assert_allclose(found["p_input"], np.maximum(x.mean(axis=0), 1e-3), rtol=1e-3)
    spread = np.log(found["p_joint"] * SIZE / np.maximum(x.mean(axis=0), 1e-3))
    assert spread.std() == pytest.approx(0.5, abs=0.05)
    assert abs(spread.mean()) < 0.1


def test_weights_are_of_the_connections_that_are_not_silent():
    trainer = learner()
    for seed in range(5):
        trainer.train_batch(shown(10, seed))
    found, synapses = state(trainer), trainer.synapses("learns")
    assert len(synapses["pre"]) == trainer.n_synapses("learns") == GROUPS * SIZE * 5 * 2
    for group, sources in enumerate(found["connected"]):
        of_group = synapses["post"] // SIZE == group
        assert set(synapses["pre"][of_group] // 2) == set(sources.tolist())
    ratio = found["p_joint"][synapses["post"], synapses["pre"]] / found["p_unit"][synapses["post"]]
    np.testing.assert_allclose(synapses["weight"], np.log(np.maximum(ratio, 1e-3)), rtol=1e-4, atol=1e-5)
    trained = trainer.network
    assert trained.projections["learns"].connector.name == "explicit_list"
    np.testing.assert_allclose(trained.populations["hidden"].initial["bias"], np.log(found["p_unit"]), rtol=1e-4)


def digest(device="cpu", cut=None, path=None):
    trainer = learner(device=device)
    for seed in range(6):
        if seed == cut:
            trainer.save(path)
            trainer = learner(device=device)
            trainer.restore(path)
        trainer.train_batch(shown(10 if seed < 5 else 7, seed))
    return trainer.digest()


@on_launched
def test_threads_and_gpus_give_the_hosts_bits(device):
    assert digest(device) == digest()


@pytest.mark.parametrize("cut", [0, 3])
def test_it_goes_on_from_what_was_saved(cut, tmp_path):
    assert digest(cut=cut, path=tmp_path / "saved.zip") == digest()


def test_a_linear_classifier_answers_by_activity():
    trainer = learner(batch=50)
    for seed in range(6):
        trainer.train_batch(shown(50, seed))
    trainer.read_out_by(shown(2000, 20))
    evaluation = trainer.evaluate(shown(100, 21))
    assert evaluation.accuracy > 0.9
    assert evaluation.loss < 0.7
    np.testing.assert_array_equal(evaluation.labels, patterns(100, 21)[1])


@pytest.mark.parametrize("compute_capability", [80, 90])
def test_kernels_of_hypercolumns_compile_for_gpus(compute_capability):
    ptx = ptx_of(generate(learner().simulation.network, 2).kernels, compute_capability)
    for kernel in HYPERCOLUMN_KERNELS:
        assert f".entry {kernel}(" in ptx
    assert "fma.rn.f32" not in ptx
