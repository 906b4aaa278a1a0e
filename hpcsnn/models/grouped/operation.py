"""What a neuron model asks of its group in each step."""

from __future__ import annotations

from dataclasses import dataclass

from hpcsnn.errors import ConfigurationError, shown
from hpcsnn.models.parameters import Parameter

# The parameter that says how many neighbours in number are a group.
GROUP_SIZE = "group_size"
# What snippets see once a group is known.
GROUP_NAMES = ("group_max", "group_sum", "group_softmax", "is_winner")


def group_size_parameter(default: int) -> Parameter:
    """The parameter ``group_size`` of a model whose neurons stand in groups."""
    return Parameter(default, "neurons", "neighbours in number that make a group", ctype="int", minimum=1)


@dataclass(frozen=True)
class GroupOperation:
    """What neurons compare within their group, once all of them have been updated.

    ``of`` is an expression, the value that is compared. ``update`` are statements that run when those of the whole
    group are known; they, ``threshold`` and ``reset`` see ``group_max`` (the largest value), ``group_sum`` (their sum,
    added up in the order of ids), ``group_softmax`` (exp(value - group_max), divided by the sum of these) and
    ``is_winner`` (whether this neuron has the largest value; of several, the one of the smallest id). All of them see
    the state, parameters and constants, ``dt_ms``, ``step``, ``neuron`` and ``random``, and nothing else that
    ``update`` of the model declares.

    Raises:
        ConfigurationError: a text that is none, or an empty ``of``.
    """

    of: str
    update: str = ""

    def __post_init__(self) -> None:
        for name, text in (("of", self.of), ("update", self.update)):
            if not isinstance(text, str) or (name == "of" and not text.strip()):
                allowed = "must be a C++ expression" if name == "of" else "must be C++ statements, or empty"
                raise ConfigurationError(f"group.{name}: {shown(text)} is not allowed; {allowed}")


def check_groups(where: str, size: object, n_neurons: int) -> None:
    """Refuse groups that differ between neurons, or do not come out even.

    Raises:
        ConfigurationError: names ``group_size`` below `where`, the value and what is allowed.
    """
    if not isinstance(size, int):
        raise ConfigurationError(f"{where}.{GROUP_SIZE}: {shown(size)} is not allowed; must be one number")
    if n_neurons % size:
        raise ConfigurationError(
            f"{where}.{GROUP_SIZE}: {size} is not allowed; must be a divisor of {n_neurons}, the number of neurons"
        )
