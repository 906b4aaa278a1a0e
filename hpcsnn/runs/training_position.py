"""Where a training is, with what it has counted on the way: all that going on from a checkpoint takes, but weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpcsnn.training.interface import BatchResult


@dataclass
class Tally:
    """Sums over some batches; ``seconds`` of this rank's clock, ``n_correct`` None where samples have no labels."""

    batches: int = 0
    samples: int = 0
    n_correct: int | None = 0
    loss: float = 0.0
    seconds: float = 0.0
    rewired: dict[str, int] = field(default_factory=dict)

    def add(self, result: BatchResult, seconds: float) -> None:
        """Count one more batch."""
        self.batches += 1
        self.samples += result.n_samples
        known = self.n_correct is not None and result.n_correct is not None
        self.n_correct = self.n_correct + result.n_correct if known else None  # type: ignore[operator]
        self.loss += result.loss * result.n_samples
        self.seconds += seconds
        for name, n in result.rewired.items():
            self.rewired[name] = self.rewired.get(name, 0) + n

    @property
    def accuracy(self) -> float | None:
        """The share of samples that were right."""
        return None if self.n_correct is None else self.n_correct / max(self.samples, 1)

    def described(self) -> dict[str, Any]:
        """As a line of ``metrics.jsonl`` has it: loss and accuracy are means over samples."""
        n = max(self.samples, 1)
        return {
            "batches": self.batches,
            "samples": self.samples,
            "loss": self.loss / n,
            "accuracy": self.accuracy,
            "samples_per_s": self.samples / self.seconds if self.seconds > 0 else None,
            "rewired": dict(self.rewired),
        }


@dataclass
class Position:
    """How far a training is.

    Attributes:
        epoch: the one that is going on, from 1; one more than there are at the end.
        batch: batches of it that are done.
        in_group, in_epoch, in_all: what was counted since the last line of metrics, in this epoch, in all.
        ranks_s: of training alone, summed over ranks and starts.
        best_accuracy, best_loss, best_epoch: of the validation samples, in the epoch that was best; None: none yet.
        metrics_bytes: length of ``metrics.jsonl`` so far.
    """

    epoch: int = 1
    batch: int = 0
    in_group: Tally = field(default_factory=Tally)
    in_epoch: Tally = field(default_factory=Tally)
    in_all: Tally = field(default_factory=Tally)
    best_accuracy: float | None = None
    best_loss: float | None = None
    best_epoch: int | None = None
    metrics_bytes: int = 0
    ranks_s: float = 0.0

    def add(self, result: BatchResult, seconds: float) -> None:
        """Count one more batch."""
        self.batch += 1
        for tally in (self.in_group, self.in_epoch, self.in_all):
            tally.add(result, seconds)

    def begin_epoch(self) -> None:
        """Go on to the next epoch."""
        self.epoch += 1
        self.batch = 0
        self.in_epoch = Tally()

    def as_plain(self) -> dict[str, Any]:
        """As plain types, which JSON gives back as they were, to the last bit."""
        return asdict(self)

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> Position:
        """The reverse of `as_plain`."""
        tallies = {name: Tally(**plain[name]) for name in ("in_group", "in_epoch", "in_all")}
        return cls(**{**plain, **tallies})
