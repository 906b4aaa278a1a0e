"""What training is declared by: gradients of neurons and receptors, learning rules, losses, optimisers."""

from hpcsnn.models.learning.gradients import Gradient, ReceptorGradient
from hpcsnn.models.learning.losses import CrossEntropy, Loss, MissedReward, SquaredError, SummedCrossEntropy
from hpcsnn.models.learning.optimisers import SGD, Adam, Optimiser
from hpcsnn.models.learning.rule import DAMPENING, FEEDBACK, LOCAL_READOUT, PULL, LearningRule
from hpcsnn.models.learning.rules import DECOLLE, ETLP, EProp, LocalTandem, RecursiveLRA, SuperSpike

__all__ = [
    "DAMPENING",
    "DECOLLE",
    "ETLP",
    "FEEDBACK",
    "LOCAL_READOUT",
    "PULL",
    "SGD",
    "Adam",
    "CrossEntropy",
    "EProp",
    "Gradient",
    "LearningRule",
    "LocalTandem",
    "Loss",
    "MissedReward",
    "Optimiser",
    "ReceptorGradient",
    "RecursiveLRA",
    "SquaredError",
    "SummedCrossEntropy",
    "SuperSpike",
]
