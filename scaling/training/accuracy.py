"""What trainings come to on test data, over seeds: ``python -m scaling.training.accuracy [CASE ...]``.

Results are kept by case and seed, so that they can be run one at a time. The tests' slow lane holds the same cases to
what is wanted of them (`tests/science/test_training_accuracy.py`).
"""

from __future__ import annotations

import datetime
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.markdown import Markdown

from hpcsnn.runs.experiment import Setting
from hpcsnn.runs.training_run import run_training
from hpcsnn.training.configuration import load_training

RESULTS = Path(__file__).parents[1] / "results"
RECURRENT = str(Path(__file__).with_name("fashion_mnist_recurrent.yaml"))
_REWIRED = tuple(
    f"projections.{name}.rewiring={{deep_r_by_gradient: {{l1: 0.001}}}}"
    for name in ("input_to_hidden", "hidden_to_hidden")
)
# Dense networks learn the training images by heart (98 % of them) unless weights decay; 1 was the best of 0, 0.03, 0.1,
# 0.3 and 1 on the validation images, with seed 1.
_DECAY = (
    "batch=256",
    "optimiser={adam: {learning_rate: 0.004, schedule: cosine, decay_epochs: 20, decay_to: 0.02, weight_decay: 1.0}}",
)


@dataclass(frozen=True)
class Case:
    """A training; ``least`` is the part of the test samples that is wanted right, as the mean over ``seeds``.

    ``hours`` says that it takes them, on one core.
    """

    config: str
    settings: tuple[str, ...] = ()
    least: float | None = None
    seeds: tuple[int, ...] = (1, 2, 3)
    hours: bool = False


CASES = {
    "Fashion-MNIST, dense": Case("fashion_mnist_dense", least=0.845),
    "Fashion-MNIST, 10 %": Case("fashion_mnist_static", least=0.82),
    "Fashion-MNIST, 10 %, DEEP R": Case("fashion_mnist_deep_r", least=0.82),
    "Fashion-MNIST, 1 %": Case("fashion_mnist_static", ("connectivity=0.01",), 0.795),
    "Fashion-MNIST, 1 %, DEEP R": Case("fashion_mnist_deep_r", ("connectivity=0.01",), 0.795),
    "Fashion-MNIST, 512 ALIF, recurrent, dense": Case(RECURRENT, ("connectivity=1.0", *_DECAY), 0.87, hours=True),
    "Fashion-MNIST, 512 ALIF, recurrent, 5 %": Case(RECURRENT, hours=True),
    "Fashion-MNIST, 512 ALIF, recurrent, 5 %, DEEP R": Case(RECURRENT, _REWIRED, 0.865, hours=True),
    "Japanese Vowels, 10 %": Case("japanese_vowels", least=0.96),
    "evidence accumulation": Case("evidence_accumulation", least=0.93),
    "digits, dense": Case("digits", ("connectivity=1.0",), seeds=tuple(range(1, 9))),
    "digits, 20 %, DEEP R": Case("digits", seeds=tuple(range(1, 9))),
}


def accuracy(case: Case, seed: int, data: Path | None = None, device: str = "cpu") -> float:
    """Of the test samples, after the last epoch.

    Raises:
        DataError: its data are not here.
    """
    more = [] if data is None else [f"data_folder={data}"]
    configuration = load_training(case.config, [f"seed={seed}", *case.settings, *more])
    with tempfile.TemporaryDirectory() as folder:
        summary = run_training(configuration, Path(folder) / "run", Setting(device=device, figures=False))
    return float(summary["test_accuracy"])


def measure(path: Path, name: str, seed: int, data: Path | None = None, device: str = "cpu") -> None:
    """Train a case with a seed, and keep what it came to beside what is in the file."""
    found = round(accuracy(CASES[name], seed, data, device), 5)
    results = kept(path)  # as it is by now: others may train other cases
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    before = results.get(name, {}).get("accuracy", {})
    by_seed = dict(sorted({**before, str(seed): found}.items(), key=lambda one: int(one[0])))
    results[name] = {"date": today, "accuracy": by_seed}
    path.write_text(json.dumps(results, indent=1) + "\n")
    path.with_suffix(".md").write_text(markdown(results))


def kept(path: Path) -> dict[str, Any]:
    """By case its date, and its accuracy by seed."""
    return json.loads(path.read_text()) if path.exists() else {}


def markdown(results: dict[str, Any]) -> str:
    """The table of what is there."""
    rows = ["| | test accuracy (%) | by seed | wanted | date |", "| --- | --- | --- | --- | --- |"]
    for name, case in CASES.items():
        if name not in results:
            continue
        by_seed = 100 * np.array(list(results[name]["accuracy"].values()))
        spread = f" +- {by_seed.std(ddof=1):.2f}" if len(by_seed) > 1 else ""
        wanted = "" if case.least is None else f">= {100 * case.least:g}"
        seeds = ", ".join(f"{one:.2f}" for one in by_seed)
        rows.append(f"| {name} | {by_seed.mean():.2f}{spread} | {seeds} | {wanted} | {results[name]['date']} |")
    title = "# Training: accuracy\n\nMean and standard deviation over seeds, of the network after the last epoch.\n"
    return "\n".join([title, *rows, ""])


def table(
    names: Annotated[list[str] | None, typer.Argument(help="Cases; without any, all that do not take hours.")] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Repeat. Default: three, or those of the case.")] = None,
    data: Annotated[Path | None, typer.Option(help="Where the data of the cases are.")] = None,
    device: Annotated[str, typer.Option(help="cpu or gpu: the same bits.")] = "cpu",
    folder: Annotated[Path, typer.Option(help="Where tables are kept.")] = RESULTS,
) -> None:
    """Train, and write what it came to beside what is there from before."""
    path = folder / "training_accuracy.json"
    for name in names or [name for name, case in CASES.items() if not case.hours]:
        for one in seed or CASES[name].seeds:
            measure(path, name, one, data, device)
    Console().print(Markdown(markdown(kept(path))))


if __name__ == "__main__":
    typer.run(table)
