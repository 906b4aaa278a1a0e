"""The copy behind a checkpoint, taken on several ranks, is the one that a rank alone takes, in parts."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn import Grid, Network, models
from hpcsnn.devices import HostDevice
from hpcsnn.engine.simulation import Simulation
from hpcsnn.ranks.communicator import Alone
from hpcsnn.storage.shards import ShardGrid
from hpcsnn.storage.snapshot import Part, take_snapshot
from support.thread_ranks import on_ranks


def network():
    """A population over several shards, and one so small that some ranks have none of it."""
    made = Network(seed=3)
    made.add_population("many", Grid(24, 20), models.Poisson())
    made.add_population("few", Grid(6, 5), models.LIF(), {"V_mV": models.Normal(-60, 3)})
    made.add_projection(
        "onto_few", "many", "few", models.FixedProbability(p=0.4), models.ExponentialCurrent(), 0.1,
        models.AdditiveSTDP(), delay_ms=models.Uniform(0.5, 1.5), dendritic_delay_ms=0.7,
    )  # fmt: skip
    return made


def taken(ranks):
    simulation = Simulation(network(), comm=ranks, device=HostDevice(("-O1",)), tile=4)
    snapshot = take_snapshot(simulation)
    snapshot.copies.finish()
    return snapshot, simulation.placements


def written(snapshot, population):
    """The neurons that a rank writes: of its own and of what others handed over, those in its shards."""
    parts = Part.joined(snapshot.parts[population])
    shard_of = ShardGrid.of(snapshot.grids[population]).of_ids(parts.ids)
    return parts.take(np.flatnonzero(np.isin(shard_of, snapshot.shards[population])))


@pytest.mark.parametrize("n_ranks", [2, 3, 5])
def test_what_all_ranks_write_is_the_whole(n_ranks):
    alone, _ = taken(Alone())
    found = on_ranks(n_ranks, taken)
    assert (min(len(placements["few"].global_id) for _, placements in found) == 0) == (n_ranks == 5)
    for snapshot, _ in found:
        assert snapshot.layout == alone.layout, "ranks must agree on what the arrays on disk look like"
        assert snapshot.attributes == alone.attributes
    for path, values in alone.small.items():
        np.testing.assert_array_equal(found[0][0].small[path], values)
    for name in alone.grids:
        whole = Part.joined(alone.parts[name])
        parts = [written(snapshot, name) for snapshot, _ in found]
        assert sum(len(part.ids) for part in parts) == len(whole.ids), "each neuron has one writer"
        together = Part.joined(parts)
        assert together.ids.tolist() == whole.ids.tolist() == list(range(network().populations[name].size))
        assert together.columns.keys() == whole.columns.keys()
        for path, values in whole.columns.items():
            np.testing.assert_array_equal(together.columns[path], values, err_msg=path)
        for projection, rows in whole.rows.items():
            assert together.rows[projection].in_degree.tolist() == rows.in_degree.tolist()
            for column, values in rows.columns.items():
                np.testing.assert_array_equal(together.rows[projection].columns[column], values, err_msg=column)
