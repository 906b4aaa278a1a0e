"""ETLP (Quintana et al. 2023): three factors, of which the third is the label, at events; there is no error."""

from hpcsnn.models.base import Derived
from hpcsnn.models.learning.rule import DAMPENING, FEEDBACK, PULL, LearningRule
from hpcsnn.models.parameters import Parameter

ETLP = LearningRule(
    "etlp",
    "Event-based three-factor plasticity: at each event of the label, neurons that speak for it are to spike more.",
    parameters={
        **DAMPENING,
        "event_interval_ms": Parameter(10.0, "ms", "between events of the label", above=0.0, in_steps=True),
        **FEEDBACK,
        **PULL,
    },
    derived={"interval_steps": Derived("max(1, round(event_interval_ms / dt_ms))", ctype="int")},
    signal="return (step + 1) % interval_steps == 0 ? -label_weight : 0.0f;",
    source="Quintana et al. 2024, Front. Comput. Neurosci. 18; their events are drawn with 100 Hz, and each changes "
    "weights at once: here they come at intervals, and change what a batch adds up",
)
