"""Optimisers: what the end of a batch does to a weight. A new one is one more `Optimiser` in this file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from hpcsnn.checked_numbers import real_number
from hpcsnn.errors import ConfigurationError
from hpcsnn.models.base import Configured, Model, Variable
from hpcsnn.models.parameters import Parameter


@dataclass(frozen=True)
class Optimiser(Model):
    """What becomes of a weight, or a bias, at the end of a batch.

    ``update`` changes ``weight``; it sees ``gradient`` (the sum over the batch), the parameters, the optimiser's own
    ``variables`` of the weight, which begin at 0 and end with the synapse, and the constants of ``of_batch``: Python
    expressions over the parameters and ``batch`` (1, 2, ..), evaluated by the host in float64 at each batch.
    """

    KIND: ClassVar[str] = "optimiser"
    SEES: ClassVar[tuple[str, ...]] = ("weight", "gradient")

    variables: tuple[Variable, ...] = ()
    of_batch: Mapping[str, str] = field(default_factory=dict)
    update: str = ""


def constants_of_batch(optimiser: Configured[Optimiser], dt_ms: float, batch: int) -> dict[str, float]:
    """What ``of_batch`` comes to in batch number `batch`, from 1 on.

    Raises:
        ConfigurationError: no number, or one that kernels do not hold; names the constant and its expression.
    """
    known = {**optimiser.constants(dt_ms), "dt_ms": dt_ms, "batch": batch}
    found = {}
    for name, expression in optimiser.model.of_batch.items():
        where = f"optimiser.{optimiser.name}: {name}, which is {expression}"
        try:
            value = eval(expression, {"__builtins__": {}}, known)
        except (NameError, SyntaxError, TypeError, ValueError, ArithmeticError) as error:
            raise ConfigurationError(f"{where}, comes to no number: {error}") from None
        found[name] = real_number(where, value)
    return found


_RATE = Parameter(1e-3, "", "learning rate", minimum=0.0)
_DECAY = Parameter(0.0, "", "weight decay per batch, as a part of the learning rate", minimum=0.0)

SGD = Optimiser(
    "sgd",
    "Gradient descent, with momentum if it is not 0.",
    parameters={
        "learning_rate": Parameter(1e-2, "", "learning rate", minimum=0.0),
        "momentum": Parameter(0.0, "", "part of the last change that is kept", minimum=0.0, maximum=1.0),
    },
    variables=(Variable("velocity", 0.0, "weight", doc="mean of past gradients"),),
    update="""
velocity = flushed(momentum * velocity + gradient);
weight -= learning_rate * velocity;
""",
    source="Robbins & Monro 1951; Polyak 1964",
)

Adam = Optimiser(
    "adam",
    "Adam: steps of about the learning rate, whatever the gradient's size.",
    parameters={
        "learning_rate": _RATE,
        "beta_1": Parameter(0.9, "", "decay of the gradient's mean", minimum=0.0, maximum=1.0),
        "beta_2": Parameter(0.999, "", "decay of its square's mean", minimum=0.0, maximum=1.0),
        "epsilon": Parameter(1e-8, "", "what keeps the step finite", above=0.0),
        "weight_decay": _DECAY,
    },
    variables=(
        Variable("gradient_mean", 0.0, "", doc="first moment"),
        Variable("gradient_square", 0.0, "", doc="second moment"),
    ),
    of_batch={
        "mean_correction": "1.0 / (1.0 - beta_1**batch) if beta_1 < 1.0 else 1.0",
        "square_correction": "1.0 / (1.0 - beta_2**batch) if beta_2 < 1.0 else 1.0",
    },
    update="""
gradient_mean = flushed(beta_1 * gradient_mean + (1.0f - beta_1) * gradient);
gradient_square = flushed(beta_2 * gradient_square + (1.0f - beta_2) * gradient * gradient);
const float step = gradient_mean * mean_correction / (square_root(gradient_square * square_correction) + epsilon);
weight -= learning_rate * (step + weight_decay * weight);
""",
    source="Kingma & Ba 2015, arXiv 1412.6980; weight decay as in AdamW, Loshchilov & Hutter 2019, arXiv 1711.05101",
)
