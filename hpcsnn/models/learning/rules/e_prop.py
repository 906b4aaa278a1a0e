"""e-prop (Bellec et al. 2020): what a spike changes of its own neuron, and nothing of what it does to other ones."""

from hpcsnn.models.learning.rule import DAMPENING, FEEDBACK, PAIRING, PULL, WAY, LearningRule

EProp = LearningRule(
    "e_prop",
    "e-prop: the gradient of the loss without what spikes do to other neurons of the hidden populations.",
    parameters={**DAMPENING, **PAIRING, **FEEDBACK, **WAY, **PULL},
    shape="away < 1.0f ? 1.0f - away : 0.0f",
    signal="return heard;",
    source="Bellec et al. 2020, Nat. Commun. 11:3625; per spike: Knight & Nowotny 2023 sum the same in another order",
)
