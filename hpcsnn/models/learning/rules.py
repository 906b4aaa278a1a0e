"""What training learns by: the learning rule, from spikes and errors to a gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hpcsnn.models.base import Model
from hpcsnn.models.parameters import Parameter, choice


@dataclass(frozen=True, repr=False)
class LearningRule(Model):
    """A rule of the family of e-prop: a learning signal for each neuron, and an eligibility of each synapse that is
    linear in its presynaptic spikes, so that the gradient is one addition for each spike and synapse.
    ``gradient`` says whether it is added up so, or by the definition of eligibilities.

    ``shape`` is a C++ expression of the surrogate gradient over ``distance`` (from the threshold, in widths) and its
    absolute value ``away``.
    """

    KIND: ClassVar[str] = "learning rule"
    SEES: ClassVar[tuple[str, ...]] = ("distance", "away")

    shape: str = ""


EProp = LearningRule(
    "e_prop",
    "e-prop: the gradient of the loss without what spikes do to other neurons of the hidden populations.",
    parameters={
        "dampening": Parameter(0.3, "", "height of the surrogate gradient", above=0.0),
        "pairing": choice(
            "exact", "exact: the derivative; mlgenn: errors paired and delayed as mlGeNN 2.4 does", "exact", "mlgenn"
        ),
        "feedback": choice(
            "symmetric",
            "errors come back by the readout's weights, by fixed random ones, or by random ones that learn as the "
            "readout's do",
            "symmetric",
            "random",
            "adaptive",
        ),
        "gradient": choice(
            "events",
            "events: behind each sample, by its spikes; online: an eligibility of each synapse in every step, slow",
            "events",
            "online",
        ),
        "regularisation": Parameter(0.0, "", "strength of the pull towards rate_hz", minimum=0.0),
        "rate_hz": Parameter(10.0, "Hz", "rate that hidden neurons are pulled towards", minimum=0.0),
        "tau_rate_ms": Parameter(500.0, "ms", "over which mlGeNN's pairing takes the rate", above=0.0),
    },
    shape="away < 1.0f ? 1.0f - away : 0.0f",
    source="Bellec et al. 2020, Nat. Commun. 11:3625; per spike: Knight & Nowotny 2023 sum the same in another order",
)
