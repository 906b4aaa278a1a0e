"""One plastic synapse between two neurons that spike when they are told to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hpcsnn import Network, Simulation, models
from hpcsnn.devices.base import Device

DT_MS = 0.1
# Far from both ends of [0, 1], so that what pairs do adds up.
STDP: dict[str, Any] = {
    "tau_plus_ms": 20.0,
    "tau_minus_ms": 64.0,
    "a_plus": 0.001,
    "a_minus": 0.0006,
    "w_max": 1.0,
}


def weight_after(
    pre: Sequence[int], post: Sequence[int], delay: int, dendritic: int, device: str | Device, **stdp: float
) -> float:
    """Of a synapse that begins with 0.5, when all spikes (steps, ascending) have met; delays in steps."""
    network = Network(seed=1, dt_ms=DT_MS)
    times = {"pre": pre, "kicks": [step - 1 for step in post]}
    for name, steps in times.items():
        spikes = models.SpikeArray(neurons=[0] * len(steps), times_ms=[DT_MS * step for step in steps])
        network.add_population(name, 1, spikes)
    network.add_population("post", 1, models.LIF(refractory_ms=0.0), record_spikes=True)
    # What the plastic synapse brings is nothing beside this, which sends the neuron over its threshold at once.
    network.add_projection("kick", "kicks", "post", models.OneToOne(), models.DeltaCurrent(), 1e7)
    network.add_projection(
        "plastic", "pre", "post", models.OneToOne(), models.DeltaCurrent(), 0.5,
        models.AdditiveSTDP(**{**STDP, **stdp}), delay_ms=DT_MS * delay, dendritic_delay_ms=DT_MS * dendritic,
    )  # fmt: skip
    simulation = Simulation(network, device=device)
    simulation.run(DT_MS * (max((*pre, *post)) + delay + dendritic + 2))
    assert simulation.spikes("post")[0].tolist() == list(post)
    return float(simulation.synapses("plastic")["weight"][0])
