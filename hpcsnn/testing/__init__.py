"""What any rule of rewiring is tested by, and a stand-in for a GPU."""

from hpcsnn.testing.conformance import PROJECTION, RuleConformance

__all__ = ["PROJECTION", "RuleConformance"]
