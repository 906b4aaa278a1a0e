"""What goes wrong on the way: it is said once and clearly, no rank outlives another's end, nothing is corrupted."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hpcsnn import Simulation
from hpcsnn.engine.digest import simulation_digest
from support.networks import EXPLODING, topographic_map
from support.processes import completed, soon
from support.ranks import run_on_ranks

# A rank that ends takes the others along within this time, on a machine that does nothing else.
SOON_S = 20


@pytest.mark.parametrize("n_ranks", [1, 2, 3])
def test_a_state_that_is_not_finite_stops_the_run_and_is_named(n_ranks, tmp_path):
    config = tmp_path / "exploding.yaml"
    config.write_text(EXPLODING)
    cli = str(Path(sys.executable).parent / "hpcsnn")
    done = run_on_ranks(
        n_ranks, [cli, "run", str(config), "--device", "cpu", "--out", str(tmp_path / "run"), "--no-figures"]
    )
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if "is not finite" in line]
    assert len(said) == 1, done.stderr
    assert "populations.cells: V_mV = nan of neuron 37 is not finite after step 501 (50.1 ms); " in said[0]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run" / "summary.json").exists()


RAISES = """
from pathlib import Path
from mpi4py import MPI
from hpcsnn import Simulation
from support.networks import topographic_map

simulation = Simulation(topographic_map(), MPI.COMM_WORLD, "cpu")

def observe(simulation):
    if simulation.rank == 1 and simulation.step > 1000:
        Path({ended!r}).touch()
        {what}

simulation.run(600_000.0, observe, observe_every_s=0.01)
"""


@pytest.mark.parametrize(
    ("what", "start_with", "said"),
    [
        ("raise RuntimeError('rank 1 has had enough')", ["-m", "mpi4py"], "rank 1 has had enough"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", [], ""),
        ("import os; os._exit(7)", [], ""),
    ],
    ids=["raises", "killed", "exits"],
)
def test_the_others_stop_soon_when_a_rank_ends(what, start_with, said, tmp_path):
    script, ended = tmp_path / "script.py", tmp_path / "ended"
    script.write_text(RAISES.format(what=what, ended=str(ended)))
    done = run_on_ranks(3, [*start_with, str(script)])
    assert soon(time.time() - ended.stat().st_mtime, SOON_S)
    assert done.returncode != 0
    assert said in done.stderr


def test_a_rank_that_raises_in_the_command_takes_the_others_along(tmp_path):
    """An error that is none of hpcsnn's own: the traceback is shown, and no rank waits in an exchange for ever."""
    script, ended = tmp_path / "broken.py", tmp_path / "ended"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from mpi4py import MPI\n"
        "import hpcsnn.runs.experiment as experiment\n"
        "from hpcsnn.cli.app import app\n"
        "real = experiment.Progress.update\n"
        "def update(self, simulation):\n"
        "    if MPI.COMM_WORLD.Get_rank() == 1 and simulation.step > 1000:\n"
        f"        Path({str(ended)!r}).touch()\n"
        "        raise ZeroDivisionError('only on rank 1')\n"
        "    real(self, simulation)\n"
        "experiment.Progress.update = update\n"
        f"sys.argv = ['hpcsnn', 'run', 'topomap', '--device', 'cpu', '--out', {str(tmp_path / 'run')!r}]\n"
        "app()\n"
    )
    done = run_on_ranks(2, [str(script)])
    assert soon(time.time() - ended.stat().st_mtime, SOON_S)
    assert done.returncode != 0
    assert "ZeroDivisionError: only on rank 1" in done.stderr


FULL_ROWS = {"projections__ff__capacity": 8, "projections__ff__rows_grow": "false"}

REFUSING = """
from mpi4py import MPI
from hpcsnn import Simulation
from hpcsnn.engine.digest import simulation_digest
from support.networks import topographic_map
simulation = Simulation(topographic_map(**{settings!r}), MPI.COMM_WORLD, "cpu")
simulation.run(5000.0)
store = simulation.state.stores["ff"]
store.check()
import numpy as np
refused = int(simulation.sum_over_ranks(np.array([store.counter("refused")]))[0])
digest = simulation_digest(simulation)
if simulation.rank == 0:
    print(digest, refused)
"""


def test_full_rows_that_may_not_grow_refuse_count_and_stay_sound(tmp_path):
    simulation = Simulation(topographic_map(**FULL_ROWS), device="cpu")
    store = simulation.state.stores["ff"]
    at_start = store.counter("refused")
    assert at_start > 0, "the first wiring wants more than 8 for some targets"
    start = store.n_synapses()
    simulation.run(5000.0)
    store.check()
    assert store.capacity == 8
    assert store.counter("refused") > at_start + 100
    assert store.n_synapses() == start + store.counter("formed") - store.counter("eliminated")
    assert np.bincount(simulation.synapses("ff")["post"]).max() == 8
    script = tmp_path / "refusing.py"
    script.write_text(REFUSING.format(settings=FULL_ROWS))
    expected = [simulation_digest(simulation), str(store.counter("refused"))]
    assert run_on_ranks(3, [str(script)]).stdout.split() == expected


def test_mpi_that_is_missing_is_an_error_with_a_way_out():
    text = (
        "import sys; sys.modules['mpi4py'] = None\n"
        "from hpcsnn.cli.app import app\n"
        "sys.argv = ['hpcsnn', 'run', 'topomap']\n"
        "app()\n"
    )
    done = completed([sys.executable, "-c", text], env={**os.environ, "PMI_SIZE": "2"})
    assert done.returncode == 1
    assert "error: MPI is not usable" in done.stderr
    assert "pip install 'hpcsnn[mpich]'" in done.stderr
