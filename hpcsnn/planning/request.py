"""How much a job asks for: from flags, from the site's profile, and where both are silent from the network's size."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hpcsnn.configuration.schema import Configuration, NetworkConfiguration
from hpcsnn.engine.learning.groups import check_even, tile_side
from hpcsnn.errors import ConfigurationError
from hpcsnn.network import Network
from hpcsnn.planning.memory import estimate
from hpcsnn.planning.site_profiles import SiteProfile
from hpcsnn.ranks.partition import place_network

# Below this many neurons per rank, exchanging spikes takes longer than updating neurons.
_NEURONS_A_RANK = 30_000
_MOST_RANKS_UNASKED = 64
# Python, libraries, MPI's buffers, and what Python holds of spikes and events until they are written.
_BYTES_A_PROCESS = 500e6
_CHECKPOINT_BYTES_A_SECOND = 50e6


@dataclass(frozen=True)
class Request:
    """What one job asks of a cluster.

    Attributes:
        nodes, ranks: of the whole job; ranks are spread evenly.
        gpus_per_node: 0 on CPUs.
        memory_gb: of each node.
        time_min: limit of one start of the job, in minutes; it is requeued until the run is done.
        grace_s: how long before the limit the job is told to stop, in seconds.
    """

    nodes: int
    ranks: int
    gpus_per_node: int
    memory_gb: int
    time_min: float
    grace_s: int

    @property
    def ranks_per_node(self) -> int:
        """Ranks on each node."""
        return self.ranks // self.nodes


def make_request(
    configuration: NetworkConfiguration,
    profile: SiteProfile,
    *,
    nodes: int = 1,
    ranks: int | None = None,
    gpus_per_node: int | None = None,
    time_min: float = 60.0,
    grace_s: int | None = None,
) -> Request:
    """Fill in what was not asked for.

    One rank per GPU; on CPUs as many ranks as the profile puts on a node, else one for about 30,000 neurons. A training
    takes by itself as many as share a network, mostly one; more share out the samples.

    Raises:
        ConfigurationError: ranks that do not fit nodes, GPUs or the network.
    """
    gpus = gpus_per_node if gpus_per_node is not None else (profile.gpus_per_node or 0)
    network, sharing = configuration.planned_network(), configuration.ranks_of_network
    tile = configuration.tile if isinstance(configuration, Configuration) else tile_side(network, sharing or 1)
    if ranks is None:
        by_size = _ranks_for(network, tile, nodes) if sharing is None else -(-sharing // nodes)
        ranks = nodes * (gpus or profile.ranks_per_node or by_size)
    if ranks % nodes:
        raise ConfigurationError(f"--ranks: {ranks} is not allowed; must be a multiple of --nodes {nodes}")
    if gpus and ranks // nodes > gpus:
        raise ConfigurationError(
            f"--ranks: {ranks} is not allowed; {nodes} x {gpus} GPUs serve at most {nodes * gpus} ranks, one each"
        )
    n_parts = ranks if sharing is None else check_even(sharing, ranks)
    place_network(network, tile, 0, n_parts)  # raises where there are more ranks than tiles
    size = estimate(network, tile, 0, n_parts)
    # Rows, lists and logs double once on the way to twice as many synapses; old and new are there for a moment.
    largest = size.n_bytes + 2 * size.growing + size.checkpoint
    memory = ranks // nodes * (largest + _BYTES_A_PROCESS)
    if grace_s is not None and not 0 < grace_s < 60 * time_min:
        raise ConfigurationError(
            f"--grace: {grace_s} s is not allowed; must be shorter than --time ({60 * time_min:g} s)"
        )
    if grace_s is None:
        grace_s = int(min(60 + largest / _CHECKPOINT_BYTES_A_SECOND, 30 * time_min))
    return Request(nodes, ranks, gpus, max(1, math.ceil(memory / 1e9)), time_min, grace_s)


def _ranks_for(network: Network, tile: int, nodes: int) -> int:
    """Ranks per node by the network's size."""
    neurons = sum(population.size for population in network.populations.values())
    wanted = max(1, min(neurons // _NEURONS_A_RANK, _MOST_RANKS_UNASKED * nodes) // nodes)
    while wanted > 1:
        try:
            place_network(network, tile, 0, wanted * nodes)
            break
        except ConfigurationError:
            wanted //= 2
    return wanted
