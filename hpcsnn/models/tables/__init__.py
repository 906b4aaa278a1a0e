"""Arrays that the host makes for a model's snippets, and what they may depend on."""

from hpcsnn.models.tables.context import PlacementContext, Table
from hpcsnn.models.tables.lattice_axis import LatticeAxis

__all__ = ["LatticeAxis", "PlacementContext", "Table"]
