"""Rules of structural plasticity, each in a file of its own, and what they are made of."""

from hpcsnn.models.rewiring.bamford import Bamford
from hpcsnn.models.rewiring.bamford_2010 import Bamford2010
from hpcsnn.models.rewiring.bogdan_2018 import LastToFire
from hpcsnn.models.rewiring.deep_r import DeepR
from hpcsnn.models.rewiring.homeostatic import Homeostatic
from hpcsnn.models.rewiring.in_training.deep_r_by_gradient import DeepRByGradient, DeepRSharedBudget
from hpcsnn.models.rewiring.in_training.deep_r_guided import DeepRGuided
from hpcsnn.models.rewiring.in_training.rig_l import RigL, RigLSharedBudget
from hpcsnn.models.rewiring.in_training.soft_deep_r import SoftDeepR
from hpcsnn.models.rewiring.in_training.sparse_evolution import SparseEvolution
from hpcsnn.models.rewiring.local_proposals import LocalProposals
from hpcsnn.models.rewiring.patch_swaps import PatchSwaps
from hpcsnn.models.rewiring.rule import NOBODY, Pairing, RewiringRule, Selection
from hpcsnn.models.rewiring.selections import ALL_SYNAPSES, BY_SPIKE, LOCAL, PER_TARGET, PLACE, UNIFORM, WEAKEST
from hpcsnn.models.rewiring.turnover import Guide, Turnover, Update

__all__ = [
    "ALL_SYNAPSES",
    "BY_SPIKE",
    "LOCAL",
    "NOBODY",
    "PER_TARGET",
    "PLACE",
    "UNIFORM",
    "WEAKEST",
    "Bamford",
    "Bamford2010",
    "DeepR",
    "DeepRByGradient",
    "DeepRGuided",
    "DeepRSharedBudget",
    "Guide",
    "Homeostatic",
    "LastToFire",
    "LocalProposals",
    "Pairing",
    "PatchSwaps",
    "RewiringRule",
    "RigL",
    "RigLSharedBudget",
    "Selection",
    "SoftDeepR",
    "SparseEvolution",
    "Turnover",
    "Update",
]
