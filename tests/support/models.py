"""Neurons and receptors that several tests declare, as a user would."""

from __future__ import annotations

from hpcsnn.models import ReceptorModel

Pulse = ReceptorModel("pulse", "The weights of a step, in that step only.", update="input_current += input;")
