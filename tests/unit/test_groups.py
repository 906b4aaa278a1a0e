"""Groups of ranks that share a network: who is in which, how its neurons are cut into tiles, what cannot be shared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hpcsnn import ConfigurationError, Grid, Network, models
from hpcsnn.engine.learning.groups import Groups, check_even, in_order, of_all, output_ids, tile_side
from hpcsnn.network.learning_network import learning_network
from hpcsnn.planning.request import make_request
from hpcsnn.planning.site_profiles import SiteProfile
from hpcsnn.ranks.communicator import Alone
from hpcsnn.ranks.partition import DEFAULT_TILE, place_network
from support.learning import learner, learning
from support.small_trainings import small_training
from support.thread_ranks import on_ranks


def of_size(n_hidden, outputs=3, online=False, feedback="symmetric", window_steps=None):
    """A network that learns, without one recurrent synapse."""
    network = Network(seed=1, dt_ms=1.0)
    network.add_population("input", 5, models.SampleInput())
    network.add_population("hidden", n_hidden, models.LIFSubtractive())
    network.add_population("output", outputs, models.LeakyReadout())
    for source, target in (("input", "hidden"), ("hidden", "output")):
        network.add_projection(
            f"{source}_{target}", source, target, models.AllToAll(), models.DeltaCurrent(), 0.1, models.Trained()
        )
    rule = models.EProp(gradient="online" if online else "events", feedback=feedback)
    return learning_network(network, replace(learning(rule=rule), window_steps=window_steps))


@pytest.mark.parametrize(("n_ranks", "size"), [(1, 1), (4, 1), (4, 2), (6, 3), (4, 4)])
def test_neighbours_share_a_network_and_their_like_share_out_gradients(n_ranks, size):
    def work(ranks):
        groups = Groups.of(ranks, size)
        parts = (groups.network, groups.peers)
        return groups.number, groups.n_groups, [(part.rank, part.gather(ranks.rank)) for part in parts]

    for rank, (number, n_groups, (network, peers)) in enumerate(on_ranks(n_ranks, work)):
        assert (number, n_groups) == (rank // size, n_ranks // size)
        neighbours = [one for one in range(n_ranks) if one // size == number]
        assert network == (rank % size, neighbours)
        assert peers == (rank // size, [one for one in range(n_ranks) if one % size == rank % size])


@pytest.mark.parametrize(
    ("given", "n_ranks", "message"),
    [
        (2, 1, r"^ranks_per_network: 2 is not allowed on 1 rank; must divide their number: 1$"),
        (4, 6, r"^ranks_per_network: 4 is not allowed on 6 ranks; must divide their number: 1 or 2 or 3 or 6$"),
        (0, 2, r"^ranks_per_network: 0 is not allowed; must be a whole number >= 1"),
        ("2", 2, r"^ranks_per_network: '2' is not allowed"),
    ],
)
def test_groups_are_whole(given, n_ranks, message):
    with pytest.raises(ConfigurationError, match=message):
        check_even(given, n_ranks)


def test_tiles_are_as_small_as_so_many_ranks_need():
    assert tile_side(of_size(100), 1) == DEFAULT_TILE
    sides = [tile_side(of_size(n), 2) for n in (5000, 2048, 1984, 512, 496, 128, 124, 2)]
    assert sides == [8, 8, 4, 4, 2, 2, 1, 1]
    assert tile_side(of_size(2048), 4) == 4


def test_the_order_of_outputs_goes_by_no_tile():
    """Errors are added up in it: where it would be another, tiles are those of one rank."""
    for outputs in (3, 70, 1000):
        placements = [place_network(of_size(200, outputs), side, 0, 1)["output"] for side in (1, 2, 8)]
        for placement in placements:
            assert output_ids(placement.tiling).tolist() == placement.global_id.tolist() == list(range(outputs))
    square = Grid(10, 10)
    assert tile_side(of_size(300, square), 2) == DEFAULT_TILE
    placement = place_network(of_size(300, square), DEFAULT_TILE, 0, 1)["output"]
    assert output_ids(placement.tiling).tolist() == placement.global_id.tolist() != list(range(100))


@pytest.mark.parametrize("n_ranks", [2, 3])
def test_the_first_rank_has_the_readout_and_all_share_the_rest(n_ranks):
    network = of_size(200, 150)
    placements = [place_network(network, 2, rank, n_ranks) for rank in range(n_ranks)]
    assert [one["output"].n_own for one in placements] == [150, *[0] * (n_ranks - 1)]
    hidden = [one["hidden"].global_id for one in placements]
    assert sorted(np.concatenate(hidden).tolist()) == list(range(200))
    assert min(map(len, hidden)) > 150 // n_ranks
    assert placements[0]["hidden"].n_known == 200


@pytest.mark.parametrize(
    ("network", "n_ranks", "message"),
    [
        (
            of_size(6),
            8,
            r"^ranks_per_network: 8 is not allowed; populations.hidden has 6 tiles of side 1, of which each",
        ),
        (
            of_size(100, Grid(2, 2)),
            3,
            r"^ranks_per_network: 3 is not allowed; populations.hidden has 2 tiles of side 8",
        ),
        (of_size(100, online=True), 2, r"^ranks_per_network: 2 is not allowed with gradient: online, whose eligib"),
        (
            of_size(100, window_steps=9),
            2,
            r"^ranks_per_network: 2 is not allowed with window_steps, whose steps a rank",
        ),
        (of_size(100, feedback="adaptive"), 2, r"^ranks_per_network: 2 is not allowed with feedback: adaptive, whose"),
    ],
)
def test_what_ranks_cannot_share(network, n_ranks, message):
    with pytest.raises(ConfigurationError, match=message):
        tile_side(network, n_ranks)


def test_rows_of_all_ranks_come_in_order():
    random = np.random.default_rng(3)
    pairs = random.permutation(60)
    whole = {"pre": pairs % 6, "post": pairs // 6, "weight": random.normal(size=60).astype(np.float32)}

    def work(ranks):
        mine = {name: column[ranks.rank :: ranks.size] for name, column in whole.items()}
        return of_all(ranks, mine, "post", "pre")

    order = np.argsort(pairs)
    for found in on_ranks(3, work):
        assert found.keys() == whole.keys()
        for name, column in found.items():
            np.testing.assert_array_equal(column, whole[name][order])
    assert of_all(Alone(), whole)["pre"] is whole["pre"]
    assert in_order([{"a": np.array([2])}, {"a": np.array([1])}])["a"].tolist() == [2, 1]


def test_a_job_asks_for_whole_groups(tmp_path):
    one, two = (small_training(tmp_path, ranks_per_network=n) for n in (1, 2))
    assert [make_request(each, SiteProfile()).ranks for each in (one, two)] == [1, 2]
    assert make_request(two, SiteProfile(), nodes=2).ranks == 2
    with pytest.raises(ConfigurationError, match=r"^ranks_per_network: 2 is not allowed on 3 ranks"):
        make_request(two, SiteProfile(), ranks=3)


def test_one_that_learns_meets_every_step_and_one_that_does_not_as_seldom_as_it_may():
    network = learner()
    assert network.min_delay_steps() == network.exchange_steps() == 1
    network.learning = None
    network.projections = {name: one for name, one in network.projections.items() if one.delay_steps > 1}
    assert network.exchange_steps() == network.min_delay_steps() == 2
