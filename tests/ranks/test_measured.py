"""What ranks measure of themselves: seconds that add up, spikes and bytes as they were sent, and who waits for whom."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hpcsnn import Simulation
from hpcsnn.codegen.constants import TIMED_EVERY
from hpcsnn.engine.digest import simulation_digest
from support.networks import topographic_map
from support.ranks import run_on_ranks

BLOCK, INTERVAL = 3, 4
SETTINGS = {"scale": 4, "projections__ff__delay_ms": 0.7, "projections__lat__delay_ms": 1.3}
DURATION_MS = 105.2  # a whole number of intervals

MEASURED = f"""
import json, sys
import numpy as np
from mpi4py import MPI
from hpcsnn import Simulation
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.testing.racing_threads import RacingThreads
from support.networks import topographic_map

device, way = RacingThreads() if sys.argv[1] == "racing" else "cpu", sys.argv[2]
simulation = Simulation(
    topographic_map(**{SETTINGS!r}), MPI.COMM_WORLD, device, exchange_block={BLOCK}, exchange=way, log_entries=99
)
for part_ms in (50.1, {DURATION_MS} - 50.1):
    simulation.run(part_ms)
digest = simulation_digest(simulation)
populations = {{name: [*map(np.ndarray.tolist, simulation.spikes(name))] for name in ("source", "target")}}
known = {{name: simulation.placements[name].known_id.tolist() for name in populations}}
extra = dict(
    digest=digest, halts=sum(simulation.halts.values()), startup_s=simulation.startup_s, advance_s=simulation.advance_s,
    spikes=populations, known=known, n_synapses=sum(len(simulation.synapses(name)["pre"]) for name in ("ff", "lat")),
)
everyone = MPI.COMM_WORLD.gather([simulation.measured(), extra])
if simulation.rank == 0:
    print(json.dumps(everyone))
"""


def told(n_ranks, text, tmp_path, *arguments, **environment):
    script = tmp_path / "script.py"
    script.write_text(text)
    done = run_on_ranks(n_ranks, ["-m", "mpi4py", str(script), *arguments], **environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def by_interval(rank, extras, knowing=None):
    """A rank's spikes in each interval, all of them or those of neurons that another rank knows too."""
    n_intervals = round(DURATION_MS * 10) // INTERVAL
    counts = np.zeros(n_intervals, int)
    for name, (steps, ids) in extras[rank]["spikes"].items():
        known = slice(None) if knowing is None else np.isin(ids, extras[knowing]["known"][name])
        counts += np.bincount(np.array(steps, int)[known] // INTERVAL, minlength=n_intervals)
    return counts


def sent_to_all(rank, extras):
    """Rounds, messages, words and spikes: as many blocks to each other rank as the rank with most spikes needs."""
    counts, n_others = np.array([by_interval(one, extras) for one in range(len(extras))]), len(extras) - 1
    n_rounds = np.maximum(1, -(-counts.max(axis=0) // BLOCK)).sum()
    assert n_rounds > 1.1 * counts.shape[1], "some intervals take several"
    return n_rounds, n_others * n_rounds, n_others * n_rounds * (BLOCK + 1), n_others * counts[rank].sum()


def staged_to_neighbours(rank, extras):
    """Through the host's memory: a message to each rank, as long as it needs to be."""
    counts = np.array([by_interval(rank, extras, one) for one in range(len(extras)) if one != rank])
    return counts.shape[1], counts.size, counts.sum(), counts.sum()


def sent_to_neighbours(rank, extras):
    """A block to each rank that knows any neuron, of what it knows; and what does not fit in a message of its own."""
    others = [one for one in range(len(extras)) if one != rank]
    counts = np.array([by_interval(rank, extras, one) for one in others])
    rests = np.maximum(counts - BLOCK, 0)
    n_rounds = (1 + np.any([by_interval(one, extras, rank) > BLOCK for one in others], axis=0)).sum()
    return n_rounds, counts.size + (rests > 0).sum(), counts.size * (BLOCK + 1) + rests.sum(), counts.sum()


def read_by_all(rank, extras):
    """Once for each other rank of the node, which reads all spikes behind their number."""
    counts, n_others = by_interval(rank, extras), len(extras) - 1
    return len(counts), n_others * len(counts), n_others * (len(counts) + counts.sum()), n_others * counts.sum()


def read_by_neighbours(rank, extras):
    """The same of the spikes that each knows."""
    counts = np.array([by_interval(rank, extras, one) for one in range(len(extras)) if one != rank])
    return counts.shape[1], counts.size, counts.size + counts.sum(), counts.sum()


SENT = {
    ("cpu", "allgather", "off"): sent_to_all,
    ("cpu", "neighbours", "off"): sent_to_neighbours,
    ("racing", "neighbours", "off"): staged_to_neighbours,
    ("cpu", "allgather", "on"): read_by_all,
    ("cpu", "neighbours", "on"): read_by_neighbours,
}


@pytest.mark.parametrize(
    ("n_ranks", "device", "way", "node_memory"), [(n, *by) for n, by in zip((2, 3, 2, 3, 2), SENT, strict=True)]
)
def test_what_ranks_measure_adds_up(n_ranks, device, way, node_memory, tmp_path):
    everyone = told(n_ranks, MEASURED, tmp_path, device, way, HPCSNN_NODE_MEMORY=node_memory)
    straight = Simulation(topographic_map(**SETTINGS), device="cpu")
    straight.run(DURATION_MS)
    extras = [extra for _, extra in everyone]
    assert {extra["digest"] for extra in extras} == {simulation_digest(straight)}
    sent = SENT[device, way, node_memory]
    assert sum(extra["halts"] for extra in extras) > 0, "logs are full, in some step or other"
    for rank, (measured, extra) in enumerate(everyone):
        assert measured["rank"] == rank
        assert measured["propagation_s"] == extra["advance_s"]
        assert sum(measured["phases_s"].values()) == pytest.approx(extra["advance_s"], rel=1e-9)
        assert min(measured["phases_s"].values()) >= 0.0
        assert measured["phases_s"]["neurons"] > 0.0
        assert measured["phases_s"]["exchange_transfer"] > 0.0
        n_rounds, n_messages, n_words, n_spikes = sent(rank, extras)
        assert measured["exchange_rounds"] == n_rounds
        assert measured["sent"] == {"messages": n_messages, "bytes": 4 * n_words, "spikes": n_spikes}
        n_counted = sum(measured["cycle_us"]["counts"])
        if device == "cpu":
            assert n_counted == straight.step // TIMED_EVERY, "each step once, halted or not"
        else:
            n_sequences = 2 * straight.step // INTERVAL + extra["halts"] + 2
            assert 0 < n_counted <= n_sequences // TIMED_EVERY + 1
        assert measured["synapses"] == extra["n_synapses"]
        made_s = measured["construction_s"]
        assert set(made_s) == {"place", "create", "compile", "connect"}
        assert min(made_s.values()) > 0.0
        assert sum(made_s.values()) == pytest.approx(extra["startup_s"])
        assert measured["known_sources"] + measured["neurons"] == sum(map(len, extra["known"].values()))
    n_neurons = sum(population.size for population in straight.network.populations.values())
    assert sum(measured["neurons"] for measured, _ in everyone) == n_neurons


LATE_S, N_LATE = 0.25, 4
# Rank 1 is late: where it observes, between pieces; and where its logs are full, in the middle of steps.
LATE = f"""
import json, time
from mpi4py import MPI
from hpcsnn import Simulation
from support.networks import topographic_map

class Late:
    times = 0
    def __call__(self, *_):
        if simulation.rank == 1 and self.times < {N_LATE}:
            self.times += 1
            time.sleep({LATE_S})
told = []
for where in ("observing", "growing"):
    simulation, late = Simulation(topographic_map(), MPI.COMM_WORLD, "cpu", log_entries=5), Late()
    if where == "observing":
        simulation.run(62.5, observe=late, observe_every_ms=12.5)
    else:
        make_room = simulation.state.make_room
        simulation.state.make_room = lambda reason: (late(), make_room(reason))
        simulation.run(100.0)
    told.append(MPI.COMM_WORLD.gather([simulation.measured(), late.times]))
if simulation.rank == 0:
    print(json.dumps(told))
"""


def test_who_is_late_lets_the_others_wait(tmp_path):
    """Wherever it is late, and though few steps are timed: it is the others' waiting, and no time of their kernels."""
    slept_s = N_LATE * LATE_S
    for (first, _), (second, late) in told(2, LATE, tmp_path):
        assert late == N_LATE
        assert first["phases_s"]["exchange_wait"] > 0.9 * slept_s
        assert second["phases_s"]["host"] > 0.99 * slept_s
        assert second["phases_s"]["exchange_wait"] <= second["propagation_s"] - slept_s
        kernels_s = sum(first["phases_s"][phase] for phase in ("neurons", "delivery", "plasticity", "rewiring"))
        assert kernels_s < first["propagation_s"] - 0.9 * slept_s
