"""Connectors: which sources each target neuron has at the start."""

from hpcsnn.models.connectors.by_pair import AllToAll, FixedProbability, Gaussian, OneToOne
from hpcsnn.models.connectors.connector import Connector
from hpcsnn.models.connectors.fixed_numbers import FixedInDegree, FixedOutDegree, FixedTotal
from hpcsnn.models.connectors.listed import ExplicitList, ListedInFile, from_matrix

__all__ = [
    "AllToAll",
    "Connector",
    "ExplicitList",
    "FixedInDegree",
    "FixedOutDegree",
    "FixedProbability",
    "FixedTotal",
    "Gaussian",
    "ListedInFile",
    "OneToOne",
    "from_matrix",
]
