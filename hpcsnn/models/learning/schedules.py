"""Schedules of the learning rate: parameters and an expression that an optimiser of any kind may have.

An optimiser that has ``**schedule(learning_rate)`` among its parameters and ``rate: RATE`` in its ``of_batch`` is
scheduled: its ``update`` uses ``rate``. A new course is one more line in `_COURSES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpcsnn.errors import ConfigurationError
from hpcsnn.models.parameters import Parameter, choice

# Courses whose part that is left is a power of decay_to.
_POWERS = ("exponential", "step")

# Decay times since the warm-up; a step must not come a batch late because of the last digit.
_PASSED = "max(batch - 1 - warm_up_epochs * epoch_batches, 0.0) / (decay_epochs * epoch_batches)"
# Which part of the learning rate is left.
_COURSES = {
    "constant": "1.0",
    "linear": f"1.0 - (1.0 - decay_to) * min({_PASSED}, 1.0)",
    "cosine": f"decay_to + (1.0 - decay_to) * 0.5 * (1.0 + cos(pi * min({_PASSED}, 1.0)))",
    "exponential": f"decay_to ** ({_PASSED})",
    "step": f"decay_to ** floor({_PASSED} + 1e-9)",
}
_WARM = "(min(batch / (warm_up_epochs * epoch_batches), 1.0) if warm_up_epochs > 0.0 else 1.0)"

RATE = f"learning_rate * {_WARM} * {{{', '.join(f'{name!r}: {text}' for name, text in _COURSES.items())}}}[schedule]"


def schedule(learning_rate: float) -> dict[str, Parameter]:
    """The learning rate, with a default, and how it changes from batch to batch."""
    return {
        "learning_rate": Parameter(learning_rate, "", "learning rate, before it decays", minimum=0.0),
        "schedule": choice("constant", "course of the learning rate behind the warm-up", *_COURSES),
        "warm_up_epochs": Parameter(0.0, "epochs", "in which the learning rate rises evenly from 0", minimum=0.0),
        "decay_epochs": Parameter(10.0, "epochs", "in which it falls to decay_to, or once by that factor", above=0.0),
        "decay_to": Parameter(0.1, "", "the part that is left then", minimum=0.0, maximum=1.0),
    }


def check_schedule(where: str, values: Mapping[str, Any]) -> None:
    """Refuse a course that would be 0 from its second batch on.

    Raises:
        ConfigurationError: names `where`, the parameter, its value and what is allowed.
    """
    if values["schedule"] in _POWERS and values["decay_to"] == 0.0:
        raise ConfigurationError(
            f"{where}.decay_to: 0.0 is not allowed with the schedule {values['schedule']}, whose powers of it are 0 at "
            "once; must be above 0, or the schedule linear or cosine"
        )
