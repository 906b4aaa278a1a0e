"""Neurons and receptors that several tests declare, as a user would."""

from __future__ import annotations

from hpcsnn.models import NeuronModel, ReceptorModel, Variable

Pulse = ReceptorModel("pulse", "The weights of a step, in that step only.", update="input_current += input;")

Unheard = ReceptorModel("unheard", "Weights that change without any effect on the target.")

Relay = NeuronModel(
    "relay",
    "Spikes in the step in which a spike arrives; what arrived last can be read.",
    state=(Variable("heard"),),
    update="heard = input_current;",
    threshold="heard > 0.5f",
)
