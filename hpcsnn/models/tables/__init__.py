"""Arrays that the host makes for a model's snippets, and what they may depend on."""

from hpcsnn.models.tables.context import PlacementContext, Table

__all__ = ["PlacementContext", "Table"]
