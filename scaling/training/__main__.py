"""What training costs, beside NEST's e-prop and PyTorch's BPTT: ``python -m scaling.training``.

CPU seconds (user and system) of one thread; each measurement is a process of its own, every one once a round, so that
whatever else the machine does meets all alike. Figures are medians over rounds; wall times want a quiet machine.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markdown import Markdown

from hpcsnn.devices.processors import processor
from scaling.training.measure import CASES, L1, NEST_BATCH, for_nest
from scaling.training.networks import N_MNIST, SHD, images, random_samples, written

RESULTS = Path(__file__).parents[1] / "results"
RANKS = tuple(case for case in CASES if case.startswith("ranks"))
NEST_MODELS = ("eprop_iaf_bsshslm_2020", "eprop_iaf")
Rounds = dict[str, list[dict[str, Any]]]
_ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
_IMAGES = 60_000  # of an epoch
_LEGEND = """\
Medians over rounds (least .. most), one thread; weights are drawn so that hidden neurons fire. SHD's size: 700 inputs,
8,000 random spikes in 1,000 steps, 512 `alif_subtractive`, recurrent, 20 classes. Images: 784 inputs, 80 steps, 128
`lif_subtractive`, 10 classes. N-MNIST's size: 784 inputs, 4,000 random spikes in 300 steps, 150 neurons, 25 % of the
input and 1 % of the recurrent synapses. Batches of 128, of 16 beside NEST."""


def table(
    rounds: Annotated[int, typer.Option(min=1, help="How often each measurement is made.")] = 3,
    nest_python: Annotated[str, typer.Option(help="Python of an environment with NEST.")] = sys.executable,
    torch_python: Annotated[str, typer.Option(help="Python of an environment with torch.")] = sys.executable,
    save: Annotated[bool, typer.Option(help="Write tables to scaling/results/.")] = True,
) -> None:
    """CPU time of training, beside NEST and PyTorch."""
    console = Console()
    missing: dict[str, str] = {}
    for python, package, wheel in ((nest_python, "nest", "nest-simulator"), (torch_python, "torch", "torch")):
        if subprocess.run([python, "-c", f"import {package}"], capture_output=True, check=False).returncode:
            missing[package] = f"not installed; pip install {wheel}, or --{package}-python of an environment with it"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with console.status("samples"):
            data = prepared(folder)
        commands = {case: measurement(case, folder) for case in CASES}
        commands |= {f"{case} on 2": measurement(case, folder, 2) for case in RANKS}
        if "nest" not in missing:
            peer = [nest_python, "-m", "scaling.peers.nest_eprop", str(folder / "nest.npz"), "--model"]
            commands |= {model: [*peer, model] for model in NEST_MODELS}
        if "torch" not in missing:
            commands["torch"] = [torch_python, "-m", "scaling.peers.torch_bptt", str(folder / "images.npz")]
        found: Rounds = {name: [] for name in commands}
        for turn in range(rounds):
            for name, command in commands.items():
                with console.status(f"round {turn + 1} of {rounds}: {name}"):
                    found[name].append(started(command)[0])
            for case in RANKS:  # what two cores of this machine do for two processes that share nothing
                with console.status(f"round {turn + 1} of {rounds}: {case}, twice"):
                    both = started(measurement(case, folder), 2)
                    found.setdefault(f"{case} twice", []).append(max(both, key=lambda one: one["train"]["wall_s"]))
    for case in RANKS:
        assert len({one["digest"] for one in found[case] + found[f"{case} on 2"]}) == 1, "one answer on 1 and 2 ranks"
    facts = about(found, rounds, data)
    text = markdown(list(costs(found)), list(ratios(found, missing)), facts)
    console.print(Markdown(text))
    if save:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "training.md").write_text(text)
        kept = {**facts, "left_out": missing, "measured": found}
        (RESULTS / "training.json").write_text(json.dumps(kept, indent=1) + "\n")


def prepared(folder: Path) -> str:
    """Write what all of them train on; returns which images these are."""
    written(random_samples(128, **SHD), folder / "shd.npz")
    pictures, data = images()
    written(pictures, folder / "images.npz")
    # Two samples more than a batch, by which NEST warms up.
    for_nest(random_samples(NEST_BATCH + 2, **N_MNIST), folder / "nest.npz")
    return data


def measurement(case: str, folder: Path, n_ranks: int = 1) -> list[str]:
    """The command of one measurement of hpcsnn."""
    command = [sys.executable, "-m", "scaling.training.measure", case, str(folder)]
    return [str(Path(sys.executable).parent / "mpiexec"), "-n", str(n_ranks), *command] if n_ranks > 1 else command


def started(command: list[str], times: int = 1) -> list[dict[str, Any]]:
    """What one process measured, or each of several that run at once."""
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, env={**os.environ, **_ONE_THREAD}, **pipes) for _ in range(times)]
    results = []
    for process in processes:
        out, err = process.communicate()
        lines = [line for line in out.splitlines() if line.startswith("{")]
        if process.returncode or not lines:
            raise SystemExit(f"{shlex.join(command)}\n{out[-2000:]}\n{err[-2000:]}")
        results.append(json.loads(lines[-1]))
    return results


def shown(values: list[float], unit: str) -> str:
    """Median, and in brackets the least and the most."""
    return f"{statistics.median(values):.3g} {unit} ({min(values):.3g} .. {max(values):.3g})"


def costs(found: Rounds) -> Iterator[tuple[str, ...]]:
    """Rows of the table of samples."""

    def row(name: str, case: str, part: str | None = "train", wanted: str = "") -> tuple[str, ...]:
        measured = found[case]
        took = [one if part is None else one[part] for one in measured]
        facts = [one.get("hidden_hz") for one in measured]
        rate = "" if facts[0] is None else f"{statistics.median(facts):.1f}"
        cpu, wall = ([1e3 * one[kind] for one in took] for kind in ("cpu_s", "wall_s"))
        of_peer = case in (*NEST_MODELS, "torch")
        n_synapses = "" if of_peer else f"{measured[0]['synapses']:,}"
        return name, shown(cpu, "ms"), f"{statistics.median(wall):.3g} ms", rate, n_synapses, wanted

    for label, case, wanted in (("1 %", "0.01", "<= 4 ms"), ("5 %", "0.05", ""), ("dense", "1", "<= 30 ms")):
        yield row(f"SHD's size, {label}: training", f"shd {case}", "train", wanted)
        yield row(f"SHD's size, {label}: evaluation", f"shd {case}", "evaluate")
    for label, case, wanted in (("10 %", "images 0.1", "<= 12 s"), ("dense", "images 1", "")):
        yield row(f"images, {label}: training", case)
        epoch = shown([_IMAGES * one["train"]["cpu_s"] for one in found[case]], "s")
        part = found[case][0]["n_samples"]
        scaled = "" if part == _IMAGES else f" (scaled from {part:,})"
        yield (f"an epoch of {_IMAGES:,}{scaled}", epoch, "", "", "", wanted)
    for data, size in (("shd", "SHD's size"), ("images", "images")):
        for label, connectivity in (("1 %", "0.01"), ("dense", "1")):
            for part, way in (("online", "online"), ("events", "the same batch by its spikes")):
                yield row(f"{size}, {label}: gradient, {way}", f"online {data} {connectivity}", part)
    yield row("N-MNIST's size, as NEST below: training", "nest")
    for model in NEST_MODELS:
        if model in found:
            yield row(f"NEST, `{model}`: training", model, None)
    if "torch" in found:
        yield row("torch, dense BPTT, images: training", "torch", None)


def ratios(found: Rounds, missing: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Rows of the table of comparisons: of each round, what stood side by side in it."""

    def over(first: list[float], second: list[float]) -> list[float]:
        return [a / b for a, b in zip(first, second, strict=True)]

    def taken(case: str, kind: str = "cpu_s", part: str | None = "train") -> list[float]:
        return [(one if part is None else one[part])[kind] for one in found[case]]

    for model in NEST_MODELS:
        name = f"NEST's `{model}` / hpcsnn, CPU"
        if "nest" in missing:
            yield name, f"left out: {missing['nest']}", ">= 30"
        else:
            yield name, shown(over(taken(model, part=None), taken("nest")), "times"), ">= 30"
    name = "torch, dense / hpcsnn, 10 %, images, CPU"
    if "torch" in missing:
        yield name, f"left out: {missing['torch']}", ">= 8"
    else:
        yield name, shown(over(taken("torch", part=None), taken("images 0.1")), "times"), ">= 8"
    for data, size in (("shd", "SHD's size"), ("images", "images")):
        for label, connectivity, wanted in (("1 %", "0.01", ">= 5"), ("dense", "1", ">= 20")):
            case = f"online {data} {connectivity}"
            ratio = over(taken(case, part="online"), taken(case, part="events"))
            yield f"gradient online / by spikes, {size}, {label}, CPU", shown(ratio, "times"), wanted
    for part, label in (("images", "images, 10 %, batches of 128"), ("shd", "SHD's size, 5 %, batches of 32")):
        added, own = ([100.0 * one[part][share] for one in found["deep_r"]] for share in ("added", "own"))
        rewired = statistics.median(one[part]["rewired_a_batch"] for one in found["deep_r"])
        name = f"DEEP R (l1 {L1:g}) adds, CPU: {label}; {rewired:.0f} synapses rewired a batch"
        yield name, shown(added, "%"), "< 3 %"
        yield "of it the rewiring itself (the rest: the two networks part, and chance)", shown(own, "%"), "< 3 %"
    for case, label in (("ranks 0.01", "1 %"), ("ranks 1", "dense")):
        for kind, what in (("wall_s", "wall"), ("cpu_s", "CPU of the rank that takes most")):
            ratio = over(taken(case, kind), taken(f"{case} on 2", kind))
            yield f"1 rank / 2 ranks, SHD's size, {label}, {what}", shown(ratio, "times"), ">= 1.9 (wall)"
        most = [2.0 * speed for speed in over(taken(case, "wall_s"), taken(f"{case} twice", "wall_s"))]
        yield "two processes that share nothing, wall: what this machine's cores allow", shown(most, "times"), ""


def about(found: Rounds, rounds: int, data: str) -> dict[str, Any]:
    """What a reader needs to judge the tables."""
    versions = {name: version(name) for name in ("hpcsnn", "numpy", "mpi4py")}
    peers = {"NEST": NEST_MODELS[0], "torch": "torch"}
    versions |= {name: found[case][0]["version"] for name, case in peers.items() if case in found}
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
        "command": " ".join(["python -m scaling.training", *sys.argv[1:]]),
        "device": f"cpu ({processor()}), {os.cpu_count()} cores",
        "load": round(os.getloadavg()[1], 1),
        "rounds": rounds,
        "python": platform.python_version(),
        "versions": versions,
        "images": data,
    }


def markdown(rows: list[tuple[str, ...]], compared: list[tuple[str, str, str]], facts: dict[str, Any]) -> str:
    """Both tables."""

    def lines(header: tuple[str, ...], body: list[tuple[str, ...]]) -> list[str]:
        return [f"| {' | '.join(one)} |" for one in (header, ("---",) * len(header), *body)]

    loaded = facts["load"] > (os.cpu_count() or 1)
    warning = ["", "**The machine had other work: wall times say little.**"] if loaded else []
    return "\n".join(
        [
            "# Training: CPU time of a sample",
            "",
            *(f"- {name}: {value}" for name, value in facts.items()),
            *warning,
            "",
            _LEGEND,
            "",
            *lines(("", "CPU a sample", "wall", "hidden (Hz)", "synapses", "wanted"), rows),
            "",
            "Side by side, the ratio within each round; what differs between the peers: `scaling/peers/README.md`.",
            "",
            *lines(("", "measured", "wanted"), compared),
            "",
        ]
    )


if __name__ == "__main__":
    typer.run(table)
