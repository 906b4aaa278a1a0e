"""Ctrl-C in a script or notebook: a run stops between two steps, whole, and can go on."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from hpcsnn import Simulation
from hpcsnn.engine.digest import simulation_digest
from support.networks import busy
from support.processes import until

# Far longer than any test may take.
FOREVER_MS = 2e8


def press_ctrl_c(times=1):
    for _ in range(times):
        os.kill(os.getpid(), signal.SIGINT)


def press_once(begun):
    """Ctrl-C from outside, a moment after something has begun."""

    def wait():
        until(begun)
        press_ctrl_c()

    threading.Thread(target=wait).start()


def test_an_interrupted_run_is_whole_and_goes_on():
    simulation, straight = (Simulation(busy(), device="cpu") for _ in range(2))
    press_once(lambda: simulation.step > 0)
    with pytest.raises(KeyboardInterrupt):
        simulation.run(FOREVER_MS)
    stopped_at = simulation.step
    assert stopped_at > 0
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    straight.run(stopped_at * straight.network.dt_ms)
    assert simulation_digest(simulation) == simulation_digest(straight)
    for one in (simulation, straight):
        one.run(50.0)
    assert simulation_digest(simulation) == simulation_digest(straight)


def test_an_interrupt_is_seen_however_seldom_an_observer_looks():
    simulation, visited = Simulation(busy(), device="cpu"), []
    press_once(lambda: bool(visited))
    with pytest.raises(KeyboardInterrupt):
        simulation.run(FOREVER_MS, observe=lambda one: visited.append(one.step), observe_every_s=1e9)
    assert len(visited) == 1, "the first look is soon, the next one never"
    assert simulation.step > visited[0]


def test_an_interrupt_in_an_observer_waits_until_it_has_ended():
    simulation, ended = Simulation(busy(), device="cpu"), []

    def observe(_):
        press_ctrl_c()
        ended.append(True)

    with pytest.raises(KeyboardInterrupt):
        simulation.run(FOREVER_MS, observe=observe)
    assert ended == [True]
    with pytest.raises(KeyboardInterrupt):
        simulation.run(1.0, observe=observe)  # the last visit: nothing is left to be interrupted, and yet it is raised
    assert ended == [True, True]


def test_a_second_interrupt_does_not_wait():
    simulation, ended = Simulation(busy(), device="cpu"), []

    def observe(_):
        press_ctrl_c(2)
        ended.append(True)

    with pytest.raises(KeyboardInterrupt):
        simulation.run(FOREVER_MS, observe=observe)
    assert not ended


def test_whoever_has_a_handler_of_sigint_keeps_it():
    simulation, noted = Simulation(busy(), device="cpu"), []
    before = signal.signal(signal.SIGINT, lambda number, _: noted.append(number))
    try:
        simulation.run(10.0, observe=lambda _: press_ctrl_c())
    finally:
        signal.signal(signal.SIGINT, before)
    assert noted
    assert simulation.time_ms == pytest.approx(10.0)
