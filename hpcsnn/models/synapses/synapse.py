"""What a synapse model is made of, and the synapses that no spike changes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from hpcsnn.models.base import Model, Variable
from hpcsnn.models.parameters import Parameter
from hpcsnn.models.snippet_text import mentioned

NEURONS_OF_A_SYNAPSE = "stored synapses have their neurons by pre, post and source"


@dataclass(frozen=True)
class SpikeTrace:
    """An exponential trace of a neuron's spikes: + 1 per spike, decaying with the parameter named ``tau``."""

    name: str
    tau: str


@dataclass(frozen=True, repr=False)
class SynapseModel(Model):
    """Variables of a synapse and what spikes do to them.

    ``deliver`` is the amount that a presynaptic spike brings; it sees the variables and ``seen``, the step whose end
    the synapse sees. ``on_pre_spike`` runs after it, when the spike arrives; it sees these too, the post traces and
    ``coincident`` (the target spiked in that step).
    ``on_post_spike`` runs for every incoming synapse of a neuron that spiked; it sees the pre traces, and
    ``coincident`` where the source did too. Then the traces hold the other side's spike: exactly 1. Each may also
    name the traces of its own side, which are then those just before the spike.

    A synapse may follow its target between spikes too. ``target_variables`` are of each target; ``update_target`` runs
    for each at the end of each step, behind the neuron's update. It sees the neuron's state, of which it needs what
    ``needs_of_target`` names, and as ``modulation`` a third factor: the first variable of the receptor of the
    projection that is the modulator, or 0 where there is none. All other snippets read the variables, as they were at
    the end of the step ``seen``. ``on_step`` runs, behind the spikes, for each synapse of the targets for which
    ``on_step_if`` is true (all, where it is not given), and for no others; it sees the pre traces, in which a spike of
    the step is counted.

    ``bound`` is an expression over the parameters and ``initial_weight`` for the largest absolute amount one spike can
    bring; ``weight_range`` gives the weights that the rule keeps to, where it does.
    """

    KIND: ClassVar[str] = "synapse"
    SEES: ClassVar[tuple[str, ...]] = ("coincident", "seen", "dt_ms", "modulation")
    KEPT: ClassVar[Mapping[tuple[str, str], str]] = {
        ("parameter", "initial_weight"): "`bound` has the weight of a new synapse by it",
        **{("variable", name): NEURONS_OF_A_SYNAPSE for name in ("pre", "post", "source")},
    }

    variables: tuple[Variable, ...] = (Variable("weight"),)
    pre_traces: tuple[SpikeTrace, ...] = ()
    post_traces: tuple[SpikeTrace, ...] = ()
    deliver: str = "weight"
    on_pre_spike: str = ""
    on_post_spike: str = ""
    target_variables: tuple[Variable, ...] = ()
    needs_of_target: tuple[str, ...] = ()
    update_target: str = ""
    on_step_if: str = ""
    on_step: str = ""
    bound: str = "abs(initial_weight)"
    weight_range: Callable[[Mapping[str, Any]], tuple[float, float]] | None = None

    @property
    def changes(self) -> bool:
        """Whether a spike or a step may change a synapse."""
        return any(text.strip() for text in (self.on_pre_spike, self.on_post_spike, self.on_step))

    @property
    def modulated(self) -> bool:
        """Whether it has a third factor."""
        return mentioned(r"\bmodulation\b", (self.update_target,))

    @property
    def own_pre_traces(self) -> tuple[SpikeTrace, ...]:
        """Pre traces that ``on_pre_spike`` names."""
        return tuple(trace for trace in self.pre_traces if re.search(rf"\b{trace.name}\b", self.on_pre_spike))

    @property
    def own_post_traces(self) -> tuple[SpikeTrace, ...]:
        """Post traces that ``on_post_spike`` names."""
        return tuple(trace for trace in self.post_traces if re.search(rf"\b{trace.name}\b", self.on_post_spike))


Static = SynapseModel("static", "A weight that does not change.")


def _within_w_max(values: Mapping[str, Any]) -> tuple[float, float]:
    return -values["w_max"], values["w_max"]


Trained = SynapseModel(
    "trained",
    "A weight of either sign that a Trainer changes, and keeps within w_max; outside of training it does not change.",
    parameters={"w_max": Parameter(4.0, "weight", "largest absolute weight", above=0.0)},
    bound="w_max",
    weight_range=_within_w_max,
)


def from_0_to_w_max(values: Mapping[str, Any]) -> tuple[float, float]:
    """The range of weights of rules that have no other bound."""
    return 0.0, values["w_max"]
