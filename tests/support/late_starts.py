"""Runs that start late: near the steps where 32-bit numbers end, which no test can wait for."""

from __future__ import annotations

from hpcsnn import Simulation


def jump(simulation: Simulation, step: int, n_steps: int) -> None:
    """Go on at `step` as if nothing had happened since the step that the simulation stands at, with room for `n_steps`.

    What is in flight must have arrived: the ring of spikes keeps its slots.
    """
    simulation.state.reserve_bins(step + n_steps + 1)
    simulation.state.set_control("step", step)
