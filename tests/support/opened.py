"""What a simulation in Python has of a run that others read from its directory."""

from __future__ import annotations

from typing import Any

from hpcsnn import Simulation
from hpcsnn.configuration.files import load_configuration


def simulated_until_300_ms(settings: list[str]) -> dict[Any, Any]:
    """What Python has of the topographic map with these settings, at 100 and 300 ms, and recorded over all of it."""
    configuration = load_configuration("topomap", settings)
    simulation = Simulation(configuration.network())

    def now() -> dict[str, Any]:
        return {
            "neurons": {name: simulation.neurons(name) for name in ("source", "target")},
            "synapses": {name: simulation.synapses(name) for name in ("ff", "lat")},
        }

    simulation.run(100)
    found = {100: now()}
    simulation.run(200)
    spikes = {name: simulation.spikes(name) for name in ("source", "target")}
    events = {name: simulation.events(name) for name in ("ff", "lat")}
    names = ("V_mV", "ff.g", "ff.target.post_trace")
    found |= {"recorded": {name: simulation.recorded("target", name) for name in names}}
    found |= {"average": simulation.recorded_average("target", "lat.g")}
    found |= {"of synapses": simulation.recorded_synapses("ff", "weight")}
    return {**found, 300: now(), "spikes": spikes, "events": events, "rates": simulation.rates_hz("target")}
