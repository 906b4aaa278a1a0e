"""Parameters that have one value per neuron, on any ranks."""

from __future__ import annotations

from hpcsnn import Simulation
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.testing.racing_threads import RacingThreads
from support.networks import varied
from support.ranks import run_on_ranks

ON_RANKS = """
from mpi4py import MPI
from hpcsnn.testing.racing_threads import RacingThreads
from hpcsnn import ConfigurationError, Simulation, models
from hpcsnn.engine.digest import simulation_digest
from support.networks import driven, varied
for device, tile in (("cpu", 4), ("cpu", 2), (RacingThreads(), 4)):
    simulation = Simulation(varied(), MPI.COMM_WORLD, device, tile)
    simulation.run(50.0)
    digest = simulation_digest(simulation)
    if simulation.rank == 0:
        print(digest)
try:
    Simulation(driven(models.LIF(tau_m_ms=models.Normal(5, 3))), MPI.COMM_WORLD, "cpu", 4)
except ConfigurationError as error:
    said = set(MPI.COMM_WORLD.allgather(str(error)))
    if MPI.COMM_WORLD.Get_rank() == 0:  # ranks write to one stream in any order
        print(len(said))
"""


def test_ranks_tiles_and_racing_threads_do_not_change_a_bit(tmp_path):
    script = tmp_path / "on_ranks.py"
    script.write_text(ON_RANKS)
    done = run_on_ranks(3, [str(script)])
    assert done.returncode == 0, done.stderr
    *digests, said = done.stdout.split()
    assert said == "1", "every rank says the same"
    for device in ("cpu", RacingThreads()):
        simulation = Simulation(varied(), device=device)
        simulation.run(50.0)
        digests.append(simulation_digest(simulation))
    assert len(digests) == 5
    assert len(set(digests)) == 1
