"""What a run comes to: numbers of the network and means over ranks, of a stand-in for a simulation."""

from __future__ import annotations

import datetime
import json

import numpy as np
import pytest

from hpcsnn import Grid, Network, __version__, models
from hpcsnn.analysis.displacement import DisplacementMap
from hpcsnn.devices import HostDevice
from hpcsnn.engine.digest import digest_of, neuron_fingerprint, synapse_fingerprint
from hpcsnn.ranks.communicator import Alone
from hpcsnn.runs.summary import displacement_maps, imbalance, summarised

GRID = Grid(4, 3)
SYNAPSES = {
    "pre": np.int32([0, 1, 5, 5]),
    "post": np.int32([0, 0, 1, 7]),
    "weight": np.float32([0.25, 0.5, 0.5, 1.0]),
}


class Store:
    def counter(self, name):
        return {"formed": 5, "eliminated": 2, "refused": 0}[name]


# What a rank has measured: 1.25 s of steps, of which 0.25 s are in no phase.
MEASURED = {"rank": 0, "propagation_s": 1.25, "phases_s": {"neurons": 0.75, "exchange_wait": 0.25, "host": 0.25}}


class StandIn:
    """A simulation of one rank after 2 s, with spikes and synapses that are given."""

    rank, n_ranks, step, time_ms, advance_s, bin_steps = 0, 1, 4000, 2000.0, 1.25, 200

    def __init__(self):
        self.network = Network(seed=8, dt_ms=0.5)
        self.network.add_population("a", GRID, models.Poisson(), record={"spikes": {"neurons": "0..3"}})
        self.network.add_population("b", GRID, models.LIF())
        self.network.add_population("c", 12, models.LIF())
        for target in ("b", "c"):
            connector, receptor = models.OneToOne(), models.DeltaCurrent()
            self.network.add_projection(f"a{target}", "a", target, connector, receptor, 1.0)
        self.device, self.communicator, self.state = HostDevice(), Alone(), self
        self.stores = {"ab": Store(), "ac": Store()}
        self.phase_seconds = {"neurons": 0.75, "start_up": 0.25}

    def sum_over_ranks(self, values):
        return values

    def measured(self):
        return MEASURED

    def neurons(self, population):
        return {"id": np.arange(12, dtype=np.int32), "V_mV": np.linspace(0, 1, 12, dtype=np.float32)}

    def synapses(self, projection):
        return SYNAPSES

    def total_spikes(self, population):
        return {"a": 240, "b": 12, "c": 0}[population]

    def rates_hz(self, population):
        return np.array([1.0, 2.0, 6.0]) if population == "a" else np.zeros(0)

    def read(self, name):
        return np.array([77], dtype=np.uint64)

    def input_in_flight(self, projection):
        return []


def test_a_summary_says_what_ran_and_what_came_of_it():
    summary = summarised(StandIn(), {"a": 0.5})
    assert (summary["hpcsnn"], summary["seed"], summary["ranks"], summary["steps"]) == (__version__, 8, 1, 4000)
    assert (summary["model_s"], summary["wall_s"]) == (2.0, 1.25)
    assert summary["device"] == HostDevice().name
    assert datetime.datetime.fromisoformat(summary["date"]).tzinfo is not None
    assert summary["phases"] == {"neurons": 0.75, "start_up": 0.25}
    assert (summary["per_rank"], summary["imbalance"]) == ([MEASURED], 1.0)
    assert json.loads(json.dumps(summary)) == summary, "plain numbers, as JSON has them"
    a, ab = summary["populations"]["a"], summary["projections"]["ab"]
    assert (a["size"], a["spikes"], a["rate_hz"], a["rate_last_10s_hz"]) == (12, 240, 240 / 12 / 2, 3.0)
    assert [summary["populations"][name]["interval_cv"] for name in "abc"] == [0.5, None, None]
    assert [summary["populations"][name]["interval_cv_neurons"] for name in "abc"] == [4, None, None]
    assert summary["populations"]["b"]["rate_last_10s_hz"] == 12 / 12 / 2, "no full bin yet: over the whole run"
    assert (ab["synapses"], ab["formed"], ab["eliminated"]) == (4, 5, 2)
    assert (ab["weight_mean"], ab["in_degree_mean"]) == (pytest.approx(0.5625), pytest.approx(4 / 12))
    assert ab["weight_below_half"] == 0.25
    # In-degrees are 2, 1, 1 and nine zeros; 0 -> 0 is 0 away, 1 -> 0 one, 5 = (1, 1) -> 1 = (1, 0) one, -> 7 two.
    assert ab["in_degree_std"] == pytest.approx(np.std([2, 1, 1, *[0] * 9]))
    assert ab["out_degree_std"] == pytest.approx(np.std([1, 1, 2, *[0] * 9]))
    assert ab["sigma_aff"] == pytest.approx(np.sqrt(np.mean([0, 1, 1, 4]) / 2))
    weighted = (0.5 * 1 + 0.5 * 1 + 1.0 * 4) / 2.25
    assert ab["sigma_aff_weighted"] == pytest.approx(np.sqrt(weighted / 2))
    assert ab["distance_mean"] == pytest.approx(1.0)
    assert summary["projections"]["ac"]["sigma_aff"] is None, "c has no places"


def test_the_digest_is_that_of_all_neurons_synapses_and_spikes():
    simulation = StandIn()
    spikes = {name: {"spikes": simulation.total_spikes(name), "fingerprint": 77} for name in "abc"}
    neurons = {name: neuron_fingerprint(simulation.neurons(name)) for name in "abc"}
    synapses = {name: synapse_fingerprint(SYNAPSES) for name in ("ab", "ac")}
    assert summarised(simulation)["digest"] == digest_of(4000, spikes, neurons, synapses)


def test_phases_are_means_over_ranks():
    simulation = StandIn()
    simulation.n_ranks = 2
    simulation.sum_over_ranks = lambda values: values + (np.array([1.25, 0.75]) if values.shape == (2,) else 0)
    simulation.phase_seconds = {"neurons": 0.75, "start_up": 0.25}

    class Two(Alone):
        size = 2

        def swap(self, messages):
            return [messages[0], messages[0]]

        def gather(self, value):
            if value is None:
                return [None, None]
            return [value, {**value, "rank": 1, "phases_s": {**value["phases_s"], "exchange_wait": 0.75}}]

    simulation.communicator = Two()
    summary = summarised(simulation, wall_s=1.75)
    assert summary["phases"] == {"neurons": 1.0, "start_up": 0.5}
    one, other = summary["per_rank"]
    assert (one["rank"], other["rank"]) == (0, 1)
    assert one["propagation_s"] == summary["wall_s"] == 1.75
    assert one["phases_s"] == {"neurons": 0.75, "exchange_wait": 0.25, "host": 0.75}, "the host's is what is left"
    assert summary["imbalance"] == 1.5 / ((1.5 + 1.0) / 2), "of busy seconds, the largest over the mean"


def test_ranks_that_did_nothing_are_not_out_of_balance():
    assert imbalance([{"propagation_s": 0.0, "phases_s": {"exchange_wait": 0.0}}] * 2) is None


def test_maps_are_of_projections_whose_populations_have_common_places():
    maps = displacement_maps(StandIn())
    assert list(maps) == ["ab"]
    expected = DisplacementMap.of(GRID, SYNAPSES)
    np.testing.assert_array_equal(maps["ab"].count, expected.count)
    np.testing.assert_array_equal(maps["ab"].weight_sum, expected.weight_sum)
