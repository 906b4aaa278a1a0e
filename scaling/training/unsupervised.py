"""What rules without labels come to with a linear readout: ``python -m scaling.training.unsupervised [CASE ...]``.

Results are kept by case and seed, so that they can be run one at a time.
"""

from __future__ import annotations

import datetime
import json
import platform
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import scipy
import typer
from rich.console import Console
from rich.markdown import Markdown

from hpcsnn import __version__
from hpcsnn.devices.processors import processor
from hpcsnn.runs.experiment import Setting
from hpcsnn.runs.training_run import run_training
from hpcsnn.training.configuration import load_training

RESULTS = Path(__file__).parents[1] / "results"


@dataclass(frozen=True)
class Case:
    """A training, and what was published of the rule, in words."""

    config: str
    published: str
    settings: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (1, 2, 3)


_WHOLE = "with all 60,000 images: about 98"
_CLOTHES = "with all 60,000 images: about 89; spiking 83.8"
_FEWER = ("data.fashion_mnist.train_samples=5000", "data.fashion_mnist.test_samples=2000", "epochs=3")
CASES = {
    "MNIST-5k, BCPNN": Case("mnist_bcpnn", f"{_WHOLE}; spiking 97.7"),
    "MNIST-5k, BCPNN, no swaps": Case("mnist_bcpnn", "", ("unsupervised.hypercolumn_bcpnn.swaps=0",)),
    "MNIST-5k, not trained": Case("mnist_bcpnn", "", ("unsupervised.hypercolumn_bcpnn.tau_patterns=1e9", "epochs=1",
                                                      "unsupervised.hypercolumn_bcpnn.swaps=0")),
    "Fashion-MNIST, 5,000 images, BCPNN": Case("fashion_mnist_bcpnn", _CLOTHES, _FEWER),
    "Fashion-MNIST, 5,000 images, BCPNN, no swaps": Case(
        "fashion_mnist_bcpnn", "", (*_FEWER, "unsupervised.hypercolumn_bcpnn.swaps=0")
    ),
}  # fmt: skip


def measure(path: Path, name: str, seed: int, device: str = "cpu") -> None:
    """Train a case with a seed, and keep what it came to beside what is in the file.

    Raises:
        DataError: its data are not here.
    """
    case = CASES[name]
    configuration = load_training(case.config, [f"seed={seed}", *case.settings])
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        summary = run_training(configuration, Path(folder) / "run", Setting(device=device, figures=False))
    found = {
        "accuracy": round(float(summary["test_accuracy"]), 5),
        "cpu_seconds_in_all": round(time.process_time() - began, 1),
        "digest": summary["digest"],
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": processor(),
        "versions": f"hpcsnn {__version__}, Python {platform.python_version()}, NumPy {np.__version__}, "
        f"SciPy {scipy.__version__}",
    }
    results = kept(path)  # as it is by now: others may train other cases
    results.setdefault(name, {})[str(seed)] = found
    path.write_text(json.dumps(results, indent=1) + "\n")
    path.with_suffix(".md").write_text(markdown(results))


def kept(path: Path) -> dict[str, Any]:
    """By case and seed what it came to."""
    return json.loads(path.read_text()) if path.exists() else {}


def markdown(results: dict[str, Any]) -> str:
    """The table of what is there."""
    rows = [
        "| | test accuracy (%) | by seed | published (%) | CPU s in all |",
        "| --- | --- | --- | --- | --- |",
    ]
    ran = []
    for name, case in CASES.items():
        if name not in results:
            continue
        found = [results[name][seed] for seed in sorted(results[name], key=int)]
        by_seed = 100 * np.array([one["accuracy"] for one in found])
        spread = f" +- {by_seed.std(ddof=1):.2f}" if len(by_seed) > 1 else ""
        seeds = ", ".join(f"{one:.2f}" for one in by_seed)
        cpu_s = min(one["cpu_seconds_in_all"] for one in found)
        rows.append(f"| {name} | {by_seed.mean():.2f}{spread} | {seeds} | {case.published} | {cpu_s:.0f} |")
        ran += [f"{one['date']}, {one['machine']}, {one['versions']}" for one in found]
    return "\n".join([_TITLE, *rows, "", _WHY, *(f"- {one}" for one in dict.fromkeys(ran)), ""])


_TITLE = """# Rules without labels, read out by a linear classifier

`python -m scaling.training.unsupervised`: mean and standard deviation over seeds, of the test samples. CPU seconds are
of all of it, on one core: reading and encoding the data, all epochs, features of all samples, the readout. Learning by
itself takes 0.3 to 0.6 CPU seconds for 1,000 patterns, the more the less decided hypercolumns are.
"""
_WHY = """Published: Ravichandran, Lansner and Herman 2025, with all images. Here there are fewer to learn from, and to
train the readout on: 4,000 digits, 5,000 images of clothes (and 2,000 to test by). Pixels are shown at five levels. A
unit learns from what it is active for by 0.01 or more, all units begin at the mean of the first batch, and a swap
counts the other hypercolumns that listen to a pixel.

"""


def table(
    names: Annotated[list[str] | None, typer.Argument(help="Cases; without any, all.")] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Repeat. Default: three.")] = None,
    device: Annotated[str, typer.Option(help="cpu or gpu: the same bits.")] = "cpu",
    folder: Annotated[Path, typer.Option(help="Where tables are kept.")] = RESULTS,
) -> None:
    """Train, and write what it came to beside what is there from before."""
    path = folder / "unsupervised.json"
    for name in names or list(CASES):
        for one in seed or CASES[name].seeds:
            measure(path, name, one, device)
    Console().print(Markdown(markdown(kept(path))))


if __name__ == "__main__":
    typer.run(table)
