"""Built-in models by the names that configuration files use."""

from __future__ import annotations

from functools import cache

from hpcsnn.models import (
    adex_afterpotential,
    connectors,
    currents,
    neurons,
    rewiring,
    stimuli,
    synapses,
    synaptic_scaling,
)
from hpcsnn.models.base import Model
from hpcsnn.models.connectors import Connector
from hpcsnn.models.currents import CurrentModel
from hpcsnn.models.grouped import neurons as grouped_neurons
from hpcsnn.models.grouped import unsupervised
from hpcsnn.models.grouped.unsupervised import UnsupervisedRule
from hpcsnn.models.learning import LearningRule, Loss, Optimiser, losses, optimisers, rules
from hpcsnn.models.neurons import NeuronModel
from hpcsnn.models.rewiring import RewiringRule
from hpcsnn.models.stimuli import SourceModel
from hpcsnn.models.synapses import ReceptorModel, SynapseModel

# What a configuration calls each kind of model.
KINDS: dict[str, tuple[type[Model], ...]] = {
    "model": (NeuronModel, SourceModel),
    "stimulate": (CurrentModel,),
    "connector": (Connector,),
    "receptor": (ReceptorModel,),
    "synapse": (SynapseModel,),
    "rewiring": (RewiringRule,),
    "loss": (Loss,),
    "optimiser": (Optimiser,),
    "learning": (LearningRule,),
    "unsupervised": (UnsupervisedRule,),
}
# Those that a training has one of, beside what its populations and projections have.
OF_TRAININGS = ("loss", "optimiser", "learning")


@cache
def registered(kind: str) -> dict[str, Model]:
    """Every built-in model of one of `KINDS`, by name: each instance that a module of models defines."""
    of_networks = (adex_afterpotential, connectors, currents, neurons, rewiring, stimuli, synapses, synaptic_scaling)
    modules = (*of_networks, grouped_neurons, unsupervised, losses, optimisers, rules)
    found = [value for module in modules for value in vars(module).values()]
    return {model.name: model for model in found if isinstance(model, KINDS[kind])}
