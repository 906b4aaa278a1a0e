"""What one rank of any number would do, found by doing it: its own part for real, the others' spikes made up."""

from __future__ import annotations

import gc
import resource
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hpcsnn.codegen.program import generate
from hpcsnn.devices.base import Device
from hpcsnn.engine.simulation import Simulation
from hpcsnn.errors import ConfigurationError
from hpcsnn.network import Network
from hpcsnn.ranks.exchange.made_up import Spikes, mirrored_routes, roomy_boxes, sent_spikes
from hpcsnn.ranks.exchange.neighbours import has_neighbours
from hpcsnn.ranks.one_of_many import OneOfMany
from hpcsnn.ranks.partition import place_network

# Ranks that are placed to find the one with the most to do.
_LOOKED_AT = 64


@dataclass(frozen=True)
class DryRun:
    """What a rank did.

    Attributes:
        rank, ranks: which one, of how many.
        cpu_us_per_step: processor time of a step behind the warm-up, without waiting for others or sending.
        setup_s: wall seconds until the first step could begin, with kernels compiled before.
        memory_bytes: largest resident memory of the process so far.
        bytes_sent_per_step: in blocks to neighbours.
        messages_sent_per_step: to neighbours.
        neighbours: ranks that it swaps spikes with.
        neurons, known_sources, synapses: what it keeps; sources that others own.
        spikes_sent_per_step, spikes_received_per_step: on average.
        steps: that were measured.
    """

    rank: int
    ranks: int
    cpu_us_per_step: float
    setup_s: float
    memory_bytes: int
    bytes_sent_per_step: float
    messages_sent_per_step: float
    neighbours: int
    neurons: int
    known_sources: int
    synapses: int
    steps: int
