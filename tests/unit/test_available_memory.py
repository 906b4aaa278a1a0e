"""What does not fit into memory is refused with the estimate, before anything is allocated."""

from __future__ import annotations

import resource

import pytest

from hpcsnn import ConfigurationError, DeviceError, Network, models
from hpcsnn.engine.learning.groups import tile_side
from hpcsnn.planning.available_memory import check_memory, free_of_machine, free_of_process
from hpcsnn.planning.memory import estimate, shown_bytes
from hpcsnn.ranks.communicator import Alone
from support.learning import learner


def declared(delay_ms):
    network = Network()
    network.add_population("a", 400, models.Poisson())
    network.add_population("b", 400, models.LIF())
    network.add_projection(
        "ab", "a", "b", models.OneToOne(), models.DeltaCurrent(), weight=1.0, delay_ms=delay_ms
    )  # fmt: skip
    return network


def test_a_network_that_fits_is_no_matter_for_words():
    check_memory(declared(1.0), 8, Alone())


def test_a_delay_that_no_machine_keeps_spikes_for_is_refused():
    """2^27 slots of 400 neurons, 4 bytes each."""
    network = declared(1e7)
    n_bytes = estimate(network, 8, 0, 1).n_bytes
    assert n_bytes > 2**27 * 400 * 4
    with pytest.raises(DeviceError) as error:
        check_memory(network, 8, Alone())
    assert str(error.value).startswith("memory: 1 rank on ")
    assert f" would need about {shown_bytes(n_bytes)}, and the machine has " in str(error.value)


class Neighbours(Alone):
    """Ranks of one machine that all need what the first does, and have so much left."""

    def __init__(self, size, free_of_process, free_of_machine):
        self.size, self._free = size, (free_of_process, free_of_machine)

    def gather(self, value):
        machine, n_bytes, *_ = value
        return [(machine, n_bytes, *self._free)] * self.size


def test_ranks_of_one_machine_share_its_memory():
    network = declared(100.0)
    n_bytes = estimate(network, 8, 0, 4).n_bytes
    check_memory(network, 8, Neighbours(4, None, 4 * n_bytes))
    with pytest.raises(DeviceError, match=r"^memory: 4 ranks on .* would need about"):
        check_memory(network, 8, Neighbours(4, None, 4 * n_bytes - 1))


@pytest.mark.parametrize("sharing", [1, 2])
def test_of_ranks_that_share_a_network_each_has_its_part(sharing):
    """Four ranks, of which so many share a network that learns."""
    network = learner()
    tile = tile_side(network, sharing)
    n_bytes = estimate(network, tile, 0, sharing).n_bytes
    check_memory(network, tile, Neighbours(4, None, 4 * n_bytes), sharing)
    with pytest.raises(
        DeviceError, match=r"^memory: 4 ranks on .* left; use window_steps, fewer ranks on a node, ranks that share a"
    ):
        check_memory(network, tile, Neighbours(4, None, 4 * n_bytes - 1), sharing)


def test_each_rank_keeps_to_the_limit_of_its_process():
    network = declared(100.0)
    n_bytes = estimate(network, 8, 0, 2).n_bytes
    check_memory(network, 8, Neighbours(2, n_bytes, None))
    with pytest.raises(DeviceError, match=r"^memory: rank 0 would need about .*, and its limit \(ulimit -v\) has "):
        check_memory(network, 8, Neighbours(2, n_bytes - 1, None))


def test_what_is_free_is_known():
    assert 0 < free_of_machine() < 2**60
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    assert free_of_process() is None if limit == resource.RLIM_INFINITY else free_of_process() < limit


def test_more_ranks_than_tiles_are_refused_as_ever():
    with pytest.raises(ConfigurationError, match="tile"):
        check_memory(declared(1.0), 512, Neighbours(4, None, None))


@pytest.mark.parametrize(
    ("n_bytes", "words"), [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (3_214_000_000, "3.21 GB"), (2.68e14, "268 TB")]
)
def test_bytes_are_shown_in_the_unit_that_fits(n_bytes, words):
    assert shown_bytes(n_bytes) == words
