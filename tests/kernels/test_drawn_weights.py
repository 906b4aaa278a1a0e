"""Weights that are drawn follow their distribution, and depend on seed, projection and pair alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from hpcsnn import Network, Simulation, models
from hpcsnn.devices import HostDevice
from hpcsnn.models import Normal, Uniform

QUICK = HostDevice(("-O0",))
N = 256


def synapses(weight, connector=None, seed=1, rule=None, names=("ab",)):
    network = Network(seed=seed, dt_ms=1.0)
    network.add_population("a", N, models.SampleInput())
    network.add_population("b", N, models.LIFSubtractive())
    for name in names:
        network.add_projection(
            name, "a", "b", connector or models.AllToAll(), models.DeltaCurrent(), weight, models.Trained(),
            rewiring=rule,
        )  # fmt: skip
    return Simulation(network, device=QUICK).synapses(names[-1])


@pytest.mark.parametrize(
    ("weight", "cdf"),
    [
        (Normal(0.1, 0.3), stats.norm(0.1, 0.3).cdf),
        (Uniform(-0.5, 1.5), stats.uniform(-0.5, 2.0).cdf),
    ],
    ids=["normal", "uniform"],
)
def test_weights_follow_their_distribution(weight, cdf):
    drawn = synapses(weight)["weight"].astype(np.float64)
    assert len(drawn) == N * N
    assert stats.kstest(drawn, cdf).pvalue > 0.01
    of_targets = drawn.reshape(N, N)
    # Nor are those of neighbours alike: a column or row of them follows it too, and no two go together.
    worst = [min(stats.kstest(row, cdf).pvalue for row in rows) for rows in (of_targets, of_targets.T)]
    assert min(worst) > 0.01 / (2 * N)
    for one, other in ((of_targets[:-1], of_targets[1:]), (of_targets[:, :-1], of_targets[:, 1:])):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 4.0 / N
    assert abs(np.corrcoef(of_targets.ravel(), of_targets.T.ravel())[0, 1]) < 4.0 / N


def test_what_ends_has_its_share_at_the_ends():
    drawn = synapses(Normal(0.0, 0.5, low=-0.5, high=1.0))["weight"]
    for end, share in ((-0.5, stats.norm.cdf(-1)), (1.0, stats.norm.sf(2))):
        n = int((drawn == np.float32(end)).sum())
        assert stats.binomtest(n, N * N, share).pvalue > 0.01
    inside = drawn[(drawn > -0.5) & (drawn < 1.0)].astype(np.float64)
    assert stats.kstest(inside, stats.truncnorm(-1, 2, 0.0, 0.5).cdf).pvalue > 0.01


def by_pair(rows):
    columns = (rows[name].tolist() for name in ("pre", "post", "weight"))
    return {(pre, post): weight for pre, post, weight in zip(*columns, strict=True)}


def test_a_pair_has_its_weight_whoever_wires_it():
    everyone = by_pair(synapses(Normal(0.0, 0.3)))
    some = by_pair(synapses(Normal(0.0, 0.3), models.FixedProbability(p=0.1)))
    assert 0.05 * N * N < len(some) < 0.15 * N * N
    assert some.items() <= everyone.items()


def test_a_rule_on_call_leaves_the_first_weights():
    assert by_pair(synapses(Normal(0.0, 0.3), rule=models.DeepRByGradient())) == by_pair(synapses(Normal(0.0, 0.3)))


def test_seeds_and_projections_have_weights_of_their_own():
    columns = [
        synapses(Normal(0.0, 0.3))["weight"],
        synapses(Normal(0.0, 0.3), seed=2)["weight"],
        synapses(Normal(0.0, 0.3), names=("ab", "more"))["weight"],
    ]
    for k, one in enumerate(columns):
        for other in columns[k + 1 :]:
            assert abs(np.corrcoef(one, other)[0, 1]) < 4.0 / N
    again = synapses(Normal(0.0, 0.3))["weight"]
    assert again.tobytes() == columns[0].tobytes()


def test_one_weight_for_all_is_one():
    assert set(synapses(0.25)["weight"].tolist()) == {0.25}
