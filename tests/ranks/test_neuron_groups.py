"""Neurons in groups give one answer on ranks."""

from __future__ import annotations

from hpcsnn import Simulation
from hpcsnn.engine.digest import simulation_digest
from support.networks import grouped
from support.ranks import run_on_ranks

RANKS = """
from mpi4py import MPI
from hpcsnn import Simulation
from hpcsnn.engine.digest import simulation_digest
from support.networks import grouped
simulation = Simulation(grouped(), MPI.COMM_WORLD, "cpu", tile=2)
simulation.run(120.0)
digest, own = simulation_digest(simulation), MPI.COMM_WORLD.gather(simulation.placements["winners"].n_own)
if simulation.rank == 0:
    assert min(own) > 0
    print(digest)
"""


def test_groups_give_one_digest_on_ranks(tmp_path):
    alone = Simulation(grouped(), device="cpu")
    alone.run(120.0)
    script = tmp_path / "ranks.py"
    script.write_text(RANKS)
    done = run_on_ranks(3, [str(script)])
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == simulation_digest(alone)
