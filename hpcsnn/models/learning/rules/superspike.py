"""SuperSpike (Zenke & Ganguli 2018): errors, and what they are multiplied by, pass the same double exponential."""

from hpcsnn.models.base import Derived
from hpcsnn.models.learning.rule import DAMPENING, FEEDBACK, PULL, LearningRule
from hpcsnn.models.parameters import Parameter

SuperSpike = LearningRule(
    "superspike",
    "SuperSpike: an error lasts as a double exponential does; neurons count by a fast sigmoid of their distance.",
    parameters={
        **DAMPENING,
        "steepness": Parameter(1.0, "", "of the fast sigmoid, in widths of the neuron", above=0.0),
        "tau_rise_ms": Parameter(5.0, "ms", "rise of what an error lasts", above=0.0),
        "tau_decay_ms": Parameter(10.0, "ms", "decay of what an error lasts", above=0.0),
        **FEEDBACK,
        **PULL,
    },
    derived={
        "rise": Derived("exp(-dt_ms / tau_rise_ms)", vanishes=True),
        "decay": Derived("exp(-dt_ms / tau_decay_ms)", vanishes=True),
    },
    shape="1.0f / ((1.0f + steepness * away) * (1.0f + steepness * away))",
    filters=("rising", "lasting"),
    signal="""
rising = rise * rising + error;
lasting = decay * lasting + (1.0f - rise) * rising;
return (1.0f - decay) * lasting;
""",
    source="Zenke & Ganguli 2018, Neural Comput. 30:1514, eqs. 7 - 11; Zenke & Neftci 2021, Proc. IEEE 109:935",
)
