"""What a simulation says when it is asked for what it has not."""

from __future__ import annotations

import pytest

from hpcsnn import ConfigurationError, Simulation
from support.messages import as_pattern
from support.rules import network

ASKED = [
    (lambda simulation: simulation.neurons("c"), "population: unknown name 'c'; allowed: a, b"),
    (lambda simulation: simulation.synapses("ba"), "projection: unknown name 'ba'; allowed: ab"),
    (lambda simulation: simulation.spikes("a"), "population with record_spikes: unknown name 'a'; allowed: (none)"),
]


@pytest.mark.parametrize(("ask", "message"), ASKED, ids=[message[:50] for _, message in ASKED])
def test_a_name_that_a_simulation_does_not_know(ask, message):
    with pytest.raises(ConfigurationError, match="(?s)^" + as_pattern(message)):
        ask(Simulation(network(), device="cpu"))
