"""What does not fit into memory is told with sizes, wherever it is noticed."""

from __future__ import annotations

import re
import sys

from support.processes import completed

SCRIPT = """
import resource
from hpcsnn import Network, Simulation, SimulationError, models
network = Network()
network.add_population("cells", 12_000, models.LIF())
network.add_projection("own", "cells", "cells", models.AllToAll(), models.DeltaCurrent(), 0.1)
resource.setrlimit(resource.RLIMIT_AS, (3 << 29, 3 << 29))
try:
    Simulation(network, device="cpu")
except SimulationError as error:
    print(error)
"""


def test_synapses_that_do_not_fit_are_told_with_their_size(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = completed([sys.executable, str(script)])
    assert done.stderr == ""
    assert done.stdout.startswith("rank 0: the network does not fit into memory: Unable to allocate ")
    assert re.search(r"[MG]iB for an array with shape", done.stdout)
