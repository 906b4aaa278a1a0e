"""Homeostatic growth beside NEST: the same time course within the seeds' spread, on any number of ranks."""

from __future__ import annotations

import json

import numpy as np
import pytest

from scaling.homeostatic import EVERY_S, RESULTS, run
from support.ranks import run_on_ranks

SEEDS = (1, 2, 3, 4)
MODEL_S = 36.0  # past the overshoot of in-degrees
ON_RANKS = """
from mpi4py import MPI
from scaling.homeostatic import run
result = run(1, 6.0, 2.0, MPI.COMM_WORLD)
if MPI.COMM_WORLD.Get_rank() == 0:
    print(result["digest"])
"""


@pytest.fixture(scope="module")
def courses():
    return [run(seed, MODEL_S, EVERY_S)["over_time"] for seed in SEEDS]


@pytest.mark.parametrize(
    "name",
    ["calcium_e", "calcium_i", *(f"in_degree_{source}_to_{target}" for source in "ei" for target in "ei")],
)
def test_the_time_course_is_nests(courses, name):
    peer = json.loads((RESULTS / "nest_homeostatic.json").read_text())
    theirs = np.array(peer["by_seed"][name])[:, : round(MODEL_S / EVERY_S)]
    ours = np.array([course[name] for course in courses])
    spread = theirs.std(axis=0, ddof=1) * np.sqrt(1 / len(ours) + 1 / len(theirs))
    # In the first looks nearly nothing is there, and all seeds are nearly the same.
    allowed = 4 * np.maximum(spread, 0.01 * theirs.max())
    np.testing.assert_array_less(np.abs(ours.mean(axis=0) - theirs.mean(axis=0)), allowed)
    assert theirs.max() > 10 * allowed.min(), "what is compared is not nothing"


def test_calcium_comes_to_its_set_point(courses):
    """0.05 in excitatory and 0.1 in inhibitory neurons, from far below."""
    for name, set_point in (("calcium_e", 0.05), ("calcium_i", 0.1)):
        course = np.mean([course[name] for course in courses], axis=0)
        assert course[0] < 0.4 * set_point
        assert course[-4:].mean() == pytest.approx(set_point, rel=0.1)


def test_four_ranks_give_the_same_network():
    """Elements are paired over ranks, none of which holds them all."""
    alone = run(1, 6.0, 2.0)["digest"]
    done = run_on_ranks(4, ["-c", ON_RANKS])
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == alone
