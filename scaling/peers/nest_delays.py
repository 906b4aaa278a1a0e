"""What NEST makes of a delay: ``python -m scaling.peers.nest_delays`` reads cases and writes results, both as JSON.

Weights of a `stdp_synapse` between two neurons that spike when they are told to, and when what a spike brings is felt.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

import nest
import numpy as np

# NEST brings a synapse up to date when a presynaptic spike comes: one more, long after all traces.
_LATER_MS = 10_000.0


def weight_after(
    pre: Sequence[int],
    post: Sequence[int],
    delay: int,
    dt_ms: float,
    weight: float,
    tau_plus_ms: float,
    tau_minus_ms: float,
    a_plus: float,
    a_minus: float,
    w_max: float,
) -> float:
    """The weight when all spikes (steps, ascending, not below 2) have met, all pairs, additive; `delay` in steps."""
    nest.ResetKernel()
    nest.resolution = dt_ms
    last = max((*pre, *post)) + round(_LATER_MS / dt_ms)
    neurons = []
    for steps in ((*pre, last), post):
        # A step lasts from k dt to (k + 1) dt, with which NEST stamps its spikes; a generator's take a step to arrive.
        generator = nest.Create("spike_generator", params={"spike_times": [round(k * dt_ms, 6) for k in steps]})
        neuron = nest.Create("parrot_neuron", params={"tau_minus": tau_minus_ms})
        nest.Connect(generator, neuron, syn_spec={"delay": dt_ms})
        neurons.append(neuron)
    synapse: dict[str, Any] = {
        "synapse_model": "stdp_synapse",
        "delay": delay * dt_ms,
        "weight": weight,
        "receptor_type": 1,  # of a parrot: takes spikes and repeats none
        "tau_plus": tau_plus_ms,
        "lambda": a_plus / w_max,
        "alpha": a_minus / a_plus,
        "mu_plus": 0.0,
        "mu_minus": 0.0,
        "Wmax": w_max,
    }
    nest.Connect(*neurons, syn_spec=synapse)
    nest.Simulate((last + delay + 10) * dt_ms)
    return float(nest.GetConnections(*neurons).weight)


def felt_after(delay: int, dt_ms: float) -> int:
    """Steps from the end of the one in which a neuron spikes to the end of the first that changes its target."""
    nest.ResetKernel()
    nest.resolution = dt_ms
    generator = nest.Create("spike_generator", params={"spike_times": [round(20 * dt_ms, 6)]})
    source, recorder = nest.Create("parrot_neuron"), nest.Create("spike_recorder")
    target = nest.Create("iaf_psc_exp", params={"V_m": -70.0, "E_L": -70.0})
    meter = nest.Create("multimeter", params={"interval": dt_ms, "record_from": ["V_m"]})
    nest.Connect(generator, source, syn_spec={"delay": dt_ms})
    nest.Connect(source, recorder)
    nest.Connect(source, target, syn_spec={"delay": delay * dt_ms, "weight": 100.0})
    nest.Connect(meter, target)
    nest.Simulate((delay + 30) * dt_ms)
    moved_ms = meter.events["times"][np.flatnonzero(meter.events["V_m"] != -70.0)[0]]
    return round((moved_ms - recorder.events["times"][0]) / dt_ms)


def main() -> None:
    """Runs the cases: lists of arguments of `weight_after` and of `felt_after`."""
    argparse.ArgumentParser(
        prog="python -m scaling.peers.nest_delays",
        description="What NEST makes of delays, for cases on standard input: a JSON object with two lists, "
        "weight_after and felt_after, of objects with the arguments of the functions of these names.",
    ).parse_args()
    nest.verbosity = nest.VerbosityLevel.ERROR
    cases = json.load(sys.stdin)
    results = {made.__name__: [made(**case) for case in cases[made.__name__]] for made in (weight_after, felt_after)}
    print(json.dumps(results))


if __name__ == "__main__":
    main()
