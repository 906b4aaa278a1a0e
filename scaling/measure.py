"""One measurement of the topographic map on the ranks of this job; arguments: scale, model time in ms, device."""

from __future__ import annotations

import json
import sys

from hpcsnn import Simulation
from hpcsnn.configuration.files import load_configuration
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.ranks.world import find_world

SETTLING_MS = 100.0


def measure(scale: int, duration_ms: float, device: str) -> None:
    """Run, and print JSON on rank 0: wall seconds per model second, phases, memory, digest."""
    ranks = find_world()
    configuration = load_configuration("topomap", [f"scale={scale}"])
    simulation = Simulation(configuration.network(), ranks, device, configuration.tile)
    simulation.run(SETTLING_MS)
    settled = {**simulation.phase_seconds, "all": simulation.advance_s}
    spikes = simulation.state.total_spikes("target")
    ranks.barrier()
    simulation.run(duration_ms)
    seconds = {**simulation.phase_seconds, "all": simulation.advance_s}
    per_model_s = {name: (value - settled[name]) / (duration_ms * 1e-3) for name, value in seconds.items()}
    peak = simulation.measured()["memory_bytes"]
    n = (16 * scale) ** 2
    target_spikes = sum(ranks.gather(simulation.state.total_spikes("target") - spikes))
    result = {
        "wall_per_model_s": max(ranks.gather(per_model_s.pop("all"))),
        "phases": {name: sum(ranks.gather(value)) / ranks.size for name, value in per_model_s.items()},
        "start_up_s": simulation.startup_s,
        "target_rate_hz": target_spikes / n / (duration_ms * 1e-3),
        "array_bytes": sum(ranks.gather(simulation.state.n_bytes())),
        "peak_bytes": sum(ranks.gather(peak)),
        "device": simulation.device.name,
        "digest": simulation_digest(simulation),
    }
    if ranks.rank == 0:
        print(json.dumps(result))


if __name__ == "__main__":
    measure(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3])
