"""The memory that a network is said to need."""

from __future__ import annotations

from hpcsnn import Simulation
from hpcsnn.planning.memory import estimate
from support.networks import topographic_map


def test_the_estimated_memory_is_near_the_real():
    network = topographic_map(scale=8)
    simulation = Simulation(network, device="cpu")
    recorded = sum(simulation.state.arrays[f"{name}.log"].nbytes for name in ("source", "target"))
    real = simulation.state.n_bytes() - recorded
    assert 0.6 * real < estimate(network, 8, 0, 1).n_bytes < 1.6 * real
