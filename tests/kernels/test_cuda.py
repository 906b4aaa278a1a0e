"""What runs on a GPU, as far as a machine without one can show it, and the same on a GPU where there is one."""

from __future__ import annotations

import pytest

from hpcsnn import Simulation
from hpcsnn.codegen.program import EXCHANGE, generate
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.testing.racing_threads import RacingThreads
from support.comparisons import digest_on
from support.devices import GPU, on_launched
from support.networks import every_rule, everything, newer_models, topographic_map
from support.nvrtc import ptx_of
from support.unequal_networks import in_space, unequal_grids


@pytest.mark.parametrize("compute_capability", [80, 90])
@pytest.mark.parametrize(
    ("make", "n_ranks"),
    [
        (everything, 1),
        (everything, 2),
        (newer_models, 1),
        (every_rule, 1),
        (every_rule, 2),
        (unequal_grids, 1),
        (in_space, 1),
    ],
)
def test_every_kernel_compiles_for_gpus(compute_capability, make, n_ranks):
    program = generate(make(), n_ranks)
    ptx = ptx_of(program.kernels, compute_capability)
    assert f".target sm_{compute_capability}" in ptx
    kernels = [stage.kernel for stage in program.stages if stage.kernel not in EXCHANGE]
    for kernel in (*kernels, *program.setup_kernels, "accept_received"):
        assert f".entry {kernel}(" in ptx, kernel
    assert "fma.rn.f32" not in ptx, "a fused multiply-add rounds once where the host rounds twice"
    assert ".ftz" not in ptx, "denormals are kept"


@on_launched
@pytest.mark.parametrize("make", [topographic_map, everything, newer_models, unequal_grids, in_space])
def test_launched_kernels_give_the_hosts_bits(make, device):
    assert digest_on(make(), device, 150.0) == digest_on(make(), "cpu", 150.0)


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


@pytest.mark.parametrize("device", [GPU])
@pytest.mark.parametrize("make", [topographic_map, everything, newer_models, every_rule, unequal_grids, in_space])
def test_a_gpu_gives_the_hosts_bits(make, device):
    assert digest_on(make(), device, 2000.0) == digest_on(make(), "cpu", 2000.0)


@pytest.mark.parametrize("device", [GPU])
def test_growth_between_graphs_gives_the_hosts_bits(device):
    network = topographic_map(projections__ff__capacity=4, projections__lat__capacity=4)
    assert digest_on(network, device, 5000.0) == digest_on(network, "cpu", 5000.0)
