"""What a checkpoint's manifest says of a run, for those who read it without executing anything of the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpcsnn.models.registry import registered
from hpcsnn.models.rewiring import RewiringRule


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
