"""Clipping of gradients: parameters that an optimiser of any kind may have, and what they come to in a batch.

What is clipped is the gradient of the loss, summed over the batch, before a rule of rewiring adds its own pull.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hpcsnn.checked_numbers import LARGEST_NUMBER
from hpcsnn.models.base import Configured, Model
from hpcsnn.models.parameters import Parameter, choice

CLIPPING = {
    "clip": choice(
        "none", "value: each weight's gradient; norm: all of them, where their Euclidean norm is more than clip_at",
        "none", "value", "norm",
    ),
    "clip_at": Parameter(1.0, "", "the largest gradient, or norm, of a batch that is left", above=0.0),
}  # fmt: skip


@dataclass(frozen=True)
class Clipping:
    """What becomes of each gradient of a batch: first times ``factor``, then no larger than ``largest``."""

    factor: float = 1.0
    largest: float = LARGEST_NUMBER


def clipping_of_batch(optimiser: Configured[Model], norm: Callable[[], float]) -> Clipping:
    """How an optimiser clips, if it has the parameters `CLIPPING`; `norm` gives that of the batch's gradient."""
    if optimiser.model.parameters.get("clip") is not CLIPPING["clip"]:
        return Clipping()
    clip, at = optimiser.values["clip"], optimiser.values["clip_at"]
    if clip == "value":
        return Clipping(largest=at)
    if clip == "norm":
        found = norm()
        return Clipping(factor=at / found if found > at else 1.0)
    return Clipping()
