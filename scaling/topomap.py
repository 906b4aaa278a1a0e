"""Speed and memory of the topographic map over network sizes and ranks: ``python -m scaling.topomap``.

Every figure is the median over fresh processes of the wall seconds per model second, start-up apart, in the first
seconds of ``configs/topomap.yaml`` (whose rates settle within 100 ms and rise only over tens of seconds).
"""

from __future__ import annotations

import datetime
import json
import platform
import shlex
import statistics
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"
# Model time that is measured, by scale: the same early seconds of the run, fewer of them where a second takes long.
MEASURED_MS = {1: 10_000, 2: 10_000, 3: 5_000, 4: 5_000, 5: 5_000, 6: 4_000, 7: 4_000, 16: 1_000, 32: 400, 64: 200}
# One core of the machine that these results come from, GeNN 5.4 forced to -O3 -march=native; and as its users build it.
GENN_FAST = {1: 0.045, 2: 0.23, 3: 0.93, 4: 2.5, 5: 5.4, 6: 12.3, 7: 24.0}
GENN = {1: 0.060, 2: 0.39, 3: 1.67, 4: 5.0, 5: 11.6, 6: 26.0, 7: 50.0}


def table(
    scales: Annotated[str, typer.Option(help="Scales on one rank.")] = "1,2,3,4,5,6,7,16,32",
    ranks: Annotated[str, typer.Option(help="SCALExRANKS pairs beside them.")] = "4x2,7x2,16x2",
    repeats: Annotated[int, typer.Option(min=1, help="Fresh processes per figure.")] = 5,
    device: Annotated[str, typer.Option(help="cpu or gpu.")] = "cpu",
    save: Annotated[bool, typer.Option(help="Write tables and figure.")] = True,
    folder: Annotated[Path, typer.Option(help="Where to.")] = RESULTS,
) -> None:
    """Speed and memory of the topographic map over network sizes and ranks."""
    console = Console()
    pairs = [(int(scale), 1) for scale in scales.split(",") if scale]
    pairs += [(int(scale), int(n)) for scale, n in (pair.split("x") for pair in ranks.split(",") if pair)]
    rows = []
    for scale, n_ranks in pairs:
        with console.status(f"scale {scale} on {n_ranks} rank{'s' if n_ranks > 1 else ''}"):
            rows.append(measured(scale, n_ranks, repeats, device))
    alone = {row["scale"]: row["wall_per_model_s"] for row in rows if row["ranks"] == 1}
    for row in rows:
        row["speed_up"] = alone[row["scale"]] / row["wall_per_model_s"] if row["scale"] in alone else None
    console.print(rendered(rows))
    if save:
        for path in kept(rows, repeats, folder):
            console.print(str(path))


def measured(scale: int, n_ranks: int, repeats: int, device: str) -> dict[str, Any]:
    """Medians over `repeats` fresh jobs."""
    command = [sys.executable, "-m", "scaling.measure", str(scale), str(MEASURED_MS[scale]), device]
    if n_ranks > 1:
        command = [str(Path(sys.executable).parent / "mpiexec"), "-n", str(n_ranks), *command]
    jobs = [subprocess.run(command, capture_output=True, text=True, check=False) for _ in range(repeats + 1)]
    for job in jobs:
        if job.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{job.stderr}")
    runs = [json.loads(job.stdout) for job in jobs[1:]]  # the first may have compiled, and read from a cold disk
    assert len({run["digest"] for run in runs}) == 1, "equal runs differ"
    walls = sorted(run["wall_per_model_s"] for run in runs)
    middle = min(runs, key=lambda run: abs(run["wall_per_model_s"] - statistics.median(walls)))
    n = (16 * scale) ** 2
    return {
        "scale": scale,
        "ranks": n_ranks,
        "neurons_a_layer": n,
        "model_s": MEASURED_MS[scale] * 1e-3,
        "wall_per_model_s": statistics.median(walls),
        "least": walls[0],
        "most": walls[-1],
        "ns_per_neuron_step": statistics.median(walls) / n * 1e5,
        "bytes_per_neuron": middle["array_bytes"] / n,
        "peak_bytes_per_neuron": middle["peak_bytes"] / n,
        **{key: middle[key] for key in ("target_rate_hz", "start_up_s", "phases", "device", "digest")},
    }


_SHOWN = {
    "scale": lambda row: str(row["scale"]),
    "neurons": lambda row: f"{row['neurons_a_layer']:,}",
    "ranks": lambda row: str(row["ranks"]),
    "wall s": lambda row: f"{row['wall_per_model_s']:.3g}",
    "speed-up": lambda row: f"{row['speed_up']:.2f}" if row["ranks"] > 1 and row["speed_up"] else "",
    "GeNN": lambda row: (
        f"{GENN_FAST[row['scale']] / row['wall_per_model_s']:.0f} x"
        if row["scale"] in GENN_FAST and row["device"].startswith("cpu")
        else ""
    ),
    "ns/neuron": lambda row: f"{row['ns_per_neuron_step']:.2f}",
    "Hz": lambda row: f"{row['target_rate_hz']:.1f}",
    "bytes": lambda row: f"{row['peak_bytes_per_neuron']:,.0f}",
}
_KEPT = _SHOWN | {
    "least - most": lambda row: f"{row['least']:.3g} - {row['most']:.3g}",
    "model s": lambda row: f"{row['model_s']:g}",
    "start-up s": lambda row: f"{row['start_up_s']:.2f}",
    **{
        f"{phase} %": lambda row, phase=phase: f"{100 * row['phases'][phase] / row['wall_per_model_s']:.0f}"
        for phase in ("neurons", "delivery", "plasticity", "rewiring", "exchange")
    },
}
_LEGEND = (
    "neurons: a layer; wall s: wall seconds per model second; GeNN: how many times longer GeNN 5.4 at -O3 takes; "
    "ns/neuron: ns per neuron of a layer and step; Hz: mean rate of the target; bytes: peak memory of all ranks, "
    "Python included, by neurons of a layer"
)


def rendered(rows: list[dict[str, Any]]) -> Table:
    """The table for a terminal."""
    shown = Table(*_SHOWN, box=None, pad_edge=False, caption=_LEGEND, caption_justify="left")
    for row in rows:
        shown.add_row(*(column(row) for column in _SHOWN.values()))
    return shown


def kept(rows: list[dict[str, Any]], repeats: int, folder: Path) -> Iterator[Path]:
    """Write JSON, Markdown and figure with what a reader needs to judge them; yields the paths."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes")
    compiler = subprocess.run(["c++", "--version"], capture_output=True, text=True, check=False).stdout.splitlines()[:1]
    of_device = ("cupy-cuda13x", "nvidia-cuda-nvrtc") if rows[0]["device"].startswith("gpu") else ("mpi4py", "mpich")
    about = {
        "date": now,
        "command": shlex.join(["python", "-m", "scaling.topomap", *sys.argv[1:]]),
        "device": rows[0]["device"],
        "repeats": repeats,
        "python": platform.python_version(),
        "compiler": compiler[0] if compiler else "",
        "versions": {name: version(name) for name in ("hpcsnn", "numpy", *of_device)},
    }
    folder.mkdir(exist_ok=True)
    stem = folder / f"topomap_{'gpu' if rows[0]['device'].startswith('gpu') else 'cpu'}"
    json_path, text_path, figure_path = (stem.with_suffix(suffix) for suffix in (".json", ".md", ".png"))
    json_path.write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n")
    lines = [f"{name}: {value}" for name, value in about.items()]
    header = ["| " + " | ".join(_KEPT) + " |", "|" + " --- |" * len(_KEPT)]
    body = ["| " + " | ".join(column(row) for column in _KEPT.values()) + " |" for row in rows]
    text_path.write_text(
        "\n".join(
            [
                "# Topographic map: speed and memory",
                "",
                *(f"- {line}" for line in lines),
                "",
                _LEGEND,
                "",
                *header,
                *body,
                "",
            ]
        )
    )
    _draw(rows).savefig(figure_path, dpi=150)
    yield from (json_path, text_path, figure_path)


def _draw(rows: list[dict[str, Any]]) -> Figure:
    figure = Figure(figsize=(5.0, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for name, points, style in (
        ("GeNN 5.4, one core", GENN, {"color": "0.6", "marker": "s"}),
        ("GeNN 5.4, one core, -O3", GENN_FAST, {"color": "0.35", "marker": "^"}),
    ):
        sizes = [(16 * scale) ** 2 for scale in points]
        axes.plot(sizes, list(points.values()), label=name, linewidth=1, markersize=4, **style)
    unit = "GPU" if rows[0]["device"].startswith("gpu") else "core"
    for n_ranks, colour in zip(sorted({row["ranks"] for row in rows}), ("#0072B2", "#D55E00", "#009E73"), strict=False):
        chosen = [row for row in rows if row["ranks"] == n_ranks]
        axes.plot(
            [row["neurons_a_layer"] for row in chosen],
            [row["wall_per_model_s"] for row in chosen],
            label=f"hpcsnn, {n_ranks} {unit}{'s' if n_ranks > 1 else ''}",
            color=colour, marker="o", linewidth=1.4, markersize=4,
        )  # fmt: skip
    axes.axhline(1.0, color="0.8", linewidth=0.8, zorder=0)
    axes.annotate(
        "real time", (1.0, 1.0), xycoords=("axes fraction", "data"), ha="right", va="bottom", color="0.5", size=8
    )
    axes.set(xscale="log", yscale="log", xlabel="neurons per layer", ylabel="wall seconds per model second")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    return figure


if __name__ == "__main__":
    typer.run(table)
