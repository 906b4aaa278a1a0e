"""Rules that learn without labels or a loss: what a hidden population makes of samples is read out behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from hpcsnn.errors import ConfigurationError
from hpcsnn.models.base import Model
from hpcsnn.models.parameters import Parameter


@dataclass(frozen=True, repr=False)
class UnsupervisedRule(Model):
    """A rule that learns from samples alone: its parameters; the kernels are in ``kernels/hypercolumns``."""

    KIND: ClassVar[str] = "unsupervised rule"


def _fewer_than_all(where: str, values: Mapping[str, Any]) -> None:
    if values["swaps"] > 0 and values["swap_ratio"] < 1.0:
        raise ConfigurationError(
            f"{where}.swap_ratio: {values['swap_ratio']} is not allowed; must be >= 1, or swaps would go to and fro"
        )


HypercolumnBCPNN = UnsupervisedRule(
    "hypercolumn_bcpnn",
    "Hypercolumns whose units are active by the softmax of their log posteriors; connections between hypercolumns, "
    "silent ones included, keep joint probabilities, and the least telling give way to the most telling.",
    parameters={
        "source_units": Parameter(
            2, "channels", "neighbours in number that make a hypercolumn of the source", "int", minimum=1, maximum=1024
        ),
        "connections": Parameter(78, "hypercolumns", "of the source that each one listens to", "int", minimum=1),
        "tau_patterns": Parameter(1000.0, "patterns", "over which probabilities are taken", above=1.0),
        "initial_spread": Parameter(
            1.0, "", "standard deviation of the logarithms of joint probabilities at first", minimum=0.0, maximum=3.0
        ),
        "least_probability": Parameter(
            1e-3, "", "of a channel given a unit, below which nothing is distinguished", above=0.0, maximum=0.5
        ),
        "least_activity": Parameter(
            1e-2, "", "of a unit, below which it does not learn from a pattern", minimum=0.0, maximum=0.5
        ),
        "swap_ratio": Parameter(1.1, "", "how much better a silent connection is that takes an active one's place"),
        "swaps": Parameter(100, "connections", "most that are swapped of a hypercolumn at a time; 0: none", "int",
                           minimum=0),
    },
    check=_fewer_than_all,
    source="Ravichandran, Lansner & Herman 2025; code nbrav/BCPNNSim-ReprLearn",
)  # fmt: skip
