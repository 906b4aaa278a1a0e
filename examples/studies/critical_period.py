"""A critical period: how much of a map comes back depends on how long an eye was closed while it formed.

Two eyes compete for one map (critical_period.yaml). One is closed from 20 to 40 s; forks of this run open it at 25, 30
and 35 s, and one more run never closes it. All five together take half a minute on two cores:

    python examples/studies/critical_period.py

They lie in runs/, and the figure is critical_period.png. With one fork, and all times twenty times shorter:

    $ python examples/studies/critical_period.py --shorter 20 --opened-s 30 40
"""

import argparse
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import matplotlib
import numpy as np

import hpcsnn
from hpcsnn.analysis.topography import grid_displacement, receptive_fields

matplotlib.use("agg")
import matplotlib.pyplot as plt

CONFIGURATION = Path(__file__).with_suffix(".yaml")
CLOSED_S, OPENED_S, END_S, EVERY_S = 20, (25, 30, 35, 40), 60, 2.5
SEEN, PEAK_HZ = "populations.source.model.peak_hz", 100


def simulate(out, *words):
    """One run at the terminal, a rank on one core."""
    command = ["hpcsnn", "-q", "run", *words, "--device", "cpu", "--no-figures", "--overwrite", "--out", str(out)]
    subprocess.run(command, check=True)


def simulate_all(runs, closed_ms, opened_ms, words):
    """Never closed; closed until the last of `opened_ms`; and forks of that one, opened earlier: directories by ms."""
    *earlier, last = opened_ms
    changes = f"[{{at_ms: {closed_ms}, set: {{{SEEN}: 0}}}}, {{at_ms: {last}, set: {{{SEEN}: {PEAK_HZ}}}}}]"
    out = {at: runs / f"opened_at_{at:g}ms" for at in (closed_ms, *opened_ms)}
    with ThreadPoolExecutor(2) as two_at_a_time:
        begun = [two_at_a_time.submit(simulate, out[closed_ms], str(CONFIGURATION), *words)]
        simulate(out[last], str(CONFIGURATION), *words, "--set", f"changes={changes}")
        for at in earlier:
            fork = ("--from", f"{out[last]}@{at:g}ms", "--set", f"{SEEN}={PEAK_HZ}")
            begun.append(two_at_a_time.submit(simulate, out[at], *fork))
        for run in begun:
            run.result()
    return {f"{(at - closed_ms) / 1000:g}": path for at, path in out.items()}


def read(directory):
    """Of the closed eye's synapses at each checkpoint: time (s), spread in grid units, weight, number for a neuron."""
    run = hpcsnn.open_run(directory)
    grid = hpcsnn.Grid(16, 16)
    rows = []
    for time_ms in run.times_ms:
        pre, post, weight = (run.synapses("ff", at_ms=time_ms)[name].to_numpy() for name in ("pre", "post", "weight"))
        dx, dy = grid_displacement(grid, pre, post)  # from source to target; a field looks the other way
        fields = receptive_fields(grid, post, -dx, -dy, weight, grid.size)
        rows.append((time_ms / 1000, np.nanmean(fields.sigma_aff), weight.mean(), len(weight) / grid.size))
    return np.array(rows).T


def draw(measured, closed_s, path):
    """A panel for each of the three; line styles tell the runs apart, in grey too."""
    figure, panels = plt.subplots(3, 1, figsize=(5, 6.4), sharex=True, layout="constrained")
    styles = ["-", (0, (1, 1)), (0, (3, 1, 1, 1)), (0, (5, 1.5)), "-"]
    shades = ["0.65", *plt.colormaps["viridis"]([0.75, 0.55, 0.3, 0.0])]
    for (label, rows), style, shade in zip(measured.items(), styles, shades, strict=False):
        for panel, values in zip(panels, rows[1:], strict=True):
            panel.plot(rows[0], values, linestyle=style, color=shade, linewidth=1.5, label=label)
    for panel, name in zip(
        panels, ("spread of afferents\n(grid units)", "mean weight\n(at most 0.2)", "synapses per neuron"), strict=True
    ):
        panel.axvspan(*closed_s, color="0.92", linewidth=0, zorder=0)
        panel.set_ylabel(name)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].text(np.mean(closed_s), 1.0, "eye closed, at most", ha="center", va="top",
                   transform=panels[0].get_xaxis_transform(), fontsize="small", color="0.35")  # fmt: skip
    figure.align_ylabels()
    panels[-1].set_xlabel("model time (s)")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=5, frameon=False,
                  title="synapses of an eye that was closed for .. seconds", handlelength=2.5)  # fmt: skip
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A critical period of a topographic map.")
    parser.add_argument("--opened-s", type=float, nargs="+", default=OPENED_S, help="when the eye opens, ascending")
    parser.add_argument("--shorter", type=float, default=1, help="divide all times by this")
    given = parser.parse_args()
    ms = 1000 / given.shorter
    closed_ms, opened_ms = CLOSED_S * ms, [time * ms for time in given.opened_s]
    times = ("--set", f"duration_ms={END_S * ms:g}", "--set", f"checkpoint_every={EVERY_S * ms:g}ms")
    directories = simulate_all(Path("runs"), closed_ms, opened_ms, times)
    measured = {label: read(directory) for label, directory in directories.items()}
    draw(measured, np.array([closed_ms, opened_ms[-1]]) / 1000, "critical_period.png")
    for label, (_, spread, weight, synapses) in measured.items():
        ended = f"spread {spread[-1]:.3f}, mean weight {weight[-1]:.4f}, {synapses[-1]:.2f} synapses per neuron"
        print(f"closed for {label:>4} s: {ended}")
