"""When ranks send and accept spikes changes no bit: how often, whoever is late, whatever halts in between, and wherever
a run is looked at."""

from __future__ import annotations

import json

import pytest

from support.ranks import run_on_ranks

# Delays of 6 and 9 steps, or of one. Rules look at recent spikes and at where synapses are, traces at the spike that
# raises them; logs that are soon full halt between two steps, rows that are full in an update, on each rank by itself.
SCRIPT = """
import json, os, sys, time
import numpy as np
from mpi4py import MPI
from hpcsnn import Grid, Network, Simulation, models
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.models import rewiring

def made(delay_ms):
    network = Network(seed=5)
    network.add_population("source", Grid(16, 16), models.Poisson(rate_hz=60), record_spikes=True)
    network.add_population("target", Grid(16, 16), models.LIF(tau_m_ms=10.0), record_spikes=True)
    often = {"block_side": 4, "attempts": 100, "p_eliminate_weak": 0.02}
    fired = rewiring.LastToFire(p_max=0.5, sigma=0.4, recent_ms=1.0, every_ms=0.7, **often)
    places = models.Bamford(p_max=0.5, sigma=0.6, **often)
    for name, pre, rule, synapse, longer_ms in (
        ("ff", "source", fired, models.TripletSTDP(w_max=60.0), 0.0),
        ("lat", "target", places, models.AdditiveSTDP(w_max=60.0), 0.3),
    ):
        network.add_projection(
            name, pre, "target", models.Gaussian(p_max=0.3, sigma=0.6), models.ExponentialCurrent(), 30.0, synapse,
            rewiring=rule, delay_ms=delay_ms + longer_ms, capacity=2,
        )
    return network

chosen = Network.exchange_steps
comm = MPI.COMM_WORLD
delay_ms, cuts, ways = json.loads(sys.argv[1])
for way in ways:
    options = dict(way)
    alone, late = options.pop("alone", False), options.pop("late", False)
    os.environ["HPCSNN_NODE_MEMORY"] = options.pop("node_memory", "on")
    network = made(delay_ms)
    interval = {"shortest": 1, "longest": network.min_delay_steps()}.get(options.pop("interval", None))
    Network.exchange_steps = chosen if interval is None else lambda _, interval=interval: interval
    if alone and comm.Get_rank() > 0:
        continue
    simulation = Simulation(network, None if alone else comm, "cpu", tile=4, log_entries=9, **options)
    if late:
        random, make_room = np.random.default_rng(comm.Get_rank()), simulation.state.make_room
        def late_room(reason):
            time.sleep(float(random.choice([0.0, 0.0, 0.0, 0.002])))
            make_room(reason)
        simulation.state.make_room = late_room
    digests, on_the_way = [], 0
    for step in cuts:
        simulation.run((step - simulation.step) * network.dt_ms, progress=False)
        digests.append(simulation_digest(simulation))
        on_the_way += 0 if alone else int(simulation.state.read("exchange.under_way")[0])
    halts = {reason.name: n for reason, n in simulation.halts.items()}
    exchange = simulation.state.struct.exchange
    if comm.Get_rank() == 0:
        print(json.dumps([digests, on_the_way, halts, [exchange.interval, exchange.lag]]), flush=True)
"""

CUTS = [5, 6, 7, 8, 9, 10, 11, 12, 50, 333, 334, 700]
BY_MPI = {"node_memory": "off"}
OFTEN, SELDOM = {"interval": "shortest"}, {"interval": "longest"}
WAYS = [
    {"alone": True},
    {"exchange": "neighbours"},
    {"exchange": "neighbours", "late": True, **OFTEN},
    {"exchange": "neighbours", "late": True, **SELDOM},
    {"exchange": "neighbours", "late": True, "exchange_block": 1, **BY_MPI},
    {"exchange": "allgather", "late": True},
    {"exchange": "allgather", "exchange_block": 1, **BY_MPI},
    {"exchange": "allgather", **BY_MPI, **OFTEN},
]


def found(n_ranks, delay_ms, ways, tmp_path):
    script = tmp_path / "on_ranks.py"
    script.write_text(SCRIPT)
    done = run_on_ranks(n_ranks, [str(script), json.dumps([delay_ms, CUTS, ways])], limit_s=400)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == len(ways)
    return lines


@pytest.mark.parametrize(
    ("n_ranks", "delay_ms"),
    [
        (2, 0.6),
        (3, 0.6),
        pytest.param(4, 0.6, marks=pytest.mark.slow),
        pytest.param(2, 0.1, marks=pytest.mark.slow),
        pytest.param(3, 0.1, marks=pytest.mark.slow),
        pytest.param(4, 0.2, marks=pytest.mark.slow),
    ],
)
def test_one_answer_at_every_step_however_spikes_travel(n_ranks, delay_ms, tmp_path):
    (alone, _, halts, _), *others = found(n_ranks, delay_ms, WAYS, tmp_path)
    assert len(set(alone)) == len(CUTS)
    assert halts["LOG_FULL"] > 50 and {"ROWS_FULL", "OUTGOING_FULL"} & set(halts)
    assert [digests for digests, *_ in others] == [alone] * len(others)
    assert [on_the_way for _, on_the_way, *_ in others] == [0] * len(others)
    delay = round(delay_ms * 10)
    half = delay // 2 + 1
    assert [numbers for *_, numbers in others][:3] == [[half, delay - half], [1, 0], [delay, 0]]
