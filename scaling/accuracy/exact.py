"""The models' definitions in float64, sharing nothing with hpcsnn: closed forms, roots, and adaptive integration.

Times are in ms, potentials in mV; ``p`` is a model's parameters by name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

Floats = NDArray[np.float64]


def lif_interval(current: float, p: Mapping[str, float], refractory_ms: float) -> float:
    """Interval between two spikes under a constant current; infinite below rheobase."""
    drive = current * p["resistance"] + p["V_rest_mV"]
    if drive <= p["V_threshold_mV"]:
        return math.inf
    return refractory_ms + p["tau_m_ms"] * math.log((drive - p["V_reset_mV"]) / (drive - p["V_threshold_mV"]))


def alif_spikes(current: float, p: Mapping[str, float], refractory_ms: float, until_ms: float) -> Floats:
    """From one crossing of potential and threshold, both in closed form, to the next."""
    drive = current * p["resistance"] + p["V_rest_mV"]
    now, V, adaptation, held, found = 0.0, p["V_rest_mV"], 0.0, 0.0, []

    def below(since: float) -> float:
        moved = drive + (V - drive) * math.exp(-max(since - held, 0.0) / p["tau_m_ms"])
        raised = p["beta_mV"] * adaptation * math.exp(-since / p["tau_adaptation_ms"])
        return moved - p["V_threshold_mV"] - raised

    while now < until_ms:
        since = np.arange(held, until_ms - now + 1.0, 0.5)
        above = [at for at in since if below(at) > 0]
        if not above:
            break
        crossing = brentq(below, max(above[0] - 0.5, held), above[0], xtol=1e-12)
        now += crossing
        adaptation = adaptation * math.exp(-crossing / p["tau_adaptation_ms"]) + 1.0
        V, held = p["V_reset_mV"], refractory_ms
        found.append(now)
    return np.array([at for at in found if at <= until_ms])


def _spikes(
    derivative: Any, peak: float, start: Sequence[float], reset: Any, until_ms: float, longest_ms: float
) -> Floats:
    def reached(_: float, y: Floats) -> float:
        return float(y[0] - peak)

    reached.terminal, reached.direction = True, 1.0  # type: ignore[attr-defined]
    now, state, found = 0.0, np.array(start), []
    while now < until_ms:
        part = solve_ivp(
            derivative, (now, until_ms), state, "DOP853", events=reached, rtol=1e-10, atol=1e-10, max_step=longest_ms
        )
        now, state = float(part.t[-1]), part.y[:, -1]
        if part.status != 1:
            break
        found.append(now)
        state = reset(state)
    return np.array(found)


def adex_spikes(current: float, p: Mapping[str, float], until_ms: float) -> Floats:
    """Brette & Gerstner's equations 1 to 3, without a refractory time."""

    def derivative(_: float, y: Floats) -> list[float]:
        V, w = y
        up = p["slope_mV"] * math.exp(min((V - p["V_threshold_mV"]) / p["slope_mV"], 80.0))
        dV = (p["g_leak_nS"] * (p["V_rest_mV"] - V + up) - w + current) / p["C_pF"]
        return [dV, (p["a_nS"] * (V - p["V_rest_mV"]) - w) / p["tau_w_ms"]]

    # 16 slopes above its threshold the upstroke needs another 1e-6 ms to infinity.
    peak = min(p["V_peak_mV"], p["V_threshold_mV"] + 16 * p["slope_mV"])
    start = [p["V_rest_mV"], 0.0]
    return _spikes(derivative, peak, start, lambda y: np.array([p["V_reset_mV"], y[1] + p["b_pA"]]), until_ms, 1.0)


def izhikevich_spikes(current: float, p: Mapping[str, float], until_ms: float) -> Floats:
    """The two differential equations of Izhikevich 2003, which his program steps over by 0.5 and 1 ms."""

    def derivative(_: float, y: Floats) -> list[float]:
        V, u = y
        return [0.04 * V * V + 5 * V + 140 - u + current, p["a"] * (p["b"] * V - u)]

    start = [-65.0, -65.0 * p["b"]]
    return _spikes(derivative, p["V_peak_mV"], start, lambda y: np.array([p["c"], y[1] + p["d"]]), until_ms, 0.5)


def psp_of_exponential(t: Floats, weight: float, tau_ms: float, tau_m_ms: float = 20.0) -> Floats:
    """Potential above rest, resistance 1, t after a spike's arrival."""
    k = 1 / tau_ms - 1 / tau_m_ms
    return weight / tau_m_ms / k * (np.exp(-t / tau_m_ms) - np.exp(-t / tau_ms))


def psp_of_alpha(t: Floats, weight: float, tau_ms: float, tau_m_ms: float = 20.0) -> Floats:
    """As `psp_of_exponential`, of a current weight * t / tau * exp(1 - t / tau)."""
    k = 1 / tau_ms - 1 / tau_m_ms
    rise = np.exp(-t / tau_m_ms) - np.exp(-t / tau_ms) * (1 + k * t)
    return weight * math.e / tau_ms / tau_m_ms / k**2 * rise


def psp_of_delta(t: Floats, weight: float, dt_ms: float, tau_m_ms: float = 20.0) -> Floats:
    """As `psp_of_exponential`, of a current that lasts for dt_ms; from its end on."""
    return weight * (1 - math.exp(-dt_ms / tau_m_ms)) * np.exp(-(t - dt_ms) / tau_m_ms)


def psp_of_conductance(t: Floats, weight: float, tau_ms: float, reversal_mV: float, tau_m_ms: float = 20.0) -> Floats:
    """As `psp_of_exponential`, of a conductance that jumps and decays; the rest is -70 mV."""

    def derivative(at: float, y: Floats) -> list[float]:
        return [(-y[0] + weight * math.exp(-at / tau_ms) * (reversal_mV + 70.0 - y[0])) / tau_m_ms]

    return solve_ivp(derivative, (0.0, float(t[-1])), [0.0], "DOP853", t, rtol=1e-11, atol=1e-11).y[0]


def weight_after(
    name: str,
    p: Mapping[str, float],
    pre_ms: Sequence[float],
    post_ms: Sequence[float],
    weight: float,
    potentiation_first: bool = False,
) -> float:
    """A weight by its rule: at each spike a sum over all earlier ones of the other side; two of one time are no pair.

    Where spikes of both sides are of one time, hpcsnn depresses first, as GeNN; `potentiation_first` is NEST's order.
    """

    def trace(spikes: Sequence[float], at: float, tau: str) -> float:
        return sum(math.exp((spike - at) / p[tau]) for spike in spikes if spike < at)

    soft, triplet = name == "multiplicative_stdp", name == "triplet_stdp"
    depressed = [(at, potentiation_first, "pre") for at in pre_ms]
    potentiated = [(at, not potentiation_first, "post") for at in post_ms]
    for at, _, side in sorted(depressed + potentiated):
        if side == "pre":
            amount = p["a2_minus"] + p["a3_minus"] * trace(pre_ms, at, "tau_x_ms") if triplet else p["a_minus"]
            down = amount * trace(post_ms, at, "tau_minus_ms")
            weight = max(weight - down * (weight if soft else 1.0), 0.0)
        else:
            amount = p["a2_plus"] + p["a3_plus"] * trace(post_ms, at, "tau_y_ms") if triplet else p["a_plus"]
            up = amount * trace(pre_ms, at, "tau_plus_ms")
            weight = min(weight + up * (p["w_max"] - weight if soft else 1.0), p["w_max"])
    return weight


def inhibited_weight_after(
    p: Mapping[str, float], pre_ms: Sequence[float], post_ms: Sequence[float], weight: float
) -> float:
    """A weight by Vogels et al. 2011: at each spike a sum over all earlier ones of the other side.

    Two spikes of one time are one pair, counted at the source's. The rule is of sizes; all have the sign of ``w_max``.
    """
    sign, alpha = math.copysign(1.0, p["w_max"]), 2.0 * (p["rho0_hz"] * 1e-3) * p["tau_ms"]
    for at, post in sorted([(at, False) for at in pre_ms] + [(at, True) for at in post_ms]):
        others = [other for other in (pre_ms if post else post_ms) if (other < at if post else other <= at)]
        trace = sum(math.exp((other - at) / p["tau_ms"]) for other in others)
        weight += sign * p["eta"] * (trace if post else trace - alpha)
        weight = min(max(weight, min(p["w_max"], 0.0)), max(p["w_max"], 0.0))
    return weight


def short_term_amounts(p: Mapping[str, float], pre_ms: Sequence[float], weight: float) -> Floats:
    """What each spike brings, by the recursion of Markram, Wang & Tsodyks 1998; shape (n spikes,)."""
    u, R, found = p["U"], 1.0, []
    for before, at in zip([None, *pre_ms], pre_ms, strict=False):
        if before is not None:
            R = 1.0 + (R - R * u - 1.0) * math.exp((before - at) / p["tau_rec_ms"])
            u = p["U"] + u * (1.0 - p["U"]) * math.exp((before - at) / p["tau_facil_ms"])
        found.append(weight * u * R)
    return np.array(found)


def coincidences(pre_ms: Sequence[float], post_ms: Sequence[float], tau_ms: float) -> float:
    """The integral of the product of both traces over time, in units of tau / 2: one for two spikes of one time."""
    return sum(math.exp(-abs(a - b) / tau_ms) for a in pre_ms for b in post_ms)
