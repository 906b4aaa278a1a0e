"""From the declarations of neurons and receptors to their sensitivities: functions that go one step forward."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hpcsnn.codegen.learning.backward import receptor_prefix
from hpcsnn.codegen.snippet_functions import Argument, SnippetFunction, constant_arguments
from hpcsnn.models.learning import Gradient, ReceptorGradient
from hpcsnn.network import Population, Projection
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


@dataclass(frozen=True)
class ReceptorForward:
    """A C++ function: from what arrives in a step, and what the step before has left, what changes of the current."""

    index: int
    projection: Projection

    @property
    def gradient(self) -> ReceptorGradient:
        """The receptor's declaration."""
        gradient = self.projection.receptor.model.gradient
        assert gradient is not None
        return gradient

    @property
    def variables(self) -> tuple[str, ...]:
        """State variables that have a sensitivity."""
        return self.gradient.variables

    @property
    def head(self) -> str:
        """All before its body."""
        return self._function("", "").head

    @property
    def body(self) -> str:
        """With s the sensitivity of the state, a what arrives, and q what the step before has left:

        s = q + b a,   current: direct a + c . s,   q = C s
        """
        gradient = self.gradient
        lines = [_now(gradient.input, variable) for variable in self.variables]
        for variable in self.variables:
            terms = [
                f"({factor}) * hpcsnn_s_{origin}" for (to, origin), factor in gradient.carry.items() if to == variable
            ]
            lines.append(f"    hpcsnn_q_{variable} = {' + '.join(terms) or '0.0f'};")
        terms = [f"({factor}) * hpcsnn_s_{one}" for one, factor in gradient.output.items()]
        lines.append(f"    return {' + '.join([f'({gradient.direct}) * hpcsnn_arriving', *terms])};")
        return "\n".join(lines)

    def call(self, arriving: str, carried: str) -> str:
        """The expression by which a kernel calls it; as `StepForward.call`."""
        return self._function(arriving, carried).call

    def _function(self, arriving: str, carried: str) -> SnippetFunction:
        arguments = (
            Argument("const float", "hpcsnn_arriving", arriving),
            *(Argument("float&", f"hpcsnn_q_{one}", carried.format(one)) for one in self.variables),
            *constant_arguments(self.projection.receptor, receptor_prefix(self.index)),
        )
        return SnippetFunction(f"projection_{self.index}_forward", "float", arguments)


def _now(into: Mapping[str, str], variable: str) -> str:
    """s of a variable: what the step before has left of it, and what arrives."""
    arrives = f" + ({into[variable]}) * hpcsnn_arriving" if variable in into else ""
    return f"    const float hpcsnn_s_{variable} = hpcsnn_q_{variable}{arrives};"


def _body(gradient: Gradient) -> str:
    lines = ["    (void)hpcsnn_mlgenn;", *(_now(gradient.input, variable) for variable in gradient.variables)]
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
