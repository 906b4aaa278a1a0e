"""What runs on a GPU, as far as a machine without one can show it, and the same on a GPU where there is one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from networks import newer_models, topographic_map
from ranks import run_on_ranks
from rules import Swap, Tended, Wanderer

from hpcsnn import DeviceError, Grid, Network, Simulation, models
from hpcsnn.codegen.program import EXCHANGE, generate
from hpcsnn.devices import choose_device
from hpcsnn.devices.cuda import NVRTC_FLAGS, gpu_count
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.models import rewiring
from hpcsnn.testing.racing_threads import RacingThreads

needs_gpu = pytest.mark.skipif(gpu_count() == 0, reason="needs a GPU")


def everything() -> Network:
    """A network with every built-in model that `newer_models` lacks."""
    network = Network(seed=3)
    network.add_population("field", Grid(16, 16), models.MovingGaussianPoisson(), record_spikes=True)
    network.add_population("noise", 40, models.Poisson(rate_hz=50), record_spikes=True)
    network.add_population("given", 3, models.SpikeArray(neurons=[0, 1, 1], times_ms=[1.0, 2.0, 30.0]))
    network.add_population("cells", Grid(16, 16), models.LIF(), {"V_mV": models.Normal(-60, 5)}, record_spikes=True)
    conductance, current = models.ExponentialConductance(), models.ExponentialCurrent()
    stdp = models.AdditiveSTDP()
    rule = models.Bamford(p_max=0.5, sigma=2.0, attempts=100)
    network.add_projection(
        "map",
        "field",
        "cells",
        models.Gaussian(p_max=0.3, sigma=2.0),
        conductance,
        0.2,
        stdp,
        rewiring=rule,
        capacity=2,
    )
    network.add_projection("random", "noise", "cells", models.FixedProbability(p=0.2), conductance, 0.05, delay_ms=1.5)
    network.add_projection("all", "given", "cells", models.AllToAll(), current, 30.0)
    network.add_projection("own", "cells", "cells", models.OneToOne(), current, -0.5, delay_ms=0.3)
    listed = models.ExplicitList(pre=[0, 5, 7], post=[9, 9, 255], weight=[0.1, 0.2, 0.0])
    network.add_projection("listed", "cells", "cells", listed, conductance, 0.1, stdp)
    return network


def digest_on(network: Network, device, duration_ms: float) -> str:
    simulation = Simulation(network, device=device)
    simulation.run(duration_ms)
    for store in simulation.state.stores.values():
        store.check()
    return simulation_digest(simulation)


def ptx_of(source: str, compute_capability: int) -> str:
    """What NVRTC makes of it, with the flags of the product; needs no GPU."""
    nvrtc = pytest.importorskip(
        "cupy_backends.cuda.libs.nvrtc", reason="needs cupy-cuda13x and nvidia-cuda-nvrtc (extra gpu)"
    )
    program = nvrtc.createProgram(source, "kernels.cu", (), ())
    try:
        nvrtc.compileProgram(program, (*NVRTC_FLAGS, f"--gpu-architecture=compute_{compute_capability}"))
        return nvrtc.getPTX(program).decode()
    except nvrtc.NVRTCError:
        pytest.fail(nvrtc.getProgramLog(program))
    finally:
        nvrtc.destroyProgram(program)


def every_rule() -> Network:
    """A projection for each shipped rule and for those of `rules`, which use what no shipped one does."""
    network, grid = Network(seed=3), Grid(16, 16)
    network.add_population("input", grid, models.MovingGaussianPoisson(dwell_ms=5.0))
    network.add_population("cells", grid, models.LIF(), {"V_mV": models.Normal(-60, 5)})
    places = {"attempts": 30, "p_eliminate": 0.1, "max_in_degree": 9, "every_ms": 0.5}
    growth = {"every_ms": 1.0, "updates_a_pairing": 5, "tau_calcium_ms": 100.0, "beta_calcium": 0.02}
    grown = {f"{side}_growth_per_s": 100.0 for side in ("axon", "dendrite")}
    stimulus = dataclasses.replace(Wanderer, name="stimulus", trigger="stimulus")
    call = dataclasses.replace(Tended, name="call", trigger="call")
    rules = [
        models.Bamford(p_max=0.5, sigma=2.0, attempts=100),
        rewiring.Bamford2010(p_max=0.9, sigma=2.0, **places),
        rewiring.LastToFire(p_max=0.9, sigma=2.0, **places),
        rewiring.LocalProposals(**places),
        rewiring.DeepR(temperature=0.01, w_max=0.2),
        rewiring.Homeostatic(**growth, **grown),
        *(Swap(attempts=30), Wanderer(), Tended(), stimulus(), call()),
    ]
    wired, current = models.FixedProbability(p=0.01), models.ExponentialCurrent()
    for rule in rules:
        network.add_projection(
            rule.model.name, "input", "cells", wired, current, 0.1, rewiring=rule, record_events=True, capacity=1
        )
    return network


@pytest.mark.parametrize("compute_capability", [80, 90])
@pytest.mark.parametrize(
    ("make", "n_ranks"), [(everything, 1), (everything, 2), (newer_models, 1), (every_rule, 1), (every_rule, 2)]
)
def test_every_kernel_compiles_for_gpus(compute_capability, make, n_ranks):
    program = generate(make(), n_ranks)
    ptx = ptx_of(program.kernels, compute_capability)
    assert f".target sm_{compute_capability}" in ptx
    kernels = [stage.kernel for stage in program.stages if stage.kernel != EXCHANGE]
    for kernel in (*kernels, *program.setup_kernels, "accept_received"):
        assert f".entry {kernel}(" in ptx, kernel
    assert "fma.rn.f32" not in ptx, "a fused multiply-add rounds once where the host rounds twice"
    assert ".ftz" not in ptx, "denormals are kept"


@pytest.mark.parametrize("make", [topographic_map, everything, newer_models])
def test_launched_kernels_racing_threads_give_the_hosts_bits(make):
    assert digest_on(make(), RacingThreads(), 150.0) == digest_on(make(), "cpu", 150.0)


def test_launches_resume_where_a_run_stopped():
    """Runs cut at steps that fit neither trigger nor sequence."""
    simulation = Simulation(topographic_map(), device=RacingThreads())
    for duration_ms in (0.1, 0.3, 12.7, 6.9, 30.0):
        simulation.run(duration_ms)
    assert simulation_digest(simulation) == digest_on(topographic_map(), "cpu", 50.0)


def test_sequences_hold_only_what_is_due():
    simulation = Simulation(topographic_map(), device=RacingThreads())
    simulation.run(40.0)
    executable = simulation.executable
    assert executable.launched.count("update_target") == 400
    assert executable.launched.count("window_source") == 2
    assert executable.launched.count("rewire_ff") == 40
    assert len(executable.replayed) <= 2, "the same graphs come again: with and without a new stimulus"


RANKS = """
import sys
sys.path.insert(0, {tests!r})
from hpcsnn.testing.racing_threads import RacingThreads
from mpi4py import MPI
from networks import topographic_map
from hpcsnn import Simulation
from hpcsnn.engine.digest import simulation_digest
for device in ("cpu", RacingThreads()):
    for settings in ({{}}, {{"projections__ff__delay_ms": 0.7, "projections__lat__delay_ms": 1.3}}):
        simulation = Simulation(topographic_map(**settings), MPI.COMM_WORLD, device, exchange_block=3)
        simulation.run(60.0)
        digest = simulation_digest(simulation)
        if simulation.rank == 0:
            print(digest)
"""


def test_staged_exchange_gives_the_compiled_exchanges_bits(tmp_path):
    script = tmp_path / "ranks.py"
    script.write_text(RANKS.format(tests=str(Path(__file__).parent)))
    host, host_delayed, launched, launched_delayed = run_on_ranks(2, [str(script)]).stdout.split()
    assert host == launched == digest_on(topographic_map(), "cpu", 60.0)
    assert host_delayed == launched_delayed != host


STORED_BY_RANKS = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import numpy as np
from hpcsnn.testing.racing_threads import RacingThreads
from mpi4py import MPI
from networks import topographic_map
from hpcsnn import Simulation
from hpcsnn.codegen.constants import HaltReason
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.storage.network_store import StoredNetwork, write_network
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
    script.write_text(STORED_BY_RANKS.format(tests=str(Path(__file__).parent), folder=str(tmp_path)))
    done = run_on_ranks(n_ranks, [str(script)], timeout_s=300, PYTHONHASHSEED="0")
    assert done.returncode == 0, done.stderr
    host, launched = done.stdout.splitlines()
    assert host == launched
    assert host.split()[0] == digest_on(topographic_map(scale=3), "cpu", 30.0)


def test_a_gpu_that_is_not_there_is_an_error_that_says_what_to_do(monkeypatch):
    pytest.importorskip("cupy", reason="needs cupy-cuda13x (extra gpu)")
    monkeypatch.setattr("hpcsnn.devices.cuda.gpu_count", lambda: 0)
    with pytest.raises(DeviceError, match=r"finds no GPU or no driver.*--device cpu"):
        choose_device("gpu")
    assert choose_device("auto").name.startswith("cpu (")


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("make", [topographic_map, everything, newer_models, every_rule])
def test_a_gpu_gives_the_hosts_bits(make):
    assert digest_on(make(), "gpu", 2000.0) == digest_on(make(), "cpu", 2000.0)


@pytest.mark.gpu
@needs_gpu
def test_growth_between_graphs_gives_the_hosts_bits():
    network = topographic_map(projections__ff__capacity=4, projections__lat__capacity=4)
    assert digest_on(network, "gpu", 5000.0) == digest_on(network, "cpu", 5000.0)
