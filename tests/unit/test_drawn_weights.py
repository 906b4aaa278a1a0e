"""Weights that are drawn: what may be given, what input then resolves, and what a resolved configuration says."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hpcsnn import ConfigurationError, Network, models
from hpcsnn.configuration.files import parse_configuration
from hpcsnn.models import Normal, Uniform
from hpcsnn.network.input_scale import input_format, smallest_weight
from support.messages import as_pattern

W = "projections.ab.weight"


def declared(weight, synapse=None, rewiring=None, connector=None):
    network = Network(seed=1, dt_ms=1.0)
    network.add_population("a", 4, models.SampleInput())
    network.add_population("b", 4, models.LIFSubtractive())
    return network.add_projection(
        "ab", "a", "b", connector or models.AllToAll(), models.DeltaCurrent(), weight,
        models.Trained() if synapse is None else synapse, rewiring=rewiring,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("weight", "weights", "of_new"),
    [
        (0.5, None, 0.5),
        (Normal(0.1, 0.2), Normal(0.1, 0.2), 0.1),
        ({"normal": {"mean": 0.1, "std": 0.2}}, Normal(0.1, 0.2), 0.1),
        ({"uniform": {"low": -1, "high": 2}}, Uniform(-1.0, 2.0), 0.5),
    ],
)
def test_a_weight_is_a_number_or_is_drawn(weight, weights, of_new):
    """What a rule makes without saying which weight has the mean."""
    projection = declared(weight)
    assert projection.weights == weights
    assert projection.weight == of_new


BAMFORD = models.Bamford(p_max=0.5, sigma=1.0, block_side=2)
REFUSED = [
    (lambda: declared("x"), f"{W}: 'x' is not allowed; must be a finite number"),
    (lambda: declared({"gamma": {}}), f"{W}: unknown name 'gamma'; allowed: normal, uniform."),
    (
        lambda: declared({"normal": [1]}),
        f"{W}.normal: [1] is not allowed; must have numbers mean, std (and low, high, if it is to end there)",
    ),
    (
        lambda: declared({"normal": {"mean": 0, "std": -1}}),
        f"{W}.normal.std: -1.0 is not allowed; must be a number >= 0",
    ),
    (lambda: declared({"uniform": {"low": 2, "high": 1}}), f"{W}.uniform: low 2.0, high 1.0 is not allowed; high must"),
    (
        lambda: declared(Normal(0.0, 1.0)),
        f"{W}: {{'normal': {{'mean': 0.0, 'std': 1.0}}}} is not allowed: it draws from [-6.5, 6.5]; must be in [-4, 4]"
        ", the range of trained (low and high end a normal distribution)",
    ),
    (
        lambda: declared(Uniform(-1.0, 0.5), models.AdditiveSTDP(w_max=1.0)),
        f"{W}: {{'uniform': {{'low': -1.0, 'high': 0.5}}}} is not allowed: it draws from [-1, 0.5]; must be in [0, 1], "
        "the range of additive_stdp",
    ),
    (
        lambda: declared(Normal(0.0, 0.1), models.Static()),
        f"{W}: {{'normal': {{'mean': 0.0, 'std': 0.1}}}} is not allowed with the synapse static, which does not say "
        "how large its weights may be; must be one number",
    ),
    (
        lambda: declared(Normal(0.5, 0.01), models.AdditiveSTDP(w_max=1.0), BAMFORD),
        f"{W}: {{'normal': {{'mean': 0.5, 'std': 0.01}}}} is not allowed with the rule bamford, which does not say "
        "which weight a new synapse has; must be one number",
    ),
    (
        lambda: declared(Normal(0.0, 0.1), connector=models.ExplicitList(pre=[0], post=[1], weight=[0.5])),
        f"{W}: {{'normal': {{'mean': 0.0, 'std': 0.1}}}} is not allowed beside the weights of "
        "projections.ab.connector.explicit_list; give one of them",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("make", "message"), REFUSED, ids=[message[:70] for _, message in REFUSED])
def test_a_weight_that_cannot_be_drawn_is_refused(make, message):
    with pytest.raises(ConfigurationError, match="^" + as_pattern(message)):
        make()


def test_a_rule_that_says_which_weight_a_new_synapse_has_goes_with_drawn_ones():
    assert declared(Normal(0.0, 0.1), rewiring=models.DeepRByGradient()).weights == Normal(0.0, 0.1)


def test_a_normal_weight_that_ends_may_be_as_wide_as_it_likes():
    assert declared(Normal(0.0, 3.0, low=-4.0, high=4.0)).weights.extremes() == (-4.0, 4.0)


@pytest.mark.parametrize(
    ("weight", "smallest"),
    [
        (0.25, 0.25),
        (Normal(0.0, 0.25), 0.25),
        (Normal(0.5, 0.125), 0.5),
        (Normal(-0.5, 0.125), 0.5),
        (Normal(0.0, 0.0), 1e-30),
        (Uniform(-0.25, 0.125), 0.25),
        (Uniform(0.25, 0.5), 0.5),
    ],
)
def test_input_resolves_the_width_of_what_weights_are_drawn_from(weight, smallest):
    if smallest == 1e-30:
        with pytest.raises(ConfigurationError, match="which hold"):
            declared(weight)
        return
    projection = declared(weight)
    assert smallest_weight(projection) == smallest
    assert projection.input_format == input_format(projection)
    assert smallest * projection.input_format.scale >= 2**20


WIDTHS = st.floats(-4, -1).map(lambda exponent: 10.0**exponent)


@given(WIDTHS, st.integers(0, 2**32 - 1))
def test_what_is_drawn_is_added_to_a_millionth_of_the_width(std, word):
    weight = float(np.float32(Normal(0.0, std).values(np.array([word], np.uint32))[0]))
    scale = declared(Normal(0.0, std)).input_format.scale
    assert abs(round(weight * scale) / scale - weight) <= std / 2**20


CONFIGURATION = """
seed: 1
dt_ms: 1
duration_ms: 10
populations:
  a: {size: 4, model: sample_input}
  b: {size: 4, model: lif_subtractive}
projections:
  ab:
    source: a
    target: b
    connector: all_to_all
    receptor: delta_current
    synapse: trained
    weight: WEIGHT
"""


@pytest.mark.parametrize(
    ("text", "resolved"),
    [
        ("0.5", 0.5),
        ("{normal: {mean: 0, std: 0.25}}", {"normal": {"mean": 0.0, "std": 0.25}}),
        (
            "{normal: {mean: 0, std: 1, low: -2, high: 2}}",
            {"normal": {"mean": 0.0, "std": 1.0, "low": -2.0, "high": 2.0}},
        ),
        ("{uniform: {low: -1, high: 2}}", {"uniform": {"low": -1.0, "high": 2.0}}),
    ],
)
def test_a_resolved_configuration_gives_the_same_weights(text, resolved):
    first = parse_configuration(yaml.safe_load(CONFIGURATION.replace("WEIGHT", text)))
    written = yaml.safe_load(yaml.safe_dump(first.resolved(), sort_keys=False))
    assert written["projections"]["ab"]["weight"] == resolved
    again = parse_configuration(written)
    assert again.resolved() == written
    one, other = (configuration.network().projections["ab"] for configuration in (first, again))
    assert (one.weight, one.weights) == (other.weight, other.weights)
