"""Patch swaps: constants that must be the synapse's, and the traces and variables that it needs."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError, Network, models
from hpcsnn.models.rewiring.patch_swaps import PatchSwaps
from hpcsnn.models.synapses import BCPNN


def test_its_defaults_are_the_synapses():
    synapse, rule = BCPNN(), PatchSwaps()
    assert rule.values["statistics_ms"] == synapse.values["tau_p_ms"]
    assert rule.values["most"] == synapse.values["w_max"]
    assert rule.values["share"] == synapse.constants(0.1)["spike_share"]


@settings(max_examples=30)
@given(st.floats(1, 1000), st.floats(100, 1e5))
def test_statistics_decay_between_updates(every_ms, statistics_ms):
    constants = PatchSwaps(every_ms=every_ms, statistics_ms=statistics_ms).constants(0.1)
    assert constants["keep"] == math.exp(-every_ms / statistics_ms)


def declare(synapse):
    network = Network()
    network.add_population("a", 8, models.Poisson())
    network.add_population("b", 8, models.LIF())
    wiring = (models.AllToAll(), models.DeltaCurrent(), 0.1)
    network.add_projection("ab", "a", "b", *wiring, synapse, rewiring=PatchSwaps())


def test_it_needs_a_synapse_that_keeps_statistics():
    declare(BCPNN())
    with pytest.raises(
        ConfigurationError, match=r"rewiring\.patch_swaps: needs a synapse with 'active'; static has weight"
    ):
        declare(models.Static())
    assert set(PatchSwaps.needs) <= {
        *(variable.name for variable in BCPNN.variables),
        *(trace.name for trace in (*BCPNN.pre_traces, *BCPNN.post_traces)),
    }
