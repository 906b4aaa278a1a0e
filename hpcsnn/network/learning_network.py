"""The network as it is simulated while it learns."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hpcsnn.errors import ConfigurationError, check_known
from hpcsnn.models.base import Configured, Derived
from hpcsnn.models.neurons import NeuronModel
from hpcsnn.models.stimuli import SampleInput
from hpcsnn.models.synapses import Trained
from hpcsnn.network.checks.learning import check_learning
from hpcsnn.network.learning import Learning, added_state, gradient_of
from hpcsnn.network.population import Population

if TYPE_CHECKING:
    from hpcsnn.network.network import Network


def learning_network(network: Network, learning: Learning) -> Network:
    """The network as it is simulated while it learns: neurons keep their surrogate gradient, synapses the optimiser's
    variables.

    Raises:
        ConfigurationError: what cannot be trained; names the population or projection, and what is allowed.
    """
    check_known("readout", learning.readout, network.populations)
    readout = network.populations[learning.readout]
    if readout.is_source:
        raise ConfigurationError(
            f"readout: {readout.name!r} spikes by itself ({readout.model.name}); must be a population of neurons with "
            "an output"
        )
    learning.rule.check_steps(f"learning.{learning.rule.name}", network.dt_ms)
    for part in (learning.rule, learning.optimiser, learning.loss):
        lists = (*part.model.tables, *part.model.data)
        if lists:
            raise ConfigurationError(
                f"{part.model.KIND} {part.name}: has {', '.join(lists)}, but tables and lists are of populations and "
                "projections; must have parameters and derived constants alone"
            )
    other = type(network)(network.seed, network.dt_ms)
    other.learning = learning
    for name, population in network.populations.items():
        other.populations[name] = replace(population, model=_learning_neurons(population, learning))
    for name, projection in network.projections.items():
        source, target = (other.populations[end.name] for end in (projection.source, projection.target))
        synapse = projection.synapse
        if synapse.model is Trained:
            variables = (*synapse.model.variables, *learning.optimiser.model.variables)
            synapse = replace(synapse, model=replace(synapse.model, variables=variables))
        other.projections[name] = replace(projection, source=source, target=target, synapse=synapse)
    check_learning(network, learning, other)
    return other


def _learning_neurons(population: Population, learning: Learning) -> Configured[Any]:
    configured = population.model
    if population.is_source:
        if configured.model is not SampleInput:
            raise ConfigurationError(
                f"populations.{population.name}.model: {configured.name} is not allowed in a training; sources must be "
                f"{SampleInput.name}"
            )
        return configured
    gradient, model = gradient_of(population), configured.model
    assert isinstance(model, NeuronModel)
    for word in ("random", "step"):
        if model.mentions(word):
            raise ConfigurationError(
                f"populations.{population.name}.model: {model.name} is not allowed in a training; its snippets see "
                f"{word!r}, which is another wherever a sample is played: must go by state, input and parameters"
            )
    readout = population.name == learning.readout
    if readout != bool(gradient.output):
        allowed = "a neuron model with an output, such as leaky_readout" if readout else "a model whose neurons spike"
        raise ConfigurationError(f"populations.{population.name}.model: {model.name} is not allowed; must be {allowed}")
    if readout:
        variables = tuple(
            replace(one, name=f"{trained}_{one.name}", doc=f"of {trained}: {one.doc}")
            for trained in gradient.trained
            for one in learning.optimiser.model.variables
        )
        return replace(configured, model=replace(model, state=(*model.state, *variables)))
    rule = learning.rule
    derived = {"surrogate_height": Derived(f"({rule.values.get('dampening', 1.0)!r}) / ({gradient.width})")}
    # The kernel of the step goes on with what the gradient and the rule record of it (kernels/learning/step.cu).
    update, reset = model.update, model.reset
    if learning.follows_rates:
        derived["rate_decay"] = Derived(f"exp(-dt_ms / {rule.values['tau_rate_ms']!r})", vanishes=True)
        update += "\nfiltered_rate = flushed(filtered_rate * rate_decay);\n"
        reset += " filtered_rate += 1.0f - rate_decay;"
    state = (*model.state, *added_state(learning, gradient))
    grown = replace(model, state=state, update=update, reset=reset, derived={**model.derived, **derived})
    return replace(configured, model=grown)
