"""The arrays through which ranks swap spikes: a part of the one table of arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hpcsnn.network.fields import Field


@dataclass(frozen=True)
class ExchangeRoom:
    """How much a rank sends and receives.

    Attributes:
        most_spikes: of an interval, that other ranks may know of.
        block: spikes per rank and round, where all ranks send to all.
        n_ranks: that send to all; 0 where neighbours send to each other.
        n_in, n_out: neighbours that send to this rank, and that it sends to.
        boxes: words in the blocks to neighbours, with what does not fit into them, and in those from neighbours.
        rest: words that a neighbour may send behind its block; where all send to all, that this rank may.
        handle_words, status_words: of a request and a status of the MPI library; 0 where it is not called.
    """

    most_spikes: int
    block: int = 0
    n_ranks: int = 0
    n_in: int = 0
    n_out: int = 0
    boxes: int = 0
    rest: int = 0
    handle_words: int = 0
    status_words: int = 0


def exchange_fields() -> tuple[Field, ...]:
    """The arrays of a rank, where there are several."""
    with_all = (
        Field("send_block", "uint32", lambda room: (room.block + 1) * min(room.n_ranks, 1)),
        Field("receive_block", "uint32", lambda room: room.n_ranks * (room.block + 1)),
    )
    with_neighbours = (
        # For each own neuron, of all populations in their order: into whose boxes it goes, and under which number.
        Field("route_start", "int", constant=True, made=True),
        Field("route_to", "int", constant=True, made=True),
        Field("route_number", "uint32", constant=True, made=True),
        # For each neighbour, and behind them for all as if they were one, and each population: the first neuron known
        # here of those that it owns, and how many there are.
        Field("first_of_sender", "int", constant=True, made=True),
        Field("known_of_sender", "uint32", constant=True, made=True),
        # For each neighbour, those that this rank sends to first, then those that send to it: its rank, how many spikes
        # fit into the block, its address, and in memory that both share where its twin is, in words (else 0).
        Field("box_rank", "int", constant=True, made=True),
        Field("box_block", "int", constant=True, made=True),
        Field("box_address", "int64", constant=True, made=True),
        Field("box_twin", "int64", constant=True, made=True),
        Field("boxes", "uint32", lambda room: room.boxes),
        # Where all are on one node: the first word of each one's box for all, this rank's first.
        Field("together", "int64", constant=True, made=True),
        # How many of the last exchange's messages did not fit into blocks.
        Field("n_rests", "int", _one),
    )
    # Spikes that are made up where neighbours are not there: by step, counted from the first one; in whose boxes they
    # come, and under which number.
    made_up = (
        Field("made_up_start", "int64", constant=True, made=True),
        Field("made_up_from", "int", constant=True, made=True),
        Field("made_up_number", "uint32", constant=True, made=True),
    )
    return (
        Field("send", "uint32", lambda room: room.most_spikes),
        Field("send_count", "int", _one),
        # Up to which step spikes have been sent that are not accepted yet; 0: none.
        Field("under_way", "int", _one),
        Field("rounds", "int64", _one),
        Field("exchanges", "uint32", _one),
        Field("meetings", "uint32", _one),
        # By `hpcsnn.codegen.constants.Sent`.
        Field("sent", "int64", lambda _: 3),
        *with_all,
        *with_neighbours,
        *made_up,
        Field("rest", "uint32", lambda room: room.rest),
        # Handles of MPI: requests to receive, to send, and to send what does not fit into blocks; or to gather.
        Field("requests", "uint32", lambda room: (room.n_in + 2 * room.n_out + bool(room.n_ranks)) * room.handle_words),
        Field("statuses", "uint32", lambda room: max(room.n_in, room.n_out, 1) * room.status_words),
        # Where spikes arrive on a device that MPI is not given.
        Field("received", "uint32", made=True),
        Field("received_count", "int", made=True),
    )


def _one(_: Any) -> int:
    return 1
