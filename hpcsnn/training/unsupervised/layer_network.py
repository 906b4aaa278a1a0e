"""What a configuration must be so that a layer of hypercolumns can learn, and the network of that layer alone."""

from __future__ import annotations

from hpcsnn.errors import ConfigurationError, unknown_name
from hpcsnn.models.base import Configured
from hpcsnn.models.connectors import AllToAll
from hpcsnn.models.grouped.unsupervised import UnsupervisedRule
from hpcsnn.models.stimuli import SampleInput
from hpcsnn.models.synapses import Static
from hpcsnn.network import Network, Projection
from hpcsnn.network.unsupervised.hypercolumns import Hypercolumns

# Of neurons in a row: parts of ranks are then as fine as hypercolumns are.
TILE = 1


def learning_projection(network: Network, readout: str) -> Projection:
    """The projection whose weights are learnt: the one there is, from the samples to the hypercolumns.

    Raises:
        ConfigurationError: other populations or projections, models or wiring; names it and says what is allowed.
    """
    if readout not in network.populations:
        raise ConfigurationError(unknown_name("readout", readout, network.populations))
    population = network.populations[readout]
    state = {variable.name for variable in population.state}
    if not population.group_size or not {"bias", "activity"} <= state:
        raise ConfigurationError(
            f"populations.{readout}.model: {population.model.name} is not allowed with an unsupervised rule; must be "
            "softmax_unit, whose group_size is that of a hypercolumn"
        )
    if population.grid.ny != 1:
        raise ConfigurationError(f"populations.{readout}: must have a size, and no grid, with an unsupervised rule")
    others = [one for one in network.populations.values() if one.name != readout]
    if len(others) != 1 or others[0].model.model is not SampleInput:
        names = ", ".join(one.name for one in others) or "none"
        raise ConfigurationError(
            f"populations: {names} beside {readout} is not allowed with an unsupervised rule; must be one of "
            "sample_input"
        )
    found = list(network.projections.values())
    if len(found) != 1 or (found[0].source, found[0].target) != (others[0], population):
        names = ", ".join(network.projections) or "none"
        raise ConfigurationError(
            f"projections: {names} is not allowed with an unsupervised rule; must be one from {others[0].name} to "
            f"{readout}"
        )
    (one,) = found
    for what, there, needed in (
        ("connector", one.connector, AllToAll),
        ("synapse", one.synapse, Static),
        ("rewiring", one.rewiring, None),
    ):
        if (there.model if there else None) is not needed:
            name = there.name if there else "none"
            raise ConfigurationError(
                f"projections.{one.name}.{what}: {name} is not allowed with an unsupervised rule, which says what is "
                f"wired and what it weighs; must be {needed.name if needed else 'null'}"
            )
    return one


def layer_network(network: Network, readout: str, rule: Configured[UnsupervisedRule], batch: int) -> Network:
    """The hypercolumns alone, as they learn `batch` patterns at a time.

    Raises:
        ConfigurationError: as `learning_projection`; or a rule that does not fit the sizes.
    """
    projection = learning_projection(network, readout)
    n_inputs, where, values = projection.source.size, f"unsupervised.{rule.name}", rule.values
    units = values["source_units"]
    if n_inputs % units:
        raise ConfigurationError(
            f"{where}.source_units: {units} is not allowed; must be a divisor of {n_inputs}, the size of "
            f"populations.{projection.source.name}"
        )
    if values["connections"] > n_inputs // units:
        raise ConfigurationError(
            f"{where}.connections: {values['connections']} is not allowed; the source has {n_inputs // units} "
            "hypercolumns: must be at most as many"
        )
    if batch > 20.0 * values["tau_patterns"]:  # what is kept divided by the decay would outgrow float32
        raise ConfigurationError(
            f"batch: {batch} is not allowed; must be at most 20 times {where}.tau_patterns ({values['tau_patterns']:g})"
        )
    population = projection.target
    layer = Network(network.seed, network.dt_ms)
    layer.add_population(readout, population.grid, population.model)
    layer.hypercolumns = Hypercolumns(readout, population.group_size, n_inputs, batch, rule)
    return layer
