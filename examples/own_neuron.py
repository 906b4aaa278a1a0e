"""A neuron of your own: parameters, state, and three lines of C++; then a network of it.

Run it, and see it spike once for each unit of charge that comes in:

    $ python examples/own_neuron.py
"""

from hpcsnn import Network, Simulation, models

Perfect = models.NeuronModel(
    "perfect",
    "A perfect integrator that leaks a constant amount per step.",
    parameters={"leak": models.Parameter(0.0, "charge per step", "what is lost")},
    state=(models.Variable("u"),),
    update="u += input_current - leak;",
    threshold="u >= 1.0f",
    reset="u = 0.0f;",
)
network = Network(seed=1)
network.add_population("noise", 100, models.Poisson(rate_hz=50))
network.add_population("cells", 100, Perfect(leak=0.001))
network.add_projection("drive", "noise", "cells", models.OneToOne(), models.ExponentialCurrent(), weight=0.02)
simulation = Simulation(network)
simulation.run(1000)
print(simulation.rates_hz("cells").mean(), "Hz")
