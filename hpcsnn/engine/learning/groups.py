"""Groups of ranks, each of which shares one network that learns: neurons are owned by the ranks of a group as in any
run, samples are shared out among the groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.checked_numbers import Limits, whole_number
from hpcsnn.errors import ConfigurationError
from hpcsnn.network import Network
from hpcsnn.network.learning import hidden_populations
from hpcsnn.ranks.communicator import Alone, Communicator
from hpcsnn.ranks.partition import DEFAULT_TILE, TILE_SIDES
from hpcsnn.ranks.tiles.curve import TileCurve
from hpcsnn.ranks.tiles.tiling import Tiling

# Tiles of each hidden population for each rank, where it has neurons enough: parts differ by a tile or two.
_TILES_A_RANK = 16


@dataclass(frozen=True)
class Groups:
    """This rank among the ranks of a training.

    Attributes:
        everyone: all ranks.
        network: those that share one network with this one.
        peers: those of all groups that have the same neurons as this one.
        number: of this rank's group, from 0.
        n_groups: how many there are.
    """

    everyone: Communicator
    network: Communicator
    peers: Communicator
    number: int
    n_groups: int

    @classmethod
    def of(cls, everyone: Communicator, ranks_per_network: int) -> Groups:
        """Groups of neighbouring ranks; a collective call.

        Raises:
            ConfigurationError: they do not come out even.
        """
        size = check_even(ranks_per_network, everyone.size)
        number, n_groups = everyone.rank // size, everyone.size // size
        if size == 1:
            return cls(everyone, Alone(), everyone, number, n_groups)
        network, peers = everyone.split(number), everyone.split(everyone.rank % size)
        return cls(everyone, network, peers, number, n_groups)


def check_even(ranks_per_network: object, n_ranks: int) -> int:
    """`ranks_per_network` as a whole number.

    Raises:
        ConfigurationError: so many ranks do not make whole groups.
    """
    size = whole_number("ranks_per_network", ranks_per_network, Limits(minimum=1))
    if n_ranks % size:
        allowed = " or ".join(str(one) for one in range(1, n_ranks + 1) if n_ranks % one == 0)
        ranks = f"{n_ranks} ranks" if n_ranks > 1 else "1 rank"
        raise ConfigurationError(
            f"ranks_per_network: {size} is not allowed on {ranks}; must divide their number: {allowed}"
        )
    return size


def tile_side(network: Network, ranks_per_network: int) -> int:
    """The side of the tiles that ranks which share a network own.

    Raises:
        ConfigurationError: more ranks than there are tiles, or something that ranks cannot share.
    """
    if ranks_per_network == 1:
        return DEFAULT_TILE
    assert network.learning is not None
    where = f"ranks_per_network: {ranks_per_network} is not allowed"
    rule = network.learning.rule.model
    obstacles = {
        f"learning: {rule.name}, whose local readouts are of all neurons of a population": rule.mentions("local_error"),
        "gradient: online, whose eligibilities go by all outputs": network.learning.online,
        "carry_state, which a rank keeps of whole networks": network.learning.carries_state,
        "window_steps, whose steps a rank simulates again by itself": network.learning.window_steps is not None,
        "feedback: adaptive, whose weights learn by gradients of other ranks": network.learning.adaptive,
    }
    for what, found in obstacles.items():
        if found:
            raise ConfigurationError(f"{where} with {what}: must be 1")
    hidden = hidden_populations(network)
    grids = [one.grid for one in hidden]

    def n_tiles(side: int) -> list[int]:
        tilings = (Tiling.of(grid, side) for grid in grids)
        return [tiling.tiles_x * tiling.tiles_y for tiling in tilings]

    # Outputs are added up in the order of their tiles, which goes by the side where there is more than one row of them.
    rows = network.populations[network.learning.readout].grid.ny
    sides = [side for side in reversed(TILE_SIDES) if side <= DEFAULT_TILE] if rows == 1 else [DEFAULT_TILE]
    fine = (side for side in sides if min(n_tiles(side), default=0) >= _TILES_A_RANK * ranks_per_network)
    side = next(fine, sides[-1])
    counts = n_tiles(side)
    most = max(counts, default=0)
    if ranks_per_network > most:
        of = f"populations.{hidden[counts.index(most)].name}" if hidden else "the network"
        raise ConfigurationError(
            f"{where}; {of} has {most} tiles of side {side}, of which each rank needs one: must be at most {most}"
        )
    return side


def output_ids(tiling: Tiling) -> NDArray[np.int32]:
    """Ids of the outputs in the order in which the readout's rank has them; every rank may ask."""
    return tiling.ids(TileCurve(tiling).order())


def of_all(ranks: Communicator, columns: Mapping[str, NDArray[Any]], *keys: str) -> dict[str, NDArray[Any]]:
    """Rows of all ranks that share a network, on each of them; a collective call.

    Args:
        columns: of this rank's rows, shape (n,) each.
        keys: columns that rows are ordered by, the first one first.
    """
    return dict(columns) if ranks.size == 1 else in_order(ranks.gather(dict(columns)), *keys)


def in_order(parts: list[dict[str, NDArray[Any]]], *keys: str) -> dict[str, NDArray[Any]]:
    """Rows of all parts, ordered by keys, the first one first; without keys as they come."""
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    if not keys:
        return whole
    order = np.lexsort([whole[key] for key in reversed(keys)])
    return {name: column[order] for name, column in whole.items()}
