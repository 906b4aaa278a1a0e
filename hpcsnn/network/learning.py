"""What is trained of a network, and the network as it is simulated while it learns."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hpcsnn.errors import ConfigurationError, check_known
from hpcsnn.models.base import Configured, Derived, Variable
from hpcsnn.models.learning import EProp, Gradient, LearningRule, Loss, Optimiser
from hpcsnn.models.neurons import NeuronModel
from hpcsnn.models.snippet_text import given_names, without_comments
from hpcsnn.models.stimuli import SampleInput
from hpcsnn.models.synapses import Trained
from hpcsnn.network.delays import GivenDelays
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
        return bool(self.rule.values["pairing"] == "mlgenn")

    @property
    def symmetric(self) -> bool:
        """Whether errors come back by the readout's own weights."""
        return bool(self.rule.values["feedback"] == "symmetric")

    @property
    def adaptive(self) -> bool:
        """Whether errors come back by weights of their own, which learn."""
        return bool(self.rule.values["feedback"] == "adaptive")

    @property
    def online(self) -> bool:
        """Whether gradients come about step by step, by an eligibility of each synapse."""
        return bool(self.rule.values["gradient"] == "online")

    @property
    def follows_rates(self) -> bool:
        """Whether hidden neurons keep their filtered rate: mlGeNN's regularisation goes with it."""
        return self.mlgenn and self.rule.values["regularisation"] > 0

    @property
    def sums_eligibilities(self) -> bool:
        """Whether synapses keep what their weight changes of the rate, until the rate is known behind the sample."""
        return self.online and not self.mlgenn and self.rule.values["regularisation"] > 0


def recorded_name(name: str) -> str:
    """The state variable, and the array of a sample, of what a neuron's gradient has `recorded`."""
    return f"recorded_{name}"


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


def feedback_projection(network: Network, hidden: Population) -> Projection | None:
    """The synapses from a hidden population onto the readout."""
    assert network.learning is not None
    onto = network.populations[network.learning.readout]
    return next((one for one in network.outgoing(hidden) if one.target is onto), None)


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
        if _gradients_go_by(network, one)
        and one.receptor.model.gradient is not None
        and one.receptor.model.gradient.variables
    ]


def longest_delay_steps(network: Network) -> int:
    """How far ahead of a spike its effect may be that a gradient goes back by."""
    projections = [one for one in network.projections.values() if _gradients_go_by(network, one)]
    return max((one.delays.last_steps if one.delays else one.delay_steps for one in projections), default=1)


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
    missing = [name for name in EProp.parameters if name not in learning.rule.model.parameters]
    if missing:
        raise ConfigurationError(
            f"learning: {learning.rule.name} has no parameter {missing[0]!r}; a learning rule has "
            f"{', '.join(EProp.parameters)}"
        )
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
    _check(network, other)
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
    derived: dict[str, Derived] = {
        "surrogate_height": Derived(f"({rule.values['dampening']!r}) / ({gradient.width})"),
    }
    # The model's expressions stand before the names that the rule's shape sees, which may be names of the model's too.
    before = "".join(f"{recorded_name(name)} = {text};\n" for name, text in gradient.recorded.items())
    update = f"""{before}{model.update.rstrip()}
{{
    const float hpcsnn_distance = {gradient.distance};
    const bool hpcsnn_blocked = {gradient.blocked};
    float hpcsnn_surrogate;
    {{
        const float distance = hpcsnn_distance;
        const float away = distance < 0.0f ? -distance : distance;
        (void)away;
        hpcsnn_surrogate = {rule.model.shape};
    }}
    pseudo_derivative = hpcsnn_blocked ? 0.0f : surrogate_height * hpcsnn_surrogate;
}}
"""
    recorded = (Variable(recorded_name(name), 0.0, "", doc=f"{name} of the gradient") for name in gradient.recorded)
    state, reset = (*model.state, PSEUDO_DERIVATIVE, *recorded), model.reset
    if learning.follows_rates:
        derived["rate_decay"] = Derived(f"exp(-dt_ms / {rule.values['tau_rate_ms']!r})", vanishes=True)
        update += "filtered_rate = flushed(filtered_rate * rate_decay);\n"
        reset += " filtered_rate += 1.0f - rate_decay;"
        state = (*state, FILTERED_RATE)
    grown = replace(model, state=state, update=update, reset=reset, derived={**model.derived, **derived})
    return replace(configured, model=grown)


def _check(network: Network, other: Network) -> None:
    """Refuse what the learning rule does not reach."""
    learning = other.learning
    assert learning is not None
    readout = other.populations[learning.readout]
    sources = [one for one in other.populations.values() if one.is_source]
    if len(sources) != 1:
        raise ConfigurationError(
            f"populations: {len(sources)} populations of {SampleInput.name} are not allowed; a training has one"
        )
    if not trained_projections(other):
        raise ConfigurationError(f"projections: none has the synapse {Trained.name}; there is nothing to train")
    for name, projection in other.projections.items():
        where = f"projections.{name}"
        if projection.source is readout:
            raise ConfigurationError(f"{where}.source: {readout.name!r} is the readout, whose neurons never spike")
        if projection.rule is not None and projection.rule.trigger != "call":
            raise ConfigurationError(
                f"{where}.rewiring: {projection.rule.name} is not allowed in a training; must be a rule on call, "
                "such as deep_r_by_gradient"
            )
    _check_delays(learning, other)
    _check_receptors(learning, other)
    if learning.window_steps is not None:
        _check_windows(learning, other)
    for hidden in hidden_populations(other):
        onto = [one.name for one in other.outgoing(hidden) if one.target is readout]
        if len(onto) > 1:
            raise ConfigurationError(
                f"projections.{onto[1]}: is not allowed beside {onto[0]!r}, which goes from {hidden.name!r} onto the "
                f"readout {readout.name!r} too; must be one, by which errors come back"
            )
        back = feedback_projection(other, hidden)
        if learning.adaptive and (back is None or back.synapse.name != Trained.name):
            raise ConfigurationError(
                f"populations.{hidden.name}: has no projection onto the readout {readout.name!r} that is trained, as "
                "which the weights of errors would learn; add one, or set feedback: random"
            )
        if learning.symmetric and back is None:
            raise ConfigurationError(
                f"populations.{hidden.name}: has no projection onto the readout {readout.name!r}, by which errors "
                "would come back; add one, or set feedback: random"
            )
    if learning.online:
        _check_online(learning, readout, hidden_populations(other))
    for population in network.populations.values():
        if population.stimulations or population.removed is not None:
            where = f"populations.{population.name}.{'stimulate' if population.stimulations else 'remove'}"
            raise ConfigurationError(f"{where}: not allowed in a training, whose samples have times of their own")
        drawn = [name for name, value in population.initial.items() if not isinstance(value, (int, float))]
        if drawn:
            raise ConfigurationError(
                f"populations.{population.name}.initial.{drawn[0]}: values that differ between neurons are not allowed "
                "in a training; must be one number, with which each sample begins"
            )


def _gradients_go_by(network: Network, projection: Projection) -> bool:
    """Whether its weights are trained, or errors come back by it."""
    return projection.synapse.name == Trained.name or goes_back(network, projection)


def _check_delays(learning: Learning, other: Network) -> None:
    """Refuse delays that gradients would not see."""
    for projection in [one for one in other.projections.values() if _gradients_go_by(other, one)]:
        where, to_readout = f"projections.{projection.name}", goes_back(other, projection)
        if projection.dendritic_steps > 0:
            raise ConfigurationError(
                f"{where}.dendritic_delay_ms: a delay behind the synapse is not allowed where weights are trained or "
                "errors come back; must be an axonal delay, delay_ms"
            )
        alone = {
            "trained weights, if they are given one by one": isinstance(projection.delays, GivenDelays),
            "pairing: mlgenn": learning.mlgenn,
            "feedback: random or adaptive, whose errors come by one delay": to_readout and not learning.symmetric,
            "gradient: online, where an eligibility is filtered once for all outputs": to_readout and learning.online,
        }
        for what, found in alone.items():
            if projection.delays is not None and found:
                raise ConfigurationError(
                    f"{where}.delay_ms: delays that differ are not allowed with {what}; must be one number in ms"
                )


def _check_receptors(learning: Learning, other: Network) -> None:
    """Refuse currents that are not linear in what arrives."""
    for name, projection in other.projections.items():
        where, receptor = f"projections.{name}.receptor", projection.receptor.model
        own = {*receptor.SEES, *(given for _, given in given_names(receptor))}
        words = set(re.findall(r"\w+", without_comments(receptor.update))) - own
        read = [one.name for one in projection.target.state if one.name in words]
        if read:
            raise ConfigurationError(
                f"{where}: {receptor.name} is not allowed in a training: its current depends on the neuron's "
                f"{read[0]}, so that gradients of what arrives do not add up; must be a receptor of currents"
            )
        if not _gradients_go_by(other, projection):
            continue
        if receptor.gradient is None:
            raise ConfigurationError(
                f"{where}: {receptor.name} is not allowed where weights are trained or errors come back; must be a "
                "receptor with a gradient (delta_current, exponential_current, alpha_current, or one of your own)"
            )
        if learning.mlgenn and receptor.gradient.variables:
            raise ConfigurationError(
                f"{where}: {receptor.name} is not allowed with pairing: mlgenn, which is of delta_current alone; must "
                "be delta_current, or set pairing: exact"
            )


def _check_windows(learning: Learning, other: Network) -> None:
    """Refuse what would not come out alike where a window's steps are simulated once more."""
    where = f"window_steps: {learning.window_steps} is not allowed with"
    if learning.online or learning.carries_state:
        of, instead = ("gradient: online, which records nothing of a sample", "gradient: events")
        if learning.carries_state:
            of, instead = ("carry_state, as samples are simulated twice from rest", "carry_state: false")
        raise ConfigurationError(f"{where} {of}; must be null, or set {instead}")
    for name, projection in other.projections.items():
        synapse = projection.synapse.model
        if synapse.on_pre_spike or synapse.on_post_spike or projection.pre_traces or projection.post_traces:
            raise ConfigurationError(
                f"{where} projections.{name}, whose synapses or traces a spike changes, and spikes are simulated once "
                "more; must be null"
            )


def _check_online(learning: Learning, readout: Population, hidden: Iterable[Population]) -> None:
    """Refuse what an eligibility that goes forward in time does not reach."""
    for population in hidden:
        if gradient_of(population).recorded:
            raise ConfigurationError(
                f"populations.{population.name}.model: {population.model.name} is not allowed with gradient: online, "
                "whose eligibilities are carried by constants; must be a neuron whose gradient records nothing"
            )
    if learning.loss.model.sample.strip():
        raise ConfigurationError(
            f"loss: {learning.loss.name} is not allowed with gradient: online, since its errors are known behind the "
            "sample only; must be a loss of each step, such as cross_entropy"
        )
    differing = [name for name, _ in readout.model.array_types()]
    if differing:
        raise ConfigurationError(
            f"populations.{readout.name}.model.{differing[0]}: values that differ between neurons are not allowed with "
            "gradient: online, where an eligibility is filtered once for all outputs; must be one number"
        )
