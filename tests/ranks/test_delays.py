"""Delays that differ from synapse to synapse, and dendritic ones, on ranks that stop and go on."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn import Simulation
from hpcsnn.devices import HostDevice
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.models import Uniform
from hpcsnn.runs.scripted.saving import write_network
from hpcsnn.storage.network_store import StoredNetwork
from hpcsnn.storage.restore import restore
from support.networks import busy
from support.ranks import run_on_ranks

QUICK = HostDevice(("-O1",))


def after_ms(duration_ms, device="cpu", **options):
    simulation = Simulation(busy(**options.pop("network", {})), device=device, **options)
    simulation.run(duration_ms)
    return simulation_digest(simulation)


ON_RANKS = """
from pathlib import Path
from mpi4py import MPI
from hpcsnn.testing.racing_threads import RacingThreads
from hpcsnn import Simulation
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.models import Uniform
from hpcsnn.runs.scripted.saving import write_network
from hpcsnn.storage.network_store import StoredNetwork
from hpcsnn.storage.restore import restore
from support.networks import busy
world = MPI.COMM_WORLD
folder = Path({folder!r})
for device, tile in (("cpu", 2), (RacingThreads(), 4)):
    simulation = Simulation(busy(**{delays}), world, device, tile)
    simulation.run(23.3)
    write_network(folder / type(device).__name__, simulation)
    simulation.run(16.7)
    digests = [simulation_digest(simulation)]
    again = Simulation(busy(**{delays}), world, device, tile)
    restore(again, StoredNetwork(folder / "alone"))
    again.run(16.7)
    digests.append(simulation_digest(again))
    if world.Get_rank() == 0:
        print(*digests)
"""


@pytest.mark.parametrize("delays", [{}, {"delay_ms": 0.3, "own_ms": Uniform(0.4, 0.9), "dendritic_ms": 1.7}])
def test_ranks_racing_threads_and_restarts_do_not_change_a_bit(tmp_path, delays):
    """Stopped with input in flight, stored, and gone on with: by other ranks, another device, other tiles."""
    simulation = Simulation(busy(**delays), device="cpu")
    simulation.run(23.3)
    assert all(any(map(np.any, simulation.state.input_in_flight(name))) for name in ("drive", "own"))
    write_network(tmp_path / "alone", simulation)
    stored = StoredNetwork(tmp_path / "alone")
    assert stored.digest() == simulation_digest(simulation)
    simulation.run(16.7)
    expected = simulation_digest(simulation)
    script = tmp_path / "on_ranks.py"
    script.write_text(ON_RANKS.format(folder=str(tmp_path), delays=delays))
    done = run_on_ranks(3, [str(script)])
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [expected] * 4
    assert after_ms(40.0, network=delays, tile=1) == expected
    assert after_ms(40.0, QUICK, network={"capacity": 1, **delays}) == expected
    for name in ("str", "RacingThreads"):
        again, other = Simulation(busy(**delays), device=QUICK, tile=4), StoredNetwork(tmp_path / name)
        assert other.digest() == stored.digest()
        restore(again, other)
        again.run(16.7)
        assert simulation_digest(again) == expected
