"""Positions of neurons: as they come in, as whole numbers, in cells, in files, and what ranks know by them."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError, Grid, Network, Positions, models
from hpcsnn.configuration.files import load_configuration
from hpcsnn.network.places.positions import FreeLattice
from hpcsnn.ranks.tiles.reach import tiles_within_reach
from hpcsnn.ranks.tiles.tiling import Tiling

coordinates = st.integers(-300, 300)
positions = st.sampled_from([2, 3]).flatmap(
    lambda dimensions: st.tuples(
        *[st.lists(st.tuples(*[coordinates] * dimensions), min_size=1, max_size=40) for _ in range(2)]
    )
)


def test_places_are_rounded_to_the_resolution():
    given = Positions([[0.004, -0.006], [1.0, 2.5]])
    assert given.points.dtype == np.int32
    assert given.points.tolist() == [[0, -1], [100, 250]]
    assert given.values.tolist() == pytest.approx(np.array([[0.0, -0.01], [1.0, 2.5]]))
    assert Positions([[0.004, -0.006, 3.0]], resolution=0.5).points.tolist() == [[0, 0, 6]]
    assert given.digest != Positions([[0.004, -0.006], [1.0, 2.5]], resolution=0.1).digest
    assert given.digest == Positions(np.array([[0.003, -0.009], [1.0, 2.5]])).digest


@pytest.mark.parametrize(
    ("values", "resolution", "said"),
    [
        ([[1.0], [2.0]], 0.01, r"positions: shape \(2, 1\) is not allowed; must be two or three coordinates for each"),
        ([1.0, 2.0], 0.01, r"positions: shape \(2,\) is not allowed"),
        (np.zeros((0, 2)), 0.01, r"positions: shape \(0, 2\) is not allowed"),
        ([[1.0, 2.0], [3.0]], 0.01, "positions: .* is not allowed; must be two or three numbers for each neuron"),
        ([["a", "b"]], 0.01, "positions: .* is not allowed; must be two or three numbers for each neuron"),
        ([[0.0, 0.0], [1.0, np.nan]], 0.01, r"positions\[1\]: \[1.0, nan\] is not allowed; with a resolution of 0.01 "),
        ([[0.0, 2e7]], 0.01, r"positions\[0\]: .* must be a finite number of grid units between -1.07374e\+07 and"),
        ([[0.0, 2.0]], 0.0, "positions.resolution: 0.* is not allowed; must be a number in grid units > 0"),
        ("nowhere.npy", 0.01, "positions: 'nowhere.npy': no such file"),
        (__file__, 0.01, "positions: '.*test_positions.py': cannot be read: "),
    ],
)
def test_what_is_no_position_is_refused(values, resolution, said):
    with pytest.raises(ConfigurationError, match=said):
        Positions(values, resolution)


def test_an_array_in_a_file_is_the_array(tmp_path):
    values = np.random.default_rng(1).random((5, 3))
    np.save(tmp_path / "places.npy", values)
    assert Positions(tmp_path / "places.npy").digest == Positions(values).digest


@settings(max_examples=150)
@given(positions, st.integers(0, 500))
def test_cells_hold_each_source_once_and_bound_what_is_near(both, reach):
    source, target = (Positions(np.array(each) / 100) for each in both)
    lattice, of = FreeLattice(source, target), source.points.astype(int)
    cells = lattice.cells(reach)
    assert sorted(cells.members.tolist()) == list(range(len(of)))
    place = np.pad(of - np.array(cells.origin)[: of.shape[1]], ((0, 0), (0, 3 - of.shape[1]))) // cells.side
    number = place[:, 0] + cells.shape[0] * (place[:, 1] + cells.shape[1] * place[:, 2])
    assert (place < cells.shape).all()
    for cell in range(len(cells.first) - 1):
        assert (
            cells.members[cells.first[cell] : cells.first[cell + 1]].tolist() == np.flatnonzero(number == cell).tolist()
        )
    assert cells.side > reach
    assert len(cells.first) - 1 <= max(64, 2 * len(of))
    squared = ((target.points.astype(int)[:, None] - of[None]) ** 2).sum(axis=2)
    post, pre = np.indices(squared.shape)
    np.testing.assert_array_equal(lattice.squared_distances(pre, post), squared)
    assert squared.max() <= lattice.furthest_squared
    assert (squared <= reach**2).sum(axis=1).max() <= lattice.most_within(reach**2)
    profile = 1 / (1 + np.arange(reach**2 + 1.0))
    expected = np.where(squared <= reach**2, 1 / (1.0 + squared), 0.0).sum() / len(target.points)
    assert lattice.expected_within(profile) == pytest.approx(expected)


@settings(max_examples=150)
@given(positions, st.sampled_from([1, 2, 4]), st.integers(0, 300), st.data())
def test_a_rank_knows_the_tiles_whose_boxes_are_near(both, side, reach, data):
    source, target = (Grid.of_positions(Positions(np.array(each) / 100)) for each in both)
    of, to = Tiling.of(source, side), Tiling.of(target, side)
    own = data.draw(st.lists(st.integers(0, to.tiles_x - 1), max_size=4))
    answer = tiles_within_reach(of, to, np.array(own, dtype=np.int64), reach**2)
    mine = np.isin(to.tiles_of(np.arange(target.size)), own)
    squared = ((target.positions.points.astype(int)[mine, None] - source.positions.points[None]) ** 2).sum(axis=2)
    near = of.tiles_of(np.flatnonzero((squared <= reach**2).any(axis=0)))
    assert set(near.tolist()) <= set(answer.tolist())
    assert (np.diff(answer) > 0).all()
    if side == 1 and to.tiles_x == target.size:
        assert answer.tolist() == np.unique(near).tolist(), "of one neuron, the box is the neuron"


def test_numbers_along_an_axis_leave_ranks_what_is_near():
    values = np.sort(np.random.default_rng(1).random((4000, 2)) * 40, axis=0)
    grid = Grid.of_positions(Positions(values))
    tiling = Tiling.of(grid, 4)
    assert len(tiles_within_reach(tiling, tiling, np.arange(50), 100**2)) < 75 < tiling.tiles_x


CONFIGURATION = """
duration_ms: 1
populations:
  a: {positions: {from_file: places.csv}, model: {poisson: {rate_hz: 10}}}
  b: {positions: {values: [[0, 0], [1, 0.5]], resolution: 0.01}, model: lif}
projections:
  ab: {source: a, target: b, receptor: delta_current, weight: 1,
       connector: {gaussian: {p_max: 1, sigma: 1, cut_off: 2}}}
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "places.csv").write_text("y,x\n2,1\n0.5,0\n7,9\n")
    (tmp_path / "run.yaml").write_text(CONFIGURATION)
    return tmp_path / "run.yaml"


def test_a_configuration_names_a_file_or_has_values_and_keeps_the_digest(file):
    configuration = load_configuration(str(file))
    network = configuration.network()
    assert network.populations["a"].grid.positions.points.tolist() == [[100, 200], [0, 50], [900, 700]]
    assert network.populations["b"].grid.positions.points.tolist() == [[0, 0], [100, 50]]
    assert network.projections["ab"].reach_squared == 200**2
    plain, places = configuration.resolved()["populations"], file.parent / "places.csv"
    digest = hashlib.sha256(places.read_bytes()).hexdigest()
    assert plain["a"]["positions"] == {"from_file": str(places), "sha256": digest, "resolution": 0.01}
    assert plain["b"]["positions"] == {"values": [[0.0, 0.0], [1.0, 0.5]], "resolution": 0.01}
    with pytest.raises(
        ConfigurationError, match=r"populations\.a\.positions\.from_file: .*places\.csv: is another file"
    ):
        load_configuration(str(file), [f"populations.a.positions.sha256={'0' * 64}"]).network()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("populations.a.positions.from_file=other.csv", "populations.a.positions.from_file: .*other.csv: no such file"),
        ("populations.a.positions=places.csv", "populations.a.positions: 'places.csv' is not allowed; a file is "),
        ("populations.a.positions={}", "populations.a.positions: give either from_file or values"),
        ("populations.a.positions={valeus: [[0, 0]]}", "populations.a.positions: unknown name 'valeus'; allowed"),
        ("populations.a.positions=[[0, 0], [0, .nan]]", r"populations.a.positions\[1\]: .* is not allowed"),
        ("populations.b.positions.resolution=-1", "populations.b.positions.resolution: -1.* is not allowed; must be a"),
        ("populations.b.positions.sha256=abc", "populations.b.positions.sha256: 'abc' is not allowed without"),
        ("populations.b.size=3", r"populations.b: give either grid: \[nx, ny\] or size: n, or positions"),
        ("populations.b.borders=open", "populations.b.borders: 'open' is not allowed with positions, whose"),
    ],
)  # fmt: skip
def test_a_wrong_value_in_a_configuration(file, given, said):
    with pytest.raises(ConfigurationError, match=said):
        load_configuration(str(file), [given]).network()


def test_a_column_that_is_missing_is_named(file):
    (file.parent / "places.csv").write_text("x,z\n2,1\n")
    with pytest.raises(ConfigurationError, match=r"populations\.a\.positions\.from_file: .*: lacks a column 'y'"):
        load_configuration(str(file)).network()


def test_whole_lengths_must_be_multiples_of_the_resolution():
    square = models.Connector(
        "square", "", parameters={"reach": models.Parameter(1, "grid units", "", ctype="int")},
        reach_squared=lambda values: values["reach"] ** 2, connect="",
    )  # fmt: skip
    network = Network()
    network.add_population("a", Positions([[0, 0]], resolution=0.3), models.LIF())
    with pytest.raises(ConfigurationError, match=r"connector\.square\.reach: 1 is not allowed with positions to 0\.3"):
        network.add_projection("aa", "a", "a", square(reach=1), models.DeltaCurrent(), 1.0)
    network.add_projection("aa", "a", "a", square(reach=3), models.DeltaCurrent(), 1.0)
    assert network.projections["aa"].reach_squared == 100
