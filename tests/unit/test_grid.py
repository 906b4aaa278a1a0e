"""Where neurons are."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn import ConfigurationError, Positions
from hpcsnn.network.grid import Grid


def test_a_grid_has_a_neuron_in_each_place():
    assert Grid(7, 3).size == 21
    assert Grid(np.int64(7), 1) == Grid(7.0, np.array(1)) == Grid(7, 1)
    assert Grid(np.uint8(16), np.uint8(16)).size == 256
    assert Grid(7, 3) != Grid(3, 7)
    assert Grid(2**31 - 1, 1).size == 2**31 - 1, "ids are 32-bit numbers"


@pytest.mark.parametrize("side", [0, -1, 2.5, 2**31, True, "7", None, float("nan")])
@pytest.mark.parametrize("axis", ["nx", "ny"])
def test_sides_are_whole_numbers(axis, side):
    with pytest.raises(ConfigurationError) as error:
        Grid(**{"nx": 3, "ny": 3, axis: side})
    allowed = "kernels hold numbers up to 2^31 - 1" if side == 2**31 else "must be a whole number >= 1"
    assert str(error.value) == f"grid.{axis}: {side!r} is not allowed; {allowed}"


@pytest.mark.parametrize("sides", [(2**30, 2), (46341, 46341), (np.int32(2**16), np.int32(2**16))])
def test_more_neurons_than_ids_are_refused(sides):
    with pytest.raises(ConfigurationError, match=r"neurons are too many; at most 2\^31 - 1 a population"):
        Grid(*sides)


def test_positions_are_those_of_one_row():
    positions = Positions([[0, 0], [1, 2.5]])
    assert Grid.of_positions(positions).size == 2
    assert not Grid.of_positions(positions).has_places
    with pytest.raises(
        ConfigurationError, match=r"^grid\.positions: 2 positions are not allowed on a grid of 2 x 2; must"
    ):
        Grid(2, 2, positions=positions)
    with pytest.raises(ConfigurationError, match=r"^grid\.positions: 3 is not allowed; must be Positions or None$"):
        Grid(2, 1, positions=3)
