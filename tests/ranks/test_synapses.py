"""Short-term and inhibitory plasticity, rewired and with delays of their own: one answer on 1, 2 and 3 ranks."""

from __future__ import annotations

import pytest

from hpcsnn import Simulation
from hpcsnn.engine.digest import simulation_digest
from support.networks import newer_models
from support.ranks import run_on_ranks

DURATION_MS = 120.0
RANKS = f"""
from mpi4py import MPI
from hpcsnn import Simulation
from hpcsnn.engine.digest import simulation_digest
from support.networks import newer_models
simulation = Simulation(newer_models(), MPI.COMM_WORLD, "cpu", tile=2)
simulation.run({DURATION_MS})
digest = simulation_digest(simulation)
if simulation.rank == 0:
    print(digest)
"""


@pytest.fixture(scope="module")
def alone():
    simulation = Simulation(newer_models(), device="cpu", tile=16)
    simulation.run(DURATION_MS)
    return simulation


@pytest.mark.parametrize("n_ranks", [2, 3])
def test_synapses_that_spikes_change_are_the_same_on_ranks(n_ranks, alone, tmp_path):
    script = tmp_path / "ranks.py"
    script.write_text(RANKS)
    done = run_on_ranks(n_ranks, [str(script)])
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == simulation_digest(alone)


def test_spikes_change_them(alone):
    assert len(set(alone.synapses("restrain")["weight"].tolist())) > 100, "weights have changed"
    assert alone.synapses("tired")["resources"].min() < 0.7, "synapses have tired"
    assert len(alone.synapses("tired")["use"]) == len(alone.synapses("tired")["weight"])
