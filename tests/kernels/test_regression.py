"""Trainings on targets in place of labels: what they leave, what is best, and the answers that figures show."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hpcsnn.errors import StorageError
from hpcsnn.runs.experiment import Setting
from hpcsnn.runs.stored.kinds import stored_run
from hpcsnn.runs.stored.training import StoredTraining
from hpcsnn.runs.training_metrics import read_metrics
from hpcsnn.runs.training_results import relative_error
from hpcsnn.runs.training_run import evaluate_training, run_training
from hpcsnn.training.configuration import load_training
from hpcsnn.training.rasters import outputs_of

SMALL = [
    "data.pattern_generation={train_samples: 24, test_samples: 6, duration_ms: 100, n_inputs: 12, rate_hz: 40}",
    "populations.input.size=12", "populations.hidden.size=20", "batch=6", "epochs=4",
    "projections.input_to_hidden.weight.normal.std=0.5",
]  # fmt: skip
QUIET = Setting(device="cpu")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Configuration, run directory and summary of a small one."""
    run = tmp_path_factory.mktemp("regression") / "run"
    configuration = load_training("pattern_generation", SMALL)
    return configuration, run, run_training(configuration, run, QUIET)


def test_a_regression_leaves_losses_and_no_accuracy(trained):
    _, run, summary = trained
    assert (summary["test_accuracy"], summary["best_validation_accuracy"]) == (None, None)
    epochs = [line for line in read_metrics(run / "metrics.jsonl") if line["kind"] == "epoch"]
    losses = [line["validation_loss"] for line in epochs]
    assert summary["best_validation_loss"] == min(losses)
    assert summary["best_epoch"] == losses.index(min(losses)) + 1
    assert losses[-1] < losses[0]
    assert all(line["accuracy"] is None and line["validation_accuracy"] is None for line in epochs)
    answers = json.loads((run / "evaluation.json").read_text())
    assert (answers["loss"], answers["error"]) == (summary["test_loss"], summary["test_error"])
    assert (answers["labels"], answers["n_samples"]) == ([], 6)
    again = evaluate_training(run, QUIET, "last")
    assert (again["loss"], again["accuracy"]) == (summary["test_loss"], None)
    said = []
    stored_run(run).verify(said.append)
    assert said[-1] == "evaluation.json: answers to 6 samples"


def test_the_error_is_a_share_of_the_targets_squares(trained):
    configuration, _, summary = trained
    test = configuration.load_data().test
    assert summary["test_error"] == pytest.approx(2 * 6 * summary["test_loss"] / (test.targets**2).sum(), rel=1e-5)
    assert relative_error(configuration, test, float((test.targets**2).sum()) / 12) == pytest.approx(1.0)


def test_answers_that_are_shown_are_those_whose_loss_was_told(trained):
    configuration, run, summary = trained
    test = configuration.load_data().test
    network = StoredTraining(run).learnt.network(configuration.network(), "output")
    outputs = [outputs_of(network, "output", test, index, "cpu") for index in range(len(test))]
    losses = 0.5 * ((np.array(outputs) - test.targets) ** 2).sum(axis=(1, 2))
    assert losses.mean() == pytest.approx(summary["test_loss"], rel=1e-5)


def test_figures_show_outputs_and_no_classes(trained):
    _, run, _ = trained
    names = {path.stem for path in (run / "figures").glob("*.png")}
    assert names == {"learning_curves", "outputs", "degrees", "rasters"}
    drawn = (run / "figures" / "outputs.png").read_bytes()
    stored_run(run).draw("png", trust=False)
    assert (run / "figures" / "outputs.png").read_bytes() == drawn


def test_answers_to_other_data_are_told(trained):
    _, run, _ = trained
    answers = json.loads((run / "evaluation.json").read_text())
    try:
        (run / "evaluation.json").write_text(json.dumps({**answers, "n_samples": 5}))
        with pytest.raises(StorageError, match="has answers to 5 samples, and the data have 6"):
            stored_run(run).draw("png", trust=False)
    finally:
        (run / "evaluation.json").write_text(json.dumps(answers))
