"""What is said of a halt that nothing but an end can follow: whose value it is, where and when, and what helps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hpcsnn.codegen.constants import HaltReason
from hpcsnn.codegen.kernel_owners import trapped
from hpcsnn.devices.values import changed_values
from hpcsnn.engine.finiteness import not_finite
from hpcsnn.errors import DeviceError, HpcsnnError, SimulationError
from hpcsnn.network.learning_fields import GRADIENT_BITS

if TYPE_CHECKING:
    from hpcsnn.engine.simulation import Simulation


def fault(simulation: Simulation, reason: HaltReason) -> HpcsnnError | None:
    """The error that a halt is; None: the run can go on behind it."""
    control, rank, step = simulation.state.control, simulation.rank, simulation.step
    match reason:
        case HaltReason.NOT_FINITE:
            return SimulationError(_beyond_numbers(simulation))
        case HaltReason.OUTGROWN:
            return SimulationError(_outgrown(simulation))
        case HaltReason.GRADIENT:
            return SimulationError(_gradient_outgrown(simulation))
        case HaltReason.NO_CHANCE:
            return SimulationError(_no_chance(simulation))
        case HaltReason.VALUES_CHANGED:
            return DeviceError(changed_values(control("neuron"), simulation.device))
        case HaltReason.TRAPPED:
            kernel = simulation.program.stages[control("stage")].kernel
            what = trapped(simulation.program.owners, kernel, control("neuron"))
            return SimulationError(f"rank {rank}: {what} in step {step} ({simulation.time_ms:g} ms)")
        case HaltReason.EXCHANGE_FAILED:
            return SimulationError(f"rank {rank}: the exchange of spikes failed in step {step}")
    return None


def _beyond_numbers(simulation: Simulation) -> str:
    found = not_finite(simulation) or f"rank {simulation.rank}: a value that a snippet made"
    return (
        f"{found} is not finite after step {simulation.step} ({simulation.time_ms:g} ms); "
        "a time constant that is too short for dt_ms, or input without bound, does this"
    )


def _outgrown(simulation: Simulation) -> str:
    control = simulation.state.control
    projection = list(simulation.network.projections.values())[control("owner")]
    pre, post = control("place"), control("neuron")
    amount = np.int32(control("amount_bits")).view(np.float32)
    brings = "has a weight of" if projection.synapse.model.deliver.strip() == "weight" else "brings"
    bounds = [f"synapse {projection.synapse.name}: {projection.synapse.model.bound}"]
    if projection.rewiring is not None:
        bounds.append(f"rule {projection.rewiring.name}: {projection.rewiring.model.bound}")
    return (
        f"projections.{projection.name}: the synapse from {pre} to {post} {brings} {amount:.9g} in step "
        f"{simulation.step} ({simulation.time_ms:g} ms), beyond its bound of {projection.weight_bound:.9g}, up to "
        f"which input cannot overflow; raise the bound ({', '.join(bounds)}), or let weights keep to it"
    )


def _gradient_outgrown(simulation: Simulation) -> str:
    control = simulation.state.control
    population = list(simulation.network.populations)[control("owner")]
    return (
        f"populations.{population}: the gradient of neuron {control('neuron')} in a step is not within "
        f"2^{31 - GRADIENT_BITS}, up to which gradients add up; a lower learning rate, or smaller weights onto the "
        "readout, keep it there"
    )


def _no_chance(simulation: Simulation) -> str:
    control = simulation.state.control
    projection = list(simulation.network.projections.values())[control("owner")]
    assert projection.rewiring is not None
    slot, what = (("eliminate", "goes"), ("form", "forms"))[control("stage")]
    pre, post = control("place"), control("neuron")
    chance = np.int32(control("amount_bits")).view(np.float32)
    return (
        f"projections.{projection.name}: rule {projection.rewiring.name}, {slot}: {chance:.9g} is the chance that "
        f"the synapse from {pre} to {post} {what} in step {simulation.step} ({simulation.time_ms:g} ms); must be "
        "in [0, 1]: let the rule keep to it"
    )
