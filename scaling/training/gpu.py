"""What training costs on a GPU, and whether it gives the host's bits: ``python -m scaling.training.gpu``.

Wall time of whole batches, of which a GPU simulates as many samples at a time as fit, after one that warms up. Beside
each stands one core of the same machine, with the first samples of the same batch, and the digests of both after that.
"""

from __future__ import annotations

import datetime
import json
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from hpcsnn.models import ALIFSubtractive
from hpcsnn.training.data.samples import Samples
from hpcsnn.training.trainer import Trainer
from scaling.training.networks import IMAGE_HIDDEN, SHD, SHD_HIDDEN, classifier, random_samples

RESULTS = Path(__file__).parents[1] / "results"
# As many spikes as an image of Fashion-MNIST has, and its steps.
IMAGES = {"n_channels": 784, "n_steps": 80, "n_events": 331, "n_classes": 10}
# Data, hidden neurons, connectivity of the input, of the recurrent synapses, samples of a batch, of those on the host.
CASES: dict[str, tuple[str, int, float, float, int, int]] = {
    "SHD's size, 1 %": ("shd", SHD_HIDDEN, 0.01, 0.01, 512, 64),
    "SHD's size, 5 %": ("shd", SHD_HIDDEN, 0.05, 0.05, 512, 64),
    "SHD's size, dense": ("shd", SHD_HIDDEN, 1.0, 1.0, 512, 64),
    "SHD's size, 1 %, batches of 32": ("shd", SHD_HIDDEN, 0.01, 0.01, 32, 32),
    "SHD's size, 4,096 hidden, 5 %": ("shd", 4096, 0.05, 0.05, 512, 4),
    "images, 10 %": ("images", IMAGE_HIDDEN, 0.1, 0.0, 512, 512),
    "images, dense": ("images", IMAGE_HIDDEN, 1.0, 0.0, 512, 512),
    "images, 512 recurrent, dense": ("images", SHD_HIDDEN, 1.0, 1.0, 512, 256),
}


def made(case: str, samples: Samples, device: str, batch: int) -> Trainer:
    """The trainer of a case."""
    _, n_hidden, connectivity, recurrent, *_ = CASES[case]
    network = classifier(samples.n_channels, n_hidden, samples.n_classes, connectivity, recurrent, ALIFSubtractive)
    return Trainer(network, "output", samples.n_steps, batch=batch, device=device)


def clocked(trainer: Trainer, samples: Samples, repeats: int) -> tuple[float, float]:
    """Median wall seconds a sample of a batch, and of its evaluation."""
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for call, walls in zip((trainer.train_batch, trainer.evaluate), taken, strict=True):
            start = time.perf_counter()
            call(samples)
            walls.append((time.perf_counter() - start) / len(samples))
    return statistics.median(taken[0]), statistics.median(taken[1])


def measured(case: str, repeats: int) -> dict[str, Any]:
    """One row."""
    data, *_, batch, few = CASES[case]
    samples = random_samples(batch, **(SHD if data == "shd" else IMAGES))
    first = samples.select(np.arange(few))
    on_gpu, on_host = (made(case, samples, device, batch) for device in ("gpu", "cpu"))
    digests = []
    for trainer in (on_gpu, on_host):
        trainer.train_batch(first)
        digests.append(trainer.digest())
    host_s, host_evaluation_s = clocked(on_host, first, 1)
    on_gpu.train_batch(samples)
    train_s, evaluation_s = clocked(on_gpu, samples, repeats)
    return {
        "case": case,
        "batch": batch,
        "replicas": on_gpu.simulation.network.replicas,
        "train_s": train_s,
        "evaluation_s": evaluation_s,
        "host_train_s": host_s,
        "host_evaluation_s": host_evaluation_s,
        "array_bytes": on_gpu.simulation.state.n_bytes(),
        "hidden_hz": on_gpu.evaluate(first).hidden_hz["hidden"],
        "synapses": sum(len(on_gpu.synapses(name)["weight"]) for name in on_gpu.network.projections),
        "device": on_gpu.simulation.device.name,
        "host": on_host.simulation.device.name,
        "same_bits": digests[0] == digests[1],
    }


_LEGEND = """\
Wall time of a sample in whole batches, median; on a GPU as many samples at a time as a batch has. The host is one core
of the same machine. `same bits`: equal digests on both after a batch. Data at random, of SHD's size (700 inputs, 8,000
spikes, 1,000 steps) and of Fashion-MNIST's (784 inputs, 331 spikes, 80 steps); hidden neurons are `alif_subtractive`.\
"""
_COLUMNS: dict[str, Callable[[dict[str, Any]], str]] = {
    "": lambda row: row["case"],
    "batch": lambda row: str(row["batch"]),
    "training": lambda row: f"{row['train_s'] * 1e3:.3g} ms",
    "evaluation": lambda row: f"{row['evaluation_s'] * 1e3:.3g} ms",
    "training, one core": lambda row: f"{row['host_train_s'] * 1e3:.3g} ms",
    "times": lambda row: f"{row['host_train_s'] / row['train_s']:.1f}",
    "hidden (Hz)": lambda row: f"{row['hidden_hz']:.1f}",
    "synapses": lambda row: f"{row['synapses']:,}",
    "memory": lambda row: f"{row['array_bytes'] / 1e9:.2f} GB",
    "same bits": lambda row: "yes" if row["same_bits"] else "NO",
}


def markdown(about: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """The table, and what it comes from."""
    facts = [f"- {name}: {value}" for name, value in about.items()]
    lines = ["| " + " | ".join(_COLUMNS) + " |", "|" + " --- |" * len(_COLUMNS)]
    lines += ["| " + " | ".join(column(row) for column in _COLUMNS.values()) + " |" for row in rows]
    return "\n".join(["# Training on a GPU", "", *facts, "", _LEGEND, "", *lines, ""])


def table(
    cases: Annotated[list[str] | None, typer.Argument(help="Which of them; all by default.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Batches measured.")] = 3,
    folder: Annotated[Path, typer.Option(help="Where tables are written.")] = RESULTS,
) -> None:
    """Wall time of training on a GPU beside one core."""
    rows = []
    for case in cases or CASES:
        try:
            rows.append(measured(case, repeats))
        except Exception as error:  # the other cases still say something
            typer.echo(f"{case}: {type(error).__name__}: {error}", err=True)
            continue
        typer.echo(json.dumps(rows[-1]))
    if not rows:
        raise SystemExit(1)
    about = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
        "command": shlex.join(["python", "-m", "scaling.training.gpu", *sys.argv[1:]]),
        "device": rows[0]["device"],
        "host": rows[0]["host"],
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("hpcsnn", "numpy", "cupy-cuda13x", "nvidia-cuda-nvrtc")},
    }
    (folder / "training_gpu.json").write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n")
    (folder / "training_gpu.md").write_text(markdown(about, rows))


if __name__ == "__main__":
    typer.run(table)
