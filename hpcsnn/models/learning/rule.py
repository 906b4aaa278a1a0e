"""Learning rules: what a neuron's past, and the errors that come back to it, are to the gradients of its synapses.

A rule is what it adds to the gradient of a synapse for each spike that arrives there, G(t): a number of the target
neuron and the step alone. Whatever a rule's eligibility is, as long as it is linear in the presynaptic spikes, the sum
over time can be taken in this order (see ``docs/training.md``). So a rule is a page about one neuron:

- *forward*, in each step of a sample: the surrogate gradient (``shape``), and traces of the rule's own (``variables``,
  changed by ``update`` and, behind the neuron's reset, by ``on_spike``); what is ``recorded`` of the step is kept;
- *backward*, behind the sample, from its last step to its first: ``signal`` returns the learning signal M(t), from
  errors, the label, the neuron's rate or whatever the rule goes by; ``backward`` returns G(t), if it is not what the
  neuron's own declaration makes of the signal (`hpcsnn.models.learning.gradients`). Both see, and change, ``filters``,
  which are 0 behind the last step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from hpcsnn.errors import ConfigurationError
from hpcsnn.models.base import Model, Variable
from hpcsnn.models.parameters import Parameter, choice
from hpcsnn.models.snippet_text import mentioned

_AS_HEARD = "return heard;"


@dataclass(frozen=True, repr=False)
class LearningRule(Model):
    """How synapses onto neurons that spike learn.

    Attributes:
        shape: expression of the surrogate gradient over ``distance`` (of the state from the threshold, in widths) and
            its absolute value ``away``; it is multiplied by ``dampening``, if the rule has this parameter, and divided
            by the neuron's width.
        variables: traces of each neuron, which begin each sample with their initial value.
        update: changes ``variables`` in each step, behind the neuron's own ``update`` and before it may spike; sees
            ``distance``, ``surrogate`` (0 where the neuron cannot spike), ``input_current``, ``dt_ms``, and the
            neuron's state and constants, to read, as far as the rule has no such names.
        on_spike: changes ``variables`` behind the neuron's reset; sees what ``update`` sees.
        recorded: by name an expression over what ``update`` sees, evaluated behind it; ``signal`` and ``backward`` see
            its value in their step.
        filters: names of floats of each neuron that are carried from a step to the one before.
        signal: returns the learning signal of a step. It sees ``heard`` (what an error is of a spike in this step: by
            the weights of the feedback, the delay to the readout and the readout's memory), ``through`` (what a spike
            in this step would change of the loss by way of the hidden neurons that it goes to: over the synapses onto
            them the sum of weight times what an amount that arrives would change; 0 where ``surrogate`` is, unless the
            rule sees ``spiked`` and there is a spike), ``through_later`` (the same of a spike one step later, in the
            same steps; both go back through all hidden neurons step by step), ``error`` (the errors of this very step
            by the weights of the feedback), ``local_error`` (the same of a readout of the population's own, which adds
            up the weights of the feedback of its neurons that spike), ``label_weight`` (that of the label's output),
            ``rate`` (spikes a step in the whole sample), ``teacher_rate`` (that which a teacher has for the neuron in
            this sample), ``spiked`` (1 or 0), ``surrogate``, ``step`` (0, 1, ..) and ``n_steps`` of the sample,
            ``dt_ms``, the neuron's constants, what is ``recorded``, and ``filters``, to change.
        backward: returns what an arriving spike adds to its synapse's gradient, before a receptor's memory; it sees
            what ``signal`` sees, ``signal`` itself, and ``input_gradient``, the gradient of the input current by the
            neuron's declaration, which is taken if there is no ``backward``.
        neurons, receptors: names of the models of hidden neurons, and of receptors onto them, that it is derived for;
            none: all that have a gradient.

    Parameters that engines know are in groups that a rule may have: `DAMPENING`, `PULL`; `FEEDBACK`, which rules that
    hear of errors, or of the label, must have; `LOCAL_READOUT`, which those must have that hear of local ones; and of
    e-prop alone, `PAIRING` and `WAY`.

    Raises:
        ConfigurationError: `PAIRING` or `WAY` in a rule that is not e-prop; a variable that is no float; and as any
            `Model`.
    """

    KIND: ClassVar[str] = "learning rule"
    SEES: ClassVar[tuple[str, ...]] = (
        *("distance", "away", "surrogate", "input_current", "dt_ms", "heard", "through", "through_later", "error"),
        *("local_error", "label_weight", "rate", "teacher_rate", "spiked", "step", "n_steps", "signal"),
        "input_gradient",
    )

    shape: str = "away < 1.0f ? 1.0f - away : 0.0f"
    variables: tuple[Variable, ...] = ()
    update: str = ""
    on_spike: str = ""
    recorded: Mapping[str, str] = field(default_factory=dict)
    filters: tuple[str, ...] = ()
    signal: str = _AS_HEARD
    backward: str = ""
    neurons: tuple[str, ...] = ()
    receptors: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for variable in self.variables:
            if variable.ctype != "float":
                raise ConfigurationError(
                    f"{self.name}.variables.{variable.name}: {variable.ctype} is not allowed; must be a float"
                )
        for group in (PAIRING, WAY):
            for name in group:
                if name in self.parameters and not self.is_linear:
                    raise ConfigurationError(
                        f"{self.name}.{name}: is of e-prop, whose eligibilities are known without a sample's end; not "
                        "allowed in a rule with variables, filters, or a signal or backward of its own"
                    )

    @property
    def is_linear(self) -> bool:
        """Whether it is what the neuron's declaration makes of the errors, and nothing else."""
        own = (*self.variables, *self.filters, *self.recorded, self.backward.strip())
        return not any(own) and self.signal.strip() == _AS_HEARD

    @property
    def hears(self) -> bool:
        """Whether errors, or the label, come to a neuron by weights."""
        return any(self.mentions(word) for word in ("heard", "error", "local_error", "label_weight"))

    @property
    def goes_through(self) -> bool:
        """Whether gradients go back through synapses between hidden neurons, which then go back step by step."""
        return self.mentions("through") or self.mentions("through_later")

    def mentions(self, name: str) -> bool:
        """Whether what goes back in time has this word."""
        return mentioned(rf"\b{name}\b", (self.signal, self.backward))


DAMPENING = {"dampening": Parameter(0.3, "", "height of the surrogate gradient", above=0.0)}
"""The height of the surrogate gradient, a parameter."""


def feedback(default: str) -> dict[str, Parameter]:
    """`FEEDBACK` with another default."""
    return {
        "feedback": choice(
            default,
            "errors come back by the readout's weights, by fixed random ones, or by random ones that learn as the "
            "readout's do",
            "symmetric",
            "random",
            "adaptive",
        )
    }


FEEDBACK = feedback("symmetric")
"""By which weights errors, and the label, come back: parameters that a rule must have that hears of them."""
LOCAL_READOUT = {"tau_local_ms": Parameter(20.0, "ms", "memory of each hidden population's own readout", above=0.0)}
"""The memory of readouts of hidden populations' own: a parameter of rules that hear of their errors."""
PULL = {
    "regularisation": Parameter(0.0, "", "strength of the pull towards rate_hz", minimum=0.0),
    "rate_hz": Parameter(10.0, "Hz", "rate that hidden neurons are pulled towards", minimum=0.0),
}
"""What draws neurons towards a rate: parameters."""
PAIRING = {
    "pairing": choice(
        "exact", "exact: the derivative; mlgenn: errors paired and delayed as mlGeNN 2.4 does", "exact", "mlgenn"
    ),
    "tau_rate_ms": Parameter(500.0, "ms", "over which mlGeNN's pairing takes the rate", above=0.0),
}
WAY = {
    "gradient": choice(
        "events",
        "events: behind each sample, by its spikes; online: an eligibility of each synapse in every step, slow",
        "events",
        "online",
    )
}
