"""Maps of synapses by displacement: against a count synapse by synapse, over ranks, and on disk."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import Grid, Network, models
from hpcsnn.analysis.displacement import (
    DisplacementMap,
    displacement_map,
    has_places,
    read_displacement,
    write_displacement,
)
from hpcsnn.errors import StorageError


def synapses_on(grid, random, n):
    pre, post = random.integers(0, grid.size, n), random.integers(0, grid.size, n)
    return {
        "pre": pre.astype(np.int32),
        "post": post.astype(np.int32),
        "weight": random.integers(1, 9, n) / np.float32(8),
    }


def shortest(there, here, side):
    """From here to there along a periodic axis, in (-side/2, side/2]."""
    return next(d for d in range(-((side - 1) // 2), side // 2 + 1) if (here + d) % side == there)


@settings(max_examples=30)
@given(st.integers(1, 45), st.integers(1, 45), st.integers(0, 30), st.integers(0, 2**32))
def test_each_synapse_is_counted_where_it_comes_from_as_far_as_the_map_goes(nx, ny, n, seed):
    grid = Grid(nx, ny)
    synapses = synapses_on(grid, np.random.default_rng(seed), n)
    displacement = DisplacementMap.of(grid, synapses)
    for axis, side in ((displacement.dx, nx), (displacement.dy, ny)):
        assert axis.tolist() == [d for d in range(-((side - 1) // 2), side // 2 + 1) if abs(d) <= 16]
    count = np.zeros((len(displacement.dy), len(displacement.dx)))
    weight = np.zeros_like(count)
    for pre, post, w in zip(*(synapses[name].tolist() for name in ("pre", "post", "weight")), strict=True):
        dx, dy = shortest(post % nx, pre % nx, nx), shortest(post // nx, pre // nx, ny)
        if abs(dx) <= 16 and abs(dy) <= 16:
            at = displacement.dy.tolist().index(dy), displacement.dx.tolist().index(dx)
            count[at] += 1
            weight[at] += w
    np.testing.assert_array_equal(displacement.count, count)
    np.testing.assert_array_equal(displacement.weight_sum, weight)


@settings(max_examples=30)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 20), st.integers(0, 2**32))
def test_maps_of_shares_add_up_to_the_map_of_all(nx, ny, n, seed):
    grid, random = Grid(nx, ny), np.random.default_rng(seed)
    everything = synapses_on(grid, random, n)
    cut = random.integers(0, n + 1)
    shares = [{name: column[part] for name, column in everything.items()} for part in (slice(cut), slice(cut, None))]
    whole = DisplacementMap.of(grid, everything)
    together = DisplacementMap.of(grid, shares[0]) + DisplacementMap.of(grid, shares[1])
    for part in ("dx", "dy", "count", "weight_sum"):
        np.testing.assert_array_equal(getattr(together, part), getattr(whole, part))


def test_a_map_is_read_as_it_was_written(tmp_path):
    path, random = tmp_path / "displacement.zarr", np.random.default_rng(3)
    maps = {when: DisplacementMap.of(Grid(6, 5), synapses_on(Grid(6, 5), random, 40)) for when in ("start", "end")}
    for when, displacement in maps.items():
        write_displacement(path, "ff", when, displacement)
    write_displacement(path, "ff", "end", maps["end"])  # a run that goes on ends again
    for when, displacement in maps.items():
        read = read_displacement(path, "ff", when)
        for part in ("dx", "dy", "count", "weight_sum"):
            np.testing.assert_array_equal(getattr(read, part), getattr(displacement, part))
            assert getattr(read, part).dtype == getattr(displacement, part).dtype
    assert read_displacement(path, "lat", "start") is None
    assert read_displacement(tmp_path / "none", "ff", "start") is None


@pytest.mark.parametrize(
    ("source", "target", "common"),
    [
        (Grid(4, 4), Grid(4, 4), True), (Grid(4, 4), Grid(4, 2), False), (Grid(16, 1), Grid(16, 1), True),
        (Grid(16, 1), Grid(16, 1, has_places=False), False),
        (Grid(1, 4), Grid(1, 4), True),
    ],
)  # fmt: skip
def test_distances_mean_something_on_one_grid_with_places(source, target, common):
    assert has_places(source, target) is common


def test_a_map_of_a_simulation_is_summed_over_its_ranks():
    grid = Grid(4, 3)

    class StandIn:
        """One of two ranks, whose fellow has the same synapses."""

        def __init__(self):
            self.network = Network()
            self.network.add_population("a", grid, models.Poisson())
            self.network.add_population("b", grid, models.LIF())
            self.network.add_projection("ab", "a", "b", models.OneToOne(), models.DeltaCurrent(), 1.0)

        def synapses(self, name):
            return {"pre": np.int32([0]), "post": np.int32([1]), "weight": np.float32([0.5])}

        def sum_over_ranks(self, values):
            return 2 * values

    displacement = displacement_map(StandIn(), "ab")
    at = displacement.dy.tolist().index(0), displacement.dx.tolist().index(1)
    assert (displacement.count[at], displacement.weight_sum[at]) == (2.0, 1.0)
    assert displacement.count.sum() == 2.0


def test_a_map_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    grid = Grid(2, 2)
    displacement = DisplacementMap.of(grid, synapses_on(grid, np.random.default_rng(1), 3))
    with pytest.raises(StorageError) as error:
        write_displacement(tmp_path / "file/displacement.zarr", "ff", "start", displacement)
    assert str(error.value) == f"{tmp_path}/file/displacement.zarr: cannot be written: Not a directory"
