"""Hypercolumns shared out over ranks learn the same bits, and answer alike."""

from __future__ import annotations

import pytest

from support.hypercolumns import learner, shown
from support.ranks import run_on_ranks

RANKS = """
from mpi4py import MPI
from support.hypercolumns import learner, shown
trainer = learner(comm=MPI.COMM_WORLD)
for seed in range(4):
    trainer.train_batch(shown(10, seed))
trainer.read_out_by(shown(50, 7))
answers = trainer.evaluate(shown(20, 8))
found = MPI.COMM_WORLD.gather(f"{trainer.digest()} {answers.loss} {answers.predictions.tolist()}")
if MPI.COMM_WORLD.rank == 0:
    print("".join(f"{line};" for line in found))
"""


@pytest.mark.parametrize("n_ranks", [2, 4])
def test_ranks_share_hypercolumns_and_give_the_same_bits(n_ranks, tmp_path):
    """Three hypercolumns; of four ranks one has none."""
    trainer = learner()
    for seed in range(4):
        trainer.train_batch(shown(10, seed))
    trainer.read_out_by(shown(50, 7))
    answers = trainer.evaluate(shown(20, 8))
    script = tmp_path / "learn.py"
    script.write_text(RANKS)
    done = run_on_ranks(n_ranks, [str(script)])
    assert done.returncode == 0, done.stderr
    expected = f"{trainer.digest()} {answers.loss} {answers.predictions.tolist()}"
    assert done.stdout.strip() == n_ranks * f"{expected};"
