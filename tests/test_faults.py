"""What goes wrong on the way: it is said once and clearly, no rank outlives another's end, nothing is corrupted."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from networks import topographic_map
from ranks import run_on_ranks

from hpcsnn import Grid, Network, Simulation, SimulationError, models
from hpcsnn.engine.digest import simulation_digest

# A rank that ends takes the others along within this time.
SOON_S = 20

# A single spike drives one neuron, on one rank, beyond what float32 holds.
EXPLODING = """
duration_ms: 2000
populations:
  input: {grid: [16, 16], model: {spike_array: {neurons: [37], times_ms: [50.0]}}}
  cells: {grid: [16, 16], model: {lif: {V_threshold_mV: 1.0e+38, resistance: 1.0e+38}}}
projections:
  drive: {source: input, target: cells, connector: one_to_one, receptor: exponential_current, weight: 1.0e+6}
"""


@pytest.mark.parametrize("n_ranks", [1, 2, 3])
def test_a_state_that_is_not_finite_stops_the_run_and_is_named(n_ranks, tmp_path):
    config = tmp_path / "exploding.yaml"
    config.write_text(EXPLODING)
    cli = str(Path(sys.executable).parent / "hpcsnn")
    start = time.monotonic()
    done = run_on_ranks(
        n_ranks,
        [cli, "run", str(config), "--device", "cpu", "--out", str(tmp_path / "run"), "--no-figures"],
        timeout_s=60,
    )
    assert time.monotonic() - start < SOON_S
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if "is not finite" in line]
    assert len(said) == 1, done.stderr
    assert "populations.cells: V_mV = nan of neuron 37 is not finite after step 501 (50.1 ms); " in said[0]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run" / "summary.json").exists()


def test_the_message_names_neuron_variable_and_step():
    network = Network(seed=1)
    network.add_population("input", 4, models.SpikeArray(neurons=[2], times_ms=[1.0]))
    network.add_population("cells", 4, models.LIF(V_threshold_mV=1e38, resistance=1e38, tau_m_ms=1.0))
    network.add_projection("drive", "input", "cells", models.OneToOne(), models.ExponentialCurrent(), 1e6)
    simulation = Simulation(network, device="cpu")
    simulation.run(1.0)
    message = r"^populations\.cells: V_mV = nan of neuron 2 is not finite after step 11 \(1\.1 ms\); a time constant"
    with pytest.raises(SimulationError, match=message):
        simulation.run(1.0)


RAISES = """
import sys
from mpi4py import MPI
sys.path.insert(0, {tests!r})
from networks import topographic_map
from hpcsnn import Simulation

simulation = Simulation(topographic_map(), MPI.COMM_WORLD, "cpu")

def observe(simulation):
    if simulation.rank == 1 and simulation.step > 1000:
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
    script = tmp_path / "script.py"
    script.write_text(RAISES.format(tests=str(Path(__file__).parent), what=what))
    start = time.monotonic()
    done = run_on_ranks(3, [*start_with, str(script)], timeout_s=60)
    assert time.monotonic() - start < SOON_S
    assert done.returncode != 0
    assert said in done.stderr


def test_a_rank_that_raises_in_the_command_takes_the_others_along(tmp_path):
    """An error that is none of hpcsnn's own: the traceback is shown, and no rank waits in an exchange for ever."""
    script = tmp_path / "broken.py"
    script.write_text(
        "import sys\n"
        "from mpi4py import MPI\n"
        "import hpcsnn.runs.experiment as experiment\n"
        "from hpcsnn.cli.app import app\n"
        "real = experiment.Progress.update\n"
        "def update(self, simulation):\n"
        "    if MPI.COMM_WORLD.Get_rank() == 1 and simulation.step > 1000:\n"
        "        raise ZeroDivisionError('only on rank 1')\n"
        "    real(self, simulation)\n"
        "experiment.Progress.update = update\n"
        f"sys.argv = ['hpcsnn', 'run', 'topomap', '--device', 'cpu', '--out', {str(tmp_path / 'run')!r}]\n"
        "app()\n"
    )
    start = time.monotonic()
    done = run_on_ranks(2, [str(script)], timeout_s=60)
    assert time.monotonic() - start < SOON_S
    assert done.returncode != 0
    assert "ZeroDivisionError: only on rank 1" in done.stderr


FULL_ROWS = {"projections__ff__capacity": 8, "projections__ff__rows_grow": "false"}

REFUSING = """
import sys
from mpi4py import MPI
sys.path.insert(0, {tests!r})
from networks import topographic_map
from hpcsnn import Simulation
from hpcsnn.engine.digest import simulation_digest
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
    script.write_text(REFUSING.format(tests=str(Path(__file__).parent), settings=FULL_ROWS))
    expected = [simulation_digest(simulation), str(store.counter("refused"))]
    assert run_on_ranks(3, [str(script)]).stdout.split() == expected


@pytest.mark.parametrize("capacity", [None, 1])
def test_synapses_are_conserved_and_both_directions_agree_as_they_grow(capacity):
    network = Network(seed=5)
    grid = Grid(32, 16)
    network.add_population("a", grid, models.Poisson(rate_hz=20))
    network.add_population("b", grid, models.LIF(), {"V_mV": models.Normal(-60, 5)})
    rule = models.Bamford(p_max=1.0, sigma=2.0, p_eliminate=0.3, attempts=500)
    network.add_projection(
        "ab", "a", "b", models.Gaussian(p_max=0.05, sigma=2.0), models.ExponentialConductance(), 0.2,
        models.AdditiveSTDP(), rewiring=rule, capacity=capacity,
    )  # fmt: skip
    simulation = Simulation(network, device="cpu", tile=4)
    store = simulation.state.stores["ab"]
    start, first_capacity = store.n_synapses(), store.capacity
    for _ in range(20):
        simulation.run(7.3)
        store.check()
        assert store.n_synapses() == start + store.counter("formed") - store.counter("eliminated")
    assert store.capacity > first_capacity, "rows grew on the way"
    assert min(store.counter("formed"), store.counter("eliminated")) > 500


def test_mpi_that_is_missing_is_an_error_with_a_way_out():
    text = (
        "import sys; sys.modules['mpi4py'] = None\n"
        "from hpcsnn.cli.app import app\n"
        "sys.argv = ['hpcsnn', 'run', 'topomap']\n"
        "app()\n"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "error: MPI is not usable" in done.stderr
    assert "pip install mpich" in done.stderr
