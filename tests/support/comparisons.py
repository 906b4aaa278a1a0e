"""What a simulation comes to, beside the oracle and as a digest."""

from __future__ import annotations

import numpy as np

from hpcsnn import Network, Simulation
from hpcsnn.devices.base import Device
from hpcsnn.engine.digest import simulation_digest
from support.oracle import Oracle


def assert_same(network: Network, simulation: Simulation, oracle: Oracle) -> None:
    """Every variable of neurons and synapses and every recorded spike, to the bit."""
    for name in network.populations:
        ours, expected = simulation.neurons(name), oracle.neurons(name)
        assert ours.keys() == expected.keys()
        for column, values in expected.items():
            np.testing.assert_array_equal(ours[column], values, err_msg=f"{name}.{column}")
        if network.populations[name].record_spikes:
            assert list(zip(*(part.tolist() for part in simulation.spikes(name)), strict=True)) == oracle.spikes(name)
    for name in network.projections:
        ours, expected = simulation.synapses(name), oracle.synapses(name)
        for column, values in expected.items():
            np.testing.assert_array_equal(ours[column], values, err_msg=f"{name}.{column}")


def digest_on(network: Network, device: str | Device, duration_ms: float) -> str:
    """The digest after so long, with both directions of every projection's index checked."""
    return simulation_digest(checked_run(network, device, duration_ms))


def checked_run(network: Network, device: str | Device, duration_ms: float, tile: int = 8) -> Simulation:
    """A simulation after so long, with both directions of every projection's index checked."""
    simulation = Simulation(network, device=device, tile=tile)
    simulation.run(duration_ms)
    for store in simulation.state.stores.values():
        store.check()
    return simulation
