"""Synapses that keep the statistics of a Bayesian confidence propagation network, silent ones included."""

from __future__ import annotations

from hpcsnn.models.base import Derived, Variable
from hpcsnn.models.parameters import Parameter
from hpcsnn.models.synapses.synapse import SpikeTrace, SynapseModel

BCPNN = SynapseModel(
    "bcpnn",
    "Counts coincidences of its two neurons; a rule makes them a weight (log-odds) and the synapse active or silent.",
    parameters={
        "tau_z_ms": Parameter(20.0, "ms", "how far apart two spikes may be to coincide", above=0.0),
        "tau_p_ms": Parameter(5000.0, "ms", "how long statistics last", above=0.0),
        "f_max_hz": Parameter(100.0, "Hz", "rate that stands for a probability of 1", above=0.0),
        "w_max": Parameter(1.0, "weight", "upper bound of the absolute weight", above=0.0),
    },
    derived={
        # Two independent neurons of rates r and s then come to r s / f_max^2: the product of their probabilities.
        "coincidence": Derived("1e6 / (2 * tau_z_ms * tau_p_ms * f_max_hz ** 2)"),
        "spike_share": Derived("1e3 / (tau_p_ms * f_max_hz)"),
    },
    variables=(
        Variable("weight"),
        Variable("active", 0.0, "", doc="1 where spikes are passed on, 0 where the synapse only looks on"),
        Variable("p_joint", 0.0, "", doc="probability that both neurons are active, since the last update"),
    ),
    pre_traces=(SpikeTrace("pre_z", "tau_z_ms"), SpikeTrace("pre_p", "tau_p_ms")),
    post_traces=(SpikeTrace("post_z", "tau_z_ms"), SpikeTrace("post_p", "tau_p_ms")),
    deliver="active * weight",
    # The integral of z_i z_j is a sum over pairs, each counted at its later spike; two of one step at the source's.
    on_pre_spike="p_joint += coincidence * post_z;",
    on_post_spike="p_joint += coincidence * (coincident ? pre_z - 1.0f : pre_z);",
    bound="w_max",
    source="Tully, Hennig & Lansner 2014, doi 10.3389/fnsyn.2014.00008; Ravichandran, Lansner & Herman 2025",
)
