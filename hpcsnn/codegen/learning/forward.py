"""From a neuron's declaration to its sensitivities: one function that goes one step forward."""

from __future__ import annotations

from dataclasses import dataclass

from hpcsnn.codegen.snippet_functions import Argument, SnippetFunction, constant_arguments
from hpcsnn.models.learning import Gradient
from hpcsnn.network import Population
from hpcsnn.network.learning import gradient_of


@dataclass(frozen=True)
class StepForward:
    """A C++ function: from what arrives in a step, and what the step before has left, what it changes of the spike.

    It is the transpose of `hpcsnn.codegen.learning.backward.StepBack`: of each synapse, not of each neuron.
    """

    index: int
    population: Population

    @property
    def variables(self) -> tuple[str, ...]:
        """State variables that have a sensitivity."""
        return gradient_of(self.population).variables

    @property
    def head(self) -> str:
        """All before its body."""
        return self._function("", "", "", "").head

    @property
    def body(self) -> str:
        """With s the sensitivity of the state before a reset, x what arrives, and q what the step before has left:

            s = q + b x,   e = psi g . s,   q = C (s + jump e)

        mlGeNN lets a jump decay one step later: q = C s + jump e.
        """
        return _body(gradient_of(self.population))

    def call(self, psi: str, arriving: str, carried: str, local: str = "") -> str:
        """The expression by which a kernel calls it.

        Args:
            psi, arriving: expressions of the surrogate gradient and of what arrives.
            carried: where the sensitivities are, with {} for the variable.
            local: what the names of the model's constants begin with in the kernel.
        """
        return self._function(psi, arriving, carried, local).call

    def _function(self, psi: str, arriving: str, carried: str, local: str) -> SnippetFunction:
        arguments = (
            Argument("const bool", "hpcsnn_mlgenn", "mlgenn"),
            Argument("const float", "hpcsnn_psi", psi),
            Argument("const float", "hpcsnn_arriving", arriving),
            *(Argument("float&", f"hpcsnn_q_{one}", carried.format(one)) for one in self.variables),
            *constant_arguments(self.population.model, local),
        )
        return SnippetFunction(f"population_{self.index}_forward", "float", arguments)


def _body(gradient: Gradient) -> str:
    lines = ["    (void)hpcsnn_mlgenn;"]
    for variable in gradient.variables:
        arrives = f" + ({gradient.input[variable]}) * hpcsnn_arriving" if variable in gradient.input else ""
        lines.append(f"    const float hpcsnn_s_{variable} = hpcsnn_q_{variable}{arrives};")
    heard = " + ".join(f"({factor}) * hpcsnn_s_{one}" for one, factor in gradient.spike.items())
    lines.append(f"    const float hpcsnn_eligibility = hpcsnn_psi * ({heard or '0.0f'});")
    for variable, factor in gradient.jump.items():
        lines.append(f"    const float hpcsnn_jump_{variable} = ({factor}) * hpcsnn_eligibility;")
    for variable in gradient.variables:
        terms = [
            f"({factor}) * {_carried_on(gradient, origin)}"
            for (to, origin), factor in gradient.carry.items()
            if to == variable
        ]
        if variable in gradient.jump:
            terms.append(f"(hpcsnn_mlgenn ? hpcsnn_jump_{variable} : 0.0f)")
        lines.append(f"    hpcsnn_q_{variable} = {' + '.join(terms) or '0.0f'};")
    lines.append("    return hpcsnn_eligibility;")
    return "\n".join(lines)


def _carried_on(gradient: Gradient, variable: str) -> str:
    """What the next step has of a variable: a jump of this step with it, unless mlGeNN adds it behind."""
    if variable not in gradient.jump:
        return f"hpcsnn_s_{variable}"
    return f"(hpcsnn_s_{variable} + (hpcsnn_mlgenn ? 0.0f : hpcsnn_jump_{variable}))"
