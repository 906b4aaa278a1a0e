"""One answer: the same bits on any number of ranks, with any tiles, compiler optimisation, capacity and exchange."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from networks import topographic_map
from ranks import run_on_ranks

from hpcsnn import Simulation
from hpcsnn.codegen.constants import HaltReason
from hpcsnn.devices import HostDevice
from hpcsnn.engine.digest import digest_of, neuron_fingerprint, simulation_digest, spike_record, synapse_fingerprint
from hpcsnn.testing.racing_threads import RacingThreads

# What the ranks of one job run: cases of (settings of the network, of the simulation, duration), one JSON line each.
ON_RANKS = """
import json, sys
from mpi4py import MPI
sys.path.insert(0, {tests!r})
from networks import topographic_map
from hpcsnn import Simulation
from hpcsnn.engine.digest import simulation_digest
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

QUICK = HostDevice(("-O1",))
SCALE_1 = ({}, {}, 60_000.0)
SCALE_4 = ({"scale": 4}, {}, 2_000.0)
TEN_STEPS = {"projections__ff__delay_ms": 1.0, "projections__lat__delay_ms": 1.0}
SCALE_1_DELAYED = (TEN_STEPS, {}, 60_000.0)
SCALE_4_DELAYED = ({"scale": 4, **TEN_STEPS}, {}, 2_000.0)
MIXED_DELAYS = ({"projections__ff__delay_ms": 0.7, "projections__lat__delay_ms": 2.3}, {}, 1_000.0)
CASES = {
    "scale 1": SCALE_1,
    "scale 4": SCALE_4,
    "scale 1, 1 ms": SCALE_1_DELAYED,
    "scale 4, 1 ms": SCALE_4_DELAYED,
    "mixed delays": MIXED_DELAYS,
}


@cache
def alone(name):
    """Digest and spikes of a case in one process without MPI."""
    settings, options, duration_ms = CASES[name]
    simulation = Simulation(topographic_map(**settings), device="cpu", **options)
    simulation.run(duration_ms)
    return simulation_digest(simulation), {p: simulation.spikes(p) for p in ("source", "target")}


def on_ranks(n_ranks, cases, tmp_path):
    script = tmp_path / "on_ranks.py"
    script.write_text(ON_RANKS.format(tests=str(Path(__file__).parent), cases=json.dumps(cases)))
    done = run_on_ranks(n_ranks, [str(script)], timeout_s=500)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("n_ranks", [2, 3, 4])
def test_ranks_do_not_change_a_bit(n_ranks, tmp_path):
    for name, (digest, everyone) in zip(CASES, on_ranks(n_ranks, list(CASES.values()), tmp_path), strict=True):
        expected, expected_spikes = alone(name)
        assert digest == expected, name
        for population, (steps, neurons) in expected_spikes.items():
            parts = [np.array(spikes[population]) for spikes, _, _ in everyone]
            together = np.concatenate(parts, axis=1)
            order = np.lexsort((together[1], together[0]))
            np.testing.assert_array_equal(together[:, order], [steps, neurons], err_msg=f"{name}, {population}")
        assert min(n_own for _, _, n_own in everyone) > 0, "every rank has neurons of its own"


def test_the_exchange_overflows_without_loss(tmp_path):
    """One spike a round: busy steps take many rounds, and nothing is lost or late."""
    settings, options, duration_ms = MIXED_DELAYS
    (digest, everyone), (roomy, few) = on_ranks(
        3, [(settings, {**options, "exchange_block": 1}, duration_ms), MIXED_DELAYS], tmp_path
    )
    assert digest == roomy == alone("mixed delays")[0]
    n_exchanges = 10_000 // 7
    assert all(n_exchanges <= rounds < 1.1 * n_exchanges for _, rounds, _ in few)
    assert all(rounds > 2 * n_exchanges for _, rounds, _ in everyone)


@pytest.mark.parametrize("tile", [1, 4, 16])
def test_tiles_do_not_change_a_bit(tile):
    for name in ("scale 1", "scale 4"):
        settings, _, duration_ms = CASES[name]
        simulation = Simulation(topographic_map(**settings), device="cpu", tile=tile)
        simulation.run(duration_ms)
        assert simulation_digest(simulation) == alone(name)[0]


def test_tiles_on_ranks_do_not_change_a_bit(tmp_path):
    cases = [(SCALE_4[0], {"tile": tile}, 500.0) for tile in (2, 4, 16)]
    digests = {digest for digest, _ in on_ranks(3, cases, tmp_path)}
    simulation = Simulation(topographic_map(scale=4), device="cpu")
    simulation.run(500.0)
    assert digests == {simulation_digest(simulation)}


@pytest.mark.parametrize("flags", [("-O1",), ("-O3", "-march=native"), ("-O2",)])
def test_compiler_optimisation_does_not_change_a_bit(flags):
    for name in ("scale 1", "scale 4"):
        settings, _, duration_ms = CASES[name]
        simulation = Simulation(topographic_map(**settings), device=HostDevice(flags))
        simulation.run(duration_ms)
        assert simulation_digest(simulation) == alone(name)[0], (flags, name)


@pytest.mark.parametrize("capacity", [1, 4, 256])
def test_capacity_does_not_change_a_bit(capacity):
    network = topographic_map(projections__ff__capacity=capacity, projections__lat__capacity=capacity)
    simulation = Simulation(network, device="cpu")
    simulation.run(60_000.0)
    assert simulation_digest(simulation) == alone("scale 1")[0]
    for store in simulation.state.stores.values():
        assert store.counter("refused") == 0
        store.check()


def test_how_time_is_cut_does_not_change_a_bit():
    simulation = Simulation(topographic_map(), device="cpu")
    for duration_ms in (0.0, 0.1, 19.9, 0.3, 999.7, 58_980.0):
        simulation.run(duration_ms, observe=lambda _: None, observe_every_s=0.001)
    assert simulation.step == 600_000
    assert simulation_digest(simulation) == alone("scale 1")[0]


def test_the_seed_changes_everything():
    digest, spikes = alone("mixed delays")
    simulation = Simulation(topographic_map(seed=2, **MIXED_DELAYS[0]), device="cpu")
    simulation.run(MIXED_DELAYS[2])
    assert simulation_digest(simulation) != digest
    assert simulation.spikes("source")[0].tolist() != spikes["source"][0].tolist()
    again = Simulation(topographic_map(seed=2**64 - 1), device="cpu")
    other = Simulation(topographic_map(seed=2**32 - 1), device="cpu")
    assert simulation_digest(again) != simulation_digest(other), "all 64 bits of the seed count"


def test_the_digest_feels_every_bit():
    simulation = Simulation(topographic_map(), device="cpu")
    simulation.run(100.0)
    spikes = spike_record(simulation)

    def digest(neurons, synapses, spikes=spikes):
        return digest_of(1000, spikes, {"target": neuron_fingerprint(neurons)}, {"ff": synapse_fingerprint(synapses)})

    neurons, synapses = simulation.neurons("target"), simulation.synapses("ff")
    expected = digest(neurons, synapses)
    shuffled = np.random.default_rng(1).permutation(len(synapses["pre"]))
    assert digest(neurons, {name: column[shuffled] for name, column in synapses.items()}) == expected
    for table, changed in ((neurons, "neurons"), (synapses, "synapses")):
        for name, column in table.items():
            flipped = {**table, name: column.copy()}
            flipped[name].view(np.uint32)[len(column) // 2] ^= 1
            both = {"neurons": neurons, "synapses": synapses, changed: flipped}
            assert digest(**both) != expected, name
    swapped = {**synapses, "pre": synapses["post"], "post": synapses["pre"]}
    assert digest(neurons, swapped) != expected
    more = {**spikes, "target": {**spikes["target"], "fingerprint": spikes["target"]["fingerprint"] + 1}}
    assert digest(neurons, synapses, more) != expected


@pytest.mark.parametrize("device", [QUICK, RacingThreads()], ids=["host", "launched"])
def test_full_logs_halt_and_lose_nothing(device):
    """With little room beyond one step's spikes and events, the run stops again and again and goes on where it was."""
    record = {"projections__ff__record_events": True, "projections__lat__record_events": True}

    def recorded(**logs):
        simulation = Simulation(topographic_map(scale=2, **record), device=device, **logs)
        simulation.run(100.0)
        spikes = [np.stack(simulation.spikes(name)) for name in ("source", "target")]
        events = [simulation.events(name) for name in ("ff", "lat")]
        return simulation.halts[HaltReason.LOG_FULL], simulation_digest(simulation), [*spikes, *events]

    halts, digest, logs = recorded()
    assert halts == 0
    halts_of_small, digest_of_small, small_logs = recorded(log_entries=20)
    assert halts_of_small > 20
    assert digest_of_small == digest
    for log, small in zip(logs, small_logs, strict=True):
        np.testing.assert_array_equal(small, log)
        assert log.size > 0
