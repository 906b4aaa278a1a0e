"""What any rule of rewiring, and any learning rule, is tested by; and a stand-in for a GPU."""

from hpcsnn.testing.conformance import PROJECTION, RuleConformance
from hpcsnn.testing.learning_conformance import LearningConformance

__all__ = ["PROJECTION", "LearningConformance", "RuleConformance"]
