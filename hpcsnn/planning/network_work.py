"""How much there is to do in a step of a network, in all and for a rank of any number: what time is predicted from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hpcsnn.network import Network, Projection
from hpcsnn.ranks.exchange.neighbours import has_neighbours
from hpcsnn.ranks.exchange.plan import block_size
from hpcsnn.ranks.tiles.tiling import Tiling

# Of a spike, or of how many there are, in a block that ranks exchange.
_BYTES_A_WORD = 4

Exchange = Literal["allgather", "neighbours"]


class NetworkWork(BaseModel):
    """Neurons and synapses of a network, and what happens in a step of it on all ranks together.

    Attributes:
        neurons, synapses: in all.
        spikes: a step.
        delivered: synapses that spikes arrive at, a step.
        posts: plastic synapses of targets that spiked, a step.
        attempts: of rules of rewiring, a step.
        largest: neurons of the largest population, which is cut into ``tiles``.
        reach: of the furthest source, in grid units; None where a projection is unbounded.
        exchange_steps: from one exchange of spikes to the next.
        exchange: whether ranks exchange spikes with all others, or with those within reach.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    neurons: int = Field(ge=1)
    synapses: float = Field(ge=0)
    spikes: float = Field(ge=0)
    delivered: float = Field(ge=0)
    posts: float = Field(ge=0)
    attempts: float = Field(ge=0)
    largest: int = Field(ge=1)
    tiles: int = Field(ge=1)
    reach: float | None = Field(ge=0)
    exchange_steps: int = Field(ge=1)
    exchange: Exchange

    def grown(self, factor: float) -> NetworkWork:
        """A network of so many times the neurons, of the same density and rates."""
        scaled = {
            name: getattr(self, name) * factor for name in ("synapses", "spikes", "delivered", "posts", "attempts")
        }
        whole = {name: max(1, round(getattr(self, name) * factor)) for name in ("neurons", "largest", "tiles")}
        return self.model_copy(update={**scaled, **whole})

    def mean_share(self, n_ranks: int) -> float:
        """The part of the network that a rank has in the mean."""
        return 1.0 / n_ranks

    def largest_share(self, n_ranks: int) -> float:
        """The part of the rank with most: ranks have whole tiles, of which there may be few."""
        return math.ceil(self.tiles / n_ranks) / self.tiles

    def neighbours(self, n_ranks: int) -> float:
        """Other ranks that one receives spikes from."""
        if n_ranks == 1 or self.exchange == "allgather" or self.reach is None:
            return n_ranks - 1.0
        side = math.sqrt(self.largest / n_ranks)
        return min(n_ranks - 1.0, (2.0 * math.ceil(self.reach / side) + 1.0) ** 2 - 1.0)

    def around(self, share: float) -> float:
        """Neurons of others that a rank with this part of the network can be wired to, as a part of all: those of whole
        tiles around a square of its own, or all of them."""
        others = 1.0 - share
        if self.reach is None:
            return others
        own, tile = self.largest * share, math.sqrt(self.largest / self.tiles)
        margin = math.ceil(self.reach / tile) * tile
        return min(others, ((math.sqrt(own) + 2.0 * margin) ** 2 - own) / self.largest)

    def foreign_spikes(self, n_ranks: int, share: float) -> float:
        """Spikes of others that a rank looks at in a step: all of them, or those of neurons within reach."""
        if n_ranks == 1:
            return 0.0
        return self.spikes * (1.0 - share if self.exchange == "allgather" else self.around(share))

    def block_bytes(self, n_ranks: int) -> float:
        """Bytes of the block that a rank sends to each that it exchanges with: by its neurons, or those known there."""
        share = self.mean_share(n_ranks)
        known = share if self.exchange == "allgather" else self.around(share) / max(self.neighbours(n_ranks), 1.0)
        return _BYTES_A_WORD * (1.0 + block_size(round(self.neurons * known), self.exchange_steps, None))


@dataclass(frozen=True)
class RankWork:
    """What one rank has to do in a step; ``exchanges`` is how many there are in a step, 0 for a rank alone."""

    neurons: float
    delivered: float
    posts: float
    attempts: float
    foreign: float
    exchanges: float


def rank_work(
    work: NetworkWork, n_ranks: int, share: float, *, neurons: float | None = None, synapses: float | None = None
) -> RankWork:
    """The work of a rank that has this part of the network, or as many neurons and this part of the synapses."""
    of_synapses = share if synapses is None else synapses
    own = work.neurons * share if neurons is None else neurons
    return RankWork(
        own,
        work.delivered * of_synapses,
        work.posts * of_synapses,
        work.attempts * own / work.neurons,
        work.foreign_spikes(n_ranks, share),
        0.0 if n_ranks == 1 else 1.0 / work.exchange_steps,
    )


class Pathway(BaseModel):
    """A projection, as far as work in it goes; ``in_degree`` is that of its first wiring."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    source: str
    target: str
    in_degree: float = Field(ge=0)
    plastic: bool


class NetworkShape(BaseModel):
    """What the work of a network follows from once it is known how often neurons spike; plain data.

    ``sizes`` are by population and ``projections`` by projection; for the others see `NetworkWork`.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    dt_ms: float = Field(gt=0)
    sizes: dict[str, int] = Field(min_length=1)
    sides: dict[str, tuple[int, int]]
    projections: dict[str, Pathway]
    attempts: float = Field(ge=0)
    tiles: int = Field(ge=1)
    reach: float | None = Field(ge=0)
    exchange_steps: int = Field(ge=1)
    exchange: Exchange

    @classmethod
    def of(cls, network: Network, tile: int, way: str = "auto") -> NetworkShape:
        """The shape of a network that is cut into tiles of this side, and whose ranks exchange spikes this way."""
        populations, projections = network.populations, network.projections
        tiling = Tiling.of(max(populations.values(), key=lambda one: one.size).grid, tile)
        reaches = [one.reach for one in projections.values()]
        bounded = [reach for reach in reaches if reach is not None]
        return cls(
            dt_ms=network.dt_ms,
            sizes={name: one.size for name, one in populations.items()},
            sides={name: (one.grid.nx, one.grid.ny) for name, one in populations.items()},
            projections={
                name: Pathway(
                    source=one.source.name,
                    target=one.target.name,
                    in_degree=one.expected_in_degree,
                    plastic=bool(one.synapse.model.on_post_spike),
                )
                for name, one in projections.items()
            },
            attempts=sum(_attempts(network, one) for one in projections.values()),
            tiles=tiling.tiles_x * tiling.tiles_y,
            reach=None if len(bounded) < len(reaches) else max(bounded, default=0.0),
            exchange_steps=network.exchange_steps(),
            exchange="neighbours" if way != "allgather" and has_neighbours(network) else "allgather",
        )

    def work(self, rates_hz: Mapping[str, float], synapses: Mapping[str, float] | None = None) -> NetworkWork:
        """The work where populations spike at these rates.

        Args:
            rates_hz: by population, all of them.
            synapses: by projection, as a run counted them; None: as many as connectors make.
        """
        step_s = self.dt_ms * 1e-3
        ways = [
            (one, one.in_degree * self.sizes[one.target] if synapses is None else synapses[name])
            for name, one in self.projections.items()
        ]
        return NetworkWork(
            neurons=sum(self.sizes.values()),
            synapses=sum(count for _, count in ways),
            spikes=sum(size * rates_hz[name] for name, size in self.sizes.items()) * step_s,
            delivered=sum(count * rates_hz[one.source] for one, count in ways) * step_s,
            posts=sum(count * rates_hz[one.target] for one, count in ways if one.plastic) * step_s,
            attempts=self.attempts,
            largest=max(self.sizes.values()),
            tiles=self.tiles,
            reach=self.reach,
            exchange_steps=self.exchange_steps,
            exchange=self.exchange,
        )


def _attempts(network: Network, projection: Projection) -> float:
    """Pairs, or synapses, that a rule looks at in a step."""
    if projection.rewiring is None:
        return 0.0
    rule, values = projection.rewiring.model, projection.rewiring.values
    if rule.trigger == "call":
        return 0.0
    updates = 1.0 / network.update_steps(projection)
    if not rule.attempts:  # it looks at each synapse, or at each target
        looked_at = projection.expected_in_degree if rule.select.every_synapse else 1.0
        return projection.target.size * looked_at * updates
    grid, side = projection.target.grid, values["block_side"]
    blocks = math.ceil(grid.nx / side) * math.ceil(grid.ny / side)
    return float(blocks * values["attempts"] * updates)
