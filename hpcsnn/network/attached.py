"""What the synapses and neurons of a projection carry: variables and traces of its synapse model and of its rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpcsnn.models.base import Variable
from hpcsnn.models.rewiring import RewiringRule
from hpcsnn.models.synapses import SpikeTrace, SynapseModel
from hpcsnn.network.delays import DELAY_STEPS

if TYPE_CHECKING:
    from hpcsnn.network import Projection


def synapse_model(projection: Projection) -> SynapseModel:
    """The projection's model of a synapse."""
    model = projection.synapse.model
    assert isinstance(model, SynapseModel)
    return model


def rewiring_rule(projection: Projection) -> RewiringRule | None:
    """The projection's rule of rewiring, if it has one."""
    if projection.rewiring is None:
        return None
    rule = projection.rewiring.model
    assert isinstance(rule, RewiringRule)
    return rule


def synapse_variables(projection: Projection) -> tuple[Variable, ...]:
    """Of each synapse."""
    rule = rewiring_rule(projection)
    return synapse_model(projection).variables + (rule.synapse_variables if rule else ())


def synapse_columns(projection: Projection) -> tuple[Variable, ...]:
    """What is kept of each synapse: its variables, and its delay, which no snippet sees, if it has one of its own."""
    return synapse_variables(projection) + (() if projection.delays is None else (DELAY_STEPS,))


def source_variables(projection: Projection) -> tuple[Variable, ...]:
    """Of the rule, one a source neuron, kept by its owner."""
    rule = rewiring_rule(projection)
    return rule.source_variables if rule else ()


def target_variables(projection: Projection) -> tuple[Variable, ...]:
    """Of the rule, one a target neuron."""
    rule = rewiring_rule(projection)
    if rule is None:
        return ()
    owed = (Variable("owed", 0, "synapses", "int", "synapses that are still to be replaced"),) if rule.replace else ()
    return rule.target_variables + owed


def shared_variables(projection: Projection) -> tuple[Variable, ...]:
    """Of sources, as the ranks of their targets must know them at an update."""
    rule = rewiring_rule(projection)
    if rule is None or not rule.shares:
        return ()
    model = projection.source.model.model
    everything = (*model.state, *rule.source_variables)  # type: ignore[attr-defined]
    return tuple(variable for variable in everything if rule.mentions_of_source(variable.name))


def pre_traces(projection: Projection) -> tuple[SpikeTrace, ...]:
    """Of each source's spikes, as they arrive."""
    rule = rewiring_rule(projection)
    return synapse_model(projection).pre_traces + (rule.source_traces if rule else ())


def post_traces(projection: Projection) -> tuple[SpikeTrace, ...]:
    """Of each target's spikes."""
    rule = rewiring_rule(projection)
    return synapse_model(projection).post_traces + (rule.target_traces if rule else ())
