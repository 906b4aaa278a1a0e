"""Networks that several tests run."""

from __future__ import annotations

from typing import Any

from hpcsnn import Network
from hpcsnn.config import load_configuration


def topographic_map(**overrides: Any) -> Network:
    """The shipped topographic map with spikes recorded; keywords override values, ``__`` standing for a dot."""
    record = ["populations.source.record_spikes=true", "populations.target.record_spikes=true"]
    given = [f"{name.replace('__', '.')}={value}" for name, value in overrides.items()]
    return load_configuration("topomap", [*record, *given]).network()
