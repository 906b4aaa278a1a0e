"""Optimisers: what the end of a batch does to a weight. A new one is one more `Optimiser` in this file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from hpcsnn.checked_numbers import SMALLEST_NUMBER, real_number
from hpcsnn.errors import ConfigurationError
from hpcsnn.models.base import MATH, Configured, Model, Variable, compiled_expression
from hpcsnn.models.learning.clipping import CLIPPING
from hpcsnn.models.learning.schedules import RATE, check_schedule, schedule
from hpcsnn.models.parameters import Parameter


@dataclass(frozen=True, repr=False)
class Optimiser(Model):
    """What becomes of a weight, or a bias, at the end of a batch.

    ``update`` changes ``weight``; it sees ``gradient`` (the sum over the batch), the parameters, the optimiser's own
    ``variables`` of the weight, which begin at 0 and end with the synapse, and the constants of ``of_batch``: Python
    expressions over the parameters, ``batch`` (1, 2, ..) and ``epoch_batches`` (those of an epoch), evaluated by the
    host in float64 at each batch. `schedules` and `clipping` have parameters that any optimiser may have.
    """

    KIND: ClassVar[str] = "optimiser"
    SEES: ClassVar[tuple[str, ...]] = ("weight", "gradient")

    variables: tuple[Variable, ...] = ()
    of_batch: Mapping[str, str] = field(default_factory=dict)
    update: str = ""


def constants_of_batch(
    optimiser: Configured[Optimiser], dt_ms: float, batch: int, epoch_batches: int = 1
) -> dict[str, float]:
    """What ``of_batch`` comes to in batch number `batch`, from 1 on; what is too near to 0 for kernels is 0.

    Raises:
        ConfigurationError: no number, or one that kernels do not hold; names the constant and its expression.
    """
    known = {**MATH, **optimiser.constants(dt_ms), **optimiser.values, "dt_ms": dt_ms}
    known |= {"batch": batch, "epoch_batches": epoch_batches}
    found = {}
    for name, expression in optimiser.model.of_batch.items():
        where = f"optimiser.{optimiser.name}: {name}, which is {expression}"
        try:
            value = eval(compiled_expression(expression), {"__builtins__": {}}, known)
        except (NameError, SyntaxError, TypeError, ValueError, ArithmeticError) as error:
            raise ConfigurationError(f"{where}, comes to no number: {error}") from None
        vanishes = isinstance(value, float) and abs(value) < SMALLEST_NUMBER
        found[name] = 0.0 if vanishes else real_number(where, value)
    return found


def learning_rate(optimiser: Configured[Optimiser], dt_ms: float, batch: int, epoch_batches: int) -> float | None:
    """The learning rate in a batch; None: the optimiser has none by this name."""
    if "rate" in optimiser.model.of_batch:
        return constants_of_batch(optimiser, dt_ms, batch, epoch_batches)["rate"]
    return optimiser.values.get("learning_rate")


SGD = Optimiser(
    "sgd",
    "Gradient descent, with momentum if it is not 0.",
    parameters={
        **schedule(1e-2),
        "momentum": Parameter(0.0, "", "part of the last change that is kept", minimum=0.0, maximum=1.0),
        **CLIPPING,
    },
    variables=(Variable("velocity", 0.0, "weight", doc="mean of past gradients"),),
    check=check_schedule,
    of_batch={"rate": RATE},
    update="""
velocity = flushed(momentum * velocity + gradient);
weight -= rate * velocity;
""",
    source="Robbins & Monro 1951; Polyak 1964",
)

Adam = Optimiser(
    "adam",
    "Adam: steps of about the learning rate, whatever the gradient's size.",
    parameters={
        **schedule(1e-3),
        "beta_1": Parameter(0.9, "", "decay of the gradient's mean", minimum=0.0, maximum=1.0),
        "beta_2": Parameter(0.999, "", "decay of its square's mean", minimum=0.0, maximum=1.0),
        "epsilon": Parameter(1e-8, "", "what keeps the step finite", above=0.0),
        "weight_decay": Parameter(0.0, "", "weight decay per batch, as a part of the learning rate", minimum=0.0),
        **CLIPPING,
    },
    variables=(
        Variable("gradient_mean", 0.0, "", doc="first moment"),
        Variable("gradient_square", 0.0, "", doc="second moment"),
    ),
    check=check_schedule,
    of_batch={
        "rate": RATE,
        "mean_correction": "1.0 / (1.0 - beta_1**batch) if beta_1 < 1.0 else 1.0",
        "square_correction": "1.0 / (1.0 - beta_2**batch) if beta_2 < 1.0 else 1.0",
    },
    update="""
gradient_mean = flushed(beta_1 * gradient_mean + (1.0f - beta_1) * gradient);
gradient_square = flushed(beta_2 * gradient_square + (1.0f - beta_2) * gradient * gradient);
const float step = gradient_mean * mean_correction / (square_root(gradient_square * square_correction) + epsilon);
weight -= rate * (step + weight_decay * weight);
""",
    source="Kingma & Ba 2015, arXiv 1412.6980; weight decay as in AdamW, Loshchilov & Hutter 2019, arXiv 1711.05101",
)
