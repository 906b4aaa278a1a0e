"""What training is declared by: gradients of neurons and receptors, learning rules, losses, optimisers."""

from hpcsnn.models.learning.gradients import Gradient, ReceptorGradient
from hpcsnn.models.learning.losses import CrossEntropy, Loss, SquaredError, SummedCrossEntropy
from hpcsnn.models.learning.optimisers import SGD, Adam, Optimiser
from hpcsnn.models.learning.rule import DAMPENING, FEEDBACK, PULL, LearningRule
from hpcsnn.models.learning.rules import EProp, SuperSpike

__all__ = [
    "DAMPENING",
    "FEEDBACK",
    "PULL",
    "SGD",
    "Adam",
    "CrossEntropy",
    "EProp",
    "Gradient",
    "LearningRule",
    "Loss",
    "Optimiser",
    "ReceptorGradient",
    "SquaredError",
    "SummedCrossEntropy",
    "SuperSpike",
]
