"""One answer: the same bits on any number of ranks, with any tiles and any room in the exchange."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from hpcsnn import Simulation
from hpcsnn.engine.digest import simulation_digest
from support.cases import CASES, MIXED_DELAYS, SCALE_4, alone, shortened
from support.networks import topographic_map
from support.ranks import run_on_ranks

# What the ranks of one job run: cases of (settings of the network, of the simulation, duration), one JSON line each.
ON_RANKS = """
import json
from mpi4py import MPI
from hpcsnn import Simulation
from hpcsnn.engine.digest import simulation_digest
from support.networks import topographic_map
comm = MPI.COMM_WORLD
for settings, options, duration_ms in json.loads({cases!r}):
    simulation = Simulation(topographic_map(**settings), comm, "cpu", **options)
    simulation.run(duration_ms)
    for store in simulation.state.stores.values():
        store.check()
    digest = simulation_digest(simulation)
    spikes = {{name: [part.tolist() for part in simulation.spikes(name)] for name in ("source", "target")}}
    rounds = int(simulation.state.read("exchange.rounds")[0]) if comm.Get_size() > 1 else 0
    everyone = comm.gather((spikes, rounds, simulation.placements["target"].n_own))
    if comm.Get_rank() == 0:
        print(json.dumps([digest, everyone]))
"""


def on_ranks(n_ranks, cases, tmp_path, **environment):
    script = tmp_path / "on_ranks.py"
    script.write_text(ON_RANKS.format(cases=json.dumps(cases)))
    done = run_on_ranks(n_ranks, [str(script)], limit_s=500, **environment)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


# More ranks than processors wait for each other in every exchange: minutes for what two ranks do in seconds.
WHOLE = [pytest.param(n, math.inf, marks=pytest.mark.slow) for n in (3, 4)]


@pytest.mark.parametrize(("n_ranks", "most_ms"), [(2, math.inf), (3, 2_000.0), (4, 2_000.0), *WHOLE])
def test_ranks_do_not_change_a_bit(n_ranks, most_ms, tmp_path):
    cases = [shortened(case, most_ms) for case in CASES.values()]
    for name, (digest, everyone) in zip(CASES, on_ranks(n_ranks, cases, tmp_path), strict=True):
        expected, expected_spikes = alone(name, most_ms)
        assert digest == expected, name
        for population, (steps, neurons) in expected_spikes.items():
            parts = [np.array(spikes[population]) for spikes, _, _ in everyone]
            together = np.concatenate(parts, axis=1)
            order = np.lexsort((together[1], together[0]))
            np.testing.assert_array_equal(together[:, order], [steps, neurons], err_msg=f"{name}, {population}")
        assert min(n_own for _, _, n_own in everyone) > 0, "every rank has neurons of its own"


@pytest.mark.parametrize("exchange", ["allgather", "neighbours"])
def test_the_exchange_overflows_without_loss(exchange, tmp_path):
    """One spike a round: busy steps take many rounds, or a second message, and nothing is lost or late."""
    settings, options, duration_ms = MIXED_DELAYS
    options = {**options, "exchange": exchange}
    (digest, everyone), (roomy, few) = on_ranks(
        3,
        [(settings, {**options, "exchange_block": 1}, duration_ms), (settings, options, duration_ms)],
        tmp_path,
        HPCSNN_NODE_MEMORY="off",  # where ranks read each other's spikes, nothing overflows
    )
    assert digest == roomy == alone("mixed delays")[0]
    n_exchanges = 10_000 // 7
    assert all(n_exchanges <= rounds < 1.1 * n_exchanges for _, rounds, _ in few)
    more = 2.0 if exchange == "allgather" else 1.5
    assert all(rounds > more * n_exchanges for _, rounds, _ in everyone)


def test_tiles_on_ranks_do_not_change_a_bit(tmp_path):
    cases = [(SCALE_4[0], {"tile": tile}, 500.0) for tile in (2, 4, 16)]
    digests = {digest for digest, _ in on_ranks(3, cases, tmp_path)}
    simulation = Simulation(topographic_map(scale=4), device="cpu")
    simulation.run(500.0)
    assert digests == {simulation_digest(simulation)}
