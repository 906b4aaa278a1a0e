"""Arrays with a value per neuron: each has a path and a name of its own, and what is on disk are views of it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import Grid, Network, models
from hpcsnn.devices import HostDevice
from hpcsnn.engine.state import RankState
from hpcsnn.network.fields import TRACE, Neurons, population_fields, projection_fields
from hpcsnn.network.neuron_arrays import column_of, entries_on_disk, neuron_arrays
from hpcsnn.ranks.communicator import Alone
from hpcsnn.ranks.partition import place_network
from support.random_networks import networks


def all_arrays(network):
    return [
        (population.name, array)
        for population in network.populations.values()
        for array in neuron_arrays(network, population)
    ]


@settings(max_examples=60)
@given(networks())
def test_each_array_of_neurons_is_given_once_with_its_population(network):
    expected = Counter()
    for population in network.populations.values():
        for field in population_fields(population):
            if field.neurons is not None:
                expected[population.name, f"{population.name}.{field.name}"] += 1
    for projection in network.projections.values():
        ends = {
            Neurons.TARGET: projection.target.name,
            Neurons.SOURCE: projection.source.name,
            Neurons.KNOWN_SOURCE: projection.source.name,
        }
        for field in projection_fields(projection):
            if field.neurons is not None:
                expected[ends[field.neurons], f"{projection.name}.{field.name}"] += 1
    assert Counter((population, array.name) for population, array in all_arrays(network)) == expected
    assert set(expected.values()) == {1}


@settings(max_examples=60)
@given(networks(), st.integers(0, 100))
def test_a_path_on_disk_is_one_arrays(network, step):
    state = RankState(network, place_network(network, 8, 0, 1), HostDevice(), Alone(), log_entries=1)
    paths = Counter()
    for _, array in all_arrays(network):
        if not array.path:
            assert not array.field.disk
            continue
        owner = "populations" if array.projection is None else "projections"
        assert array.path == f"{owner}/{array.name.partition('.')[0]}/{array.field.disk}"
        paths.update(list(entries_on_disk(array, state.arrays[array.name], step)))
    assert set(paths.values()) <= {1}
    for path in paths:
        inside = [other for other in paths if other.startswith(f"{path}/")]
        assert not inside, "an array is no folder"


def path_of(column, kept, projections):
    """The other way: where a checkpoint keeps what `Simulation.neurons` gives as `column` of a population."""
    owner, _, rest = column.partition(".")
    if not rest:
        return f"populations/{kept}/state/{owner}"
    side, _, name = rest.partition(".")
    followed = [one.name for one in projections[owner].synapse.model.target_variables]
    if side == "target" and name in followed:
        return f"projections/{owner}/target/{name}"
    return f"projections/{owner}/rule/{side}/{name}" if name else f"projections/{owner}/receptor/{rest}"


@settings(max_examples=60)
@given(networks())
def test_a_column_leads_back_to_its_path(network):
    for name, population in network.populations.items():
        columns = {array.path: column_of(array.path) for array in neuron_arrays(network, population) if array.path}
        counted = {path: column for path, column in columns.items() if column is not None}
        assert len(set(counted.values())) == len(counted), "two arrays in one column"
        for path, column in counted.items():
            assert path_of(column, name, network.projections) == path
        # Whatever a model or a rule calls a variable of the neuron is counted; what follows from spikes is not.
        variables = [one.name for one in population.state]
        for projection in network.incoming(population):
            variables += [one.name for one in (*projection.receptor.model.state, *projection.target_variables)]
            variables += [one.name for one in projection.synapse.model.target_variables]
        for projection in network.outgoing(population):
            variables += [one.name for one in projection.source_variables]
        assert Counter(column.rpartition(".")[2] for column in counted.values()) == Counter(variables)
        for path in columns.keys() - counted.keys():
            assert path.split("/")[2] in ("pre", "post", "input_in_flight", "next_spike")


def test_what_is_no_folder_of_variables_is_no_column():
    for path in ("populations/a/next_spike", "projections/p/pre/trace.value", "projections/p/synapse/weight", ""):
        assert column_of(path) is None


@settings(max_examples=60)
@given(networks(), st.integers(0, 2**31 - 2**17))
def test_what_is_written_to_an_entry_on_disk_is_in_the_array(network, step):
    """And nothing else of the array changes: every view has bytes of its own, one entry per neuron or more."""
    state = RankState(network, place_network(network, 8, 0, 1), HostDevice(), Alone(), log_entries=1)
    for population, array in all_arrays(network):
        if not array.path:
            continue
        n, values = network.populations[population].size, state.arrays[array.name]
        entries = entries_on_disk(array, values, step)
        before, changed = values.tobytes(), 0
        for entry in entries.values():
            assert np.shares_memory(entry, values)
            assert len(entry) >= n
            was = np.frombuffer(values.tobytes(), dtype=np.uint8)
            entry.view(f"u{entry.dtype.itemsize}")[...] ^= 1  # one bit of each value
            now = np.frombuffer(values.tobytes(), dtype=np.uint8)
            assert np.unpackbits(was ^ now).sum() == len(entry)
            changed += len(entry)
        whole = np.unpackbits(np.frombuffer(before, dtype=np.uint8) ^ np.frombuffer(values.tobytes(), dtype=np.uint8))
        assert whole.sum() == changed, "two views share bytes"


def delayed(n, low_ms, high_ms, dendritic_ms):
    network = Network(seed=1, dt_ms=0.1)
    network.add_population("a", n, models.LIF())
    network.add_projection(
        "aa", "a", "a", models.OneToOne(), models.DeltaCurrent(), 1.0, delay_ms=models.Uniform(low_ms, high_ms),
        dendritic_delay_ms=dendritic_ms,
    )  # fmt: skip
    (array,) = [one for one in neuron_arrays(network, network.populations["a"]) if one.name == "aa.input"]
    return network.projections["aa"].input_ring, array


@settings(max_examples=60)
@given(st.integers(1, 6), st.integers(1, 40), st.integers(0, 40), st.integers(0, 10), st.integers(0, 10**6))
def test_input_on_its_way_is_stored_by_how_far_it_is_ahead(n, first, spread, dendritic, step):
    input_ring, array = delayed(n, 0.1 * first, 0.1 * (first + spread), 0.1 * dendritic)
    more = spread + dendritic
    assert input_ring.n_ahead == more
    # What arrives at neuron i in step s is 1000 s + i, for the steps that input can be on its way to; -1 elsewhere.
    ring = np.full(input_ring.slots * n, -1)
    for arrival in range(step, step + more):
        slot = arrival % input_ring.slots
        ring[slot * n : (slot + 1) * n] = 1000 * arrival + np.arange(n)
    entries = entries_on_disk(array, ring, step)
    assert list(entries) == [f"projections/aa/input_in_flight/{k}" for k in range(more)]
    for k, entry in enumerate(entries.values()):
        assert entry.tolist() == [1000 * (step + k) + neuron for neuron in range(n)]
    # A slot is free for the step that none can be on its way to yet.
    assert input_ring.slots > more
    assert (ring == -1).sum() == (input_ring.slots - more) * n


def test_both_halves_of_a_trace_are_stored_as_what_they_are():
    network = Network(seed=1)
    network.add_population("a", Grid(3, 2), models.LIF())
    network.add_projection("aa", "a", "a", models.OneToOne(), models.DeltaCurrent(), 0.1, models.AdditiveSTDP())
    arrays = {array.name: array for array in neuron_arrays(network, network.populations["a"])}
    for name, path in (("aa.pre_pre_trace", "pre/pre_trace"), ("aa.post_post_trace", "post/post_trace")):
        traces = np.zeros(6, dtype=TRACE)
        traces["value"], traces["last"] = np.arange(6) + 0.5, -np.arange(6)
        entries = entries_on_disk(arrays[name], traces.view(np.int32), 7)
        assert {key: (entry.dtype, entry.tolist()) for key, entry in entries.items()} == {
            f"projections/aa/{path}.value": (np.dtype(np.float32), [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]),
            f"projections/aa/{path}.last": (np.dtype(np.int32), [0, -1, -2, -3, -4, -5]),
        }


@pytest.mark.parametrize("owner", ["source", "target"])
def test_values_of_a_projection_belong_to_its_own_end(owner):
    """Between two populations: pre traces and a rule's source variables are the source's, the rest the target's."""
    network = Network(seed=1)
    network.add_population("source", 8, models.LIF())
    network.add_population("target", 8, models.LIF())
    network.add_projection(
        "p", "source", "target", models.OneToOne(), models.ExponentialCurrent(), 0.1, models.AdditiveSTDP(),
        rewiring=models.rewiring.Homeostatic(),
    )  # fmt: skip
    arrays = [one for one in neuron_arrays(network, network.populations[owner]) if one.projection is not None]
    mine = {array.path.removeprefix("projections/p/") for array in arrays if array.path}
    assert (
        mine
        == {
            "source": {"pre/pre_trace", "pre/axon_calcium", "rule/source/axon_elements"},
            "target": {
                *("post/post_trace", "post/dendrite_calcium", "rule/target/dendrite_elements", "receptor/current"),
            },
        }[owner]
    )
