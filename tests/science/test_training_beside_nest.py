"""The gradient of e-prop is NEST's, which adds it up in every step: LIF, recurrent, sparse, cross-entropy."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scaling.training.measure import SYNAPSES, for_nest
from scaling.training.networks import N_MNIST, random_samples

pytest.importorskip("nest", reason="needs nest-simulator")
ROOT = Path(__file__).parents[2]


def test_the_gradient_of_a_sample_is_that_of_nest(tmp_path):
    # What the two count as a sample's last step differs by two: spikes are over, and forgotten, long before.
    samples = replace(random_samples(2, **{**N_MNIST, "n_steps": 60, "n_events": 1600}), n_steps=N_MNIST["n_steps"])
    trainer = for_nest(samples, tmp_path / "nest.npz")
    command = [sys.executable, "-m", "scaling.peers.nest_eprop", str(tmp_path / "nest.npz")]
    done = subprocess.run(
        [*command, "--gradient", str(tmp_path / "gradient.npz")], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    ours = trainer.gradients(samples.select([0]))
    with np.load(tmp_path / "gradient.npz") as theirs:
        for name in SYNAPSES:
            found = np.zeros((len(trainer.neurons("input")["id"]),) * 2)
            found[theirs[f"{name}_pre"], theirs[f"{name}_post"]] = theirs[f"{name}_gradient"]
            of_nest = found[ours[name]["pre"], ours[name]["post"]]
            known = of_nest != 0.0
            assert known.mean() > 0.3, name
            scale = np.abs(of_nest).max()
            np.testing.assert_allclose(ours[name]["gradient"][known] / scale, of_nest[known] / scale, rtol=0, atol=1e-5)
