"""From the declarations of neurons and receptors to their backward recursions: functions that go one step back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from hpcsnn.codegen.snippet_functions import Argument, SnippetFunction, constant_arguments
from hpcsnn.models.learning import Gradient
from hpcsnn.network import Population, Projection
from hpcsnn.network.learning import gradient_of, recorded_name

# What is recorded in the step behind the one that the function goes back through.
_LATER = "hpcsnn_later_"


@dataclass(frozen=True)
class StepBack:
    """A C++ function: from the gradient of a step's spike or current, and what later steps want of the state, that of
    what comes in."""

    function: SnippetFunction
    body: str

    @property
    def head(self) -> str:
        """All before its body."""
        return self.function.head

    @property
    def call(self) -> str:
        """The expression by which the kernel calls it."""
        return self.function.call


def step_back(index: int, population: Population) -> StepBack:
    """The step back of population number `index`.

    With p the gradient of the state before a reset, u the learning signal and r = C^T p(t + 1):

        H = psi (u + jump . r),   p(t) = g H + r,   gradient of the input: b . p

    mlGeNN lets a jump decay one step later: jump . p(t + 1) in place of jump . r.
    """
    gradient = gradient_of(population)
    adjoints = [Argument("float&", f"hpcsnn_p_{one}", f"p_{one}[k]") for one in gradient.variables]
    recorded = [
        argument
        for name in gradient.recorded
        for argument in (
            Argument("const float", name, f"{recorded_name(name)}_of[at]"),
            Argument("const float", f"{_LATER}{name}", f"{recorded_name(name)}_of[later]"),
        )
    ]
    arguments = (
        Argument("const bool", "hpcsnn_mlgenn", "mlgenn"),
        Argument("const float", "hpcsnn_psi", "psi"),
        Argument("const float", "hpcsnn_signal", "signal[k]"),
        *adjoints,
        *recorded,
        *constant_arguments(population.model),
    )
    return StepBack(SnippetFunction(f"population_{index}_back", "float", arguments), _body(gradient))


def receptor_prefix(index: int) -> str:
    """What a kernel's names of a receptor begin with, of projection number `index`."""
    return f"receptor{index}_"


def receptor_back(index: int, projection: Projection) -> StepBack:
    """The step back of the receptor of projection number `index`, from a current's gradient to an arriving amount's.

    With r = C^T p(t + 1) and the gradient of the step's current:

        p(t) = c current + r,   gradient of what arrives: direct current + b . p
    """
    gradient = projection.receptor.model.gradient
    assert gradient is not None
    adjoints = [
        Argument("float&", f"hpcsnn_p_{one}", f"{receptor_prefix(index)}p_{one}[k]") for one in gradient.variables
    ]
    arguments = (
        Argument("const float", "hpcsnn_current", "gradient"),
        *adjoints,
        *constant_arguments(projection.receptor, receptor_prefix(index)),
    )
    lines = [_later(gradient.carry, variable) for variable in gradient.variables]
    for variable in gradient.variables:
        own = f"({gradient.output[variable]}) * hpcsnn_current + " if variable in gradient.output else ""
        lines.append(f"    hpcsnn_p_{variable} = {own}hpcsnn_r_{variable};")
    terms = [f"({factor}) * hpcsnn_p_{one}" for one, factor in gradient.input.items()]
    lines.append(f"    return {' + '.join([f'({gradient.direct}) * hpcsnn_current', *terms])};")
    return StepBack(SnippetFunction(f"projection_{index}_back", "float", arguments), "\n".join(lines))


def _later(carry: Mapping[tuple[str, str], str], variable: str) -> str:
    """r of a variable: what later steps want of it."""
    terms = [f"({factor}) * hpcsnn_p_{to}" for (to, origin), factor in carry.items() if origin == variable]
    return f"    const float hpcsnn_r_{variable} = {' + '.join(terms) or '0.0f'};"


def _body(gradient: Gradient) -> str:
    # A step is carried to the next one by what was recorded in that.
    names = re.compile(rf"\b({'|'.join(gradient.recorded)})\b") if gradient.recorded else None
    carry = {pair: names.sub(rf"{_LATER}\1", factor) if names else factor for pair, factor in gradient.carry.items()}
    unused = [name for one in gradient.recorded for name in (one, f"{_LATER}{one}")]
    lines = [f"    (void){name};" for name in ("hpcsnn_mlgenn", *unused)]
    lines += [_later(carry, variable) for variable in gradient.variables]
    heard = "hpcsnn_signal"
    if gradient.jump:
        now = " + ".join(f"({factor}) * hpcsnn_r_{one}" for one, factor in gradient.jump.items())
        late = " + ".join(f"({factor}) * hpcsnn_p_{one}" for one, factor in gradient.jump.items())
        heard = f"(hpcsnn_signal + (hpcsnn_mlgenn ? {late} : {now}))"
    lines.append(f"    const float hpcsnn_spike = hpcsnn_psi * {heard};")
    for variable in gradient.variables:
        own = f"({gradient.spike[variable]}) * hpcsnn_spike + " if variable in gradient.spike else ""
        lines.append(f"    hpcsnn_p_{variable} = {own}hpcsnn_r_{variable};")
    total = " + ".join(f"({factor}) * hpcsnn_p_{one}" for one, factor in gradient.input.items())
    lines.append(f"    return {total};")
    return "\n".join(lines)
