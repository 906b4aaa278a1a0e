"""The table of arrays: what is in it is in the structs, is allocated as it says, and follows the models by itself."""

from __future__ import annotations

import ctypes
import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError, Grid, Network, models
from hpcsnn.codegen.constants import DecayTable
from hpcsnn.codegen.structs import Struct, network_struct, population_struct, projection_struct
from hpcsnn.devices import HostDevice
from hpcsnn.engine.state import RankState
from hpcsnn.models import Variable
from hpcsnn.models.rewiring import Homeostatic
from hpcsnn.network.exchange_fields import ExchangeRoom, exchange_fields
from hpcsnn.network.fields import (
    LONG_AGO,
    NUMPY,
    TRACE,
    Growth,
    Neurons,
    PopulationRoom,
    ProjectionRoom,
    decay_fields,
    population_fields,
    projection_fields,
)
from hpcsnn.network.neuron_arrays import column_of, neuron_arrays
from hpcsnn.ranks.communicator import Alone
from hpcsnn.ranks.partition import place_network
from support.random_networks import networks


def pointers(struct):
    return [(name, kind) for name, kind in struct.fields if isinstance(kind, str) and kind.endswith("*")]


def declared(fields):
    return [(field.name, f"const {field.ctype}*" if field.constant else f"{field.ctype}*") for field in fields]


@settings(max_examples=60)
@given(networks())
def test_the_pointers_of_a_struct_are_the_fields_of_its_owner(network):
    for population in network.populations.values():
        assert pointers(population_struct(population)) == declared(population_fields(population))
    for projection in network.projections.values():
        assert pointers(projection_struct(projection)) == declared(projection_fields(projection))
    members = dict(network_struct(network).fields)
    assert pointers(members["exchange"]) == declared(exchange_fields())
    tables = [name for name, kind in DecayTable._fields_ if kind is ctypes.c_void_p]
    assert tables == [field.name for field in decay_fields(0.1, 20.0)]
    # What is left are the block of control and what the host asks the kernels for words with: no arrays of the state.
    left = {name for name, kind in members.items() if not isinstance(kind, Struct) and kind.endswith("*")}
    assert left == {"control"}


@settings(max_examples=40)
@given(networks(), st.sampled_from([1, 4]))
def test_every_array_is_bound_where_its_struct_points(network, tile):
    """All fields but those that the host makes when they are needed are there from the start, and nothing else is."""
    device = HostDevice()
    state = RankState(network, place_network(network, tile, 0, 1), device, Alone())
    expected, late = {"control"}, set()
    for owner, fields in (
        *((p.name, population_fields(p)) for p in network.populations.values()),
        *((p.name, projection_fields(p)) for p in network.projections.values()),
    ):
        for field in fields:
            (late if field.made else expected).add(f"{owner}.{field.name}")
    for projection in network.projections.values():
        for trace in (*projection.pre_traces, *projection.post_traces):
            expected |= {f"{projection.name}.decay_{trace.name}.{part}" for part in ("fine", "coarse")}
    assert expected <= set(state.arrays) <= expected | late
    parts = [(name, state.population_part(name)) for name in network.populations]
    parts += [(name, state.projection_part(name)) for name in network.projections]
    for owner, part in parts:
        for name, kind in part._fields_:
            if kind is ctypes.c_void_p:
                array = state.arrays.get(f"{owner}.{name}")
                assert getattr(part, name) == (None if array is None else device.address(array))
    starts = sorted(device.address(array) for array in state.arrays.values())
    assert len(set(starts)) == len(starts), "two arrays are in one place"


@settings(max_examples=40)
@given(networks())
def test_arrays_begin_as_long_and_with_what_the_table_says(network):
    placements = place_network(network, 4, 0, 1)
    state = RankState(network, placements, HostDevice(), Alone(), log_entries=10)
    for population in network.populations.values():
        n = population.size
        logged = 10 + n if population.record_spikes else 0
        slots = 1 << network.steps_kept(population).bit_length()
        room = PopulationRoom(n, n, len(placements[population.name].tile_base), slots, logged)
        check(state, population.name, population_fields(population), room, n)
    for projection in network.projections.values():
        n_source, n_target = projection.source.size, projection.target.size
        room = ProjectionRoom(n_target, n_source, n_source)
        if projection.rule is not None and projection.rule.attempts:
            blocks = n_target // 16  # of 4 x 4
            within = len(state.arrays[f"{projection.name}.within_dx"])
            room = dataclasses.replace(room, n_blocks=blocks, n_within=within)
        check(state, projection.name, projection_fields(projection), room, n_target, n_source)


def check(state, owner, fields, room, n_own, n_source=0):
    """Type, length and first values of all arrays of an owner."""
    for field in fields:
        name = f"{owner}.{field.name}"
        if name not in state.arrays:
            continue
        array, n_own_here = state.arrays[name], n_source if field.neurons in SOURCES else n_own
        if field.length is not None:
            assert array.nbytes == field.n_bytes(room) == field.length(room) * field.dtype.itemsize, name
        if field.neurons is not None:
            assert array.nbytes >= n_own_here * field.dtype.itemsize, "a value for each neuron"
        if field.ctype == "Trace":
            traces = array.view(TRACE)
            assert (traces["value"] == 0).all()
            assert (traces["last"] == LONG_AGO).all()
        else:
            assert array.dtype == NUMPY[field.ctype], name
            if field.length is not None and not field.made:
                assert (array == field.dtype.type(field.first)).all(), name


SOURCES = (Neurons.SOURCE, Neurons.KNOWN_SOURCE)


@settings(max_examples=40)
@given(networks())
def test_a_struct_has_a_name_once(network):
    parts = [population_struct(population) for population in network.populations.values()]
    parts += [projection_struct(projection) for projection in network.projections.values()]
    for struct in parts:
        names = [name for name, _ in struct.fields]
        assert len(set(names)) == len(names)


@settings(max_examples=40)
@given(networks())
def test_paths_on_disk_are_of_one_array(network):
    for projection in network.projections.values():
        paths = [field.disk for field in projection_fields(projection) if field.disk]
        assert len(set(paths)) == len(paths)
        rows = [field for field in projection_fields(projection) if field.growth is Growth.ROWS]
        kept = {field.disk for field in rows} - {""}
        assert kept == {"synapse/source", *(f"synapse/{one.name}" for one in projection.synapse_columns)}
        assert kept == {path for path in paths if path.startswith("synapse/")}


def test_the_exchange_has_room_for_what_every_rank_sends():
    network = Network(seed=1)
    network.add_population("a", 40, models.LIF())
    network.add_projection(
        "aa", "a", "a", models.OneToOne(), models.DeltaCurrent(), 1.0, delay_ms=models.Uniform(0.5, 2.0)
    )
    placements = place_network(network, 1, 1, 3)
    state = RankState(network, placements, HostDevice(), OneOfThree(), exchange_block=7)
    n_own = placements["a"].n_own
    room = ExchangeRoom(3 * n_own, 7, 3, rest=3 * n_own - 7)
    lengths = {"send": 3 * n_own, "send_block": 8, "receive_block": 24, "send_count": 1, "rounds": 1, "sent": 3}
    lengths |= {"exchanges": 1, "meetings": 1, "under_way": 1, "n_rests": 1, "rest": 3 * n_own - 7}
    lengths |= dict.fromkeys(("boxes", "requests", "statuses"), 0)
    for field in exchange_fields():
        name = f"exchange.{field.name}"
        assert (name in state.arrays) == (field.name in lengths)
        if field.name in lengths:
            assert len(state.arrays[name]) == lengths[field.name] == field.length(room)


class OneOfThree(Alone):
    """Rank 1 of three that all say the same."""

    rank, size = 1, 3

    def gather(self, value):
        return [value] * 3


@settings(max_examples=30)
@given(st.sampled_from([0.05, 0.1, 1.0]), st.floats(0.5, 500))
def test_the_tables_of_a_decay_reach_until_nothing_is_left(dt_ms, tau_ms):
    fine, coarse = decay_fields(dt_ms, tau_ms)
    n_fine, n_coarse = fine.length(None), coarse.length(None)
    assert n_fine == 256
    # The last power that there is a pair of entries for, and the last one of a table shorter by two.
    assert np.exp(-dt_ms / tau_ms * (n_fine * n_coarse - 1)) < 1e-30
    assert n_coarse <= 2 or np.exp(-dt_ms / tau_ms * n_fine * (n_coarse - 2)) > 1e-30


# -- the promise: what a model declares is everywhere, from one line ---------------------------------------------------


def a_network(neuron=models.LIF(), receptor=models.ExponentialCurrent(), synapse=models.Static(), rewiring=None):  # noqa: B008
    network = Network(seed=1)
    network.add_population("a", Grid(4, 4), models.Poisson())
    network.add_population("b", Grid(4, 4), neuron)
    network.add_projection("ab", "a", "b", models.OneToOne(), receptor, 0.1, synapse, rewiring=rewiring)
    return network


def everything(network):
    """All that is made of the table: fields, members of structs, arrays that a rank binds, paths on disk, columns."""
    found = set()
    for population in network.populations.values():
        found |= {("field", population.name, f.name, f.ctype) for f in population_fields(population)}
        found |= {("member", population.name, name) for name, _ in population_struct(population).fields}
        for array in neuron_arrays(network, population):
            found.add(("path", population.name, array.path))
            found.add(("column", population.name, column_of(array.path)))
    for projection in network.projections.values():
        found |= {("field", projection.name, f.name, f.ctype) for f in projection_fields(projection)}
        found |= {("member", projection.name, name) for name, _ in projection_struct(projection).fields}
        found |= {("row", projection.name, f.disk) for f in projection_fields(projection) if f.growth is Growth.ROWS}
    state = RankState(network, place_network(network, 4, 0, 1), HostDevice(), Alone())
    return found | {("array", name) for name in state.arrays}


def with_one_more(model, slot, *more):
    changed = dataclasses.replace(model.model, **{slot: (*getattr(model.model, slot), *more)})
    return dataclasses.replace(model, model=changed)


EXTRA = Variable("extra", 2.0, "", "int")


def test_a_variable_of_a_neuron_is_everywhere():
    more = everything(a_network(with_one_more(models.LIF(), "state", EXTRA))) - everything(a_network())
    assert more == {
        ("field", "b", "state_extra", "int"),
        ("member", "b", "state_extra"),
        ("array", "b.state_extra"),
        ("path", "b", "populations/b/state/extra"),
        ("column", "b", "extra"),
    }


def test_a_variable_of_a_synapse_is_everywhere():
    more = everything(a_network(synapse=with_one_more(models.Static(), "variables", EXTRA))) - everything(a_network())
    assert more == {
        ("field", "ab", "synapse_extra", "int"),
        ("field", "ab", "listed_extra", "int"),
        ("field", "ab", "packed_extra", "int"),
        ("member", "ab", "initial_extra"),
        ("member", "ab", "synapse_extra"),
        ("member", "ab", "listed_extra"),
        ("member", "ab", "packed_extra"),
        ("row", "ab", "synapse/extra"),
        ("array", "ab.synapse_extra"),
        ("array", "ab.listed_extra"),
    }


def test_a_variable_of_a_receptor_is_everywhere():
    receptor = with_one_more(models.ExponentialCurrent(), "state", EXTRA)
    more = everything(a_network(receptor=receptor)) - everything(a_network())
    assert more == {
        ("field", "ab", "receptor_state_extra", "int"),
        ("member", "ab", "receptor_state_extra"),
        ("array", "ab.receptor_state_extra"),
        ("path", "b", "projections/ab/receptor/extra"),
        ("column", "b", "ab.extra"),
    }


@pytest.mark.parametrize(("side", "population"), [("pre", "a"), ("post", "b")])
def test_a_trace_of_either_side_is_everywhere(side, population):
    plain = models.AdditiveSTDP()
    synapse = with_one_more(plain, f"{side}_traces", models.SpikeTrace("slow", "tau_minus_ms"))
    more = everything(a_network(synapse=synapse)) - everything(a_network(synapse=plain))
    assert more == {
        ("field", "ab", f"{side}_slow", "Trace"),
        ("member", "ab", f"{side}_slow"),
        ("member", "ab", "decay_slow"),
        ("array", f"ab.{side}_slow"),
        ("array", "ab.decay_slow.fine"),
        ("array", "ab.decay_slow.coarse"),
        ("path", population, f"projections/ab/{side}/slow"),  # and no column: a trace is not counted
    }


@pytest.mark.parametrize(("side", "population"), [("source", "a"), ("target", "b")])
def test_a_variable_that_a_rule_keeps_of_a_neuron_is_everywhere(side, population):
    rule = with_one_more(Homeostatic(), f"{side}_variables", EXTRA)
    more = everything(a_network(rewiring=rule)) - everything(a_network(rewiring=Homeostatic()))
    assert more == {
        ("field", "ab", f"{side}_extra", "int"),
        ("member", "ab", f"{side}_extra"),
        ("array", f"ab.{side}_extra"),
        ("path", population, f"projections/ab/rule/{side}/extra"),
        ("column", population, f"ab.{side}.extra"),
    }


def test_a_variable_starts_with_its_initial_value():
    network = a_network(
        receptor=with_one_more(models.ExponentialCurrent(), "state", EXTRA),
        rewiring=with_one_more(Homeostatic(), "target_variables", dataclasses.replace(EXTRA, name="kept")),
        synapse=with_one_more(models.Static(), "variables", dataclasses.replace(EXTRA, name="of_synapse")),
    )
    state = RankState(network, place_network(network, 4, 0, 1), HostDevice(), Alone())
    assert state.arrays["ab.receptor_state_extra"].tolist() == [2] * 16
    assert state.arrays["ab.target_kept"].tolist() == [2] * 16
    assert state.projection_part("ab").initial_of_synapse == 2


@pytest.mark.parametrize("initial", [0.5, float("nan"), float("inf")])
def test_a_whole_variable_starts_with_a_whole_number(initial):
    with pytest.raises(
        ConfigurationError, match=rf"^variable age.initial: {initial!r} is not allowed; must be a whole"
    ):
        Variable("age", initial, "updates", "int")
    assert Variable("age", ctype="int").initial == 0
    if initial != 0.5:
        with pytest.raises(ConfigurationError, match=r"^variable u.initial: .* must be a finite number"):
            Variable("u", initial)
