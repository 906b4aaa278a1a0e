"""The learning rules that ship, each in a file of its own."""

from hpcsnn.models.learning.rules.e_prop import EProp
from hpcsnn.models.learning.rules.superspike import SuperSpike

__all__ = ["EProp", "SuperSpike"]
