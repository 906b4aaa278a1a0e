"""Whether the grids of a projection fit what is asked of them: places, distances, and how many of these there are."""

from __future__ import annotations

from hpcsnn.errors import ConfigurationError, shown
from hpcsnn.models.base import GRID_UNITS
from hpcsnn.models.distance_profiles import MOST_SQUARED
from hpcsnn.network.places.lattice import Lattice
from hpcsnn.network.places.positions import MOST_POINTS
from hpcsnn.network.population import Population
from hpcsnn.network.projection import Projection


def check_grids(where: str, projection: Projection) -> None:
    """Refuse grids between which a connector or rule knows no distances, or more of them than kernels count.

    Raises:
        ConfigurationError: the message names the field, the value and what is allowed.
    """
    connector = projection.connector.model
    on_none = [one for one in (projection.source, projection.target) if one.grid.positions is not None]
    if on_none and projection.measures:
        _check_positions(where, projection, on_none)
    elif projection.grid_lattice is not None:
        _check_lattice(where, projection, projection.grid_lattice)
    _check_reach(where, projection)
    if connector.check_sizes is not None:
        name = f"{where}.connector.{connector.name}"
        connector.check_sizes(name, projection.connector.values, projection.source.size, projection.target.size)


def _check_positions(where: str, projection: Projection, on_none: list[Population]) -> None:
    """Refuse positions that have no distances between them, and models that know nothing of positions."""
    first, *others = on_none
    assert first.grid.positions is not None
    resolution = first.grid.positions.resolution
    if not others:
        other = projection.target if first is projection.source else projection.source
        raise ConfigurationError(
            f"{where}: {first.name} has positions and {other.name} has none; distances need two grids or two "
            "populations with positions"
        )
    for what in ("dimensions", "resolution"):
        source, target = (getattr(one.grid.positions, what) for one in on_none)
        if source != target:
            raise ConfigurationError(
                f"{where}: positions of {projection.source.name} with {what} {source:g} do not fit positions of "
                f"{projection.target.name} with {what} {target:g}; distances need equal {what}"
                + ("s" if what == "resolution" else "")
            )
    _check_models(where, projection, "populations with positions", "")
    rule = projection.rewiring
    if rule is not None and rule.model.attempts and rule.values["block_side"] != 1:
        raise ConfigurationError(
            f"{where}.rewiring.{rule.name}.block_side: {rule.values['block_side']} is not allowed between populations "
            "with positions; must be 1, as each target is a block"
        )
    for part, configured in projection.parts.items():
        for length in configured.model.lengths if part in ("connector", "rewiring") else ():
            points = configured.values[length] / resolution
            if configured.model.parameters[length].ctype == "int" and abs(points - round(points)) > 1e-9 * points:
                raise ConfigurationError(
                    f"{where}.{part}.{configured.name}.{length}: {configured.values[length]} is not allowed with "
                    f"positions to {resolution:g}; a whole number of grid units must be a multiple of it"
                )


def _check_models(where: str, projection: Projection, between: str, grids: str) -> None:
    """Refuse a connector or rule that knows nothing of neurons but on one grid; `grids` says which ones they are on."""
    connector, rule = projection.connector, projection.rewiring
    blind, measures = {"connector": connector.model.needs_equal_grids}, {"connector": connector.model.measures}
    if rule is not None:
        select = rule.model.select
        sees = select.unequal_grids if projection.free_lattice is None else select.free_positions
        blind["rewiring"], measures["rewiring"] = rule.model.attempts and not sees, rule.model.measures
    for part in blind:
        configured = projection.parts[part]
        name = f"{where}.{part}.{configured.name}"
        if blind[part]:
            raise ConfigurationError(
                f"{name}: is not allowed between {between}, as it finds sources by their displacement on one grid"
                + grids
            )
        if measures[part] and not configured.model.lengths:
            raise ConfigurationError(
                f"{name}: is not allowed between {between}; it has distances but no parameter in {GRID_UNITS}, so that "
                f"nothing says how long they are{grids}"
            )


def _check_lattice(where: str, projection: Projection, lattice: Lattice) -> None:
    """Refuse unequal grids that are not over each other, and models that know nothing of unequal grids."""
    source, target = lattice.source, lattice.target
    of_source, of_target = f"source grid {source.nx} x {source.ny}", f"target grid {target.nx} x {target.ny}"
    numbered = [one.name for one in (projection.source, projection.target) if not one.grid.has_places]
    if numbered:
        raise ConfigurationError(
            f"{where}: {of_source} does not fit {of_target}: the neurons of {' and '.join(numbered)} have numbers and "
            "no places; distances need two grids"
        )
    if source.borders != target.borders:
        raise ConfigurationError(
            f"{where}: source grid with {source.borders} borders does not fit target grid with {target.borders} ones; "
            "distances need equal borders"
        )
    _check_models(where, projection, "unequal grids", f"; {of_source} does not fit {of_target}")
    furthest = max(axis.period for axis in lattice.axes)
    if furthest > MOST_POINTS:
        raise ConfigurationError(
            f"{where}: {of_source} does not fit {of_target}: the lattice that both are on has {lattice.fineness} "
            f"points to a grid unit and {furthest} along a side, with the way back where borders are open; at most "
            "2^30 are allowed: sides with a larger common divisor have fewer"
        )


def _check_reach(where: str, projection: Projection) -> None:
    """Refuse a connector or rule whose squared distances are more than kernels count."""
    lattice = projection.lattice
    unit = "" if lattice is None else f" in points of which {lattice.fineness:g} are a grid unit"
    for part, reach in (
        ("connector", projection.connector_reach_squared),
        ("rewiring", projection.rewiring_reach_squared),
    ):
        if reach is not None and reach > MOST_SQUARED:
            name = f"{where}.{part}.{projection.parts[part].name}"
            of = ", ".join(f"{key} {shown(value)}" for key, value in projection.parts[part].values.items())
            raise ConfigurationError(
                f"{name}: squared distances up to {reach:g}{unit} are not allowed ({of}); at most 2^25, as there is a "
                "chance for each"
            )
    rule, target = projection.rewiring, projection.target.grid
    if rule is not None and rule.model.uses_places:
        furthest = (lattice or Lattice(projection.source.grid, target)).furthest_squared
        if furthest >= 2**31 and projection.free_lattice is not None:
            raise ConfigurationError(
                f"{where}.rewiring.{rule.name}: positions are too far from each other for a rule that looks at "
                f"distances; the largest squared distance is {furthest}{unit}, at most 2^31 - 1 is allowed: a coarser "
                "resolution has fewer points"
            )
        if furthest >= 2**31:
            raise ConfigurationError(
                f"{where}.rewiring.{rule.name}: the grid {target.nx} x {target.ny} is too wide for a rule that looks "
                f"at distances; the largest squared distance is {furthest}{unit}, at most 2^31 - 1 is allowed"
            )
