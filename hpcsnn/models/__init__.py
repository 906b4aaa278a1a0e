"""Built-in models, and the registry that configuration files name them by."""

from hpcsnn.models.base import Configured, Derived, Model, Parameter, Table, Variable, probability
from hpcsnn.models.connectors import AllToAll, Connector, ExplicitList, FixedProbability, Gaussian, OneToOne
from hpcsnn.models.distributions import Normal, Uniform
from hpcsnn.models.neurons import LIF, NeuronModel
from hpcsnn.models.rewiring import (
    ALL_SYNAPSES,
    BY_SPIKE,
    LOCAL,
    PER_TARGET,
    PLACE,
    UNIFORM,
    WEAKEST,
    Bamford,
    Pairing,
    RewiringRule,
    Selection,
)
from hpcsnn.models.stimuli import MovingGaussianPoisson, Poisson, SourceModel, SpikeArray
from hpcsnn.models.synapses import (
    AdditiveSTDP,
    ExponentialConductance,
    ExponentialCurrent,
    ReceptorModel,
    SpikeTrace,
    Static,
    SynapseModel,
)

__all__ = [
    "ALL_SYNAPSES",
    "BY_SPIKE",
    "LOCAL",
    "PER_TARGET",
    "PLACE",
    "UNIFORM",
    "WEAKEST",
    "LIF",
    "AdditiveSTDP",
    "AllToAll",
    "Bamford",
    "Configured",
    "Connector",
    "Derived",
    "ExplicitList",
    "ExponentialConductance",
    "ExponentialCurrent",
    "FixedProbability",
    "Gaussian",
    "Model",
    "MovingGaussianPoisson",
    "NeuronModel",
    "Normal",
    "OneToOne",
    "Pairing",
    "Parameter",
    "Poisson",
    "ReceptorModel",
    "RewiringRule",
    "Selection",
    "SourceModel",
    "SpikeArray",
    "SpikeTrace",
    "Static",
    "SynapseModel",
    "Table",
    "Uniform",
    "Variable",
    "probability",
]
