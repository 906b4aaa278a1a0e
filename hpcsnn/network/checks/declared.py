"""Whether what a user declares fits together: names, weights, grids, rules, values that differ between neurons."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from hpcsnn.checked_numbers import (
    LARGEST_NUMBER,
    LARGEST_WHOLE,
    Limits,
    real_number,
    real_numbers,
    whole_numbers,
    whole_steps,
)
from hpcsnn.errors import ConfigurationError, shown, unknown_name
from hpcsnn.models.base import Configured, Variable
from hpcsnn.models.connectors.synapse_files import SynapseFile
from hpcsnn.models.connectors.synapse_lists import SynapseList
from hpcsnn.models.grouped.operation import GROUP_SIZE, check_groups
from hpcsnn.models.parameters import (
    Distribution,
    GivenValues,
    Normal,
    Uniform,
    described_distribution,
    given_values,
    is_array,
    parse_distribution,
)
from hpcsnn.models.rewiring.promised_names import ANY_SLOT, ROW
from hpcsnn.models.stimuli import SourceModel
from hpcsnn.network.checks.followed import check_followed
from hpcsnn.network.checks.grids import check_grids
from hpcsnn.network.delays import DELAY_STEPS, GivenDelays
from hpcsnn.network.projection import Projection


def check_name(kind: str, name: str, taken: Iterable[str]) -> None:
    """Refuse a name of a population or projection that is no name of a file or a struct's member, or taken.

    Raises:
        ConfigurationError: names `kind` and the name.
    """
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise ConfigurationError(
            f"{kind}: name {name!r} is not allowed; use letters, digits and _, starting with a letter"
        )
    for other in taken:
        if name.casefold() == other.casefold():
            twice = "is used twice" if name == other else f"is {other!r} to file systems that know no capitals"
            raise ConfigurationError(f"{kind}: name {name!r} {twice}")


def checked_initial(where: str, variable: Variable, value: Any, n_neurons: int) -> Any:
    """What a state variable begins with: a number, one per neuron, or a distribution, whose draws it can have.

    Raises:
        ConfigurationError: neither one number nor one per neuron, or a number that the variable cannot have; names
            `where` and the value.
    """
    if isinstance(value, dict):
        value = parse_distribution(where, value)
    if isinstance(value, (Normal, Uniform)):
        largest = LARGEST_NUMBER if variable.ctype == "float" else LARGEST_WHOLE
        for end in value.extremes():
            if abs(end) > largest:
                held = f"kernels hold numbers up to {largest:g}"
                raise ConfigurationError(f"{where}: {value!r} is not allowed; it may come to {end:g}, and {held}")
        return value
    if not isinstance(value, (list, tuple)) and np.ndim(value) == 0:
        return variable.checked(where, value)
    numbers = real_numbers if variable.ctype == "float" else whole_numbers
    array = numbers(where, value, each="neuron")
    if len(array) != n_neurons:
        raise ConfigurationError(
            f"{where}: has shape {array.shape}; must be one number or {n_neurons} values, one per neuron"
        )
    return array


def parsed_weight(
    where: str, weight: Any, each: tuple[int, str], beside: str, listed: SynapseList | None, rewired: bool
) -> tuple[float | None, Distribution | GivenValues | None]:
    """A projection's weight, of which there is none where a file has all of them, and how those at first differ.

    Args:
        each: how many values an array has, and whose they are.
        beside, listed: the connector's name and its list, if it has one.
        rewired: synapses may come to be that are in no list.

    Raises:
        ConfigurationError: no such weights; names `where`, the value and what is allowed.
    """
    if isinstance(weight, dict):
        weight = parse_distribution(where, weight)
    in_file = isinstance(listed, SynapseFile) and listed.weights is not None
    if weight is None:
        if in_file and not rewired:
            return None, None
        raise ConfigurationError(
            f"{where}: missing; give a number"
            + (", which synapses have that the rule of rewiring forms" if in_file else ", an array or a distribution")
        )
    if listed is not None and listed.weights is not None:
        one = not is_array(weight) and not isinstance(weight, (Normal, Uniform))
        if not one or (in_file and not rewired):
            given = shown(described_distribution(weight) if isinstance(weight, (Normal, Uniform)) else weight)
            raise ConfigurationError(
                f"{where}: {given} is not allowed beside the weights of {beside}; give one of them"
            )
    if is_array(weight):
        values = given_values(where, weight, each, Limits())
        return (float(values.values.mean()) if len(values.values) else 0.0), values
    if isinstance(weight, (Normal, Uniform)):
        mean = weight.mean if isinstance(weight, Normal) else (weight.low + weight.high) / 2
        return real_number(where, mean), weight
    return real_number(where, weight), None


def check_given(where: str, model: Configured[Any], n_neurons: int, dt_ms: float) -> None:
    """Check what a model of a population's neurons, their stimulus or a current onto them was given: times against
    steps, constants, values that are given per neuron.

    What is drawn is checked when it is, by the ranks that have the neurons.

    Raises:
        ConfigurationError: a time between two steps, not one value per neuron, or values that do not go together.
    """
    model.check_steps(where, dt_ms)
    if getattr(model.model, "group", None) is not None:
        check_groups(where, model.values[GROUP_SIZE], n_neurons)
    if model.model.check_population is not None and not model.of_neurons:
        model.model.check_population(where, model.values, n_neurons, dt_ms)
    model.constants(dt_ms, where)  # those that are one number
    given = {name: model.values[name] for name in model.of_neurons if isinstance(model.values[name], tuple)}
    for name, values in given.items():
        if len(values) != n_neurons:
            raise ConfigurationError(
                f"{where}.{name}: has {len(values)} values; must be one number or {n_neurons} values, one per neuron"
            )
    if given and len(given) == len(model.of_neurons):
        columns = {name: np.array(values, dtype=np.float64) for name, values in given.items()}
        model.constants_of_neurons(where, dt_ms, np.arange(n_neurons, dtype=np.int32), columns, n_neurons)


def check_projection(where: str, projection: Projection, dt_ms: float) -> None:
    """Refuse a projection whose parts do not fit each other or its populations.

    Raises:
        ConfigurationError: the message names the field, the value and what is allowed.
    """
    for part, configured in projection.parts.items():
        configured.check_steps(f"{where}.{part}.{configured.name}", dt_ms)
        configured.constants(dt_ms, f"{where}.{part}.{configured.name}")
    _check_delays(where, projection)
    check_followed(where, projection)
    _check_weights(where, projection)
    check_grids(where, projection)
    _check_self_connections(where, projection)
    if projection.rewiring is not None:
        name, rule = f"{where}.rewiring.{projection.rewiring.name}", projection.rewiring.model
        _check_rule(name, projection)
        # In a user's file these may be parameters of its own, which do not say that they are counted in steps.
        for time in ("every_ms" if rule.trigger == "every_ms" else None, rule.select.looks_back_ms):
            if time is not None:
                whole_steps(f"{name}.{time}", projection.rewiring.values[time], dt_ms, least=1)
    projection.input_format  # noqa: B018 (refuses what its input cannot hold)


def _check_delays(where: str, projection: Projection) -> None:
    """Refuse a variable that is called as the delay that each synapse keeps, and delays that no new one would have."""
    if isinstance(projection.delays, GivenDelays) and projection.rule is not None:
        raise ConfigurationError(
            f"{where}.delay_ms: delays one by one are not allowed with the rule {projection.rule.name}, as they do not "
            "say which delay a new synapse has; must be one number, or a distribution"
        )
    for variable in projection.synapse_variables if projection.delays else ():
        if variable.name == DELAY_STEPS.name:
            raise ConfigurationError(f"{where}.synapse: variable {DELAY_STEPS.name!r} is the delay's name; use another")


def _check_weights(where: str, projection: Projection) -> None:
    model, weights = projection.synapse.model, projection.weights
    rule = projection.rule
    if weights is not None and rule is not None and rule.forms and "weight" not in rule.initials:
        given = "an array" if isinstance(weights, GivenValues) else shown(described_distribution(weights))
        raise ConfigurationError(
            f"{where}.weight: {given} is not allowed with the rule {rule.name}, which does not say which "
            "weight a new synapse has; must be one number"
        )
    if isinstance(weights, (Normal, Uniform)):
        _check_drawn_weights(where, projection, weights)
    if model.weight_range is None:
        return
    low, high = model.weight_range(projection.synapse.values)
    allowed = f"is not allowed; must be in [{low:g}, {high:g}], the range of {model.name}"
    given_one_by_one = projection.given_weights
    outside = None if given_one_by_one is None else given_one_by_one.outside(low, high)
    if outside is not None:
        of_list = weights is None
        field_name = f"{where}.connector.{projection.connector.name}.weight" if of_list else f"{where}.weight"
        whose = weights.each if isinstance(weights, GivenValues) else "synapse"
        raise ConfigurationError(f"{field_name}: {outside[0]:g} of {whose} {outside[1]} {allowed}")
    if projection.has_weight and not low <= projection.weight <= high:
        raise ConfigurationError(f"{where}.weight: {projection.weight:g} {allowed}")


def _check_drawn_weights(where: str, projection: Projection, weights: Distribution) -> None:
    model = projection.synapse.model
    if model.weight_range is None:
        raise ConfigurationError(
            f"{where}.weight: {shown(described_distribution(weights))} is not allowed with the synapse {model.name}, "
            "which does not say how large its weights may be; must be one number"
        )
    low, high = model.weight_range(projection.synapse.values)
    least, most = weights.extremes()
    if least < low or most > high:
        raise ConfigurationError(
            f"{where}.weight: {shown(described_distribution(weights))} is not allowed: it draws from [{least:g}, "
            f"{most:g}]; must be in [{low:g}, {high:g}], the range of {model.name} (low and high end a normal "
            "distribution)"
        )


def _check_self_connections(where: str, projection: Projection) -> None:
    """Refuse to leave out synapses that there cannot be."""
    connector = projection.connector
    if connector.values.get("self_connections") is False and projection.source is not projection.target:
        raise ConfigurationError(
            f"{where}.connector.{connector.name}.self_connections: False is not allowed from "
            f"{projection.source.name} to {projection.target.name}; only a population that is connected to itself has "
            "such synapses"
        )


def _check_rule(where: str, projection: Projection) -> None:
    """Refuse a rule that does not fit.

    Raises:
        ConfigurationError: the block does not fit the grid, the synapse model lacks what the rule needs, names are used
            twice, a variable to be initialised is none of the synapse's, or there is no stimulus to change.
    """
    assert projection.rewiring is not None
    rule, target = projection.rewiring.model, projection.target.grid
    if rule.attempts:
        side = projection.rewiring.values["block_side"]
        if target.nx % side or target.ny % side:
            raise ConfigurationError(
                f"{where}.block_side: {side} does not fit the grid {target.nx} x {target.ny}; "
                "both sides must be multiples of it"
            )
        n_blocks, attempts = target.size // side**2, projection.rewiring.values["attempts"]
        if n_blocks * attempts >= 2**31:
            raise ConfigurationError(
                f"{where}.attempts: {attempts} is not allowed; on {n_blocks} blocks these are {n_blocks * attempts} "
                "attempts an update, at most 2^31 - 1"
            )
    variables = [variable.name for variable in projection.synapse_variables]
    traces = [trace.name for trace in (*projection.pre_traces, *projection.post_traces)]
    for name in rule.needs:
        if name not in variables and name not in traces:
            raise ConfigurationError(
                f"{where}: needs a synapse with {name!r}; {projection.synapse.name} has "
                f"{', '.join([*variables, *traces])}"
            )
    for name in rule.initials:
        if name not in variables:
            raise ConfigurationError(unknown_name(f"{where}: initial", name, variables))
    _check_neurons(where, projection)
    for name in (*variables, *traces):
        if name in ANY_SLOT or (rule.per_target and name in ROW):
            taken = ", ".join(sorted({*ANY_SLOT, *(ROW if rule.per_target else ())}))
            raise ConfigurationError(
                f"{where}: does not go with the synapse {projection.synapse.name}, whose {name!r} has a name by which "
                f"snippets of rules see something else: {taken}"
            )
    own = [variable.name for variable in (*projection.source_variables, *projection.target_variables)]
    in_per_target = [f"own_{variable.name}" for variable in rule.target_variables]
    constants = [name for name, _ in rule.constant_types()]
    tables = [*rule.tables, *(f"n_{name}" for name in rule.tables)]
    followed = [variable.name for variable in projection.synapse.model.target_variables]
    used = Counter([*variables, *traces, *own, *followed, *in_per_target, *rule.sums, *constants, *tables])
    twice = [name for name, times in used.items() if times > 1]
    if twice:
        raise ConfigurationError(
            f"{where}: the name {twice[0]!r} is used twice among variables, traces, sums and parameters of the rule "
            f"and the synapse {projection.synapse.name}"
        )
    model = projection.source.model.model
    if rule.trigger == "stimulus" and not (isinstance(model, SourceModel) and model.changes):
        raise ConfigurationError(
            f"{where}: updates at a change of the stimulus need a source population with a stimulus that changes; "
            f"{projection.source.name} has the model {model.name}"
        )


def _check_neurons(where: str, projection: Projection) -> None:
    """Refuse a rule's variable of a neuron that the neuron's own model has: ``pre`` and ``post`` hold both."""
    for population, variables in (
        (projection.source, projection.source_variables),
        (projection.target, projection.target_variables),
    ):
        states = {variable.name for variable in population.state}
        for variable in variables:
            if variable.name in states:
                raise ConfigurationError(
                    f"{where}: the variable {variable.name!r} is one of {population.model.name}'s too, the model of "
                    f"{population.name}; give it another name"
                )
