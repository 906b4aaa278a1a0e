"""Refusals of what a learning rule does not reach."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from hpcsnn.errors import ConfigurationError
from hpcsnn.models.learning import LearningRule
from hpcsnn.models.snippet_text import given_names, without_comments
from hpcsnn.models.stimuli import SampleInput
from hpcsnn.models.synapses import Trained
from hpcsnn.network.checks.followed import check_follows_nothing
from hpcsnn.network.delays import GivenDelays
from hpcsnn.network.learning import (
    Learning,
    feedback_projection,
    goes_back,
    gradient_of,
    gradients_go_by,
    guided_projections,
    hidden_populations,
    onto_hidden,
    trained_projections,
)
from hpcsnn.network.population import Population

if TYPE_CHECKING:
    from hpcsnn.network.network import Network


def check_learning(network: Network, learning: Learning, other: Network) -> None:
    """Refuse what the learning rule does not reach.

    Args:
        network: as it was given.
        other: as it is simulated while it learns.

    Raises:
        ConfigurationError: names the population or projection, and what is allowed.
    """
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
        check_follows_nothing(where, projection)
        if projection.rule is not None and projection.rule.trigger != "call":
            raise ConfigurationError(
                f"{where}.rewiring: {projection.rule.name} is not allowed in a training; must be a rule on call, "
                "such as deep_r_by_gradient"
            )
    for projection in guided_projections(other) if learning.online else ():
        assert projection.rule is not None
        raise ConfigurationError(
            f"projections.{projection.name}.rewiring: {projection.rule.name} is not allowed with gradient: online, "
            "which has eligibilities of synapses alone; must be gradient: events, or a rule without a guide"
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
        if learning.symmetric and back is None and not learning.rule.model.goes_through:
            raise ConfigurationError(
                f"populations.{hidden.name}: has no projection onto the readout {readout.name!r}, by which errors "
                "would come back; add one, or set feedback: random"
            )
    rule = learning.rule.model
    _check_derived_for(rule, other)
    if rule.goes_through:
        _check_through(learning, other)
    if rule.hears and "feedback" not in rule.parameters:
        raise ConfigurationError(
            f"learning: {rule.name} hears of errors by weights, and has no parameter feedback that says which; must "
            "have FEEDBACK of hpcsnn.models.learning among its parameters"
        )
    if rule.mentions("local_error"):
        _check_local_readouts(learning)
    if rule.mentions("label_weight") and learning.loss.model.of_targets:
        raise ConfigurationError(
            f"learning: {rule.name} is not allowed with the loss {learning.loss.name}, whose samples have "
            "targets and no labels, which the rule goes by; must be a loss of labels, such as cross_entropy"
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


def _check_local_readouts(learning: Learning) -> None:
    """Refuse what a hidden population's own readout does not go with."""
    rule = learning.rule.model
    if "tau_local_ms" not in rule.parameters:
        raise ConfigurationError(
            f"learning: {rule.name} hears of local errors, and has no parameter tau_local_ms, the memory of the "
            "readouts that they are of; must have LOCAL_READOUT of hpcsnn.models.learning among its parameters"
        )
    if learning.loss.model.sample.strip():
        raise ConfigurationError(
            f"loss: {learning.loss.name} is not allowed with {rule.name}, whose local errors are of each step; must be "
            "a loss of each step, such as cross_entropy"
        )
    if learning.window_steps is not None:
        raise ConfigurationError(
            f"window_steps: {learning.window_steps} is not allowed with {rule.name}, whose local readouts go through a "
            "sample once; must be null"
        )


def _check_delays(learning: Learning, other: Network) -> None:
    """Refuse delays that gradients would not see."""
    for projection in [one for one in other.projections.values() if gradients_go_by(other, one)]:
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
        if not gradients_go_by(other, projection):
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


def _check_derived_for(rule: LearningRule, other: Network) -> None:
    """Refuse neurons and receptors that the rule's own equations are not of."""
    for population in hidden_populations(other):
        parts = [(f"populations.{population.name}.model", population.model.name, rule.neurons)]
        for one in other.incoming(population):
            parts.append((f"projections.{one.name}.receptor", one.receptor.name, rule.receptors))
        for where, part, known in parts:
            if known and part not in known:
                raise ConfigurationError(
                    f"{where}: {part} is not allowed with learning: {rule.name}, which is not derived for it; "
                    f"must be {' or '.join(known)}"
                )


def _check_through(learning: Learning, other: Network) -> None:
    """Refuse what a gradient through synapses between hidden neurons does not reach."""
    name, hidden = learning.rule.name, hidden_populations(other)
    if learning.window_steps is not None:
        raise ConfigurationError(
            f"window_steps: {learning.window_steps} is not allowed with learning: {name}, which goes back through all "
            "hidden neurons step by step; must be null"
        )
    for population in hidden:
        for projection in onto_hidden(other, population):
            if projection.synapse.name != Trained.name:
                raise ConfigurationError(
                    f"projections.{projection.name}.synapse: {projection.synapse.name} is not allowed with learning: "
                    f"{name}, which goes back through synapses between hidden neurons; must be {Trained.name}"
                )
    heard = {one.name for one in hidden if not learning.symmetric or feedback_projection(other, one) is not None}
    for _ in hidden:
        heard |= {one.name for one in hidden if any(way.target.name in heard for way in onto_hidden(other, one))}
    for population in hidden:
        if population.name not in heard:
            raise ConfigurationError(
                f"populations.{population.name}: has no way onto the readout {learning.readout!r}, by which errors "
                "would come back; add a projection, or set feedback: random"
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
