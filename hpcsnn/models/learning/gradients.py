"""How a spike, or an output, depends on its neuron's past, and a current on what has arrived: the declarations that
make neurons, and the synapses of a receptor, trainable.

Let s be the state in step t before a reset, z the spike. What training needs to know (Bellec et al. 2020, Nat. Commun.
11:3625, eqs. 10-15 and 21-25) is

    s(t + 1) = C (s(t) + jump z(t)) + b input_current(t + 1) + what carries no gradient (resets, clocks)
    dz/ds = psi g,   psi = (dampening / width) shape(distance),   0 where the neuron cannot spike

From C (``carry``), ``jump``, b (``input``) and g (``spike``) the backward recursion of each neuron is generated
(`hpcsnn.codegen.learning.backward`); there is nothing per synapse in it. A receptor between a spike and the current has
a state r of each target neuron, which is linear in the amount a that arrives:

    r(t) = C r(t - 1) + b a(t),   input_current(t) = direct a(t) + c r(t)
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from hpcsnn.errors import ConfigurationError, check_known
from hpcsnn.models.snippet_text import FUNCTIONS


@dataclass(frozen=True)
class Gradient:
    """How a neuron's spike depends on its state, and the state on its own past.

    ``distance`` (of the state from the threshold, in widths) and ``blocked`` (the neuron cannot spike) are C++
    expressions that see what ``threshold`` sees. ``width`` is a Python expression over parameters. All others are C++
    expressions over parameters and derived constants: ``input`` and ``spike`` by state variable, ``carry`` by pair (to,
    from), ``jump`` by what a spike adds to a variable before the next step. Where the state decides, as in neurons that
    are not linear, they also see ``recorded``: names, each with a C++ expression that is evaluated in every step before
    ``update`` and sees what that sees; ``carry`` reads what was recorded in the step that it leads to. A readout has an
    ``output``, the variable that is read, in place of ``distance``; ``trained`` names variables of each neuron that are
    parameters of the training, and for each the variable to which it is added in every step.

    Raises:
        ConfigurationError: neither or both of ``distance`` and ``output``; a readout that records.
    """

    distance: str = ""
    width: str = "1.0"
    blocked: str = "false"
    output: str = ""
    input: Mapping[str, str] = field(default_factory=dict)
    spike: Mapping[str, str] = field(default_factory=dict)
    carry: Mapping[tuple[str, str], str] = field(default_factory=dict)
    jump: Mapping[str, str] = field(default_factory=dict)
    trained: Mapping[str, str] = field(default_factory=dict)
    recorded: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if bool(self.distance) == bool(self.output):
            raise ConfigurationError(
                f"gradient: distance {self.distance!r} and output {self.output!r} are not allowed; give distance for "
                "neurons that spike, or output for a readout"
            )
        if self.output and self.recorded:
            raise ConfigurationError(
                f"gradient.recorded: {', '.join(self.recorded)} is not allowed; a readout, which has an output, must "
                "be linear in its input"
            )

    @property
    def variables(self) -> tuple[str, ...]:
        """State variables that carry a gradient, in order of first mention."""
        ends = [end for pair in self.carry for end in pair]
        return tuple(dict.fromkeys([*self.input, *self.spike, *ends, *self.jump]))

    @property
    def texts(self) -> dict[str, str]:
        """All its expressions, by part: ``distance``, ``carry.V.V`` (to V, from V), .."""
        plain = {name: getattr(self, name) for name in ("distance", "width", "blocked", "output")}
        by_name = {
            f"{part}.{name}": text
            for part in ("input", "spike", "jump", "trained", "recorded")
            for name, text in getattr(self, part).items()
        }
        return {**plain, **by_name, **{f"carry.{to}.{origin}": text for (to, origin), text in self.carry.items()}}

    def check(self, where: str, state: Collection[str], constants: Collection[str]) -> None:
        """Refuse what names no variable of a neuron, and expressions of constants that see something else.

        Raises:
            ConfigurationError: names `where`, the part and what there is.
        """
        ends = [end for pair in self.carry for end in pair]
        named = {
            "input": self.input,
            "spike": self.spike,
            "carry": ends,
            "jump": self.jump,
            "trained": [*self.trained, *self.trained.values()],
            "output": filter(None, [self.output]),
        }
        for part, names in named.items():
            for name in names:
                check_known(f"{where}.{part}", name, state)
        for name in self.recorded:
            if not name.isidentifier() or name in state or name in constants:
                raise ConfigurationError(
                    f"{where}.recorded: {name!r} is not allowed; must be a name that no variable, parameter or derived "
                    "constant has"
                )
        for part, text in self.texts.items():
            if part.partition(".")[0] in ("input", "spike", "carry", "jump"):
                _check_constant(f"{where}.{part}", text, (*constants, *self.recorded))


@dataclass(frozen=True)
class ReceptorGradient:
    """How the current of a receptor depends on the amounts that have arrived.

    All are C++ expressions over parameters and derived constants: ``input`` and ``output`` by state variable, ``carry``
    by pair (to, from), of the state as the current of the step sees it; ``direct`` is what an amount is of the current
    without any state. The neuron's own state may not be in it: a conductance has no such declaration.
    """

    input: Mapping[str, str] = field(default_factory=dict)
    carry: Mapping[tuple[str, str], str] = field(default_factory=dict)
    output: Mapping[str, str] = field(default_factory=dict)
    direct: str = "0.0f"

    @property
    def variables(self) -> tuple[str, ...]:
        """State variables that carry a gradient, in order of first mention; none where an amount lasts one step."""
        ends = [end for pair in self.carry for end in pair]
        return tuple(dict.fromkeys([*self.input, *ends, *self.output]))

    def check(self, where: str, state: Collection[str], constants: Collection[str]) -> None:
        """Refuse what names no variable of the receptor, and expressions that see more than constants.

        Raises:
            ConfigurationError: names `where`, the part and what there is.
        """
        parts = {"input": self.input, "output": self.output}
        texts = {f"{part}.{name}": text for part, named in parts.items() for name, text in named.items()}
        texts |= {f"carry.{to}.{origin}": text for (to, origin), text in self.carry.items()}
        for name in self.variables:
            check_known(f"{where}", name, state)
        for part, text in {**texts, "direct": self.direct}.items():
            _check_constant(f"{where}.{part}", text, constants)


def _check_constant(where: str, text: str, constants: Collection[str]) -> None:
    for word in re.findall(r"\b[A-Za-z_]\w*", text):
        check_known(f"{where}: {text!r}", word, (*constants, *FUNCTIONS))
