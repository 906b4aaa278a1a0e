"""Wiring whose numbers are fixed, or that is read from files: one answer on 1, 2 and 3 ranks, and one refusal."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn import Simulation
from hpcsnn.engine.digest import simulation_digest
from support.listed_networks import listed_network, write_lists
from support.networks import everything
from support.ranks import run_on_ranks

RANKS = """
import sys
from pathlib import Path
from mpi4py import MPI
from hpcsnn import Simulation
from hpcsnn.engine.digest import simulation_digest
from hpcsnn import ConfigurationError, Network, models
from support.listed_networks import listed_network
from support.networks import everything
folder = Path(sys.argv[1])
for network in (everything(), listed_network(folder)):
    simulation = Simulation(network, MPI.COMM_WORLD, "cpu", tile=2)
    simulation.run(30.0)
    digest = simulation_digest(simulation)
    if simulation.rank == 0:
        print(digest)
twice = Network()
twice.add_population("a", 64, models.LIF())
twice.add_projection("aa", "a", "a", models.ListedInFile(file=folder / "twice.npz"), models.DeltaCurrent(), 1.0)
try:
    Simulation(twice, MPI.COMM_WORLD, "cpu", tile=2)
except ConfigurationError as error:
    said = MPI.COMM_WORLD.gather(str(error).partition("file: ")[2])
    if said:
        print(*said, sep="\\n")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lists")
    write_lists(folder)
    np.savez(folder / "twice.npz", source=[1, 2, 1, 5], target=[60, 3, 60, 1])
    return folder


@pytest.fixture(scope="module")
def digests(folder):
    found = []
    for network in (everything(), listed_network(folder)):
        of_tiles = set()
        for tile in (1, 16):
            simulation = Simulation(network, device="cpu", tile=tile)
            simulation.run(30.0)
            of_tiles.add(simulation_digest(simulation))
        found += of_tiles
    assert len(found) == 2
    return found


@pytest.mark.parametrize("n_ranks", [2, 3])
def test_numbers_of_synapses_and_who_has_them_do_not_depend_on_ranks(n_ranks, digests, folder, tmp_path):
    script = tmp_path / "ranks.py"
    script.write_text(RANKS)
    done = run_on_ranks(n_ranks, [str(script), str(folder)])
    assert done.returncode == 0, done.stderr
    refused = "the synapse from 1 to 60 is listed more than once (synapses 0 and 2)"
    assert done.stdout.splitlines() == [*digests, *[refused] * n_ranks]
