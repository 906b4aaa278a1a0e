"""Networks that several tests run."""

from __future__ import annotations

from typing import Any

from hpcsnn import Grid, Network, models
from hpcsnn.configuration.files import load_configuration


def topographic_map(**overrides: Any) -> Network:
    """The shipped topographic map with spikes recorded; keywords override values, ``__`` standing for a dot."""
    record = ["populations.source.record_spikes=true", "populations.target.record_spikes=true"]
    given = [f"{name.replace('__', '.')}={value}" for name, value in overrides.items()]
    return load_configuration("topomap", [*record, *given]).network()


def newer_models() -> Network:
    """Neurons that adapt, draw and exponentiate, the receptors and plasticity rules that no shipped network uses."""
    network, grid = Network(seed=5), Grid(12, 12)
    network.add_population("noise", grid, models.Poisson(rate_hz=60))
    spread = {"V_mV": models.Normal(-62, 4)}
    network.add_population("alif", grid, models.ALIF(offset_current=19), spread, record_spikes=True)
    network.add_population("background", grid, models.LIFBackground(), spread, record_spikes=True)
    network.add_population("izhikevich", grid, models.Izhikevich(offset_current=4), spread, record_spikes=True)
    network.add_population("adex", grid, models.AdEx(offset_current=800), spread, record_spikes=True)
    near, current = models.Gaussian(p_max=0.5, sigma=2.0), models.ExponentialCurrent()
    soft, triplet = models.MultiplicativeSTDP(w_max=2.0, a_plus=0.05), models.TripletSTDP(w_max=2.0)
    network.add_projection("soft", "noise", "alif", near, models.AlphaCurrent(), 0.5, soft)
    rule = models.Bamford(p_max=0.5, sigma=2.0, attempts=50, block_side=4)
    network.add_projection("triplet", "noise", "background", near, current, 0.2, triplet, rewiring=rule)
    network.add_projection("among", "background", "background", near, current, 0.1, triplet, delay_ms=1.5)
    network.add_projection("jump", "background", "izhikevich", models.OneToOne(), models.DeltaCurrent(), 30.0)
    network.add_projection("inhibit", "alif", "adex", models.FixedProbability(p=0.1), models.AlphaCurrent(), -50.0)
    return network
