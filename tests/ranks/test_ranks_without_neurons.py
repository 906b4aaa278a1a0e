"""Random networks, and the command line, on MPI ranks some of which own no neuron of a population and know none."""

from __future__ import annotations

from support.ranks import hpcsnn, run_on_ranks
from support.runs import PLAIN, digest_of_run, succeeds

# All draw the same networks, since nothing is left to chance: threads first, which also compile, then MPI ranks, which
# spin while they wait.
CUT_AND_RESUMED = """
import sys, tempfile, traceback
from pathlib import Path
from hypothesis import HealthCheck, given, settings, strategies as st
from hpcsnn import Simulation
from hpcsnn.devices import HostDevice
from hpcsnn.ranks.communicator import Alone, communicator
from support.cut_runs import cut_in_two, finished
from support.random_networks import networks_with_small_populations
from support import thread_ranks

folder, by_mpi = sys.argv[1], len(sys.argv) > 2
if by_mpi:
    from mpi4py import MPI
    world = MPI.COMM_WORLD

def on_mpi_ranks(n, work):
    some = world.Split(0 if world.rank < n else MPI.UNDEFINED)
    results = world.allgather(work(communicator(some)) if world.rank < n else None)
    if world.rank < n:
        some.Free()
    return results[:n]

def made(network, ranks):
    simulation = Simulation(network, ranks, HostDevice(("-O1",)))
    if ranks.size > 1 and not by_mpi:
        ranks.exchange(simulation)
    return simulation

@settings(max_examples=4, deadline=None, derandomize=True, database=None, suppress_health_check=HealthCheck)
@given(st.sampled_from([(2, 3), (3, 2), (4, 2), (2, 4), (1, 4), (4, 1)]), networks_with_small_populations())
def cut_and_resumed(numbers, network):
    if by_mpi:
        here = Path(world.bcast(tempfile.mkdtemp(dir=folder) if world.rank == 0 else None))
        try:
            digests = cut_in_two(network, made, on_mpi_ranks, numbers, (12, 30), here)
        except Exception:  # hypothesis would try other networks, while other ranks wait
            traceback.print_exc()
            world.Abort(1)
        if world.rank == 0:
            print(*digests, flush=True)
        return
    alone = made(network, Alone())
    print(*[finished(alone, step) for step in (12, 30)])
    thread_ranks.on_ranks(2, lambda ranks: made(network, ranks).step)

cut_and_resumed()
"""


def test_random_networks_are_cut_and_resumed_on_other_ranks(tmp_path):
    script = tmp_path / "cut.py"
    script.write_text(CUT_AND_RESUMED)
    alone = run_on_ranks(1, [str(script), str(tmp_path)], limit_s=300)
    assert alone.returncode == 0, alone.stderr
    done = run_on_ranks(4, ["-m", "mpi4py", str(script), str(tmp_path), "mpi"], limit_s=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == alone.stdout.splitlines()
    assert len(alone.stdout.splitlines()) == 4


SMALL = """
seed: 1
duration_ms: 50
populations:
  source: {grid: [16, 16], model: {poisson: {rate_hz: 50}}}
  target: {grid: [8, 8], model: lif}
projections:
  ff:
    source: source
    target: target
    delay_ms: {uniform: {low: 0.5, high: 2}}
    weight: 0.2
    connector: {fixed_probability: {p: 0.1}}
    receptor: delta_current
"""


def test_a_run_goes_on_where_ranks_have_no_neuron_of_a_population(tmp_path):
    config = tmp_path / "small.yaml"
    config.write_text(SMALL)
    run, whole = tmp_path / "run", tmp_path / "whole"
    assert "target" in hpcsnn("check", config, "--ranks", 2).stdout
    succeeds("run", config, *PLAIN, "--out", run, "--checkpoint-every", "20ms", ranks=2)
    half = digest_of_run(run)
    succeeds("resume", run, "--device", "cpu", "--no-figures", "--until", "80ms", ranks=4)
    succeeds("run", config, *PLAIN, "--out", whole)
    assert digest_of_run(whole) == half
    succeeds("resume", whole, "--device", "cpu", "--no-figures", "--until", "80ms")
    assert digest_of_run(whole) == digest_of_run(run) != half
