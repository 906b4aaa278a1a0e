"""Whether synapses that follow their targets, or have a third factor, have what they look at."""

from __future__ import annotations

from hpcsnn.errors import ConfigurationError
from hpcsnn.network.projection import Projection


def check_followed(where: str, projection: Projection) -> None:
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


def check_follows_nothing(where: str, projection: Projection) -> None:
    """Refuse synapses that follow their targets, in a training: of a target there are then many, a sample each.

    Raises:
        ConfigurationError: names `where` and the synapse model.
    """
    model = projection.synapse.model
    if model.target_variables or model.update_target.strip() or model.on_step.strip():
        raise ConfigurationError(
            f"{where}.synapse: {model.name} is not allowed in a training, where each target is simulated in many "
            "samples at once; must be a synapse that follows no target, such as static"
        )
