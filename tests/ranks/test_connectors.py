"""Wiring whose numbers are fixed for targets, for sources or in all: one answer on 1, 2 and 3 ranks."""

from __future__ import annotations

import pytest

from hpcsnn import Simulation
from hpcsnn.engine.digest import simulation_digest
from support.networks import everything
from support.ranks import run_on_ranks

RANKS = """
from mpi4py import MPI
from hpcsnn import Simulation
from hpcsnn.engine.digest import simulation_digest
from support.networks import everything
simulation = Simulation(everything(), MPI.COMM_WORLD, "cpu", tile=2)
simulation.run(30.0)
digest = simulation_digest(simulation)
if simulation.rank == 0:
    print(digest)
"""


@pytest.fixture(scope="module")
def digest():
    digests = set()
    for tile in (1, 16):
        simulation = Simulation(everything(), device="cpu", tile=tile)
        simulation.run(30.0)
        digests.add(simulation_digest(simulation))
    (only,) = digests
    return only


@pytest.mark.parametrize("n_ranks", [2, 3])
def test_numbers_of_synapses_and_who_has_them_do_not_depend_on_ranks(n_ranks, digest, tmp_path):
    script = tmp_path / "ranks.py"
    script.write_text(RANKS)
    done = run_on_ranks(n_ranks, [str(script)])
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == digest
