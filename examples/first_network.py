"""A first network: two layers whose wiring refines into a topographic map, from Python.

Run it on one process, or on as many ranks as there are cores; the answer is the same:

    $ python examples/first_network.py
    $ mpiexec -n 2 python -m mpi4py examples/first_network.py
"""

from mpi4py import MPI

from hpcsnn import Grid, Network, Simulation, models

network = Network(seed=1, dt_ms=0.1)
grid = Grid(16, 16)
network.add_population("source", grid, models.MovingGaussianPoisson(base_hz=5, peak_hz=152.8, sigma=2))
network.add_population("target", grid, models.LIF(), {"V_mV": models.Normal(-60, 5)}, record_spikes=True)
common = {"receptor": models.ExponentialConductance(tau_ms=5), "synapse": models.AdditiveSTDP(), "weight": 0.2}
for name, source, p_max, sigma in (("ff", "source", 0.16, 2.5), ("lat", "target", 1.0, 1.0)):
    connector, rule = models.Gaussian(p_max=p_max, sigma=sigma), models.Bamford(p_max=p_max, sigma=sigma)
    network.add_projection(name, source, "target", connector, rewiring=rule, **common)

simulation = Simulation(network, comm=MPI.COMM_WORLD, device="auto")
simulation.run(60_000)  # ms of model time
synapses = simulation.synapses("ff")  # pre, post, weight of this rank, as NumPy arrays
steps, neurons = simulation.spikes("target")
print(len(synapses["pre"]), "synapses, mean weight", synapses["weight"].mean(), "and", len(steps), "spikes")
