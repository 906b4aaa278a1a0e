"""Communicators of MPI that are made of others, once for each, and go with them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

# By the function that makes them, what MPI knows their place on a communicator by.
_PLACES: dict[Callable[[Any], Any], int] = {}


def of_node(comm: Any) -> Any:
    """The ranks of `comm` that share memory with this one; a collective call."""
    return _made_once(comm, _split)


def of_its_own(comm: Any) -> Any:
    """The ranks of `comm`, whose messages nobody else's meet; a collective call."""
    return _made_once(comm, _copied)


def _split(comm: Any) -> Any:
    from mpi4py import MPI

    return comm.Split_type(MPI.COMM_TYPE_SHARED)


def _copied(comm: Any) -> Any:
    return comm.Dup()


def _made_once(comm: Any, make: Callable[[Any], Any]) -> Any:
    from mpi4py import MPI

    if make not in _PLACES:
        _PLACES[make] = MPI.Comm.Create_keyval(delete_fn=_free)
    made = comm.Get_attr(_PLACES[make])
    if made is None:
        made = make(comm)
        comm.Set_attr(_PLACES[make], made)
    return made


def _free(_: Any, __: int, made: Any) -> None:
    with suppress(Exception):  # where MPI ends
        made.Free()
