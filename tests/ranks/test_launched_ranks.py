"""Ranks whose kernels are launched as a GPU launches them give the bits of compiled loops."""

from __future__ import annotations

import pytest

from support.comparisons import digest_on
from support.networks import topographic_map
from support.ranks import run_on_ranks

RANKS = """
from hpcsnn.testing.racing_threads import RacingThreads
from mpi4py import MPI
from hpcsnn import Simulation
from hpcsnn.engine.digest import simulation_digest
from support.networks import topographic_map
for device in ("cpu", RacingThreads()):
    for settings in ({}, {"projections__ff__delay_ms": 0.7, "projections__lat__delay_ms": 1.3}):
        simulation = Simulation(topographic_map(**settings), MPI.COMM_WORLD, device, exchange_block=3)
        simulation.run(60.0)
        digest = simulation_digest(simulation)
        if simulation.rank == 0:
            print(digest)
"""


def test_staged_exchange_gives_the_compiled_exchanges_bits(tmp_path):
    script = tmp_path / "ranks.py"
    script.write_text(RANKS)
    host, host_delayed, launched, launched_delayed = run_on_ranks(2, [str(script)]).stdout.split()
    assert host == launched == digest_on(topographic_map(), "cpu", 60.0)
    assert host_delayed == launched_delayed != host


STORED_BY_RANKS = """
from pathlib import Path
import numpy as np
from hpcsnn.testing.racing_threads import RacingThreads
from mpi4py import MPI
from hpcsnn import Simulation
from hpcsnn.codegen.constants import HaltReason
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.runs.scripted.saving import write_network
from hpcsnn.storage.network_store import StoredNetwork
from support.networks import topographic_map
world = MPI.COMM_WORLD
record = {{"projections__ff__record_events": True, "projections__lat__record_events": True}}
for device in ("cpu", RacingThreads()):
    simulation = Simulation(topographic_map(scale=3, **record), world, device, log_entries=20)
    simulation.run(30.0)
    assert simulation.halts[HaltReason.LOG_FULL] > 3, simulation.halts
    name = Path({folder!r}) / type(device).__name__
    write_network(name, simulation)
    digest = simulation_digest(simulation)
    logs = [np.stack(simulation.spikes(p), axis=1) for p in ("source", "target")]
    logs += [simulation.events(p) for p in ("ff", "lat")]
    everyone = world.gather(logs)
    if simulation.rank == 0:
        assert StoredNetwork(name).digest() == digest
        tables = [np.concatenate(parts) for parts in zip(*everyone)]
        print(digest, *[hash(table[np.lexsort(table.T)].tobytes()) for table in tables])
"""


@pytest.mark.parametrize("n_ranks", [2, 3])
def test_ranks_of_launched_kernels_store_and_log_what_the_host_does(n_ranks, tmp_path):
    """Shards that two ranks share, and logs so small that ranks halt at different steps around an exchange."""
    script = tmp_path / "ranks.py"
    script.write_text(STORED_BY_RANKS.format(folder=str(tmp_path)))
    done = run_on_ranks(n_ranks, [str(script)], limit_s=300, PYTHONHASHSEED="0")
    assert done.returncode == 0, done.stderr
    host, launched = done.stdout.splitlines()
    assert host == launched
    assert host.split()[0] == digest_on(topographic_map(scale=3), "cpu", 30.0)
