"""The network that ships with plastic inhibition: it comes to its rate from any drive, which it does not by itself."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn import Simulation
from hpcsnn.configuration.files import load_configuration


def after(*overrides):
    """Rate of the excitatory neurons in the last half, in Hz, and the simulation at its end."""
    configuration = load_configuration("balanced_inhibition", list(overrides))
    simulation = Simulation(configuration.network(), device="cpu")
    simulation.run(configuration.duration_ms)
    steps, ids = simulation.spikes("excitatory")
    half_ms = configuration.duration_ms / 2
    late = ids[steps * configuration.dt_ms >= half_ms]
    return np.bincount(late, minlength=400) / (half_ms * 1e-3), simulation


@pytest.mark.parametrize("drive_hz", [15, 20, 30])
def test_excitatory_neurons_come_to_their_rate_whatever_drives_them(drive_hz):
    rates, simulation = after(f"populations.noise.model.poisson.rate_hz={drive_hz}")
    assert rates.mean() == pytest.approx(5.0, rel=0.2)
    assert rates.std() < 2.5, "each of them, whatever its own excitation is"
    weights = simulation.synapses("i_to_e")["weight"]
    assert 0.03 < weights.mean() < 0.5
    assert weights.max() < 1.0, "below the bound"


def test_with_inhibition_as_it_is_at_first_they_do_not():
    rates, _ = after("projections.i_to_e.synapse=static", "duration_ms=4000")
    assert rates.mean() > 25.0


def test_each_neuron_has_its_numbers_of_synapses():
    _, simulation = after("duration_ms=10")
    for name, source, target, degree in (
        ("noise_to_e", 400, 400, 60), ("e_to_e", 400, 400, 10), ("i_to_e", 100, 400, 20), ("i_to_i", 100, 100, 10),
    ):  # fmt: skip
        synapses = simulation.synapses(name)
        assert (np.bincount(synapses["post"], minlength=target) == degree).all()
        assert synapses["pre"].max() < source
        if name in ("e_to_e", "i_to_i"):
            assert not (synapses["pre"] == synapses["post"]).any()
