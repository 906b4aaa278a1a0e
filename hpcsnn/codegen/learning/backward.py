"""From a neuron's declaration to its backward recursion: one function that goes one step back."""

from __future__ import annotations

from dataclasses import dataclass

from hpcsnn.codegen.snippet_functions import Argument, SnippetFunction, constant_arguments
from hpcsnn.models.learning import Gradient
from hpcsnn.network import Population
from hpcsnn.network.learning import gradient_of


@dataclass(frozen=True)
class StepBack:
    """A C++ function: from the learning signal of a step, and what later steps want of the state, the gradient of the
    step's input."""

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
    arguments = (
        Argument("const bool", "hpcsnn_mlgenn", "mlgenn"),
        Argument("const float", "hpcsnn_psi", "psi"),
        Argument("const float", "hpcsnn_signal", "signal[k]"),
        *adjoints,
        *constant_arguments(population.model),
    )
    return StepBack(SnippetFunction(f"population_{index}_back", "float", arguments), _body(gradient))


def _body(gradient: Gradient) -> str:
    lines = ["    (void)hpcsnn_mlgenn;"]
    for variable in gradient.variables:
        terms = [f"({factor}) * hpcsnn_p_{to}" for (to, origin), factor in gradient.carry.items() if origin == variable]
        lines.append(f"    const float hpcsnn_r_{variable} = {' + '.join(terms) or '0.0f'};")
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
