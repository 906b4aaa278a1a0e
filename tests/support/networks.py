"""Networks that several tests run."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from hpcsnn import Grid, Network, models
from hpcsnn.configuration.files import load_configuration
from hpcsnn.models import Configured, Normal, Uniform, rewiring
from support.rules import Swap, Tended, Wanderer

GRID = Grid(8, 8)
# Overrides of the topographic map: delays of which every synapse has its own.
SPREAD_DELAYS = [
    "projections.ff.delay_ms={uniform: {low: 0.5, high: 4}}",
    "projections.lat.delay_ms={normal: {mean: 1, std: 0.2}}",
]
# Parameters of which every neuron has a value of its own, as in YAML.
VARIED = {
    "tau_m_ms": {"normal": {"mean": 15, "std": 6, "low": 2}},
    "V_threshold_mV": {"uniform": {"low": -66, "high": -60}},
    "refractory_ms": [0.1 * (neuron % 7) for neuron in range(GRID.size)],
}

# A single spike drives one neuron, on one rank, beyond what float32 holds.
EXPLODING = """
duration_ms: 2000
populations:
  input: {grid: [16, 16], model: {spike_array: {neurons: [37], times_ms: [50.0]}}}
  cells: {grid: [16, 16], model: {lif: {V_threshold_mV: 1.0e+38, resistance: 1.0e+38}}}
projections:
  drive: {source: input, target: cells, connector: one_to_one, receptor: exponential_current, weight: 1.0e+6}
"""


def topographic_map(**overrides: Any) -> Network:
    """The shipped topographic map with spikes recorded; keywords override values, ``__`` standing for a dot."""
    record = ["populations.source.record_spikes=true", "populations.target.record_spikes=true"]
    given = [f"{name.replace('__', '.')}={value}" for name, value in overrides.items()]
    return load_configuration("topomap", [*record, *given]).network()


def newer_models() -> Network:
    """Neurons that adapt, draw and exponentiate, the receptors and plasticity rules that no shipped network uses."""
    network, grid = Network(seed=5), Grid(12, 12)
    network.add_population("noise", grid, models.Poisson(rate_hz=60))
    rates_hz = np.outer([40.0, 0.0, 90.0], np.arange(144) % 5)
    changing = models.InhomogeneousPoisson(times_ms=[3, 50, 80], rates_hz=rates_hz)
    network.add_population("changing", grid, changing, record_spikes=True)
    spread = {"V_mV": models.Normal(-62, 4)}
    currents = [
        models.NoiseCurrent(std=models.Uniform(1, 3), from_ms=20, neurons={"every": 3}),
        models.RampCurrent(to_amplitude=1, to_ms=99),
    ]
    network.add_population("alif", grid, models.ALIF(offset_current=19), spread, record_spikes=True, stimulate=currents)
    record = {"V_mV": {"every_ms": 0.5, "average": True}, "triplet.target.o1": 2.0}
    network.add_population("background", grid, models.LIFBackground(), spread, True, record)
    network.add_population("izhikevich", grid, models.Izhikevich(offset_current=4), spread, record_spikes=True)
    record = {"V_mV": 1.0, "inhibit.current": {"every_ms": 0.3, "neurons": {"rectangle": [2, 3, 9, 9]}}}
    current = [models.SineCurrent(amplitude=50, frequency_hz=8.0)]
    network.add_population("adex", grid, models.AdEx(offset_current=800), spread, True, record, current)
    near, current = models.Gaussian(p_max=0.5, sigma=2.0), models.ExponentialCurrent()
    soft, triplet = models.MultiplicativeSTDP(w_max=2.0, a_plus=0.05), models.TripletSTDP(w_max=2.0)
    network.add_projection("soft", "noise", "alif", near, models.AlphaCurrent(), 0.5, soft)
    rule = models.Bamford(p_max=0.5, sigma=2.0, attempts=50, block_side=4)
    network.add_projection("triplet", "noise", "background", near, current, 0.2, triplet, rewiring=rule)
    network.add_projection(
        "among", "background", "background", near, current, 0.1, triplet, delay_ms=1.5, record={"weight": 5.0}
    )
    network.add_projection("jump", "background", "izhikevich", models.OneToOne(), models.DeltaCurrent(), 30.0)
    network.add_projection("inhibit", "alif", "adex", models.FixedProbability(p=0.1), models.AlphaCurrent(), -50.0)
    tired, restrained = models.TsodyksMarkram(U=0.3, tau_facil_ms=50.0), models.InhibitorySTDP(w_max=-2.0, eta=0.05)
    delays = models.Uniform(0.3, 2.0)
    network.add_projection("tired", "noise", "izhikevich", near, current, 1.0, tired, delay_ms=delays, rewiring=rule)
    network.add_projection("restrain", "background", "alif", near, models.AlphaCurrent(), -0.1, restrained)
    network.add_population("lasting", grid, models.AdExAfterpotential(offset_current=700), spread, True)
    by_voltage = models.Clopath(w_max=40.0, a_ltp_per_mV2=1e-3, a_ltd_per_mV=2e-2)
    network.add_projection("voltage", "noise", "lasting", near, current, 20.0, by_voltage, rewiring=rule)
    network.add_projection("volume", "background", "izhikevich", near, models.Neuromodulator(), 1e-3, delay_ms=2.0)
    rewarded = models.DopamineSTDP(w_max=2.0, a_plus=0.5, settle_ms=20.0, level=1e-3)
    network.add_projection(
        "rewarded", "noise", "izhikevich", near, current, 1.0, rewarded, rewiring=rule, modulator="volume"
    )
    return network


def everything() -> Network:
    """Every built-in model that `newer_models` lacks."""
    network = Network(seed=3)
    network.add_population("field", Grid(16, 16), models.MovingGaussianPoisson(), record_spikes=True)
    network.add_population("noise", 40, models.Poisson(rate_hz=50), record_spikes=True)
    network.add_population("given", 3, models.SpikeArray(neurons=[0, 1, 1], times_ms=[1.0, 2.0, 30.0]))
    network.add_population("cells", Grid(16, 16), models.LIF(), {"V_mV": models.Normal(-60, 5)}, record_spikes=True)
    conductance, current = models.ExponentialConductance(), models.ExponentialCurrent()
    stdp = models.AdditiveSTDP()
    rule = models.Bamford(p_max=0.5, sigma=2.0, attempts=100)
    network.add_projection(
        "map",
        "field",
        "cells",
        models.Gaussian(p_max=0.3, sigma=2.0),
        conductance,
        0.2,
        stdp,
        rewiring=rule,
        capacity=2,
    )
    network.add_projection("random", "noise", "cells", models.FixedProbability(p=0.2), conductance, 0.05, delay_ms=1.5)
    network.add_projection("all", "given", "cells", models.AllToAll(), current, 30.0)
    network.add_projection("own", "cells", "cells", models.OneToOne(), current, -0.5, delay_ms=0.3)
    listed = models.ExplicitList(pre=[0, 5, 7], post=[9, 9, 255], weight=[0.1, 0.2, 0.0])
    network.add_projection("listed", "cells", "cells", listed, conductance, 0.1, stdp)
    fixed = (
        models.FixedInDegree(in_degree=9, self_connections=False),
        models.FixedOutDegree(out_degree=5, self_connections=False),
        models.FixedTotal(n_synapses=1000, self_connections=False),
    )
    for connector in fixed:
        network.add_projection(connector.name, "cells", "cells", connector, current, 0.05)
    return network


def every_rule() -> Network:
    """A projection for each shipped rule and for those of `rules`, which use what no shipped one does.

    Some neurons are removed.
    """
    network, grid = Network(seed=3), Grid(16, 16)
    network.add_population("input", grid, models.MovingGaussianPoisson(dwell_ms=5.0), remove="40..45")
    network.add_population("cells", grid, models.LIF(), {"V_mV": models.Normal(-60, 5)}, remove=[7, 90, 133])
    places = {"attempts": 30, "p_eliminate": 0.1, "max_in_degree": 9, "every_ms": 0.5}
    growth = {"every_ms": 1.0, "updates_a_pairing": 5, "tau_calcium_ms": 100.0, "beta_calcium": 0.02}
    grown = {f"{side}_growth_per_s": 100.0 for side in ("axon", "dendrite")}
    stimulus = dataclasses.replace(Wanderer, name="stimulus", trigger="stimulus")
    call = dataclasses.replace(Tended, name="call", trigger="call")
    rules = [
        models.Bamford(p_max=0.5, sigma=2.0, attempts=100),
        rewiring.Bamford2010(p_max=0.9, sigma=2.0, **places),
        rewiring.LastToFire(p_max=0.9, sigma=2.0, **places),
        rewiring.LocalProposals(**places),
        rewiring.DeepR(temperature=0.01, w_max=0.2),
        rewiring.Homeostatic(**growth, **grown),
        models.SynapticScaling(every_ms=2.0, beta=0.5),
        models.WeightNormalisation(every_ms=3.0, total=0.4),
        *(Swap(attempts=30), Wanderer(), Tended(), stimulus(), call()),
    ]
    wired, current = models.FixedProbability(p=0.01), models.ExponentialCurrent()
    for rule in rules:
        network.add_projection(
            rule.model.name, "input", "cells", wired, current, 0.1, rewiring=rule, record_events=True, capacity=1
        )
    return network


def busy(
    delay_ms: Any = Uniform(0.3, 2.0),  # noqa: B008
    own_ms: Any = Normal(1.0, 0.4),  # noqa: B008
    seed: int = 7,
    capacity: int | None = None,
    dendritic_ms: float = 0.0,
    record: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> Network:
    """Two projections with delays of their own, one of them plastic, both rewired all the time; `record` by whose."""
    network, record = Network(seed=seed), defaultdict(dict, record)
    network.add_population(
        "noise", GRID, models.Poisson(rate_hz=200), None, "spikes" not in record["noise"], record["noise"]
    )
    lif = models.LIF(V_threshold_mV=-66.0, refractory_ms=0.5)
    network.add_population("cells", GRID, lif, {"V_mV": Normal(-68, 2)}, record_spikes=True, record=record["cells"])
    rule = models.Bamford(p_max=0.6, sigma=1.5, attempts=60, block_side=4, every_ms=0.5, p_eliminate=0.5)
    gaussian, current = models.Gaussian(p_max=0.4, sigma=1.5), models.ExponentialCurrent(tau_ms=2.0)
    network.add_projection(
        "drive", "noise", "cells", gaussian, current, 1.1, delay_ms=delay_ms, rewiring=rule, capacity=capacity,
        dendritic_delay_ms=dendritic_ms, record=record["drive"],
    )  # fmt: skip
    network.add_projection(
        "own", "cells", "cells", gaussian, models.ExponentialConductance(tau_ms=1.0), 0.1, models.AdditiveSTDP(),
        delay_ms=own_ms, rewiring=rule, capacity=capacity, dendritic_delay_ms=dendritic_ms, record=record["own"],
    )  # fmt: skip
    return network


def driven(lif: Configured[Any], seed: int = 5, initial: dict[str, Any] | None = None, record: bool = True) -> Network:
    """Cells that noise drives and that excite each other."""
    network = Network(seed=seed)
    network.add_population("noise", GRID, models.Poisson(rate_hz=400))
    network.add_population("cells", GRID, lif, initial, record_spikes=record)
    pulse = models.ExponentialCurrent(tau_ms=2.0)
    network.add_projection("drive", "noise", "cells", models.Gaussian(p_max=0.5, sigma=2), pulse, 0.9)
    network.add_projection(
        "own", "cells", "cells", models.Gaussian(p_max=0.3, sigma=1), pulse, 0.1, models.AdditiveSTDP()
    )
    return network


def varied(**others: Any) -> Network:
    """`driven` cells that differ in what `VARIED` says."""
    return driven(models.LIF(**VARIED, **others))


def driven_configuration(**lif: Any) -> dict[str, Any]:
    """Cells that differ in what `VARIED` says and `lif` gives, driven by noise, as YAML has it."""
    return {
        "seed": 3,
        "duration_ms": 50,
        "populations": {
            "noise": {"grid": [8, 8], "model": {"poisson": {"rate_hz": 400}}},
            "cells": {"grid": [8, 8], "model": {"lif": {**VARIED, **lif}}, "record_spikes": True},
        },
        "projections": {
            "drive": {
                "source": "noise",
                "target": "cells",
                "weight": 0.9,
                "connector": {"gaussian": {"p_max": 0.5, "sigma": 2}},
                "receptor": "exponential_current",
            }
        },
    }


def grouped() -> Network:
    """Neurons in groups of ten, of which ranks and tiles of any side have some, with plasticity onto the winners."""
    network = Network(seed=8, dt_ms=1.0)
    network.add_population("noise", 90, models.Poisson(rate_hz=80))
    network.add_population("winners", 1280, models.WinnerLIF(group_size=10, rise_mV=0.5), record_spikes=True)
    network.add_population("softmax", Grid(12, 10), models.SoftmaxUnit(group_size=10, gain=0.5), record_spikes=True)
    current, few = models.DeltaCurrent(), models.FixedProbability(p=0.1)
    stdp = models.AdditiveSTDP(w_max=150.0, a_plus=0.1)
    network.add_projection("drive", "noise", "winners", few, current, 100.0, stdp, delay_ms=1.0)
    network.add_projection("onwards", "winners", "softmax", few, current, 1.0, delay_ms=1.0)
    return network
