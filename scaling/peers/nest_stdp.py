"""NEST's `stdp_synapse` between two neurons that spike when they are told to: ``python -m scaling.peers.nest_stdp``.

Reads cases from standard input and writes the weight after each to standard output, both as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

import nest

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


def main() -> None:
    """Runs the cases: a list of arguments of `weight_after`."""
    argparse.ArgumentParser(
        prog="python -m scaling.peers.nest_stdp",
        description="The weights that NEST's stdp_synapse comes to, for cases on standard input: a JSON list of "
        "objects with the arguments of weight_after.",
    ).parse_args()
    nest.verbosity = nest.VerbosityLevel.ERROR
    print(json.dumps([weight_after(**case) for case in json.load(sys.stdin)]))


if __name__ == "__main__":
    main()
