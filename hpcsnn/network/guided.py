"""Projections of a network that learns that grow where gradients are."""

from __future__ import annotations

from hpcsnn.errors import ConfigurationError
from hpcsnn.network.learning import trained_projections
from hpcsnn.network.network import Network
from hpcsnn.network.projection import Projection


def guided_projections(network: Network) -> list[Projection]:
    """Those that are trained and whose rule has a ``guide``.

    Raises:
        ConfigurationError: gradients of pairs without a synapse do not come about.
    """
    assert network.learning is not None
    found = [one for one in trained_projections(network) if one.rule is not None and one.rule.guide is not None]
    if found and network.learning.online:
        rule = found[0].rule
        assert rule is not None
        raise ConfigurationError(
            f"projections.{found[0].name}.rewiring: {rule.name} is not allowed with gradient: online, which has "
            "eligibilities of synapses alone; must be gradient: events, or a rule without a guide"
        )
    return found
