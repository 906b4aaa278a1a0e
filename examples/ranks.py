"""Ranks: each owns some of the targets with all their incoming synapses, and none of it shows in the answer.

Run it on one and on three ranks, and compare the last line:

    $ python examples/ranks.py
    $ mpiexec -n 3 python -m mpi4py examples/ranks.py
"""

import numpy as np
from mpi4py import MPI

from hpcsnn import Grid, Network, Simulation, models

network = Network(seed=3)
grid = Grid(32, 32)
network.add_population("input", grid, models.Poisson(rate_hz=40))
network.add_population("cells", grid, models.LIF(), record_spikes=True)
connector = models.Gaussian(p_max=0.3, sigma=2.0)
network.add_projection("drive", "input", "cells", connector, models.ExponentialCurrent(), weight=4.0)

simulation = Simulation(network, comm=MPI.COMM_WORLD, device="cpu")
simulation.run(500)

# What a rank reads is its own part; a sum over ranks is there on every rank, and all ranks must ask for it.
steps, neurons = simulation.spikes("cells")
mine = [len(simulation.synapses("drive")["pre"]), len(steps), (steps * (neurons + 1)).sum()]
synapses, spikes, fingerprint = simulation.sum_over_ranks(np.array(mine))
owned = np.zeros(simulation.n_ranks, dtype=int)
owned[simulation.rank] = len(simulation.neurons("cells")["id"])
owned = simulation.sum_over_ranks(owned)
if simulation.rank == 0:
    print("cells per rank:", *owned)
    print(f"{synapses} synapses, {spikes} spikes, fingerprint {fingerprint}")
