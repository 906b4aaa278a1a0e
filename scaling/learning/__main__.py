"""Learning rules side by side: ``python -m scaling.learning [RULE ...]``, by data and connectivity.

Accuracy on test samples after the last epoch, mean and standard deviation over seeds; CPU seconds of an epoch, with
evaluation; peak memory. Each training is a process of its own, and a line of ``scaling/results/learning.jsonl``, so
that a table that was cut off goes on. The settings are those of the configurations, which were chosen for e-prop.
"""

from __future__ import annotations

import datetime
import itertools
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.markdown import Markdown

from hpcsnn.devices.processors import processor
from hpcsnn.models.registry import registered
from scaling.learning.figure import draw

RESULTS = Path(__file__).parents[1] / "results"
# By data: the configuration, what is set in it, and the name of the setting that is the connectivity.
_STATIC = "projections.input_to_hidden.rewiring=null"
DATA: dict[str, tuple[str, tuple[str, ...]]] = {
    "digits": ("digits", (_STATIC, "epochs=20")),
    "MNIST-5k": ("fashion_mnist_static", ("data=mnist_5k", "epochs=10")),
    "Fashion-MNIST, 10,000": ("fashion_mnist_static", ("data.fashion_mnist.train_samples=10000", "epochs=5")),
    "Japanese Vowels": ("japanese_vowels", ()),
    "evidence accumulation": ("evidence_accumulation", ()),
}
CONNECTIVITY = (1.0, 0.1, 0.05, 0.01)
# Left out unless they are asked for: those that need a file of a teacher, or neurons and receptors that are not these.
NEEDS_MORE = ("eventprop", "local_tandem")
Row = dict[str, Any]


def one(rule: str, data: str, connectivity: float, seed: int) -> Row:
    """Train, in this process, and say what it came to."""
    from hpcsnn.runs.experiment import Setting
    from hpcsnn.runs.training_run import run_training
    from hpcsnn.training.configuration import load_training

    config, settings = DATA[data]
    configuration = load_training(
        config, [f"seed={seed}", f"learning={rule}", f"connectivity={connectivity}", *settings]
    )
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        summary = run_training(configuration, Path(folder) / "run", Setting(device="cpu", figures=False))
        spent_s = time.process_time() - start
    return {
        "rule": rule,
        "data": data,
        "connectivity": connectivity,
        "seed": seed,
        "accuracy": summary["test_accuracy"],
        "cpu_s_per_epoch": spent_s / configuration.epochs,
        "memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "digest": summary["digest"],
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "hpcsnn": version("hpcsnn"),
        "processor": processor(),
        "python": platform.python_version(),
    }


def kept(path: Path) -> list[Row]:
    """Lines of trainings that are done."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def markdown(rows: list[Row]) -> str:
    """A table for each data set: a line a rule, a column a connectivity."""
    dates = sorted({row["date"] for row in rows})
    parts = [
        "# Learning rules\n",
        "Test accuracy (%), mean and standard deviation over seeds, after the last epoch; CPU seconds of an epoch with "
        "evaluation, one thread, on a machine that does other things too; peak memory of the process. Settings are "
        f"those of the configurations, chosen for e-prop. {rows[0]['processor']}, {dates[0]} to {dates[-1]}; "
        "`python -m scaling.learning`.\n",
    ]
    for data in (name for name in DATA if any(row["data"] == name for row in rows)):
        here = [row for row in rows if row["data"] == data]
        columns = sorted({row["connectivity"] for row in here}, reverse=True)
        parts.append(f"## {data}\n")
        parts.append(f"| rule | {' | '.join(f'{100 * one:g} %' for one in columns)} | CPU s / epoch | memory (MB) |")
        parts.append(f"| --- |{' --- |' * (len(columns) + 2)}")
        for rule in dict.fromkeys(row["rule"] for row in here):
            own = [row for row in here if row["rule"] == rule]
            cells = [_mean([row for row in own if row["connectivity"] == column]) for column in columns]
            seconds = np.median([row["cpu_s_per_epoch"] for row in own])
            memory = max(row["memory_bytes"] for row in own) / 1e6
            parts.append(f"| `{rule}` | {' | '.join(cells)} | {seconds:.2f} | {memory:.0f} |")
        parts.append("")
    return "\n".join(parts)


def _mean(rows: list[Row]) -> str:
    if not rows:
        return "-"
    values = 100 * np.array([row["accuracy"] for row in rows])
    spread = f" +- {values.std(ddof=1):.1f}" if len(values) > 1 else ""
    return f"{values.mean():.1f}{spread} ({len(values)})"


def table(
    rules: Annotated[list[str] | None, typer.Argument(help="Learning rules; by default all that need no more.")] = None,
    data: Annotated[list[str] | None, typer.Option(help=f"Of {', '.join(DATA)}; repeat. Default: all.")] = None,
    connectivity: Annotated[list[float] | None, typer.Option(help="Repeat. Default: 1, 0.1, 0.05, 0.01.")] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Repeat. Default: 1, 2, 3.")] = None,
    folder: Annotated[Path, typer.Option(help="Where tables are kept.")] = RESULTS,
) -> None:
    """Train by each rule, and put what it came to beside what is there from before."""
    path = folder / "learning.jsonl"
    names = rules or [name for name in registered("learning") if name not in NEEDS_MORE]
    cases = list(itertools.product(seed or (1, 2, 3), data or DATA, connectivity or CONNECTIVITY, names))
    for number, (a_seed, a_set, p, rule) in enumerate(cases, 1):
        done = {(row["rule"], row["data"], row["connectivity"], row["seed"]) for row in kept(path)}
        if (rule, a_set, p, a_seed) in done:
            continue
        command = [sys.executable, "-m", "scaling.learning.one", rule, a_set, str(p), str(a_seed)]
        threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
        ended = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **threads})
        if ended.returncode:
            raise SystemExit(f"{rule} on {a_set}: {ended.stderr[-2000:]}")
        with path.open("a") as file:
            file.write(ended.stdout.splitlines()[-1] + "\n")
        print(f"{number} of {len(cases)}: {ended.stdout.splitlines()[-1]}", file=sys.stderr, flush=True)
    rows = kept(path)
    path.with_suffix(".md").write_text(markdown(rows))
    draw(rows, path.with_suffix(".png"))
    Console().print(Markdown(markdown(rows)))


if __name__ == "__main__":
    typer.run(table)
