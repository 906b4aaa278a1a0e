"""What a job asks for: ranks that fit nodes, GPUs and tiles, memory that holds the network, time to stop in."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError
from hpcsnn.configuration.files import parse_configuration
from hpcsnn.planning.memory import estimate
from hpcsnn.planning.request import make_request
from hpcsnn.planning.site_profiles import SiteProfile
from hpcsnn.ranks.partition import place_network

GB = 1e9


def configuration(side, tile=8):
    populations = {"in": {"grid": [side, side], "model": "poisson"}, "out": {"grid": [side, side], "model": "lif"}}
    projection = {
        "source": "in", "target": "out", "weight": 0.1, "receptor": "exponential_current",
        "connector": {"gaussian": {"p_max": 0.3, "sigma": 2}},
    }  # fmt: skip
    return parse_configuration({"tile": tile, "populations": populations, "projections": {"p": projection}})


CONFIGURATIONS = {side: configuration(side) for side in (8, 32, 128, 256)}


@settings(max_examples=15)
@given(
    st.sampled_from(sorted(CONFIGURATIONS)),
    st.integers(1, 5),
    st.none() | st.integers(1, 3),
    st.none() | st.integers(0, 3),
)
def test_ranks_are_spread_evenly_and_each_has_a_tile_and_a_gpu(side, nodes, ranks_per_node, gpus):
    profile = SiteProfile(ranks_per_node=ranks_per_node, gpus_per_node=gpus)
    asked = nodes * (gpus or ranks_per_node or 1)
    tiles = (side // 8) ** 2
    if asked > tiles:
        with pytest.raises(ConfigurationError, match=rf"^ranks: {asked} is not allowed; the largest population has"):
            make_request(CONFIGURATIONS[side], profile, nodes=nodes)
        return
    request = make_request(CONFIGURATIONS[side], profile, nodes=nodes)
    assert request.ranks == request.ranks_per_node * request.nodes
    assert (request.nodes, request.gpus_per_node) == (nodes, gpus or 0)
    if gpus:
        assert request.ranks_per_node == gpus
    elif ranks_per_node:
        assert request.ranks_per_node == ranks_per_node
    place_network(CONFIGURATIONS[side].network(), 8, 0, request.ranks)


def test_without_a_word_ranks_follow_the_number_of_neurons():
    ranks = {side: make_request(one, SiteProfile()).ranks for side, one in CONFIGURATIONS.items()}
    assert ranks[8] == ranks[32] == ranks[128] == 1
    assert ranks[256] == 2 * 256**2 // 30_000
    assert make_request(configuration(512, tile=64), SiteProfile(), nodes=3).ranks_per_node == 5


def test_flags_go_before_the_profile():
    profile = SiteProfile(ranks_per_node=4, gpus_per_node=2)
    one = CONFIGURATIONS[128]
    assert make_request(one, profile).ranks == 2
    assert make_request(one, profile, gpus_per_node=0).ranks == 4
    assert make_request(one, profile, gpus_per_node=0, ranks=7).ranks == 7
    assert make_request(one, profile, ranks=1).gpus_per_node == 2


@pytest.mark.parametrize("ranks", [1, 4])
def test_memory_of_a_node_holds_its_ranks_while_they_grow_and_write(ranks):
    one = CONFIGURATIONS[256]
    request = make_request(one, SiteProfile(), ranks=ranks)
    size = estimate(one.network(), one.tile, 0, ranks)
    held = ranks * (size.n_bytes + size.growing + size.checkpoint)
    assert request.memory_gb * GB > held
    assert request.memory_gb * GB < 2 * held + ranks * GB, "nobody pays for what is not used"
    halves = make_request(one, SiteProfile(), ranks=4, nodes=2).memory_gb
    assert halves < make_request(one, SiteProfile(), ranks=4).memory_gb


@settings(max_examples=15)
@given(st.floats(0.1, 600))
def test_the_grace_is_within_the_limit_and_never_more_than_half_of_it(time_min):
    request = make_request(CONFIGURATIONS[8], SiteProfile(), time_min=time_min)
    assert 0 <= request.grace_s <= 30 * time_min
    assert request.grace_s == int(min(request.grace_s, 30 * time_min))
    assert request.grace_s >= min(60, int(30 * time_min))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"ranks": 3, "nodes": 2}, r"^--ranks: 3 is not allowed; must be a multiple of --nodes 2$"),
        ({"ranks": 6, "nodes": 2, "gpus_per_node": 2}, r"^--ranks: 6 is not allowed; 2 x 2 GPUs serve at most 4 ranks"),
        ({"grace_s": 0}, r"^--grace: 0 s is not allowed; must be shorter than --time \(3600 s\)$"),
        ({"grace_s": 60, "time_min": 1.0}, r"^--grace: 60 s is not allowed"),
    ],
)
def test_what_does_not_fit_is_refused(asked, message):
    with pytest.raises(ConfigurationError, match=message):
        make_request(CONFIGURATIONS[128], SiteProfile(), **asked)
