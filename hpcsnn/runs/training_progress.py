"""What a training shows while it goes: a live line in a terminal, plain lines elsewhere, from rank 0."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from hpcsnn.runs.progress import PLAIN_EVERY_S, StateDisplay, clock
from hpcsnn.runs.training_position import Position
from hpcsnn.storage.run_directory import RunDirectory
from hpcsnn.training.interface import Evaluation


class TrainingProgress(StateDisplay):
    """A context in which `update` shows where a training is.

    Args:
        epochs, batches: of the whole training, and of each epoch.
        directory, quiet, plain_every_s: as of `StateDisplay`.
    """

    PHASE = "training"

    def __init__(
        self,
        console: Console,
        epochs: int,
        batches: int,
        directory: RunDirectory,
        quiet: bool = False,
        plain_every_s: float = PLAIN_EVERY_S,
    ) -> None:
        super().__init__(console, directory, quiet, plain_every_s)
        self._epochs, self._batches = epochs, batches
        self._first: tuple[int, int] | None = None
        self._validation: Evaluation | None = None

    def ends_after(self, epochs: int) -> None:
        """There are no more epochs than these, which may be fewer than were asked for."""
        self._epochs = epochs

    def update(
        self,
        position: Position,
        synapses: Mapping[str, int],
        possible: Mapping[str, int],
        validation: Evaluation | None = None,
        epoch_ends: bool = False,
        last: bool = False,
    ) -> None:
        """Show where the training is, in ``progress.json`` now and then and at the `last` time.

        Args:
            synapses, possible: of each projection that is trained, those that there are, and pairs that may have one.
            validation: of the validation samples, where it was just made.
            epoch_ends: there is a plain line for it, whenever the last one was.
        """
        if self._quiet:
            return
        if validation is not None:
            self._validation = validation
        state = self._state(position, synapses, possible)
        self._show(state, training_line(state), state["done"], last, plain=epoch_ends)

    def _state(self, position: Position, synapses: Mapping[str, int], possible: Mapping[str, int]) -> dict[str, Any]:
        """What ``progress.json`` says: times in s, shares of one."""
        batches = (position.epoch - 1) * self._batches + position.batch
        if self._first is None:
            self._first = batches, position.in_all.samples
        wall, total = time.perf_counter() - self._started, self._epochs * self._batches
        new_batches, new_samples = batches - self._first[0], position.in_all.samples - self._first[1]
        shown = position.in_epoch if position.in_epoch.samples else position.in_group
        n, pairs = max(shown.samples, 1), sum(possible.values())
        return {
            "updated": time.time(),
            "epoch": min(position.epoch, self._epochs),
            "epochs": self._epochs,
            "batch": position.batch if position.epoch <= self._epochs else self._batches,
            "batches": self._batches,
            "done": batches / total if total else 1.0,
            "loss": shown.loss / n if shown.samples else None,
            "accuracy": shown.accuracy if shown.samples else None,
            "validation_accuracy": self._validation.accuracy if self._validation else None,
            "validation_loss": self._validation.loss if self._validation else None,
            "samples_per_s": new_samples / wall,
            "left_s": (total - batches) * wall / new_batches if new_batches else None,
            "synapses": sum(synapses.values()),
            "connectivity": sum(synapses.values()) / pairs if pairs else None,
        }


def training_line(state: Mapping[str, Any]) -> str:
    """One line of what ``progress.json`` says of a training."""
    words = [f"epoch {state['epoch']} of {state['epochs']}, batch {state['batch']:,} of {state['batches']:,}"]
    if state["loss"] is not None:
        words.append(f"loss {state['loss']:.4g}")
    if state["accuracy"] is not None:
        words.append(f"accuracy {state['accuracy']:.2%}")
    if state["validation_accuracy"] is not None:
        words.append(f"validation {state['validation_accuracy']:.2%}")
    elif state["validation_loss"] is not None:
        words.append(f"validation {state['validation_loss']:.4g}")
    words.append(f"{state['samples_per_s']:,.0f} samples/s")
    if state["left_s"] is not None:
        words.append(f"{clock(state['left_s'])} left")
    if state["connectivity"] is not None:
        words.append(f"{state['synapses']:,} synapses ({state['connectivity']:.3g} of the pairs)")
    return "  ".join(words)
