"""What the arrays of a checkpoint are to whoever reads them: dimensions, units, meanings, as xarray and CF have them.

Arrays in one folder, and in those below it, share a dimension where they share what it counts: ``y, x`` of a
population, ``target_y, target_x`` and ``source_y, source_x`` of a projection's neurons, ``shard, place`` of its
synapses. So a folder is a Dataset, and a checkpoint a DataTree.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from hpcsnn.models.base import Variable
from hpcsnn.network import Network, Projection
from hpcsnn.network.neuron_arrays import NeuronArray, neuron_arrays
from hpcsnn.storage.packed.arrays import Description

_STEPS, _SYNAPSES = "steps", "synapses"
_OF_SOURCES = (["pre"], ["rule", "source"])


def free_name(name: str, taken: Collection[str]) -> str:
    """A name for a dimension that no array beside it has: one of two dimensions cannot have the name of either."""
    while name in taken:
        name += "_"
    return name


def dimensions_of(path: str, beside: Collection[str] = ()) -> tuple[str, ...]:
    """Names of the dimensions of a checkpoint's array.

    Args:
        beside: names of all arrays in its folder, which users may have chosen.
    """
    kind, _, *folder, name = path.split("/")
    if kind == "populations" and not folder and name != "next_spike":
        return {"spikes_per_bin": ("bin",), "in_flight": ("spike", "column")}[name]
    if kind == "populations":
        names = ("y", "x")
    elif folder == ["synapse"]:
        names = ("shard", "place")
    else:
        names = ("source_y", "source_x") if folder in _OF_SOURCES else ("target_y", "target_x")
    return tuple(free_name(one, beside) for one in names)


def descriptions(network: Network) -> dict[str, Description]:
    """What each array of a network's checkpoints is, by its path."""
    attributes = dict(_attributes(network))
    folders: dict[str, set[str]] = {}
    for path in attributes:
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder, set()).add(name)
    return {
        path: Description(dimensions_of(path, folders[path.rpartition("/")[0]]), about)
        for path, about in attributes.items()
    }


def _attributes(network: Network) -> Iterator[tuple[str, dict[str, object]]]:
    for name, population in network.populations.items():
        folder = f"populations/{name}"
        yield f"{folder}/spikes_per_bin", {"units": "spikes", "long_name": "spikes in each bin of bin_ms"}
        yield f"{folder}/in_flight", {"long_name": "spikes still on their way", "columns": ["step", "neuron"]}
        for array in neuron_arrays(network, population):
            if array.path:
                yield from _of_neurons(array)
    for projection in network.projections.values():
        yield from _of_synapses(projection)


def _of_neurons(array: NeuronArray) -> Iterator[tuple[str, dict[str, object]]]:
    """As `hpcsnn.network.neuron_arrays.entries_on_disk` names them."""
    if array.field.ctype == "Trace":
        trace = array.path.rpartition("/")[2]
        yield f"{array.path}.value", {"long_name": f"trace {trace} at the last spike"}
        yield f"{array.path}.last", {"units": _STEPS, "long_name": f"step of the last spike in trace {trace}"}
    elif array.field.variable is not None:
        yield array.path, about_variable(array.field.variable)
    elif array.projection is not None and array.projection.input_ring is not None:
        for k in range(array.projection.input_ring.n_ahead):
            yield f"{array.path}/{k}", {"long_name": f"input that arrives {k} steps on, in fixed point"}
    else:
        yield array.path, {"units": _STEPS, "long_name": "step of the next spike"}


def _of_synapses(projection: Projection) -> Iterator[tuple[str, dict[str, object]]]:
    folder = f"projections/{projection.name}"
    yield f"{folder}/in_degree", {"units": _SYNAPSES, "long_name": "in-degree"}
    yield f"{folder}/synapse/source", {"long_name": "source neuron"}
    for variable in projection.synapse_columns:
        yield f"{folder}/synapse/{variable.name}", about_variable(variable)


def about_variable(variable: Variable) -> dict[str, object]:
    """Unit and meaning of a model's variable, as attributes."""
    units: dict[str, object] = {"units": variable.unit} if variable.unit else {}
    return {**units, "long_name": variable.doc or variable.name}
