"""Whether a rule of rewiring fits the projection that it is given to, and names of variables the delay's."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from hpcsnn.errors import ConfigurationError, unknown_name
from hpcsnn.models.stimuli import SourceModel
from hpcsnn.network.attached import (
    post_traces,
    pre_traces,
    rewiring_rule,
    source_variables,
    synapse_variables,
    target_variables,
)
from hpcsnn.network.delays import DELAY_STEPS

if TYPE_CHECKING:
    from hpcsnn.network import Projection


def check_rule(where: str, projection: Projection) -> None:
    """Refuse a rule that does not fit.

    Raises:
        ConfigurationError: the block does not fit the grid, the synapse model lacks what the rule needs, names are used
            twice, a variable to be initialised is none of the synapse's, or there is no stimulus to change.
    """
    rule = rewiring_rule(projection)
    assert rule is not None and projection.rewiring is not None
    where = f"{where}.{rule.name}"
    target = projection.target.grid
    if rule.attempts:
        side = projection.rewiring.values["block_side"]
        if target.nx % side or target.ny % side:
            raise ConfigurationError(
                f"{where}.block_side: {side} does not fit the grid {target.nx} x {target.ny}; "
                "both sides must be multiples of it"
            )
    variables = [variable.name for variable in synapse_variables(projection)]
    traces = [trace.name for trace in (*pre_traces(projection), *post_traces(projection))]
    for name in rule.needs:
        if name not in variables and name not in traces:
            raise ConfigurationError(
                f"{where}: needs a synapse with {name!r}; {projection.synapse.model.name} has "
                f"{', '.join([*variables, *traces])}"
            )
    assert not isinstance(rule.initial, str)
    for name in rule.initial:
        if name not in variables:
            raise ConfigurationError(unknown_name(f"{where}: initial", name, variables))
    own: list[Any] = [*source_variables(projection), *target_variables(projection)]
    constants = [name for name, _ in rule.constant_types()]
    _check_neurons(where, projection)
    used = Counter([*variables, *traces, *(one.name for one in own), *rule.sums, *constants, *rule.tables])
    twice = [name for name, times in used.items() if times > 1]
    if twice:
        raise ConfigurationError(
            f"{where}: the name {twice[0]!r} is used twice among variables, traces, sums and parameters of the rule "
            f"and the synapse {projection.synapse.model.name}"
        )
    model = projection.source.model.model
    if rule.trigger == "stimulus" and not (isinstance(model, SourceModel) and model.changes):
        raise ConfigurationError(
            f"{where}: updates at a change of the stimulus need a source population with a stimulus that changes; "
            f"{projection.source.name} has the model {model.name}"
        )
    try:
        projection.weight_bound  # noqa: B018 (evaluates an expression of the user's)
    except NameError as error:
        raise ConfigurationError(
            f"{where}.bound: {rule.bound!r} is not allowed; {error}, and it may use the rule's parameters only"
        ) from None


def check_delay_name(where: str, projection: Projection) -> None:
    """Refuse a variable that has the name of the delay that each synapse keeps.

    Raises:
        ConfigurationError: there is one.
    """
    for variable in synapse_variables(projection) if projection.delays else ():
        if variable.name == DELAY_STEPS.name:
            raise ConfigurationError(f"{where}.synapse: variable {DELAY_STEPS.name!r} is the delay's name; use another")


def _check_neurons(where: str, projection: Projection) -> None:
    """Refuse a rule's variable of a neuron that the neuron's own model has: ``pre`` and ``post`` hold both."""
    for population, variables in (
        (projection.source, source_variables(projection)),
        (projection.target, target_variables(projection)),
    ):
        model: Any = population.model.model
        states = {variable.name for variable in model.state}
        for variable in variables:
            if variable.name in states:
                raise ConfigurationError(
                    f"{where}: the variable {variable.name!r} is one of {model.name}'s too, the model of "
                    f"{population.name}; give it another name"
                )
