"""Losses, optimisers and rules of learning by the names that configurations use."""

from __future__ import annotations

from dataclasses import dataclass

from hpcsnn.checked_numbers import Limits, real_number
from hpcsnn.errors import check_known
from hpcsnn.training.choices import Choices

_BELOW_ONE = Limits(minimum=0.0, maximum=0.9999999)


@dataclass(frozen=True)
class CrossEntropy:
    """Softmax cross-entropy of each scored step, summed."""


@dataclass(frozen=True)
class Adam:
    """Adam: Kingma & Ba 2014, arXiv 1412.6980."""

    learning_rate: float = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        real_number("learning_rate", self.learning_rate, Limits(above=0.0))
        real_number("beta_1", self.beta_1, _BELOW_ONE)
        real_number("beta_2", self.beta_2, _BELOW_ONE)
        real_number("epsilon", self.epsilon, Limits(above=0.0))


@dataclass(frozen=True)
class EProp:
    """e-prop: Bellec et al. 2020, Nat. Commun. 11:3625."""

    pairing: str = "exact"
    rate_hz: float = 10.0
    regularisation: float = 0.0

    def __post_init__(self) -> None:
        check_known("pairing", self.pairing, ("exact", "mlgenn"))
        real_number("rate_hz", self.rate_hz, Limits("Hz", minimum=0.0))
        real_number("regularisation", self.regularisation, Limits(minimum=0.0))


LOSSES: Choices = {"cross_entropy": CrossEntropy}
OPTIMISERS: Choices = {"adam": Adam}
LEARNING: Choices = {"e_prop": EProp}
