"""A network whose weights are all drawn, and what becomes of it."""

from __future__ import annotations

from typing import Any

from hpcsnn import Grid, Network, Simulation, models
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.models import Normal, Uniform


def network() -> Network:
    """Noise onto neurons that excite each other; all weights are drawn, some synapses are rewired on call."""
    made, grid = Network(seed=3, dt_ms=1.0), Grid(16, 16)
    made.add_population("noise", grid, models.Poisson(rate_hz=40))
    made.add_population("cells", grid, models.LIFSubtractive(), record_spikes=True)
    near = models.Gaussian(p_max=0.6, sigma=2.0)
    made.add_projection(
        "drive", "noise", "cells", near, models.DeltaCurrent(), Normal(0.1, 0.3), models.Trained(),
        rewiring=models.DeepRByGradient(),
    )  # fmt: skip
    made.add_projection(
        "own", "cells", "cells", models.FixedProbability(p=0.1), models.DeltaCurrent(), Uniform(-0.2, 0.3),
        models.Trained(), delay_ms=2.0,
    )  # fmt: skip
    made.add_projection(
        "stdp", "noise", "cells", near, models.ExponentialCurrent(), Normal(0.1, 0.05, low=0.0, high=0.2),
        models.AdditiveSTDP(w_max=0.2),
    )  # fmt: skip
    return made


def digests(communicator: Any, **options: Any) -> list[str]:
    """Of the first state, after a while, and after the rule was called."""
    simulation = Simulation(network(), communicator, **options)
    found = [simulation_digest(simulation)]
    for _ in range(2):
        simulation.run(30.0)
        found.append(simulation_digest(simulation))
        simulation.rewire("drive")
    return found
