"""Twenty patterns of spikes from one neuron model, as in figure 1 of Izhikevich 2004, IEEE Trans. Neural Netw. 15:1063.

Parameters, currents and steps are those of the published program (figure1.m), a pattern a neuron. The figure is
izhikevich_patterns.png; how often each neuron spikes is printed:

    $ python examples/studies/izhikevich_patterns.py
"""

import math
from dataclasses import dataclass

import matplotlib
import numpy as np

from hpcsnn import Network, Simulation, models

matplotlib.use("agg")
import matplotlib.pyplot as plt

# The published program takes V in one Euler step, then u from the new V. The model `izhikevich` that ships takes V in
# two half steps, as the program of 2003 does, and no a below 0 (S and T). G and L have another parabola, R another u.
Published = models.NeuronModel(
    "izhikevich_2004",
    "Izhikevich's simple model as figure1.m has it.",
    parameters={
        "a": models.Parameter(None, "1/ms", "rate of the recovery variable"),
        "b": models.Parameter(None, "1/ms", "sensitivity of the recovery variable to V"),
        "c": models.Parameter(None, "mV", "potential after a spike"),
        "d": models.Parameter(None, "mV/ms", "jump of the recovery variable at a spike"),
        "slope": models.Parameter(5.0, "1/ms", "V' = 0.04 V^2 + slope V + constant - u + I"),
        "constant": models.Parameter(140.0, "mV/ms", "V' = 0.04 V^2 + slope V + constant - u + I"),
        "V_shift_mV": models.Parameter(0.0, "mV", "u' = a (b (V + V_shift) - decay u)"),
        "decay": models.Parameter(1.0, "", "u' = a (b (V + V_shift) - decay u)"),
    },
    state=(models.Variable("V_mV", -65.0, "mV"), models.Variable("u", 0.0, "mV/ms")),
    update="""
    V_mV += dt_ms * ((0.04f * V_mV + slope) * V_mV + constant - u + input_current);
    u += dt_ms * (a * (b * (V_mV + V_shift_mV) - decay * u));
    """,
    threshold="V_mV > 30.0f",
    reset="V_mV = c; u += d;",
    source="Izhikevich 2004, IEEE Trans. Neural Netw. 15:1063",
)


@dataclass(frozen=True)
class Pattern:
    """A panel: parameters a, b, c, d; V at the start; the step and the end; and pieces of current.

    A piece (first, last, at first, at last) flows in the steps that begin between the two times, these excluded.
    """

    name: str
    abcd: tuple[float, float, float, float]
    V_mV: float
    dt_ms: float
    end_ms: float
    pieces: tuple[tuple[float, float, float, float], ...]
    u: float | None = None  # at the start: b V
    changed: tuple[tuple[str, float], ...] = ()


def flat(amplitude, first_ms, last_ms):
    return (first_ms, last_ms, amplitude, amplitude)


PARABOLA = (("slope", 4.1), ("constant", 108.0))
FROM_START = -1.0
PATTERNS = (
    Pattern("A tonic spiking", (0.02, 0.2, -65, 6), -70, 0.25, 100, (flat(14, 10, 101),)),
    Pattern("B phasic spiking", (0.02, 0.25, -65, 6), -64, 0.25, 200, (flat(0.5, 20, 201),)),
    Pattern("C tonic bursting", (0.02, 0.2, -50, 2), -70, 0.25, 220, (flat(15, 22, 221),)),
    Pattern("D phasic bursting", (0.02, 0.25, -55, 0.05), -64, 0.2, 200, (flat(0.6, 20, 201),)),
    Pattern("E mixed mode", (0.02, 0.2, -55, 4), -70, 0.25, 160, (flat(10, 16, 161),)),
    Pattern("F spike frequency adaptation", (0.01, 0.2, -65, 8), -70, 0.25, 85, (flat(30, 8.5, 86),)),
    Pattern("G class 1", (0.02, -0.1, -55, 6), -60, 0.25, 300, ((30, 300, 0, 20.25),), changed=PARABOLA),
    Pattern("H class 2", (0.2, 0.26, -65, 0), -64, 0.25, 300,
            (flat(-0.5, FROM_START, 301), (30, 300, 0, 4.05))),
    Pattern("I spike latency", (0.02, 0.2, -65, 6), -70, 0.2, 100, (flat(7.04, 10, 13),)),
    Pattern("J subthreshold oscillations", (0.05, 0.26, -60, 0), -62, 0.25, 200, (flat(2, 20, 25),)),
    Pattern("K resonator", (0.1, 0.26, -60, -1), -62, 0.25, 400,
            tuple(flat(0.65, at, at + 4) for at in (40, 60, 280, 320))),
    Pattern("L integrator", (0.02, -0.1, -55, 6), -60, 0.25, 100,
            tuple(flat(9, at, at + 2) for at in (100 / 11, 100 / 11 + 5, 70, 80)), changed=PARABOLA),
    Pattern("M rebound spike", (0.03, 0.25, -60, 4), -64, 0.2, 200, (flat(-15, 20, 25),)),
    Pattern("N rebound burst", (0.03, 0.25, -52, 0), -64, 0.2, 200, (flat(-15, 20, 25),)),
    Pattern("O threshold variability", (0.03, 0.25, -60, 4), -64, 0.25, 100,
            (flat(1, 10, 15), flat(-6, 70, 75), flat(1, 80, 85))),
    Pattern("P bistability", (0.1, 0.26, -60, 0), -61, 0.25, 300,
            (flat(0.24, FROM_START, 301), flat(1.0, 37.5, 42.5), flat(1.0, 216, 221))),
    Pattern("Q depolarizing afterpotential", (1, 0.2, -60, -21), -70, 0.1, 50, (flat(20, 9, 11),)),
    Pattern("R accommodation", (0.02, 1, -55, 4), -65, 0.5, 400, ((0, 200, 0, 8), (300, 312.5, 0, 4)),
            u=-16, changed=(("V_shift_mV", 65.0), ("decay", 0.0))),
    Pattern("S inhibition-induced spiking", (-0.02, -1, -60, 8), -63.8, 0.5, 350,
            (flat(80, FROM_START, 351), flat(-5, 49.9, 250.1))),
    Pattern("T inhibition-induced bursting", (-0.026, -1, -45, -2), -63.8, 0.5, 350,
            (flat(80, FROM_START, 351), flat(-5, 49.9, 250.1))),
)  # fmt: skip


def steps_of(pattern, piece):
    """The first step in which a piece flows, and the one before which it ends."""
    first_ms, last_ms, *_ = piece
    first = max(0, math.floor(first_ms / pattern.dt_ms + 1e-9) + 1)
    return first, math.ceil(last_ms / pattern.dt_ms - 1e-9)


def current_of(pattern, piece, neuron):
    """A piece as a current that ships."""
    (first, last), (first_ms, last_ms, at_first, at_last) = steps_of(pattern, piece), piece
    flows = {"from_ms": first * pattern.dt_ms, "to_ms": last * pattern.dt_ms, "neurons": [neuron]}
    if at_first == at_last:
        return models.StepCurrent(amplitude=at_first, **flows)
    begins = at_first + (at_last - at_first) * (flows["from_ms"] - first_ms) / (last_ms - first_ms)
    return models.RampCurrent(from_amplitude=begins, to_amplitude=at_last, **flows)


def record(patterns):
    """Neurons of one step length, simulated together: V (mV) at the end of each step, and the steps with a spike."""
    dt_ms, end_ms = patterns[0].dt_ms, max(pattern.end_ms for pattern in patterns)
    values = {name: [pattern.abcd[place] for pattern in patterns] for place, name in enumerate("abcd")}
    for name in ("slope", "constant", "V_shift_mV", "decay"):
        default = Published.parameters[name].default
        values[name] = [dict(pattern.changed).get(name, default) for pattern in patterns]
    u = [pattern.abcd[1] * pattern.V_mV if pattern.u is None else pattern.u for pattern in patterns]
    network = Network(seed=1, dt_ms=dt_ms)
    network.add_population(
        "cells", len(patterns), Published(**values), {"V_mV": [pattern.V_mV for pattern in patterns], "u": u},
        record_spikes=True, record={"V_mV": dt_ms},
        stimulate=[current_of(pattern, piece, k) for k, pattern in enumerate(patterns) for piece in pattern.pieces],
    )  # fmt: skip
    simulation = Simulation(network, device="cpu")
    simulation.run(end_ms, progress=False)
    V_mV = simulation.recorded("cells", "V_mV").values
    steps, neurons = simulation.spikes("cells")
    return [
        (V_mV[: round(pattern.end_ms / dt_ms), k], steps[(neurons == k) & (steps * dt_ms < pattern.end_ms)])
        for k, pattern in enumerate(patterns)
    ]


def record_all():
    """What `record` says of each pattern, by its letter, A to T."""
    recorded = {}
    for dt_ms in sorted({pattern.dt_ms for pattern in PATTERNS}):
        together = [pattern for pattern in PATTERNS if pattern.dt_ms == dt_ms]
        recorded |= zip((pattern.name[0] for pattern in together), record(together), strict=True)
    return {pattern.name[0]: recorded[pattern.name[0]] for pattern in PATTERNS}


def draw(recorded, path):
    """A panel for each pattern: V, cut off at 30 mV where it spikes, and below it the current, not to scale."""
    figure, panels = plt.subplots(5, 4, figsize=(9, 8.5), sharey=True, layout="constrained")
    for pattern, panel in zip(PATTERNS, panels.flat, strict=True):
        V_mV, spikes = recorded[pattern.name[0]]
        V_mV = V_mV.copy()
        V_mV[spikes] = 30
        time_ms = np.arange(len(V_mV)) * pattern.dt_ms
        current = np.zeros(len(V_mV))
        for piece in pattern.pieces:
            first, last = steps_of(pattern, piece)
            current[first:last] += np.interp(time_ms[first:last], piece[:2], piece[2:])
        panel.plot(time_ms + pattern.dt_ms, V_mV, color="black", linewidth=0.7)
        panel.plot(time_ms, -100 + 12 * (current - current.min()) / np.ptp(current), color="0.5", linewidth=1)
        panel.set_title(f"({pattern.name[0]}) {pattern.name[2:]}", fontsize=8.5)
        panel.set_ylim(-104, 36)
        panel.set_yticks([-80, -40, 0])
        panel.tick_params(labelsize=7)
        panel.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("model time (ms)", fontsize=9)
    figure.supylabel("V (mV); below in grey the current, not to scale", fontsize=9)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    recorded = record_all()
    draw(recorded, "izhikevich_patterns.png")
    print(*(f"{letter}: {len(spikes)}" for letter, (_, spikes) in recorded.items()), sep=", ")
