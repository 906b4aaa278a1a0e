"""Training on real ranks, which share out samples, or a network, or both: the bits of one process."""

from __future__ import annotations

import re

import pytest

from hpcsnn import models
from support.classifiers import classes_in_noise, classifier, trained
from support.ranks import hpcsnn, run_on_ranks
from support.runs import digest_of_run, succeeds
from support.small_trainings import SMALL, small_training

ON_RANKS = """
import sys
from mpi4py import MPI
from hpcsnn import models
from support.classifiers import classifier, classes_in_noise, trained
made = trained(
    classifier(rule=models.DeepRByGradient(l1=0.01), neurons=models.ALIFSubtractive()),
    comm=MPI.COMM_WORLD,
    learning=models.EProp(regularisation=0.1, feedback=sys.argv[1]),
)
answers = made.evaluate(classes_in_noise(7, seed=4))
found = MPI.COMM_WORLD.gather(f"{made.digest()} {answers.loss} {answers.predictions.tolist()}")
if MPI.COMM_WORLD.rank == 0:
    print("".join(f"{line};" for line in found))
"""


@pytest.mark.parametrize(("n_ranks", "feedback"), [(2, "symmetric"), (3, "adaptive")])
def test_ranks_share_out_batches_and_give_the_same_bits(n_ranks, feedback, tmp_path):
    made = trained(
        classifier(rule=models.DeepRByGradient(l1=0.01), neurons=models.ALIFSubtractive()),
        learning=models.EProp(regularisation=0.1, feedback=feedback),
    )
    answers = made.evaluate(classes_in_noise(7, seed=4))
    script = tmp_path / "train.py"
    script.write_text(ON_RANKS)
    done = run_on_ranks(n_ranks, [str(script), feedback])
    assert done.returncode == 0, done.stderr
    expected = f"{made.digest()} {answers.loss} {answers.predictions.tolist()}"
    assert done.stdout.strip() == n_ranks * f"{expected};"


# Recurrent ALIF neurons, of which ranks have some each, rewired; ten samples in a batch and two in the next one.
SHARED = {
    "data": {"delayed_xor": {"train_samples": 16, "test_samples": 3, "n_inputs": 8}},
    "epochs": 2,
    "populations": {**SMALL["populations"], "hidden": {"size": 6, "model": "alif_subtractive"}},
    "projections": {
        "input_to_hidden": {**SMALL["projections"]["input_to_hidden"], "rewiring": "deep_r_by_gradient"},
        "within_hidden": {
            **SMALL["projections"]["input_to_hidden"],
            "source": "hidden",
            "rewiring": "deep_r_by_gradient",
        },
        "hidden_to_output": SMALL["projections"]["hidden_to_output"],
    },
}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The configuration, and a training by it on one rank."""
    folder = tmp_path_factory.mktemp("alone")
    small_training(folder, **SHARED)
    run = folder / "run"
    succeeds("train", folder / "small.yaml", "--out", run, "--device", "cpu", "--no-figures")
    return folder / "small.yaml", run


@pytest.mark.parametrize("ranks", [2, 4])
def test_ranks_share_a_network_and_groups_of_them_samples(alone, ranks, tmp_path):
    config, straight = alone
    run = tmp_path / "run"
    options = ["--set", "ranks_per_network=2", "--device", "cpu", *(["--no-figures"] if ranks > 2 else [])]
    done = succeeds("train", config, *options, "--out", run, ranks=ranks)
    assert f"{ranks} ranks, 2 to each network; 12 samples to train on" in done.stdout
    assert digest_of_run(run) == digest_of_run(straight)
    assert (run / "evaluation.json").read_text() == (straight / "evaluation.json").read_text()
    assert (run / "figures").is_dir() == (ranks == 2)


def test_one_rank_goes_on_with_what_two_have_begun(alone, tmp_path):
    config, straight = alone
    run = tmp_path / "run"
    begun = ["--set", "ranks_per_network=2", "--set", "epochs=1", "--device", "cpu", "--no-figures"]
    succeeds("train", config, *begun, "--out", run, ranks=2)
    assert "of 3 test samples" in succeeds("evaluate", run, "--device", "cpu").stdout
    wrong = hpcsnn("resume", run, "--epochs", 2, "--device", "cpu")
    assert wrong.returncode == 2
    assert "ranks_per_network: 2 is not allowed on 1 rank; must divide their number: 1" in wrong.stderr
    stored = run / "config.yaml"
    stored.write_text(re.sub(r"ranks_per_network: 2", "ranks_per_network: 1", stored.read_text()))
    succeeds("resume", run, "--epochs", 2, "--device", "cpu", "--no-figures")
    assert digest_of_run(run) == digest_of_run(straight)
