"""Models that no shipped network uses give one answer on ranks and tiles and when resumed."""

from __future__ import annotations

from hpcsnn import Simulation
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.runs.scripted.saving import write_network
from hpcsnn.storage.network_store import StoredNetwork
from hpcsnn.storage.restore import restore
from support.networks import newer_models
from support.ranks import run_on_ranks

RANKS = """
from mpi4py import MPI
from hpcsnn import Simulation
from hpcsnn.engine.digest import simulation_digest
from support.networks import newer_models
simulation = Simulation(newer_models(), MPI.COMM_WORLD, "cpu", tile=2)
simulation.run(150.0)
digest = simulation_digest(simulation)
if simulation.rank == 0:
    print(digest)
"""


def test_newer_models_give_one_digest_on_ranks_and_tiles_and_when_resumed(tmp_path):
    digests = []
    for tile in (1, 16):
        simulation = Simulation(newer_models(), device="cpu", tile=tile)
        simulation.run(150.0)
        digests.append(simulation_digest(simulation))
    assert all(simulation.rates_hz(name).mean() > 5 for name in ("alif", "background", "izhikevich", "adex"))
    script = tmp_path / "ranks.py"
    script.write_text(RANKS)
    done = run_on_ranks(2, [str(script)])
    assert done.returncode == 0, done.stderr
    halfway = Simulation(newer_models(), device="cpu")
    halfway.run(77.7)
    write_network(tmp_path / "halfway", halfway)
    resumed = Simulation(newer_models(), device="cpu", tile=4)
    restore(resumed, StoredNetwork(tmp_path / "halfway"))
    resumed.run(150.0 - 77.7)
    assert [*digests, done.stdout.strip(), simulation_digest(resumed)] == digests[:1] * 4
