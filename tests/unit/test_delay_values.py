"""What may be given as a delay, and what a resolved configuration says of it."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from hpcsnn import ConfigurationError, models
from hpcsnn.configuration.files import load_configuration, parse_configuration
from hpcsnn.models import Uniform
from hpcsnn.planning.memory import estimate
from support.models import Pulse
from support.networks import GRID, SPREAD_DELAYS, busy


def test_a_resolved_configuration_gives_the_same_delays():
    first = load_configuration("topomap", SPREAD_DELAYS)
    resolved = yaml.safe_load(yaml.safe_dump(first.resolved(), sort_keys=False))
    again = parse_configuration(resolved)
    assert again.resolved() == resolved
    assert resolved["projections"]["lat"]["delay_ms"]["normal"] == pytest.approx(
        {"mean": 1.0, "std": 0.2, "low": 0.2, "high": 1.8}
    )
    for name in ("ff", "lat"):
        ours, theirs = (configuration.network().projections[name].delays for configuration in (first, again))
        np.testing.assert_array_equal(ours.thresholds, theirs.thresholds)
        assert ours.first_steps == theirs.first_steps


def test_memory_of_delays_is_counted():
    def n_bytes(delay_ms, **more):
        return estimate(busy(delay_ms, 0.1, **more), 8, 0, 1).n_bytes

    slots, row = 32, estimate(busy(0.3, 0.1), 8, 0, 1)
    assert n_bytes(Uniform(0.3, 2.0)) - row.n_bytes >= 4 * GRID.size * (slots - 1)
    # 10 steps in the dendrite: rings of 16 for the input of each projection, and of 16 steps of spikes, not 2.
    input_bytes = sum(
        np.dtype(f"i{8 if one.input_scale()[0] == 'int64' else 4}").itemsize
        for one in busy(0.3, 0.1).projections.values()
    )
    rings = GRID.size * (input_bytes * 15 + 4 * 14) + 2 * 4 * 14
    assert n_bytes(0.3, dendritic_ms=1.0) - row.n_bytes == rings


Named = models.SynapseModel("named", "", variables=(models.Variable("weight"), models.Variable("delay_steps")))
REFUSED = [
    (
        "{uniform: {low: 0, high: 2}}",
        "uniform.low: 0 is not allowed; must be a number in ms of at least one step (dt_ms 0.1)",
    ),
    ("{uniform: {low: 2, high: 1}}", "uniform: low 2.0, high 1.0 is not allowed; high must be >= low"),
    (
        "{normal: {mean: 1, std: 0.1, low: 0.01}}",
        "normal.low: 0.01 is not allowed; must be a number in ms of at least one",
    ),
    (
        "{normal: {mean: -3, std: 0.1}}",
        "normal: mean -3, std 0.1, so an end at -2.6 is not allowed; must be a number in ms of at least one step",
    ),
    (
        "{normal: {mean: 1}}",
        "normal: {'mean': 1} is not allowed; must have numbers mean, std (and low, high, if it is to",
    ),
    ("{uniform: {low: 1, high: 1e6}}", "uniform: 1 .. 1e+06 ms are 9999990 steps; at most 65536"),
]


@pytest.mark.parametrize(("spec", "message"), REFUSED, ids=[spec for spec, _ in REFUSED])
def test_delays_that_cannot_be(spec, message):
    with pytest.raises(ConfigurationError) as error:
        load_configuration("topomap", [f"projections.ff.delay_ms={spec}"])
    assert str(error.value).startswith(f"projections.ff.delay_ms.{message}")


def test_what_else_delay_ms_may_not_be():
    with pytest.raises(
        ConfigurationError, match=r"^projections\.ff\.delay_ms: unknown name 'gamma'; allowed: normal, uni"
    ):
        load_configuration("topomap", ["projections.ff.delay_ms={gamma: {k: 1}}"])
    with pytest.raises(
        ConfigurationError, match=r"^projections\.ff\.delay_ms: has 2 values; must be one number or 256 values, one per"
    ):
        load_configuration("topomap", ["projections.ff.delay_ms=[1, 2]"])
    network = busy()
    with pytest.raises(
        ConfigurationError, match=r"^projections\.x\.synapse: variable 'delay_steps' is the delay's name"
    ):
        network.add_projection(
            "x", "noise", "cells", models.OneToOne(), Pulse(), 1.0, Named(), delay_ms=Uniform(1, 2)
        )  # fmt: skip
