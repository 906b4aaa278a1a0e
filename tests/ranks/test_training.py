"""Data-parallel training on real ranks: the bits of one process, whatever their number and the batches' sizes."""

from __future__ import annotations

import pytest

from hpcsnn import models
from support.classifiers import classes_in_noise, classifier, trained
from support.ranks import run_on_ranks

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
