"""The struct and the kernels of a layer of hypercolumns."""

from __future__ import annotations

from hpcsnn.codegen.structs import Struct, each_member, pointers
from hpcsnn.network.unsupervised.hypercolumns import Hypercolumns, hypercolumn_fields

# Each is run by the host, when there is something for it to do.
HYPERCOLUMN_KERNELS = (
    *("begin_units", "make_weights", "add_support", "compete", "learn_units", "learn_inputs", "scale_units"),
    "inform",
)


def hypercolumns_struct(layer: Hypercolumns) -> Struct:
    """A rank's part of a layer."""
    numbers = ("n_groups", "size", "n_inputs", "source_units", "connections", "n_patterns", "shown")
    reals = ("rate", "gain", "keep", "least_probability", "least_activity", "initial_spread")
    members = [*each_member("int", *numbers), *each_member("float", *reals), *pointers(hypercolumn_fields(layer))]
    return Struct("Hypercolumns", members)
