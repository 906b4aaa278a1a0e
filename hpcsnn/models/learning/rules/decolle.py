"""DECOLLE (Kaiser, Mostafa & Neftci 2020): each hidden population has a readout of its own, and errors of its own."""

from hpcsnn.models.learning.rule import DAMPENING, LOCAL_READOUT, PULL, LearningRule, feedback

DECOLLE = LearningRule(
    "decolle",
    "DECOLLE: local errors, of a readout of each hidden population by fixed random weights; nothing comes back.",
    parameters={**DAMPENING, **LOCAL_READOUT, **feedback("random"), **PULL},
    signal="return local_error;",
    source="Kaiser, Mostafa & Neftci 2020, Front. Neurosci. 14:424; their readouts are of spikes of the step, without "
    "memory (tau_local_ms near 0), and weights change in each step",
)
