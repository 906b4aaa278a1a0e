"""What a change of a running network may be: other parameters of its models, and neurons that are removed; nothing
that state depends on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.errors import ConfigurationError, unknown_name
from hpcsnn.models.base import Configured
from hpcsnn.models.user_files import FROM_FILE
from hpcsnn.network import Grid, Network
from hpcsnn.network.recording.asked import chosen_neurons

# Keys that may be set while a network runs.
_CHANGEABLE = re.compile(
    r"populations\.\w+\.(model|stimulate\.\d+)\..+|projections\.\w+\.(receptor|synapse|rewiring)\..+"
)
_PARTS = ("receptor", "synapse", "rewiring")


def is_changeable(key: object) -> bool:
    """Whether a dotted key is a parameter of a model, and not the model itself."""
    of_file = isinstance(key, str) and key.endswith((f".{FROM_FILE}", ".sha256"))
    return isinstance(key, str) and not of_file and _CHANGEABLE.fullmatch(key) is not None


def is_removal(key: object) -> bool:
    """Whether a dotted key is the neurons of a population that are removed: ``populations.NAME.remove``."""
    return isinstance(key, str) and re.fullmatch(r"populations\.\w+\.remove", key) is not None


def check_removal(where: str, keys: list[str], network: Network) -> None:
    """Refuse keys that are no population.

    Raises:
        ConfigurationError: names the key, and what there may be.
    """
    known = [f"populations.{name}" for name in network.populations]
    for key in keys:
        if key not in known:
            raise ConfigurationError(unknown_name(where, key, known))


def removed_neurons(choices: Iterable[tuple[str, Any]], grid: Grid) -> NDArray[np.int32] | None:
    """Ids of the neurons of a grid that are in any of the choices, ascending; None where there is no choice.

    Args:
        choices: what messages call each, and the neurons as `chosen_neurons` takes them.

    Raises:
        ConfigurationError: neurons that there are not.
    """
    chosen = [chosen_neurons(where, neurons, grid) for where, neurons in choices]
    if not chosen:  # as most have none, and all neurons are many
        return None
    everyone = np.arange(grid.size, dtype=np.int32)
    return np.unique(np.concatenate([everyone if ids is None else ids for ids in chosen]))


def check_keys(where: str, keys: list[object]) -> None:
    """Refuse keys that are no parameter of a model.

    Raises:
        ConfigurationError: names the key, and what there may be.
    """
    for key in keys:
        if not is_changeable(key):
            raise ConfigurationError(
                f"{where}: {key!r} is not allowed; must be a parameter of a model: populations.NAME.model.PARAMETER, "
                "populations.NAME.stimulate.NUMBER.PARAMETER, or projections.NAME.receptor|synapse|rewiring.PARAMETER"
            )


def check_change(where: str, before: Network, after: Network) -> None:
    """Refuse other models, and input in flight that would be in another unit.

    Raises:
        ConfigurationError: names what would change.
    """
    for name, population in before.populations.items():
        _refuse_another(f"{where}.populations.{name}.model", population.model, after.populations[name].model)
    for name, projection in before.projections.items():
        changed = after.projections[name]
        for part in _PARTS:
            _refuse_another(f"{where}.projections.{name}.{part}", getattr(projection, part), getattr(changed, part))
        if projection.input_ring is not None and changed.input_format != projection.input_format:
            raise ConfigurationError(
                f"{where}: projections.{name} would have its input in another unit while input is in flight, since "
                f"its weights have another bound ({changed.weight_bound:g}, before {projection.weight_bound:g}); keep "
                "the bound, or give its delay as one axonal delay"
            )


def _refuse_another(where: str, before: Configured[Any] | None, after: Configured[Any] | None) -> None:
    was, now = ((one.name if one else None) for one in (before, after))
    if now != was:
        raise ConfigurationError(f"{where}: {now!r} is not allowed; it is {was!r}, and a change is of parameters only")
