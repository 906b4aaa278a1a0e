"""One answer: the same bits with any tiles, compiler optimisation, capacity, and however a run is cut."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn import Simulation, models
from hpcsnn.codegen.constants import HaltReason
from hpcsnn.devices import HostDevice
from hpcsnn.engine.digest import digest_of, neuron_fingerprint, simulation_digest, spike_record, synapse_fingerprint
from support.cases import CASES, MIXED_DELAYS, alone
from support.classifiers import classifier, trained
from support.comparisons import digest_on
from support.devices import LAUNCHED
from support.networks import every_rule, everything, newer_models, topographic_map

QUICK = HostDevice(("-O1",))


@pytest.mark.parametrize("tile", [1, 4, 16])
def test_tiles_do_not_change_a_bit(tile):
    for name in ("scale 1", "scale 4"):
        settings, _, duration_ms = CASES[name]
        simulation = Simulation(topographic_map(**settings), device="cpu", tile=tile)
        simulation.run(duration_ms)
        assert simulation_digest(simulation) == alone(name)[0]


@pytest.mark.parametrize("flags", [("-O1",), ("-O3", "-march=native"), ("-O2",)])
def test_compiler_optimisation_does_not_change_a_bit(flags):
    for name in ("scale 1", "scale 4"):
        settings, _, duration_ms = CASES[name]
        simulation = Simulation(topographic_map(**settings), device=HostDevice(flags))
        simulation.run(duration_ms)
        assert simulation_digest(simulation) == alone(name)[0], (flags, name)


@pytest.mark.parametrize("make", [everything, newer_models, every_rule])
def test_full_optimisation_does_not_change_a_bit(make):
    """By which users compile, where most tests do not (tests/conftest.py)."""
    assert digest_on(make(), HostDevice(), 200.0) == digest_on(make(), QUICK, 200.0)


def test_full_optimisation_does_not_change_what_is_learnt():
    digests = [
        trained(classifier(recurrent=True, rule=models.DeepRByGradient()), 3, device=by).digest()
        for by in (HostDevice(), QUICK)
    ]
    assert digests[0] == digests[1]


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


@pytest.mark.parametrize("device", [pytest.param(QUICK, id="host"), *LAUNCHED])
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
