"""The learning rules that ship, each in a file of its own."""

from hpcsnn.models.learning.rules.decolle import DECOLLE
from hpcsnn.models.learning.rules.e_prop import EProp
from hpcsnn.models.learning.rules.etlp import ETLP
from hpcsnn.models.learning.rules.local_tandem import LocalTandem
from hpcsnn.models.learning.rules.recursive_lra import RecursiveLRA
from hpcsnn.models.learning.rules.superspike import SuperSpike

__all__ = ["DECOLLE", "ETLP", "EProp", "LocalTandem", "RecursiveLRA", "SuperSpike"]
