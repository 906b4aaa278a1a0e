"""Synapses: what a spike does at its target (receptors), and what changes the synapse (plasticity), a file a family."""

from hpcsnn.models.synapses.bcpnn import BCPNN
from hpcsnn.models.synapses.receptors import (
    AlphaCurrent,
    DeltaCurrent,
    ExponentialConductance,
    ExponentialCurrent,
    Neuromodulator,
    ReceptorModel,
)
from hpcsnn.models.synapses.reward import DopamineSTDP
from hpcsnn.models.synapses.short_term import TsodyksMarkram
from hpcsnn.models.synapses.spike_timing import AdditiveSTDP, InhibitorySTDP, MultiplicativeSTDP, TripletSTDP
from hpcsnn.models.synapses.synapse import NEURONS_OF_A_SYNAPSE, SpikeTrace, Static, SynapseModel, Trained
from hpcsnn.models.synapses.voltage import Clopath

__all__ = [
    "BCPNN",
    "NEURONS_OF_A_SYNAPSE",
    "AdditiveSTDP",
    "AlphaCurrent",
    "Clopath",
    "DeltaCurrent",
    "DopamineSTDP",
    "ExponentialConductance",
    "ExponentialCurrent",
    "InhibitorySTDP",
    "MultiplicativeSTDP",
    "Neuromodulator",
    "ReceptorModel",
    "SpikeTrace",
    "Static",
    "SynapseModel",
    "Trained",
    "TripletSTDP",
    "TsodyksMarkram",
]
