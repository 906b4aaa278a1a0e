"""Spikes swapped with neighbours or with all: one answer where both are possible, and no rank waits for ever."""

from __future__ import annotations

import json

import pytest

from support.ranks import run_on_ranks

# Networks drawn by number: reaches, delays and rules of all kinds that distance bounds. Each is run in each way, and
# the way alone differs; the first rank prints digests, and how many neighbours it had.
SCRIPT = """
import json, os, sys, time
import numpy as np
from mpi4py import MPI
from hpcsnn import Grid, Network, Simulation, models
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.models import rewiring

def drawn(number):
    random = np.random.default_rng(number)
    side = int(random.choice([16, 24, 32]))
    grid = Grid(side, int(random.choice([side, 8])), str(random.choice(["periodic", "open"])))
    network = Network(seed=number)
    network.add_population("source", grid, models.Poisson(rate_hz=60), record_spikes=True)
    network.add_population("target", grid, models.LIF(tau_m_ms=10.0), record_spikes=True)
    blocks = {"block_side": 4, "attempts": 7}
    rules = [
        None,
        models.Bamford(p_max=0.5, sigma=0.6, **blocks),
        rewiring.LastToFire(p_max=0.5, sigma=0.4, **blocks),
        rewiring.LocalProposals(sigma=0.4, p_form=0.1, **blocks),
    ]
    for name, pre in (("ff", "source"), ("lat", "target")):
        low = float(random.choice([0.1, 0.3, 1.2]))
        delay_ms = models.Uniform(low, low + 1.0) if random.random() < 0.4 else low
        network.add_projection(
            name, pre, "target", models.Gaussian(p_max=0.3, sigma=float(random.choice([0.6, 1.0]))),
            models.ExponentialCurrent(), 30.0, models.AdditiveSTDP(w_max=60.0),
            rewiring=rules[int(random.integers(len(rules)))], delay_ms=delay_ms,
        )
    return network

comm = MPI.COMM_WORLD
numbers, ways, duration_ms, late = json.loads(sys.argv[1])
for number in numbers:
    network = drawn(number)
    for way in ways:
        options = dict(way)
        ranks = comm if options.pop("together", True) else None
        os.environ["HPCSNN_NODE_MEMORY"] = options.pop("node_memory", "on")
        if ranks is None and comm.Get_rank() > 0:
            continue
        simulation = Simulation(network, ranks, "cpu", **options)
        if late:
            random = np.random.default_rng(comm.Get_rank())
            for _ in range(20):
                time.sleep(float(random.choice([0.0, 0.0, 0.03])))
                simulation.run(duration_ms / 20, progress=False)
        else:
            simulation.run(duration_ms, progress=False)
        digest, spikes = simulation_digest(simulation), simulation.state.total_spikes("target")
        if comm.Get_rank() == 0:
            exchange = simulation.state.exchange
            around = None if exchange is None or exchange.neighbours is None else len(exchange.neighbours.ranks)
            print(json.dumps([number, options, digest, around, spikes]), flush=True)
"""

ALONE = {"together": False, "tile": 4}
BY_MPI = {"node_memory": "off"}
WAYS = [
    {"tile": 4, "exchange": "allgather"},
    {"tile": 4, "exchange": "neighbours"},
    {"tile": 4, "exchange": "allgather", **BY_MPI},
    {"tile": 2, "exchange": "neighbours", "exchange_block": 1, **BY_MPI},
]


def lines(n_ranks, tmp_path, numbers, options, duration_ms, late=False):
    script = tmp_path / "on_ranks.py"
    script.write_text(SCRIPT)
    asked = json.dumps([numbers, options, duration_ms, late])
    done = run_on_ranks(n_ranks, [str(script), asked], limit_s=400)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(found, numbers, n_ways):
    assert len(found) == len(numbers) * n_ways
    for number in numbers:
        of_number = [one for one in found if one[0] == number]
        assert len({digest for _, _, digest, _, _ in of_number}) == 1, of_number
        assert of_number[0][4] > 20, "there is something to swap"
        for _, options, _, around, _ in of_number:
            assert (around is not None) == (options.get("exchange") == "neighbours")
    assert any(around for *_, around, _ in found)


@pytest.mark.parametrize(
    ("n_ranks", "numbers", "duration_ms"),
    [
        (2, [1, 2], 100.0),
        (3, [5, 6], 40.0),
        pytest.param(2, list(range(60, 80)), 100.0, marks=pytest.mark.slow),
        pytest.param(3, list(range(20, 40)), 100.0, marks=pytest.mark.slow),
        pytest.param(4, list(range(40, 60)), 60.0, marks=pytest.mark.slow),
        pytest.param(6, [8, 9, 10], 20.0, marks=pytest.mark.slow),
        pytest.param(8, [11, 12, 13], 20.0, marks=pytest.mark.slow),
    ],
)
def test_the_way_does_not_change_a_bit(n_ranks, numbers, duration_ms, tmp_path):
    found = lines(n_ranks, tmp_path, numbers, [ALONE, *WAYS], duration_ms)
    check(found, numbers, 1 + len(WAYS))


@pytest.mark.parametrize("n_ranks", [3, pytest.param(6, marks=pytest.mark.slow)])
def test_ranks_that_are_late_are_waited_for_and_no_longer(n_ranks, tmp_path):
    """With one spike in a block and ranks that sleep now and then, some are an interval ahead of their neighbours."""
    options = [ALONE, {"tile": 2, "exchange": "neighbours"}, WAYS[-1]]
    found = lines(n_ranks, tmp_path, [6], options, 30.0, late=True)
    check(found, [6], 3)


def test_a_rank_of_many_has_few_neighbours(tmp_path):
    """On a long grid eight ranks are in a row, of which a rank meets those beside it."""
    script = tmp_path / "row.py"
    script.write_text("""
from mpi4py import MPI
from hpcsnn import Grid, Network, Simulation, models
network = Network(seed=1)
network.add_population("a", Grid(8, 128), models.LIF())
network.add_projection("aa", "a", "a", models.Gaussian(p_max=0.2, sigma=0.5), models.ExponentialCurrent(), 1.0)
simulation = Simulation(network, MPI.COMM_WORLD, "cpu", tile=4)
simulation.run(1.0, progress=False)
around = simulation.state.exchange.neighbours
everyone = MPI.COMM_WORLD.gather(around.ranks.tolist())
if MPI.COMM_WORLD.Get_rank() == 0:
    print(everyone)
""")
    done = run_on_ranks(4, [str(script)])
    assert done.returncode == 0, done.stderr
    beside = [sorted({(rank - 1) % 4, (rank + 1) % 4}) for rank in range(4)]
    assert json.loads(done.stdout) == beside
