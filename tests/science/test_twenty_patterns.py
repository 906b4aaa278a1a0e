"""The twenty patterns of Izhikevich 2004: the example beside the published program, written once more in float64."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "studies" / "izhikevich_patterns.py"


def between(*times_ms):
    """Whether t lies between one of the pairs, as the program asks it."""
    return lambda t: any(first < t < last for first, last in zip(times_ms[::2], times_ms[1::2], strict=True))


def constant(amplitude, first_ms, base=0.0, last_ms=np.inf):
    return lambda t: amplitude if first_ms < t < last_ms else base


def accommodation(t):
    if t < 200:
        return t / 25
    return (t - 300) / 12.5 * 4 if 300 <= t < 312.5 else 0.0


def threshold_variability(t):
    return 1.0 if between(10, 15, 80, 85)(t) else -6.0 if 70 < t < 75 else 0.0


def inhibition(t):
    return 80.0 if t < 50 or t > 250 else 75.0


# a, b, c, d; V; tau; end; I(t): figure1.m.
PROGRAM = {
    "A": (0.02, 0.2, -65, 6, -70, 0.25, 100, constant(14, 10)),
    "B": (0.02, 0.25, -65, 6, -64, 0.25, 200, constant(0.5, 20)),
    "C": (0.02, 0.2, -50, 2, -70, 0.25, 220, constant(15, 22)),
    "D": (0.02, 0.25, -55, 0.05, -64, 0.2, 200, constant(0.6, 20)),
    "E": (0.02, 0.2, -55, 4, -70, 0.25, 160, constant(10, 16)),
    "F": (0.01, 0.2, -65, 8, -70, 0.25, 85, constant(30, 8.5)),
    "G": (0.02, -0.1, -55, 6, -60, 0.25, 300, lambda t: 0.075 * max(t - 30, 0)),
    "H": (0.2, 0.26, -65, 0, -64, 0.25, 300, lambda t: -0.5 + 0.015 * max(t - 30, 0)),
    "I": (0.02, 0.2, -65, 6, -70, 0.2, 100, constant(7.04, 10, last_ms=13)),
    "J": (0.05, 0.26, -60, 0, -62, 0.25, 200, constant(2, 20, last_ms=25)),
    "K": (0.1, 0.26, -60, -1, -62, 0.25, 400, lambda t: 0.65 * between(40, 44, 60, 64, 280, 284, 320, 324)(t)),
    "L": (0.02, -0.1, -55, 6, -60, 0.25, 100,
          lambda t: 9 * between(100 / 11, 100 / 11 + 2, 100 / 11 + 5, 100 / 11 + 7, 70, 72, 80, 82)(t)),
    "M": (0.03, 0.25, -60, 4, -64, 0.2, 200, constant(-15, 20, last_ms=25)),
    "N": (0.03, 0.25, -52, 0, -64, 0.2, 200, constant(-15, 20, last_ms=25)),
    "O": (0.03, 0.25, -60, 4, -64, 0.25, 100, threshold_variability),
    "P": (0.1, 0.26, -60, 0, -61, 0.25, 300, lambda t: 1.24 if between(37.5, 42.5, 216, 221)(t) else 0.24),
    "Q": (1, 0.2, -60, -21, -70, 0.1, 50, lambda t: 20.0 * (abs(t - 10) < 1)),
    "R": (0.02, 1, -55, 4, -65, 0.5, 400, accommodation),
    "S": (-0.02, -1, -60, 8, -63.8, 0.5, 350, inhibition),
    "T": (-0.026, -1, -45, -2, -63.8, 0.5, 350, inhibition),
}  # fmt: skip


def program(letter):
    """V at the end of each step, and the steps with a spike."""
    a, b, c, d, V, tau, end, current = PROGRAM[letter]
    u = -16.0 if letter == "R" else b * V
    slope, offset = (4.1, 108) if letter in "GL" else (5, 140)
    potential, spikes = [], []
    for step in range(round(end / tau)):
        V = V + tau * (0.04 * V**2 + slope * V + offset - u + current(step * tau))
        u = u + tau * (a * b * (V + 65) if letter == "R" else a * (b * V - u))
        if V > 30:
            spikes.append(step)
            V, u = c, u + d
        potential.append(V)
    return np.array(potential), np.array(spikes)


@pytest.fixture(scope="module")
def recorded():
    return runpy.run_path(str(EXAMPLE))["record_all"]()


@pytest.mark.parametrize("letter", PROGRAM)
def test_each_pattern_is_that_of_the_published_program(letter, recorded):
    V_mV, spikes = recorded[letter]
    potential, steps = program(letter)
    assert len(spikes) == len(steps) > 0
    tau = PROGRAM[letter][5]
    # H is sensitive to rounding: in float32 the program itself is as far away, from the seventh spike on.
    assert abs(spikes - steps).max() * tau <= (2 if letter == "H" else 0)
    early = steps[0] - round(6 / tau)  # the way to a spike multiplies differences
    np.testing.assert_allclose(V_mV[:early], potential[:early], atol=0.01)


def test_what_each_pattern_is_called_for(recorded):
    step_ms = {letter: row[5] for letter, row in PROGRAM.items()}
    times_ms = {letter: spikes * step_ms[letter] for letter, (_, spikes) in recorded.items()}
    intervals_ms = {letter: np.diff(times) for letter, times in times_ms.items()}
    assert all(len(times_ms[letter]) == 1 for letter in "BIJKLMOQR")
    assert times_ms["B"][0] < 50  # of 200 ms with current: phasic
    assert times_ms["A"][-1] > 80  # of 100: tonic
    bursts = {letter: 1 + (intervals_ms[letter] > 20).sum() for letter in "CDNT"}
    assert bursts == {"C": 4, "D": 1, "N": 1, "T": 2}
    assert intervals_ms["E"][:2].max() < 0.3 * intervals_ms["E"][2:].min()  # a burst, then single spikes
    assert (np.diff(intervals_ms["F"]) > 0).all()
    assert (np.diff(intervals_ms["G"]) < 0).all()
    assert intervals_ms["G"][0] > 1.5 * intervals_ms["H"][0]  # class 1 begins slowly, class 2 does not
    assert times_ms["I"][0] > 13 + 10  # long behind its pulse
    assert times_ms["K"][0] > 320  # of pulses 20 and 40 ms apart, the latter resonate
    assert times_ms["L"][0] < 25  # of pulses 5 and 10 ms apart, the former add up
    assert times_ms["M"][0] > times_ms["N"][0] - 10 > 25  # behind an inhibitory pulse
    assert times_ms["O"][0] > 80  # the same pulse, after inhibition
    assert times_ms["P"].min() > 37.5
    assert 200 < times_ms["P"].max() < 221  # one pulse switches it on, the other off
    V_mV, (spike,) = recorded["Q"]
    assert V_mV[spike + 1 :].max() > -60 + 5  # a hump above the potential that it was reset to
    assert times_ms["R"][0] > 300  # at the fast ramp, not at the slow one that goes higher
    assert all(((times_ms[letter] > 50) & (times_ms[letter] < 250)).all() for letter in "ST")
