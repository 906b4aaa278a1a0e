"""What a network learns by, what is trained of it, and how errors come back in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hpcsnn.errors import ConfigurationError
from hpcsnn.models.base import Configured, Variable
from hpcsnn.models.learning import Gradient, LearningRule, Loss, Optimiser
from hpcsnn.models.neurons import NeuronModel
from hpcsnn.models.synapses import Trained
from hpcsnn.network.population import Population
from hpcsnn.network.projection import Projection

if TYPE_CHECKING:
    from hpcsnn.network.network import Network

# What training adds to the state of a hidden neuron.
PSEUDO_DERIVATIVE = Variable("pseudo_derivative", 0.0, "", doc="surrogate gradient of the step")
FILTERED_RATE = Variable("filtered_rate", 0.0, "spikes / step", doc="low-pass filtered spikes")


@dataclass(frozen=True)
class Learning:
    """What a network learns by.

    ``readout`` is the population that answers are read off; all samples run for ``sample_steps`` steps, as many at a
    time as there are ``replicas`` of the network, which share its weights. What gradients need of each step is recorded
    for ``window_steps`` steps at a time (None: for the whole sample). Where it ``carries_state``, a sample begins with
    the state in which the one before it in its place of the batch has ended.
    """

    readout: str
    sample_steps: int
    rule: Configured[LearningRule]
    optimiser: Configured[Optimiser]
    loss: Configured[Loss]
    replicas: int = 1
    window_steps: int | None = None
    carries_state: bool = False

    @property
    def windowed(self) -> bool:
        """Whether a sample is longer than what is recorded of it at a time."""
        return self.window_steps is not None and self.window_steps < self.sample_steps

    @property
    def mlgenn(self) -> bool:
        """Whether errors are paired and delayed as mlGeNN does."""
        return bool(self.rule.values.get("pairing") == "mlgenn")

    @property
    def symmetric(self) -> bool:
        """Whether errors come back by the readout's own weights."""
        return bool(self.rule.values.get("feedback") == "symmetric")

    @property
    def adaptive(self) -> bool:
        """Whether errors come back by weights of their own, which learn."""
        return bool(self.rule.values.get("feedback") == "adaptive")

    @property
    def online(self) -> bool:
        """Whether gradients come about step by step, by an eligibility of each synapse."""
        return bool(self.rule.values.get("gradient") == "online")

    @property
    def follows_rates(self) -> bool:
        """Whether hidden neurons keep their filtered rate: mlGeNN's regularisation goes with it."""
        return self.mlgenn and self.pulls

    @property
    def sums_eligibilities(self) -> bool:
        """Whether synapses keep what their weight changes of the rate, until the rate is known behind the sample."""
        return self.online and not self.mlgenn and self.pulls

    @property
    def pulls(self) -> bool:
        """Whether hidden neurons are pulled towards a rate."""
        return bool(self.rule.values.get("regularisation", 0.0) > 0)


def recorded_name(name: str) -> str:
    """The state variable, and the array of a sample, of what a neuron's gradient has `recorded`."""
    return f"recorded_{name}"


def rule_variable(name: str) -> str:
    """The state variable of a hidden neuron that is the rule's trace of this name."""
    return f"rule_{name}"


def rule_recorded(name: str) -> str:
    """The state variable, and the array of a sample, of what the rule has `recorded`."""
    return f"rule_recorded_{name}"


def gradient_of(population: Population) -> Gradient:
    """The declaration that makes its neurons trainable.

    Raises:
        ConfigurationError: its model has none.
    """
    model = population.model.model
    if not isinstance(model, NeuronModel) or model.gradient is None:
        raise ConfigurationError(
            f"populations.{population.name}.model: {model.name} is not allowed in a training; must be a neuron model "
            "with a gradient (lif_subtractive, alif_subtractive, izhikevich, leaky_readout, or one of your own)"
        )
    return model.gradient


def added_state(learning: Learning, gradient: Gradient) -> tuple[Variable, ...]:
    """What training adds to the state of a hidden neuron with this declaration."""
    rule = learning.rule.model
    return (
        PSEUDO_DERIVATIVE,
        *(Variable(recorded_name(name), doc=f"{name} of the gradient") for name in gradient.recorded),
        *((FILTERED_RATE,) if learning.follows_rates else ()),
        *(replace(one, name=rule_variable(one.name)) for one in rule.variables),
        *(Variable(rule_recorded(name), doc=f"{name} of {rule.name}") for name in rule.recorded),
    )


def kept_variables(network: Network, population: Population) -> tuple[str, ...]:
    """Variables that a sample's beginning leaves as they are: what is trained of a neuron, and its optimiser's."""
    assert network.learning is not None
    moments = network.learning.optimiser.model.variables
    trained = gradient_of(population).trained
    return (*trained, *(f"{name}_{one.name}" for name in trained for one in moments))


def hidden_populations(network: Network) -> list[Population]:
    """Those that learn to spike."""
    assert network.learning is not None
    return [one for one in network.populations.values() if not one.is_source and one.name != network.learning.readout]


def trained_projections(network: Network) -> list[Projection]:
    """Those whose weights are trained."""
    return [one for one in network.projections.values() if one.synapse.name == Trained.name]


def guided_projections(network: Network) -> list[Projection]:
    """Those of them that grow where the gradients of a batch are: their rule has a ``guide``."""
    return [one for one in trained_projections(network) if one.rule is not None and one.rule.guide is not None]


def feedback_projection(network: Network, hidden: Population) -> Projection | None:
    """The synapses from a hidden population onto the readout."""
    assert network.learning is not None
    onto = network.populations[network.learning.readout]
    return next((one for one in network.outgoing(hidden) if one.target is onto), None)


def onto_hidden(network: Network, hidden: Population) -> list[Projection]:
    """The synapses from a hidden population onto hidden populations."""
    onto = [one.name for one in hidden_populations(network)]
    return [one for one in network.outgoing(hidden) if one.target.name in onto]


def goes_back(network: Network, projection: Projection) -> bool:
    """Whether errors come back by it."""
    assert network.learning is not None
    hidden = [one.name for one in hidden_populations(network)]
    return projection.source.name in hidden and projection.target.name == network.learning.readout


def filtering_projections(network: Network, target: Population) -> list[Projection]:
    """Those onto `target` whose receptor keeps what arrives beyond the step, and that gradients go back through."""
    return [
        one
        for one in network.incoming(target)
        if gradients_go_by(network, one)
        and one.receptor.model.gradient is not None
        and one.receptor.model.gradient.variables
    ]


def longest_delay_steps(network: Network) -> int:
    """How far ahead of a spike its effect may be that a gradient goes back by."""
    projections = [one for one in network.projections.values() if gradients_go_by(network, one)]
    return max((one.delays.last_steps if one.delays else one.delay_steps for one in projections), default=1)


def gradients_go_by(network: Network, projection: Projection) -> bool:
    """Whether its weights are trained, or errors come back by it."""
    return projection.synapse.name == Trained.name or goes_back(network, projection)
