"""``python -m scaling.accuracy``: the table and figures of docs/accuracy.md, from the protocols that the tests hold.

Needs `nest-simulator`; takes about two minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from scaling.accuracy import hpcsnn_models as ours
from scaling.accuracy import nest_models
from scaling.accuracy import protocols as p

mpl.use("agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import NullLocator

DOCS = Path(__file__).resolve().parents[2] / "docs"
BEGIN, END = "<!-- from here: python -m scaling.accuracy -->", "<!-- to here -->"
STEPS_MS = (0.1, 0.5, 1.0)
PEERS = {"lif": "iaf_psc_exp", "adex": "aeif_psc_exp, adaptive steps", "izhikevich": "izhikevich, steps as published"}
LOOKS: dict[str, dict[str, Any]] = {
    "exact": {"color": "0.6", "lw": 3, "label": "exact"},
    "nest": {"color": "tab:orange", "marker": "o", "mfc": "none", "ms": 8, "ls": "", "label": "NEST"},
    "hpcsnn": {"color": "tab:blue", "marker": ".", "ms": 6, "ls": "", "label": "hpcsnn"},
}


def _drawn(axis: Any, x: Any, result: p.Results, every: int = 1) -> None:
    for who, look in LOOKS.items():
        if who in result:
            step = 1 if who == "exact" else every
            axis.plot(x[::step], result[who][::step], **look)


def _apart(a: Any, b: Any) -> float:
    """The largest relative difference."""
    return float(np.max(np.abs(np.divide(a, b) - 1)))


def neurons(path: Path) -> Iterator[tuple[str, str, str]]:
    """f-I curves and LIF near rheobase: the figure, and rows of the table."""
    figure, axes = plt.subplots(2, 3, figsize=(10, 6), layout="constrained")
    for axis, name in zip(axes.flat, p.CURRENTS, strict=False):
        curve = p.f_I_curve(name, nest_models)
        _drawn(axis, curve["current"], curve)
        axis.set(title=name, xlabel="current (pA)" if name == "adex" else "current", ylabel="rate (Hz)")
        yield name, "exact spike times, 0.1 ms: rate", f"{100 * _apart(curve['hpcsnn'], curve['exact']):.2f} %"
        if "nest" in curve:
            nest = {
                "lif": "iaf_psc_exp",
                "adex": "aeif_psc_exp, adaptive steps",
                "izhikevich": "izhikevich, steps as published",
            }
            yield name, f"NEST {nest[name]}: rate", f"{100 * _apart(curve['hpcsnn'], curve['nest']):.2f} %"
    near = p.near_rheobase(nest_models)
    axis, above = axes[1, 1], np.array(near["current"]) - 16
    for who in ("nest", "hpcsnn"):
        axis.semilogx(above, np.subtract(near[who], near["exact"]), **LOOKS[who])
    axis.axhspan(0, 0.1, color="0.9")
    axis.set(title="lif: interval - exact (grey: one step)", xlabel="current above rheobase (16)", ylabel="ms")
    for at in (0, 3):
        said = f"{near['hpcsnn'][at]:.1f} ms; NEST {near['nest'][at]:.1f}, exact {near['exact'][at]:.2f}"
        yield "lif", f"interval at a current of {near['current'][at]:g} (rheobase 16)", said
    rates, axis = p.background_rates(nest_models), axes[1, 2]
    for who in ("nest", "hpcsnn"):
        axis.errorbar(rates["weight"], rates[who], rates[f"{who}_error"], **LOOKS[who])
        axis.set(title="lif_background", xlabel="background_weight", ylabel="rate (Hz)")
    for at, weight in enumerate(rates["weight"]):
        both = [f"{rates[who][at]:.3f} ± {rates[f'{who}_error'][at]:.3f} Hz" for who in ("hpcsnn", "nest")]
        yield (
            "lif_background",
            f"NEST iaf_psc_exp, poisson_generator 8 kHz: weight {weight}",
            f"{both[0]}; NEST {both[1]}",
        )
    axes[0, 0].legend(frameon=False)
    figure.savefig(path, dpi=80)


def receptors(path: Path) -> Iterator[tuple[str, str, str]]:
    """Potentials after one spike."""
    figure, axes = plt.subplots(1, 4, figsize=(12, 3.2), layout="constrained")
    for axis, name in zip(axes, p.RECEPTORS, strict=True):
        curves = p.psp(name, nest_models, 0.5, 40.0)
        _drawn(axis, curves["t_ms"], curves, 4)
        axis.set(title=f"{name}, dt 0.5 ms", xlabel="ms after arrival", ylabel="mV above rest")
        axis.title.set_fontsize(10)
        errors = [p.psp_error(name, nest_models, dt_ms) for dt_ms in STEPS_MS]
        yield name, "exact potential, at 0.1, 0.5, 1 ms", ", ".join(_share(error["hpcsnn"]) for error in errors)
        if "nest" in errors[0]:
            nest = ", ".join(_share(abs(error["nest"])) for error in errors)
            yield name, "(NEST beside the exact potential)", nest
        brought = [p.charge(name, dt_ms) for dt_ms in STEPS_MS]
        said = ", ".join(_share(abs(one["hpcsnn"] / one["exact"] - 1)) for one in brought)
        yield name, "definition: charge of a spike, at 0.1, 0.5, 1 ms", said
    axes[0].legend(frameon=False)
    figure.savefig(path, dpi=80)


def _share(value: float) -> str:
    return f"{100 * value:.2g} %" if value > 1e-4 else f"{value:.0e}"


def plasticity(path: Path) -> Iterator[tuple[str, str, str]]:
    """Windows at 25 lags; weights after random trains."""
    figure, axes = plt.subplots(1, 4, figsize=(12, 3.2), layout="constrained")
    for axis, name in zip(axes, p.RULES, strict=False):
        pairs = p.window(name, nest_models)
        _drawn(axis, pairs["lag_ms"], pairs)
        axis.set(title=name, xlabel="target - source (ms)", ylabel="change of weight")
        apart = [np.abs(pairs["hpcsnn"] - pairs[who]).max() for who in ("exact", "nest")]
        yield name, "exact, NEST: 25 lags, change of weight", f"{apart[0]:.0e}, {apart[1]:.0e}"
        random = p.weight_changes(name, nest_models, *p.random_trains(20, 40.0, coincident=False))
        apart = [np.abs(random["hpcsnn"] - random[who]).max() for who in ("exact", "nest")]
        yield name, "exact, NEST: trains of 40 Hz for 2 s, none coincident", f"{apart[0]:.0e}, {apart[1]:.0e}"
        random = p.weight_changes(name, nest_models, *p.random_trains(20, 40.0, coincident=True))
        apart = [np.abs(random["hpcsnn"] - random[who]).max() for who in ("exact", "nest")]
        why = " (it potentiates first, see below)" if apart[1] > 1e-6 else ""
        yield name, "exact, NEST: the same with coincident spikes", f"{apart[0]:.0e}, {apart[1]:.0e}{why}"
    counts = p.coincidence_counts([[200.0] for _ in p.LAGS_MS], [[200.0 + lag] for lag in p.LAGS_MS])
    _drawn(axes[-1], p.LAGS_MS, counts)
    axes[-1].set(title="bcpnn", xlabel="target - source (ms)", ylabel="coincidences")
    random = p.coincidence_counts(*p.random_trains(20, 40.0, coincident=True))
    yield "bcpnn", "exact: coincidences in trains of 40 Hz for 2 s", f"{_apart(random['hpcsnn'], random['exact']):.0e}"
    yield from _inhibition()
    yield from _short_term()
    yield from _three_factors()
    axes[0].legend(frameon=False)
    figure.savefig(path, dpi=80)


def _inhibition() -> Iterator[tuple[str, str, str]]:
    window = p.inhibitory_changes(nest_models, [[200.0] for _ in p.LAGS_MS], [[200.0 + lag] for lag in p.LAGS_MS])
    apart = [np.abs(window["hpcsnn"] - window[who])[p.LAGS_MS != 0].max() for who in ("exact", "nest")]
    yield "inhibitory_stdp", "exact, NEST: 24 lags, change of weight", f"{apart[0]:.0e}, {apart[1]:.0e}"
    random = p.inhibitory_changes(nest_models, *p.random_trains(20, 40.0, coincident=False))
    apart = [np.abs(random["hpcsnn"] - random[who]).max() for who in ("exact", "nest")]
    yield (
        "inhibitory_stdp",
        "exact, NEST: trains of 40 Hz for 2 s, none coincident",
        f"{apart[0]:.0e}, {apart[1]:.0e}",
    )
    random = p.inhibitory_changes(None, *p.random_trains(20, 40.0, coincident=True))
    apart = [np.abs(random["hpcsnn"] - random["exact"]).max()]
    yield "inhibitory_stdp", "exact: the same with coincident spikes", f"{apart[0]:.0e}"


def _three_factors() -> Iterator[tuple[str, str, str]]:
    """Plasticity that sees more than the spikes of its two neurons, and the neuron and receptor that it needs."""
    changes = p.rewarded_changes(nest_models)
    apart = np.abs(changes["hpcsnn"] - changes["nest"]).max()
    said = f"{apart:.0e} of {np.abs(changes['nest']).max():.2g}"
    yield "dopamine_stdp", "NEST stdp_dopamine_synapse: trains of 20 Hz for 2 s, dopamine every 97 ms", said
    brought = ours.arrived(0.3, 5)
    yield "neuromodulator", "definition: what arrives of five spikes of 0.3", f"{brought:.7g} of 1.5"
    for lag_ms, order in ((10.0, "source first"), (-10.0, "target first")):
        pairs = p.pairs_at_rates(nest_models, lag_ms)
        both = [f"{100 * pairs[who][0]:.0f} % and {100 * pairs[who][-1]:.0f} %" for who in ("hpcsnn", "nest")]
        what = f"NEST clopath_synapse: 75 pairs of 10 ms, {order}, at 10 and 50 Hz"
        yield "clopath", what, f"{both[0]}; NEST {both[1]} (see below)"
    rates = p.rates_with_afterpotential_hz(nest_models)
    mine, theirs = (", ".join(f"{rate:g}" for rate in rates[who]) for who in ("hpcsnn", "nest"))
    what = "NEST aeif_psc_delta_clopath: spikes in a second, 700 to 1500 pA"
    yield "adex_afterpotential", what, f"{mine}; NEST {theirs}"


def _short_term() -> Iterator[tuple[str, str, str]]:
    for name in p.SHORT_TERM:
        amounts = p.short_term_amounts(name, nest_models, p.random_trains(20, 40.0, coincident=True)[0])
        apart = [_apart(amounts["hpcsnn"], amounts[who]) for who in ("exact", "nest")]
        yield (
            "tsodyks_markram",
            f"exact, NEST tsodyks2_synapse: {name}, trains of 40 Hz for 2 s, amounts",
            f"{apart[0]:.0e}, {apart[1]:.0e}",
        )


def stimuli() -> Iterator[tuple[str, str, str]]:
    """Counts against what is expected."""
    for name in ("poisson", "inhomogeneous_poisson", "moving_gaussian_poisson"):
        found = p.stimulus(name)
        off = (found["hpcsnn"] - found["exact"]) / found["error"]
        yield (
            name,
            "expected number of spikes in 10 s",
            f"{found['hpcsnn']:.0f} of {found['exact']:.0f}: {off:+.1f} errors",
        )
    found = p.stimulus("poisson")
    yield "poisson", "coefficient of variation of intervals", f"{found['cv']:.4f} of {found['cv_exact']:.4f}"
    same = p.stimulus("spike_array")["same_steps"]
    yield "spike_array", "2,000 times given", "each in its step" if same else "NOT in their steps"


def convergence(path: Path) -> Iterator[tuple[str, str, str]]:
    """How errors fall with the step."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for name in ("exponential_current", "alpha_current", "exponential_conductance"):
        result = p.psp_convergence(name)
        axes[0].loglog(result["dt_ms"], result["error"], "o-", label=f"{name}: order {p.order(result):.2f}")
        yield name, "order of convergence of the potential", f"{p.order(result):.2f}"
    for name in p.DRIVE:
        result = p.spike_convergence(name)
        axes[1].loglog(result["dt_ms"], result["error"], "o-", label=f"{name}: order {p.order(result):.2f}")
        late = result["error"][result["dt_ms"].index(0.1)] / 0.1
        yield (
            name,
            "order of convergence of spike times; late by",
            f"{p.order(result):.2f}; {late:.2g} steps a spike at 0.1 ms",
        )
    axes[0].set(xlabel="dt (ms)", ylabel="largest error / peak", title="potential after a spike")
    axes[1].set(xlabel="dt (ms)", ylabel="ms late, per spike", title="spike times under a constant current")
    for axis, steps in zip(axes, (p.PSP_STEPS_MS, p.SPIKE_STEPS_MS), strict=True):
        axis.legend(frameon=False, fontsize=8)
        axis.set_xticks(steps, [f"{dt_ms:g}" for dt_ms in steps])
        axis.xaxis.set_minor_locator(NullLocator())
    figure.savefig(path, dpi=80)


def main() -> None:
    """Draw all figures and write the table into the page."""
    rows = [
        *neurons(DOCS / "accuracy_neurons.png"),
        *receptors(DOCS / "accuracy_receptors.png"),
        *plasticity(DOCS / "accuracy_plasticity.png"),
        *stimuli(),
        *convergence(DOCS / "accuracy_convergence.png"),
    ]
    table = ["| model | beside | difference, or what is found |", "|---|---|---|"]
    table += [f"| `{model}` | {beside} | {found} |" for model, beside, found in rows]
    page = DOCS / "accuracy.md"
    before, rest = page.read_text().split(BEGIN)
    page.write_text(before + BEGIN + "\n\n" + "\n".join(table) + "\n\n" + END + rest.split(END)[1])
    print("\n".join(table))


if __name__ == "__main__":
    main()
