"""Arrays with a value per neuron: which a population has, where a checkpoint keeps them, what they are called there.

Folders of a checkpoint are named here and in `hpcsnn.network.fields`, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from hpcsnn.network.fields import TRACE, Field, Neurons, population_fields, projection_fields
from hpcsnn.network.network import Network
from hpcsnn.network.population import Population
from hpcsnn.network.projection import Projection

# Folders of a checkpoint whose arrays are counted in the digest, and what stands before a variable's name in the
# columns of `Simulation.neurons`.
COUNTED = {"state": "", "receptor": "", "rule/target": "target.", "rule/source": "source."}


@dataclass(frozen=True)
class NeuronArray:
    """An array that holds a value of each neuron of one population, its own or that of a projection.

    Attributes:
        name: in `RankState.arrays`.
        path: of its entries in a checkpoint; empty: not kept.
        projection: whose it is, if it is not the population's own.
    """

    name: str
    path: str
    field: Field
    projection: Projection | None = None


def neuron_arrays(network: Network, population: Population) -> Iterator[NeuronArray]:
    """The arrays with a value for each neuron of a population; entries of neurons that the rank owns come first."""
    for field in population_fields(population):
        if field.neurons is not None:
            yield _neuron_array("populations", population.name, field, None)
    for projections, here in (
        (network.incoming(population), (Neurons.TARGET,)),
        (network.outgoing(population), (Neurons.SOURCE, Neurons.KNOWN_SOURCE)),
    ):
        for projection in projections:
            for field in projection_fields(projection):
                if field.neurons in here:
                    yield _neuron_array("projections", projection.name, field, projection)


def _neuron_array(kind: str, owner: str, field: Field, projection: Projection | None) -> NeuronArray:
    path = f"{kind}/{owner}/{field.disk}" if field.disk else ""
    return NeuronArray(f"{owner}.{field.name}", path, field, projection)


def column_of(path: str) -> str | None:
    """The column of `Simulation.neurons` that holds an array of a checkpoint; None: it is not counted in the digest.

    A population's own variable has its name, a receptor's ``projection.variable``, and a rule's
    ``projection.source.variable`` or ``projection.target.variable``.
    """
    kind, _, rest = path.partition("/")
    owner, _, inside = rest.partition("/")
    folder, _, name = inside.rpartition("/")
    if folder not in COUNTED:
        return None
    return f"{COUNTED[folder]}{name}" if kind == "populations" else f"{owner}.{COUNTED[folder]}{name}"


def entries_on_disk(array: NeuronArray, values: NDArray[Any], step: int) -> dict[str, NDArray[Any]]:
    """Paths in a checkpoint, and for each a view of `values` (the array as a device has it), one entry per neuron."""
    if array.field.ctype == "Trace":
        traces = values.view(TRACE)
        return {f"{array.path}.{part}": traces[part] for part in ("value", "last")}
    if array.projection is not None and array.field.name == "input":
        assert array.projection.input_ring is not None
        ahead = array.projection.input_ring.ahead(values, step)
        return {f"{array.path}/{k}": one for k, one in enumerate(ahead)}
    return {array.path: values}
