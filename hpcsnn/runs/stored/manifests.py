"""What manifests of checkpoints say, and which one is of a time, to those who trust no manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hpcsnn.checked_numbers import real_number, shown_time
from hpcsnn.errors import ConfigurationError, shown
from hpcsnn.models.registry import registered
from hpcsnn.models.rewiring import RewiringRule
from hpcsnn.runs.stored.times import TIME
from hpcsnn.storage.checkpoints import Checkpoint


def is_whole(manifest: Mapping[str, Any]) -> bool:
    """Whether it has what is read of it here, and of the kind that hpcsnn writes."""
    segments, configuration = manifest.get("segments"), manifest.get("configuration")
    if not isinstance(segments, list) or not isinstance(configuration, dict):
        return False
    declared = [configuration.get(kind, {}) for kind in ("populations", "projections")]
    return (
        all(isinstance(segment, str) for segment in segments)
        and isinstance(configuration.get("dt_ms"), float)
        and configuration["dt_ms"] > 0
        and all(isinstance(kind, dict) and all(isinstance(one, dict) for one in kind.values()) for kind in declared)
    )


def reasons_of(projection: Mapping[str, Any]) -> list[str]:
    """Why a synapse may go by a rule that ships; none of a rule of the user's, whose file is not executed for it."""
    rewiring = projection.get("rewiring")
    name = next(iter(rewiring), "") if isinstance(rewiring, Mapping) else rewiring
    rule = registered("rewiring").get(str(name))
    return list(rule.reasons) if isinstance(rule, RewiringRule) else []


def checkpoint_at(at_ms: float, there: Sequence[Checkpoint], dt_ms: float) -> Checkpoint:
    """That of a time.

    Raises:
        ConfigurationError: no time, or none that one of them has.
    """
    wanted_ms = real_number("at_ms", at_ms, TIME)
    by_step = {checkpoint.step: checkpoint for checkpoint in there}
    step = round(wanted_ms / dt_ms)
    if step not in by_step or abs(step * dt_ms - wanted_ms) > 1e-3 * dt_ms:
        times = ", ".join(shown_time(step * dt_ms) for step in by_step)
        raise ConfigurationError(
            f"at_ms: {shown(at_ms)} is not allowed; must be the time of a stored checkpoint, one of {times}"
        )
    return by_step[step]
