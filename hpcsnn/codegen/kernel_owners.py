"""Whose texts run in a kernel, in the user's terms: for messages about what goes wrong while it runs."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping

from hpcsnn.network import Network, Projection

# What a kernel's name begins with where only this part of a projection has a text in it; the others are of its rule.
_PARTS = {
    **dict.fromkeys(
        ("deliver", "relay", "trace", "postsynaptic", "change_synapses", "backpropagate", "follow"), "synapse"
    ),
    **dict.fromkeys(("count_sources", "connect", "count_outgoing", "list_outgoing"), "connector"),
}
_WHAT = {
    signal.SIGFPE: "a whole number is divided by zero",
    signal.SIGILL: "a whole number is divided by zero, or C++ does not say what this is to do",
    signal.SIGSEGV: "memory is read or written that is not its own (beyond a table?), or the stack is used up",
    signal.SIGBUS: "memory is read or written that is not there",
}


def kernel_owners(network: Network, kernels: Iterable[str]) -> dict[str, str]:
    """By kernel, whose snippets run in it, such as ``populations.cells (neuron lif)``; without those that have none."""
    owners = {}
    for kernel in kernels:
        of_populations = [name for name in network.populations if kernel.endswith(f"_{name}")]
        of_projections = [name for name in network.projections if kernel.endswith(f"_{name}")]
        # Of names that end alike, the longest is the one: kernels' own names begin with no name of a user's.
        name = max((*of_populations, *of_projections), key=len, default=None)
        if name in network.projections:
            owners[kernel] = _of_projection(network.projections[name], kernel.removesuffix(f"_{name}"))
        elif name is not None:
            population = network.populations[name]
            currents = (one.current for one in population.stimulations)
            models = [population.model, *currents, *(one.receptor for one in network.incoming(population))]
            words = dict.fromkeys(f"{one.model.KIND} {one.name}" for one in models)
            owners[kernel] = f"populations.{name} ({', '.join(words)})"
    return owners


def _of_projection(projection: Projection, kind: str) -> str:
    part = _PARTS.get(kind, "rewiring")
    models = {part: projection.parts[part]} if part in projection.parts else projection.parts
    words = ", ".join(f"{one.model.KIND} {one.name}" for one in models.values())
    return f"projections.{projection.name} ({words})"


def trapped(owners: Mapping[str, str], kernel: str, signal_number: int) -> str:
    """What is said of a kernel that the processor has stopped: whose it is, which one, and what it did."""
    what = _WHAT.get(signal_number, f"signal {signal_number}")  # type: ignore[call-overload]
    return f"{owners.get(kernel, 'hpcsnn')}, kernel {kernel}: {what}; the processor stops there"
