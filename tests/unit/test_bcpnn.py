"""The synapse that only looks on: what it passes on, keeps and counts."""

from __future__ import annotations

from hpcsnn.models.synapses import BCPNN


def test_each_side_has_a_short_and_a_long_trace():
    taus = {trace.name: trace.tau for trace in (*BCPNN.pre_traces, *BCPNN.post_traces)}
    assert taus == {"pre_z": "tau_z_ms", "pre_p": "tau_p_ms", "post_z": "tau_z_ms", "post_p": "tau_p_ms"}


def test_a_new_synapse_is_silent_and_its_statistics_empty():
    initial = {variable.name: variable.initial for variable in BCPNN.variables}
    assert (initial["active"], initial["p_joint"]) == (0.0, 0.0)
    silent = {"active": 0.0, "weight": 0.7}
    assert eval(BCPNN.deliver, {}, silent) == 0.0
    assert eval(BCPNN.deliver, {}, silent | {"active": 1.0}) == 0.7


def test_the_bound_is_that_of_the_absolute_weight():
    assert eval(BCPNN.bound, {}, dict(BCPNN(w_max=2.5).values)) == 2.5
