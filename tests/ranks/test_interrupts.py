"""Ctrl-C on one rank of a script stops all ranks after the same step, whole."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn import Simulation
from hpcsnn.engine.digest import simulation_digest
from support.networks import topographic_map
from support.ranks import run_on_ranks

INTERRUPTED = """
import os, signal
import threading
from mpi4py import MPI
from hpcsnn import Simulation
from hpcsnn.engine.digest import simulation_digest
from support.networks import topographic_map

simulation = Simulation(topographic_map(), MPI.COMM_WORLD, "cpu")
if simulation.rank == 1:
    from support.processes import until
    def press():
        until(lambda: simulation.step > 0)
        os.kill(os.getpid(), signal.SIGINT)
    threading.Thread(target=press).start()
try:
    simulation.run(2e8)
except KeyboardInterrupt:
    stopped_at = simulation.step
simulation.run(10.0)
digest = simulation_digest(simulation)
steps = simulation.communicator.gather(stopped_at)
if simulation.rank == 0:
    print(*steps, digest)
"""


@pytest.mark.parametrize("n_ranks", [2, 3])
def test_all_ranks_stop_after_the_same_step_and_go_on(n_ranks, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(INTERRUPTED)
    done = run_on_ranks(n_ranks, ["-m", "mpi4py", str(script)])
    assert done.returncode == 0, done.stderr
    *steps, digest = done.stdout.split()
    assert len(steps) == n_ranks
    assert len(set(steps)) == 1
    straight = Simulation(topographic_map(), device="cpu")
    straight.run(float(np.round(int(steps[0]) * straight.network.dt_ms + 10.0, 1)))
    assert digest == simulation_digest(straight)
