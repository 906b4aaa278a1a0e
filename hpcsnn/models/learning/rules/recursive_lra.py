"""Recursive local representation alignment (Ororbia et al. 2023): each hidden population has a target of its own."""

from hpcsnn.models.learning.rule import DAMPENING, PULL, LearningRule, feedback
from hpcsnn.models.parameters import Parameter

RecursiveLRA = LearningRule(
    "recursive_lra",
    "Local representation alignment: learned weights of errors move what a neuron is to be; it learns to be so.",
    parameters={
        **DAMPENING,
        "reach": Parameter(1.0, "widths", "that an error of 1 moves a neuron's target by a weight of 1", above=0.0),
        "steepness": Parameter(4.0, "", "of the activation over the distance from the threshold, in widths", above=0.0),
        **feedback("adaptive"),
        **PULL,
    },
    recorded={"from_threshold": "distance"},
    signal="""
const float is = 1.0f / (1.0f + exponential(-steepness * from_threshold));
const float ought = 1.0f / (1.0f + exponential(-steepness * (from_threshold - reach * error)));
return is - ought;
""",
    source="Ororbia, Mali, Kifer & Giles 2023, AAAI 37:9327 (arXiv 2002.03911): targets phi(h - beta E e) for all "
    "populations at once, E learning as the weights do; there of rates, here in each step of a spiking neuron",
)
