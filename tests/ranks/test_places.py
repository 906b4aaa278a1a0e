"""Neurons on grids of different sides, and on none: one answer on 1 to 4 ranks."""

from __future__ import annotations

import pytest

from hpcsnn import Simulation
from hpcsnn.engine.digest import simulation_digest
from support.ranks import run_on_ranks
from support.unequal_networks import everywhere

RANKS = """
from mpi4py import MPI
from hpcsnn import Simulation
from hpcsnn.engine.digest import simulation_digest
from support.unequal_networks import everywhere
for network in everywhere():
    simulation = Simulation(network, MPI.COMM_WORLD, "cpu", tile=2)
    simulation.run(20.0)
    for store in simulation.state.stores.values():
        store.check()
    digest = simulation_digest(simulation)
    if simulation.rank == 0:
        print(digest)
"""


@pytest.fixture(scope="module")
def digests():
    found = []
    for network in everywhere():
        simulation = Simulation(network, device="cpu", tile=1)
        simulation.run(20.0)
        found.append(simulation_digest(simulation))
    return found


@pytest.mark.parametrize("n_ranks", [2, 3, 4])
def test_wherever_neurons_are_there_is_one_answer_on_any_ranks(n_ranks, digests, tmp_path):
    script = tmp_path / "ranks.py"
    script.write_text(RANKS)
    done = run_on_ranks(n_ranks, [str(script)])
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == digests
