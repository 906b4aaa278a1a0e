"""Short-term plasticity: what a synapse has left after its own spikes."""

from __future__ import annotations

from hpcsnn.models.base import Derived, Variable
from hpcsnn.models.parameters import Parameter
from hpcsnn.models.synapses.synapse import SynapseModel

# Both decays are exact from spike to spike. A spike first raises u, then takes u x of x; what is kept is as the spike
# leaves it, so that a synapse without a spike (u 0, x 1) needs no time to begin with.
TsodyksMarkram = SynapseModel(
    "tsodyks_markram",
    "Short-term depression and facilitation: a spike brings weight * u * x, of which weight is the most there can be.",
    parameters={
        "U": Parameter(0.5, "", "use of a first spike, and rise of u at each", minimum=0.0, maximum=1.0),
        "tau_rec_ms": Parameter(800.0, "ms", "recovery of x; 0: at once", minimum=0.0),
        "tau_facil_ms": Parameter(0.0, "ms", "decay of u; 0: u is U at each spike", minimum=0.0),
    },
    derived={
        # 128 time constants a step leave nothing in float32, as 0 ms would.
        "recovery": Derived("dt_ms / max(tau_rec_ms, dt_ms / 128)"),
        "decay": Derived("dt_ms / max(tau_facil_ms, dt_ms / 128)"),
    },
    variables=(
        Variable("weight"),
        Variable("use", 0.0, "", doc="u, just after the last spike"),
        Variable("resources", 1.0, "", doc="x, just after the last spike"),
        Variable("last_step", 0, "steps", "int", "step of the last spike, as the synapse saw it"),
    ),
    deliver="""
const float elapsed = (float)(seen - last_step);
const float left = use * exponential(-elapsed * decay);
return weight * ((left + U * (1.0f - left)) * (1.0f - (1.0f - resources) * exponential(-elapsed * recovery)));
""",
    on_pre_spike="""
const float elapsed = (float)(seen - last_step);
const float left = use * exponential(-elapsed * decay);
const float recovered = 1.0f - (1.0f - resources) * exponential(-elapsed * recovery);
use = left + U * (1.0f - left);
resources = recovered - use * recovered;
last_step = seen;
""",
    source="Tsodyks, Pawelzik & Markram 1998, Neural Comput. 10:821, with resources that are inactive "
    "at once; spike by spike as in Markram, Wang & Tsodyks 1998, PNAS 95:5323",
)
