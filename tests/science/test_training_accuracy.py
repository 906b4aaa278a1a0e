"""What shipped trainings come to on real data: a sample here; all of them, over three seeds, in the slow lane."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn.errors import DataError
from hpcsnn.runs.experiment import Setting
from hpcsnn.runs.training_run import run_training
from hpcsnn.training.configuration import load_training

SEEDS = (1, 2, 3)


def accuracy_of(folder, config: str, *settings: str) -> float:
    """On the test samples."""
    configuration = load_training(config, settings)
    try:
        summary = run_training(configuration, folder, Setting(device="cpu", figures=False), overwrite=True)
    except DataError as error:
        pytest.skip(str(error))
    return float(summary["test_accuracy"])


def over_seeds(folder, config: str, *settings: str, seeds=SEEDS) -> np.ndarray:
    found = np.array([accuracy_of(folder, config, f"seed={seed}", *settings) for seed in seeds])
    print(f"{config} {' '.join(settings)}: {100 * found.mean():.2f} +- {100 * found.std(ddof=1):.2f} % {found}")
    return found


def test_digits_are_learnt_with_a_fifth_of_the_synapses(tmp_path):
    """Over seeds, the whole training comes to 95 to 96 %."""
    assert accuracy_of(tmp_path / "run", "digits", "epochs=8") > 0.91


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "settings", "least"),
    [
        ("fashion_mnist_dense", (), 0.845),
        ("fashion_mnist_static", (), 0.82),
        ("fashion_mnist_deep_r", (), 0.82),
        ("fashion_mnist_static", ("connectivity=0.01",), 0.795),
        ("fashion_mnist_deep_r", ("connectivity=0.01",), 0.795),
        ("japanese_vowels", (), 0.96),
        ("evidence_accumulation", (), 0.93),
    ],
)
def test_accuracy_of_three_seeds(config, settings, least, tmp_path):
    assert over_seeds(tmp_path / "run", config, *settings).mean() >= least


@pytest.mark.slow
def test_deep_r_is_within_a_point_of_dense_on_digits(tmp_path):
    """A point is 3.6 of 359 test samples: three seeds do not tell it."""
    sparse, dense = (
        over_seeds(tmp_path / "run", "digits", *settings, seeds=range(1, 9)) for settings in ([], ["connectivity=1.0"])
    )
    assert sparse.mean() >= dense.mean() - 0.01
