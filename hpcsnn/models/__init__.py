"""Built-in models, and the registry that configuration files name them by."""

from hpcsnn.models.base import Configured, Derived, Model, Parameter, Table, Variable, probability
from hpcsnn.models.connectors import AllToAll, Connector, ExplicitList, FixedProbability, Gaussian, OneToOne
from hpcsnn.models.distributions import Normal, Uniform
from hpcsnn.models.neurons import ALIF, LIF, AdEx, Izhikevich, LIFBackground, NeuronModel
from hpcsnn.models.rewiring import Bamford, RewiringRule
from hpcsnn.models.stimuli import MovingGaussianPoisson, Poisson, SourceModel, SpikeArray
from hpcsnn.models.synapses import (
    AdditiveSTDP,
    AlphaCurrent,
    DeltaCurrent,
    ExponentialConductance,
    ExponentialCurrent,
    MultiplicativeSTDP,
    ReceptorModel,
    SpikeTrace,
    Static,
    SynapseModel,
    TripletSTDP,
)

__all__ = [
    "ALIF",
    "LIF",
    "AdEx",
    "AdditiveSTDP",
    "AllToAll",
    "AlphaCurrent",
    "Bamford",
    "Configured",
    "Connector",
    "DeltaCurrent",
    "Derived",
    "ExplicitList",
    "ExponentialConductance",
    "ExponentialCurrent",
    "FixedProbability",
    "Gaussian",
    "Izhikevich",
    "LIFBackground",
    "Model",
    "MovingGaussianPoisson",
    "MultiplicativeSTDP",
    "NeuronModel",
    "Normal",
    "OneToOne",
    "Parameter",
    "Poisson",
    "ReceptorModel",
    "RewiringRule",
    "SourceModel",
    "SpikeArray",
    "SpikeTrace",
    "Static",
    "SynapseModel",
    "Table",
    "TripletSTDP",
    "Uniform",
    "Variable",
    "probability",
]
