"""What a rank by itself can be asked, and what stands in for others; its state is tested on real ranks."""

from __future__ import annotations

import ctypes
import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError, Grid, Network, models
from hpcsnn.errors import SimulationError
from hpcsnn.models import rewiring
from hpcsnn.planning.dry_run import busiest_rank, check_dry_run, checked_rank, poisson_spikes, rates_of
from hpcsnn.ranks.exchange.made_up import mirrored_routes, roomy_boxes, sent_spikes
from hpcsnn.ranks.exchange.made_up_blocks import MadeUpBlocks
from hpcsnn.ranks.exchange.plan import plan_exchange
from hpcsnn.ranks.one_of_many import OneOfMany
from hpcsnn.ranks.partition import place_network
from support.learning import learner
from support.messages import as_pattern


def wired(grid, sigma=0.5, connector=None, rule=None, delay_ms=0.1):
    network = Network(seed=1)
    network.add_population("a", grid, models.Poisson(rate_hz=1))
    network.add_population("b", grid, models.LIF())
    connector = connector or models.Gaussian(p_max=0.2, sigma=sigma)
    for name, pre in (("ab", "a"), ("bb", "b")):
        network.add_projection(
            name, pre, "b", connector, models.ExponentialCurrent(), 1.0, rewiring=rule, delay_ms=delay_ms
        )
    return network


@st.composite
def ranks(draw):
    """A network on a grid with tiles that are cut short or not, and one rank of several."""
    grid = Grid(draw(st.integers(6, 30)), draw(st.integers(6, 30)))
    network = wired(grid, draw(st.sampled_from([0.3, 0.8])), delay_ms=draw(st.sampled_from([0.1, 0.7])))
    n = draw(st.sampled_from([2, 3, 4]))
    rank = draw(st.integers(0, n - 1))
    placements = place_network(network, 4, rank, n)
    return network, placements, plan_exchange(network, placements, rank, n, int)


@settings(max_examples=40)
@given(ranks())
def test_each_neuron_of_another_rank_has_one_own_neuron_at_most_that_it_follows(case):
    """In the box of its owner, under its number there; real routes stay as they are."""
    network, placements, plan = case
    around, n_out = plan.neighbours, plan.room.n_out
    tables = mirrored_routes(placements, plan, set(network.populations))
    start, to, number = (tables[name] for name in ("route_start", "route_to", "route_number"))
    real, made_up = [], []
    for neuron in range(len(start) - 1):
        for route in range(start[neuron], start[neuron + 1]):
            (real if to[route] < n_out else made_up).append((neuron, int(to[route]), int(number[route])))
    own = np.repeat(np.arange(len(start) - 1), np.diff(around.route_start))
    assert sorted(real) == sorted(
        zip(own.tolist(), around.route_to.tolist(), around.route_number.tolist(), strict=True)
    )
    numbers = [(box - n_out, one) for _, box, one in made_up]
    assert len(set(numbers)) == len(numbers)
    all_numbers = {(slot, one) for slot, n in enumerate(around.n_known.sum(axis=1).tolist()) for one in range(n)}
    assert set(numbers) <= all_numbers
    tiling = placements["a"].tiling
    if tiling.grid.nx % 4 == tiling.grid.ny % 4 == 0:
        assert set(numbers) == all_numbers, "where all tiles are alike, nobody is left out"
    none = mirrored_routes(placements, plan, ())
    assert none["route_to"].tolist() == around.route_to.tolist()


@settings(max_examples=40)
@given(ranks(), st.integers(0, 2**32 - 1))
def test_given_spikes_come_in_their_steps_from_those_who_own_their_neurons(case, seed):
    network, placements, plan = case
    random, n_steps = np.random.default_rng(seed), 30
    spikes = {
        name: (random.integers(0, n_steps + 5, 80), random.integers(0, one.size, 80))
        for name, one in network.populations.items()
    }
    tables = sent_spikes(network, placements, plan, spikes, n_steps)
    found = {name: [] for name in spikes}
    around = plan.neighbours
    for step in range(n_steps):
        for at in range(tables["made_up_start"][step], tables["made_up_start"][step + 1]):
            sender, number = int(tables["made_up_from"][at]) - plan.room.n_out, int(tables["made_up_number"][at])
            population = int(np.searchsorted(np.cumsum(around.n_known[sender]), number, side="right"))
            inside = number - int(around.n_known[sender, :population].sum())
            name = list(spikes)[population]
            index = int(around.first_known[sender, population]) + inside
            found[name].append((step, int(placements[name].known_id[index])))
    for name, (steps, ids) in spikes.items():
        foreign = set(placements[name].known_id[placements[name].n_own :].tolist())
        expected = [(s, i) for s, i in zip(steps.tolist(), ids.tolist(), strict=True) if s < n_steps and i in foreign]
        assert sorted(found[name]) == sorted(expected)


def rounds_of(plan, blocks, own, n_exchanges):
    """What a rank by itself receives, which has `own` spikes: of each exchange the blocks of each round, by rank."""
    struct = SimpleNamespace()
    blocks.bind(struct)
    call = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p] * 2, ctypes.c_void_p)
    allgather, words = call(struct.allgather), plan.room.block + 1
    received, exchanges = np.zeros((plan.room.n_ranks, words), np.uint32), []
    for _ in range(n_exchanges):
        left, rounds = own, []
        while True:
            send = np.array([left] + [0] * (words - 1), np.uint32)
            assert allgather(send.ctypes.data, words, None, received.ctypes.data, words, None, None) == 0
            rounds.append(received.copy())
            left = max(left - plan.room.block, 0)
            if (received[:, 0] <= plan.room.block).all():
                break
        exchanges.append(rounds)
    return exchanges


@settings(max_examples=30)
@given(
    st.sampled_from([2, 3, 5]), st.sampled_from([0.1, 0.7]), st.sampled_from([1, 4, None]), st.integers(0, 9), st.data()
)
def test_what_all_others_send_comes_once_in_blocks_of_ranks_that_are_not_there(n_ranks, delay_ms, block, own, data):
    network = wired(Grid(20, 12), connector=models.FixedProbability(p=0.1), delay_ms=delay_ms)
    rank = data.draw(st.integers(0, n_ranks - 1))
    placements = place_network(network, 4, rank, n_ranks)
    plan = plan_exchange(network, placements, rank, n_ranks, int, block, with_neighbours=False)
    n_steps = 3 * plan.interval
    spikes = poisson_spikes(network, placements, rank, {"a": 300.0, "b": 900.0}, n_steps)
    own_too = {
        name: (np.append(steps, 0), np.append(ids, placements[name].known_id[0]))
        for name, (steps, ids) in spikes.items()
    }
    blocks = MadeUpBlocks(placements, plan, rank, n_ranks, own_too, n_steps)
    found, senders = [], {}
    for number, rounds in enumerate(rounds_of(plan, blocks, own, 5)):
        assert len(rounds) >= -(-own // plan.room.block) or own <= plan.room.block
        for one in rounds:
            for sender, (left, *words) in enumerate(one.tolist()):
                for word in words[: min(left, plan.room.block)] if sender != rank else ():
                    offset, neuron = divmod(word, 1 << plan.number_bits)
                    found.append((number * plan.interval + offset, neuron))
                    assert senders.setdefault(neuron, sender) == sender
    size = network.populations["a"].size
    expected = [
        (int(step), first + int(one))
        for name, first in (("a", 0), ("b", size))
        for step, one in zip(*spikes[name], strict=True)
    ]
    assert sorted(found) == sorted(expected)
    own_ids = {name: set(placements[name].known_id[: placements[name].n_own].tolist()) for name in ("a", "b")}
    assert all(own_ids[name].isdisjoint(spikes[name][1].tolist()) for name in ("a", "b"))
    assert blocks.spent.wall_s > 0


@settings(max_examples=20)
@given(ranks())
def test_boxes_hold_all_that_can_come(case):
    _, _, plan = case
    tables, n_out = roomy_boxes(plan), plan.room.n_out
    assert tables["box_block"][:n_out].tolist() == plan.box_block[:n_out].tolist()
    assert tables["box_block"][n_out:].tolist() == (plan.neighbours.n_known.sum(axis=1) * plan.interval).tolist()
    ends = [*tables["start"].tolist()[1:], len(tables["boxes"])]
    rooms = np.array(ends) - tables["start"] - 1
    assert (rooms >= tables["box_block"]).all()
    assert (rooms[:n_out] >= plan.neighbours.n_border * plan.interval).all()


def test_the_busiest_rank_has_the_most_neurons_to_look_after():
    network = wired(Grid(36, 20))  # tiles at two edges are half as large
    placed = [place_network(network, 8, rank, 4) for rank in range(4)]
    sizes = [
        (sum(one.n_own for one in of_rank.values()), sum(one.n_known for one in of_rank.values())) for of_rank in placed
    ]
    assert len(set(sizes)) > 1
    assert sizes[busiest_rank(network, 8, 4)] == max(sizes)


@pytest.mark.parametrize("text", ["4", "-1", "1.0", "first", "", "٣"])
def test_a_rank_that_is_not_there_is_refused(text):
    said = f"--rank: {text!r} is not allowed; must be worst or a number from 0 to 3"
    with pytest.raises(ConfigurationError, match=as_pattern(said)):
        checked_rank(text, 4)
    assert checked_rank("3", 4) == 3


def test_what_needs_the_others_is_refused():
    grid = Grid(8, 8)
    check_dry_run(wired(grid), 4)
    unbounded = wired(grid, connector=models.FixedProbability(p=0.1))
    said = (
        "dry-run: no distance bounds what projections ab, bb can wire, so that all ranks send to all: needs to be told "
        "how often neurons of b spike; --rates RUN takes it from a run of this network, of any scale"
    )
    with pytest.raises(ConfigurationError, match=as_pattern(said)):
        check_dry_run(unbounded, 4, ["a"])
    check_dry_run(unbounded, 4, ["a", "b"])
    check_dry_run(unbounded, 1)
    rule = rewiring.LocalProposals(sigma=0.5, p_form=0.1, block_side=4)
    meeting = rewiring.DeepR()
    check_dry_run(wired(grid, rule=rule), 4)
    said = (
        "dry-run: not allowed where ranks meet for rules of rewiring (projections ab, bb): what one does there follows "
        "from what all others count, have vacant or have lost, and nothing stands in for that; run all ranks (hpcsnn "
        "scale), or one without rewiring, for all else that it does (--set projections.ab.rewiring=null --set "
        "projections.bb.rewiring=null)"
    )
    with pytest.raises(ConfigurationError, match=as_pattern(said)):
        check_dry_run(wired(grid, rule=meeting), 4)
    with pytest.raises(ConfigurationError, match=r"^dry-run: not allowed for a network that learns; it is for runs$"):
        check_dry_run(learner(), 4)
    for call in (lambda: OneOfMany(0, 2).swap([1, 2]), lambda: OneOfMany(0, 2).pass_on({1: 1}, [1])):
        with pytest.raises(SimulationError, match=r"^a rank by itself cannot swap values"):
            call()


@settings(max_examples=20)
@given(ranks(), st.sampled_from([0.0, 3.0, 400.0, 10_000.0]))
def test_spikes_at_given_rates_are_of_the_neurons_of_others_each_once_a_step(case, rate_hz):
    """As many as so many independent steps give, within five standard deviations; those of sources are not given."""
    network, placements, _ = case
    n_steps = 200
    spikes = poisson_spikes(network, placements, 1, {"b": rate_hz}, n_steps)
    assert list(spikes) == ["b"]
    steps, ids = spikes["b"]
    foreign = placements["b"].known_id[placements["b"].n_own :]
    assert set(ids.tolist()) <= set(foreign.tolist())
    assert len(set(zip(steps.tolist(), ids.tolist(), strict=True))) == len(steps)
    chance, places = rate_hz * network.dt_ms * 1e-3, n_steps * len(foreign)
    assert abs(len(steps) - places * chance) <= 5 * (places * chance * (1 - chance)) ** 0.5
    assert ((steps >= 0) & (steps < n_steps)).all()
    again = poisson_spikes(network, placements, 1, {"b": rate_hz}, n_steps)["b"]
    assert (again[0].tolist(), again[1].tolist()) == (steps.tolist(), ids.tolist())


def test_rates_are_those_of_a_run_of_the_same_populations(tmp_path):
    network = wired(Grid(8, 8))
    (tmp_path / "summary.json").write_text(json.dumps({"digest": "", "populations": {"b": {"rate_hz": 7.5}, "a": {}}}))
    assert rates_of(tmp_path, network) == {"b": 7.5}
    (tmp_path / "summary.json").write_text(json.dumps({"digest": "", "populations": {"other": {"rate_hz": 7.5}}}))
    (tmp_path / "summary.json").write_text(
        json.dumps({"digest": "", "populations": {"b": {"rate_hz": 7.5}, "a": {"rate_hz": 2}}})
    )
    everyone = wired(Grid(8, 8), connector=models.FixedProbability(p=0.1))
    assert rates_of(tmp_path, everyone) == {"a": 2.0, "b": 7.5}, "where all send to all, sources are told of too"
    (tmp_path / "summary.json").write_text(json.dumps({"digest": "", "populations": {"other": {"rate_hz": 7.5}}}))
    said = (
        f"--rates: {str(tmp_path)!r} is not allowed; its summary has no population 'b': must be a run of this network, "
        "of any scale"
    )
    with pytest.raises(ConfigurationError, match=as_pattern(said)):
        rates_of(tmp_path, network)
