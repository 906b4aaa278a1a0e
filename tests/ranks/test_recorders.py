"""What ranks record is, taken together, what one process sees that looks after each step."""

from __future__ import annotations

import json

from support.ranks import run_on_ranks
from support.recorded import watched

RANKS = """
import json
from mpi4py import MPI
from hpcsnn import Simulation
from support.recorded import STEPS, recorded_busy, recorded_of
simulation = Simulation(recorded_busy(), MPI.COMM_WORLD, "cpu", tile=2, log_entries=300)
simulation.run(0.1 * STEPS)
everyone = MPI.COMM_WORLD.gather(recorded_of(simulation))
if simulation.rank == 0:
    print(json.dumps(everyone))
taken = simulation.take_recorded()
assert set(taken.averages) == ({"cells/V_mV", "cells/drive.current"} if simulation.rank == 0 else set())
assert len(simulation.recorded_average("cells", "V_mV").steps) == 0
"""


def test_ranks_record_together_what_there_was(tmp_path):
    script = tmp_path / "ranks.py"
    script.write_text(RANKS)
    done = run_on_ranks(3, [str(script)])
    assert done.returncode == 0, done.stderr
    everyone = json.loads(done.stdout)
    for name, expected in json.loads(json.dumps(watched())).items():
        if name in ("cells/V_mV", "cells/drive.current"):
            assert all(of_rank[name] == expected for of_rank in everyone), "an average is of all ranks"
            continue
        together = [row for of_rank in everyone for row in of_rank[name]]
        assert sorted(together) == expected, name
        assert sum(len(of_rank[name]) > 0 for of_rank in everyone) > 1 or name == "drive/delay_steps"
