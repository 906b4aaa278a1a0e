"""Whether what a user declares fits together: names, weights, grids, rules, values that differ between neurons."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from hpcsnn.checked_numbers import LARGEST_NUMBER, LARGEST_WHOLE, real_numbers, whole_numbers, whole_steps
from hpcsnn.errors import ConfigurationError, shown, unknown_name
from hpcsnn.models.base import Configured, Variable
from hpcsnn.models.distance_profiles import MOST_SQUARED
from hpcsnn.models.neurons import NeuronModel
from hpcsnn.models.parameters import Normal, Uniform, described_distribution, parse_distribution
from hpcsnn.models.rewiring.promised_names import ANY_SLOT, ROW
from hpcsnn.models.stimuli import SourceModel
from hpcsnn.network.delays import DELAY_STEPS
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


def check_given(where: str, model: Configured[NeuronModel | SourceModel], n_neurons: int, dt_ms: float) -> None:
    """Check times against steps, constants, and values that are given per neuron.

    What is drawn is checked when it is, by the ranks that have the neurons.

    Raises:
        ConfigurationError: a time between two steps, not one value per neuron, or values that do not go together.
    """
    model.check_steps(where, dt_ms)
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
    _check_delay_name(where, projection)
    _check_followed(where, projection)
    _check_weights(where, projection)
    _check_grids(where, projection)
    _check_self_connections(where, projection)
    _check_reach(where, projection)
    if projection.rewiring is not None:
        name, rule = f"{where}.rewiring.{projection.rewiring.name}", projection.rewiring.model
        _check_rule(name, projection)
        # In a user's file these may be parameters of its own, which do not say that they are counted in steps.
        for time in ("every_ms" if rule.trigger == "every_ms" else None, rule.select.looks_back_ms):
            if time is not None:
                whole_steps(f"{name}.{time}", projection.rewiring.values[time], dt_ms, least=1)
    projection.input_format  # noqa: B018 (refuses what its input cannot hold)


def _check_delay_name(where: str, projection: Projection) -> None:
    """Refuse a variable that has the name of the delay that each synapse keeps."""
    for variable in projection.synapse_variables if projection.delays else ():
        if variable.name == DELAY_STEPS.name:
            raise ConfigurationError(f"{where}.synapse: variable {DELAY_STEPS.name!r} is the delay's name; use another")


def _check_followed(where: str, projection: Projection) -> None:
    """Refuse synapses that follow what their targets do not have, or see only later."""
    model, states = projection.synapse.model, [variable.name for variable in projection.target.state]
    for name in model.needs_of_target:
        if name not in states:
            raise ConfigurationError(
                f"{where}.synapse: {model.name} follows {name} of its targets, which {projection.target.name} does not "
                f"have; {projection.target.model.name} has {', '.join(states)}"
            )
    modulator = projection.modulator
    if modulator is not None:
        wrong = f"{where}.modulator: {modulator.name} is not allowed"
        if not model.modulated:
            raise ConfigurationError(f"{wrong} with the synapse {model.name}, which has no third factor")
        if modulator.target is not projection.target:
            raise ConfigurationError(
                f"{wrong}; it is onto {modulator.target.name}, and must be onto {projection.target.name}"
            )
        if not modulator.receptor.model.state:
            raise ConfigurationError(
                f"{wrong}; its receptor {modulator.receptor.name} has no variable to see; must be one that has, such "
                "as neuromodulator"
            )
    if projection.dendritic_steps and model.target_variables:
        raise ConfigurationError(
            f"{where}.dendritic_delay_ms: {projection.dendritic_delay_ms:g} is not allowed with the synapse "
            f"{model.name}, which sees its target as it is; must be 0"
        )


def _check_weights(where: str, projection: Projection) -> None:
    model = projection.synapse.model
    if projection.weights is not None:
        _check_drawn_weights(where, projection)
    if model.weight_range is None:
        return
    low, high = model.weight_range(projection.synapse.values)
    weights = {f"{where}.weight": np.array([projection.weight])}
    if projection.listed_weights.size:
        weights[f"{where}.connector.{projection.connector.name}.weight"] = projection.listed_weights
    for field_name, values in weights.items():
        outside = values[(values < low) | (values > high)]
        if outside.size:
            raise ConfigurationError(
                f"{field_name}: {outside[0]:g} is not allowed; must be in [{low:g}, {high:g}], "
                f"the range of {model.name}"
            )


def _check_drawn_weights(where: str, projection: Projection) -> None:
    model, weights = projection.synapse.model, projection.weights
    assert weights is not None
    if model.weight_range is None:
        raise ConfigurationError(
            f"{where}.weight: {shown(described_distribution(weights))} is not allowed with the synapse {model.name}, "
            "which does not say how large its weights may be; must be one number"
        )
    if projection.rule is not None and projection.rule.forms and "weight" not in projection.rule.initials:
        raise ConfigurationError(
            f"{where}.weight: {shown(described_distribution(weights))} is not allowed with the rule "
            f"{projection.rule.name}, which does not say which weight a new synapse has; must be one number"
        )
    if projection.listed_weights.size:
        raise ConfigurationError(
            f"{where}.weight: {shown(described_distribution(weights))} is not allowed beside the weights of "
            f"{where}.connector.{projection.connector.name}; give one of them"
        )
    low, high = model.weight_range(projection.synapse.values)
    least, most = weights.extremes()
    if least < low or most > high:
        raise ConfigurationError(
            f"{where}.weight: {shown(described_distribution(weights))} is not allowed: it draws from [{least:g}, "
            f"{most:g}]; must be in [{low:g}, {high:g}], the range of {model.name} (low and high end a normal "
            "distribution)"
        )


def _check_grids(where: str, projection: Projection) -> None:
    source, target = projection.source.grid, projection.target.grid
    connector, rule = projection.connector.model, projection.rule
    if (connector.needs_equal_grids or (rule is not None and rule.needs_equal_grids)) and source != target:
        raise ConfigurationError(
            f"{where}: source grid {source.nx} x {source.ny} does not fit target grid {target.nx} x {target.ny}; "
            "distances need two equal grids"
        )
    if connector.check_sizes is not None:
        name = f"{where}.connector.{connector.name}"
        connector.check_sizes(name, projection.connector.values, projection.source.size, projection.target.size)


def _check_self_connections(where: str, projection: Projection) -> None:
    """Refuse to leave out synapses that there cannot be."""
    connector = projection.connector
    if connector.values.get("self_connections") is False and projection.source is not projection.target:
        raise ConfigurationError(
            f"{where}.connector.{connector.name}.self_connections: False is not allowed from "
            f"{projection.source.name} to {projection.target.name}; only a population that is connected to itself has "
            "such synapses"
        )


def _check_reach(where: str, projection: Projection) -> None:
    """Refuse a connector or rule whose squared distances are more than kernels count."""
    reach_squared = projection.connector.model.reach_squared
    connected = None if reach_squared is None else reach_squared(projection.connector.values)
    for part, reach in (("connector", connected), ("rewiring", projection.rewiring_reach_squared)):
        if reach is not None and reach > MOST_SQUARED:
            name = f"{where}.{part}.{projection.parts[part].name}"
            of = ", ".join(f"{key} {shown(value)}" for key, value in projection.parts[part].values.items())
            raise ConfigurationError(
                f"{name}: squared distances up to {reach:g} are not allowed ({of}); at most 2^25, as there is a chance "
                "for each"
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
    furthest = (target.nx // 2) ** 2 + (target.ny // 2) ** 2
    if rule.needs_equal_grids and furthest >= 2**31:
        raise ConfigurationError(
            f"{where}: the grid {target.nx} x {target.ny} is too wide for a rule that looks at distances; the largest "
            f"squared distance is {furthest}, at most 2^31 - 1 is allowed"
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
