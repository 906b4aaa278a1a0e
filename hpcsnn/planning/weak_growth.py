"""Networks that grow with the number of ranks, so that each rank has as many neurons: what weak scaling is measured on.

All grids grow by the same factors, along x and y, from the smallest network of the same proportions; connectors, rates
and everything else stay. A network of which that would make another one, such as one whose targets would have more
synapses, is refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from hpcsnn.configuration.schema import Configuration
from hpcsnn.errors import ConfigurationError
from hpcsnn.models.currents import NEURONS
from hpcsnn.network import Network

# How far the neurons of a rank may be from what was asked for, how long a grid may be beside its proportions, and how
# far in-degrees may differ between the smallest and the largest network, as parts of one.
_NEAR, _LONGEST, _SAME_DEGREE = 0.1, 4.0, 0.02
_FIELD = "field_side"


@dataclass(frozen=True)
class Grown:
    """A network for so many ranks: the sides of each population (its ``size`` alone, where it has no places).

    ``neurons_a_rank`` is of the largest population.
    """

    ranks: int
    sides: Mapping[str, tuple[int, ...]]
    neurons_a_rank: float

    def overrides(self) -> list[str]:
        """What it is as overrides of the configuration."""
        said = ["scale=1"]
        for name, sides in self.sides.items():
            said.append(f"populations.{name}." + (f"grid={list(sides)}" if len(sides) == 2 else f"size={sides[0]}"))
        return said

    def applied(self, configuration: Configuration) -> Configuration:
        """The configuration with these sides."""
        populations = {
            name: one.model_copy(
                update={"grid": sides, "size": None} if len(sides := self.sides[name]) == 2 else {"size": sides[0]}
            )
            for name, one in configuration.populations.items()
        }
        return configuration.model_copy(update={"scale": 1, "populations": populations})


def grown_networks(configuration: Configuration, per_rank: int, ranks: Sequence[int]) -> list[Grown]:
    """For each number of ranks the network whose largest population has nearest to `per_rank` neurons a rank.

    Raises:
        ConfigurationError: it cannot grow, or there is none near enough; says why, and what is near.
    """
    network = configuration.network()
    _check_grows(network)
    shapes = {
        name: (one.size,) if one.size is not None else tuple(one.grid or ())
        for name, one in configuration.populations.items()
    }
    unit = _Unit.of(network, shapes)
    grown = [unit.nearest(per_rank, n_ranks) for n_ranks in ranks]
    _check_same_density(configuration, sorted(grown, key=lambda one: one.ranks))
    return grown


@dataclass(frozen=True)
class _Unit:
    """The smallest network of the same proportions, by the sides of its populations; its largest has ``neurons``.

    It may be repeated along x and y, and only along x unless ``two_ways``. Sizes without places, which are those of the
    configuration, have so many ``cells``.
    """

    sides: Mapping[str, tuple[int, ...]]
    cells: int
    two_ways: bool
    neurons: int
    proportion: float

    @classmethod
    def of(cls, network: Network, shapes: Mapping[str, tuple[int, ...]]) -> _Unit:
        grids = {name: sides for name, sides in shapes.items() if len(sides) == 2}
        field = reduce(math.lcm, _fields(network), 1)
        divisor = [reduce(math.gcd, (sides[axis] for sides in grids.values()), 0) or 1 for axis in (0, 1)]
        for axis in (0, 1):  # each side of a unit is a whole number of fields
            while divisor[axis] > 1 and any(sides[axis] // divisor[axis] % field for sides in grids.values()):
                divisor[axis] = _next_divisor(divisor[axis])
        two_ways = bool(grids) and all(sides[1] > 1 for sides in grids.values())
        if grids and not two_ways:
            divisor[1] = 1
        cells = divisor[0] * divisor[1] if grids else reduce(math.gcd, (sides[0] for sides in shapes.values()))
        sides: dict[str, tuple[int, ...]] = {
            name: (given[0] // divisor[0], given[1] // divisor[1]) if len(given) == 2 else (given[0],)
            for name, given in shapes.items()
        }
        if not grids:
            sides = {name: (given[0] // cells,) for name, given in shapes.items()}
            cells = 1
        largest = max(shapes, key=lambda name: math.prod(shapes[name]))
        neurons = math.prod(sides[largest]) if largest in grids or not grids else shapes[largest][0] // cells
        wide = next(iter(grids.values()), (1, 1))
        return cls(sides, cells if grids else 1, two_ways, max(neurons, 1), wide[0] / wide[1])

    def nearest(self, per_rank: int, n_ranks: int) -> Grown:
        """The network for so many ranks that is nearest to so many neurons for each."""
        wanted = per_rank * n_ranks / self.neurons
        fits = [one for one in self._around(wanted) if self._whole(*one)]
        best = min(fits, key=lambda one: (abs(one[0] * one[1] - wanted), self._length(*one)), default=None)
        if best is None or abs(best[0] * best[1] - wanted) > _NEAR * wanted:
            near = sorted({round(x * y * self.neurons / n_ranks) for x, y in fits}, key=lambda one: abs(one - per_rank))
            said = " or ".join(f"{one:,}" for one in sorted(near[:2])) or f"{self.neurons:,} or more"
            raise ConfigurationError(
                f"--per-rank: {per_rank:,} is not allowed; on {n_ranks} rank{'s' if n_ranks > 1 else ''} the nearest "
                f"networks of these proportions have {said} neurons of the largest population for each"
            )
        x, y = best
        sides = {
            name: (given[0] * x, given[1] * y) if len(given) == 2 else (given[0] * x * y // self.cells,)
            for name, given in self.sides.items()
        }
        return Grown(n_ranks, sides, x * y * self.neurons / n_ranks)

    def _around(self, wanted: float) -> Iterator[tuple[int, int]]:
        """How often the unit may be repeated along x and y, to be near so many times."""
        if not self.two_ways:
            yield from ((x, 1) for x in {max(1, math.floor(wanted)), max(1, math.ceil(wanted))})
            return
        for x in range(1, math.ceil(_LONGEST * math.sqrt(wanted + 1)) + 1):
            for y in {max(1, math.floor(wanted / x)), max(1, math.ceil(wanted / x))}:
                if self._length(x, y) <= _LONGEST:
                    yield x, y

    def _length(self, x: int, y: int) -> float:
        """How many times longer one way than the other, beside the proportions of the network as it is configured."""
        first = next(sides for sides in self.sides.values() if len(sides) == 2) if self.two_ways else (1, 1)
        stretched = first[0] * x / (first[1] * y) / self.proportion
        return max(stretched, 1.0 / stretched)

    def _whole(self, x: int, y: int) -> bool:
        return all(given[0] * x * y % self.cells == 0 for given in self.sides.values() if len(given) == 1)


def _fields(network: Network) -> list[int]:
    """Sides of the fields that stimuli repeat: a grid is a whole number of them, or some repeat in part."""
    values: list[Any] = [one.model.values.get(_FIELD) for one in network.populations.values()]
    return [int(one) for one in values if one is not None]


def _next_divisor(number: int) -> int:
    return next(number // n for n in range(2, number + 1) if number % n == 0)


def _check_grows(network: Network) -> None:
    """Refuse what is of certain neurons: there is no telling what it would be of more."""
    for name, population in network.populations.items():
        if "neurons" in population.model.model.data:
            raise _cannot(f"populations.{name}.model.{population.model.name}", "is of certain neurons")
        lists = population.model.values
        if any(getattr(value, "ndim", 0) == 2 for value in lists.values()):
            raise _cannot(f"populations.{name}.model.{population.model.name}", "has a list for each neuron")
        for number, one in enumerate(population.stimulations):
            if one.ids is not None:
                raise _cannot(f"populations.{name}.stimulate[{number}].{NEURONS}", "is onto certain neurons")
    for name, projection in network.projections.items():
        if projection.connector.model.listed is not None:
            raise _cannot(f"projections.{name}.connector.{projection.connector.name}", "lists certain synapses")


def _check_same_density(configuration: Configuration, grown: Sequence[Grown]) -> None:
    """See that targets have as many synapses in the largest network as in the smallest."""
    networks = []
    for one in (grown[0], grown[-1]):
        try:
            networks.append(one.applied(configuration).network())
        except ConfigurationError as error:
            raise ConfigurationError(f"the network cannot grow: {error}") from None
    smallest, largest = networks
    for name, projection in smallest.projections.items():
        before, after = projection.expected_in_degree, largest.projections[name].expected_in_degree
        if abs(after - before) > _SAME_DEGREE * max(before, 1e-9):
            raise _cannot(
                f"projections.{name}.connector.{projection.connector.name}",
                f"would make {after:.4g} synapses a target on {grown[-1].ranks} ranks, and makes {before:.4g} on "
                f"{grown[0].ranks}; use fixed_in_degree or gaussian, on grids wider than it reaches",
            )


def _cannot(where: str, why: str) -> ConfigurationError:
    return ConfigurationError(f"{where}: {why}, so that the network cannot grow with ranks: use hpcsnn scale strong")
